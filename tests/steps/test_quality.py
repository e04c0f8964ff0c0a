"""From a judge's labels to dropped files: what is trained on, what is scored anew, what a percentile is of."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flow_tables import VERDICTS, contents_of, outcomes_of, rows_of, work_on
from support import lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.errors import WorkError
from seed_platform.judging.labels import Label
from seed_platform.lake.schemas import FILE_LEVEL, FILES, SCORE_HISTOGRAMS
from seed_platform.policy import Policy
from seed_platform.scoring.policy import FileQualityPolicy, QualityScorerPolicy
from seed_platform.steps.flow import FILE_LEVEL_CORPUS, FILE_QUALITY, QUALITY_SCORES
from seed_platform.steps.freshness import load_records
from seed_platform.steps.models import Model, models
from seed_platform.steps.quality_model import MODEL, train_quality
from seed_platform.steps.quality_scores import SCORES

GOOD, BAD = 80, 20
"""Files of the first batch."""
LATER = 60
"""Files of the second one, half of them bad."""
POLICY = Policy(quality_scorer=QualityScorerPolicy(min_labels=40), file_quality=FileQualityPolicy(min_files=GOOD + BAD))
SCORE_TABLE = SCORES.table


def _bad(seed: int) -> str:
    """Python that parses and that nobody would show, after up to 19 pairs of lines that are in order."""
    chance = random.Random(seed)
    return python_source(1000 + seed, 1 + 2 * (seed % 20)) + "\n".join(
        ";".join(f"{chance.choice('abcdxyz')}{chance.randint(0, 999)}={chance.randint(0, 9999)}" for _ in range(9))
        for _ in range(20)
    )


def _rating(name: str) -> float:
    return 7.0 + len(name) % 2 if name.startswith("good") else 1 + 0.2 * (int(name.removeprefix("bad")) % 20)


def _files(good: range, bad: range) -> dict[str, str | bytes]:
    return {
        **{f"good{seed}.py": python_source(seed, 40) for seed in good},
        **{f"bad{seed}.py": _bad(seed) for seed in bad},
    }


FIRST = _files(range(GOOD), range(BAD))
SECOND = _files(range(GOOD, GOOD + LATER // 2), range(BAD, BAD + LATER // 2))


def labels_of(files: dict[str, str | bytes], *, held_out: Sequence[str] = ()) -> list[Label]:
    """Good files are 7s and 8s, bad ones 1 to 5, by how much of them is in order.

    Those whose names end in one of `held_out` are held out.
    """
    return [
        Label(
            package="pypi:none==1",
            path=path,
            sha256=hashlib.sha256(str(text).encode()).hexdigest(),
            language="Python",
            bytes=len(text),
            score=_rating(path.removesuffix(".py")),
            reason="as it is",
            split="held_out" if path.removesuffix(".py").endswith(tuple(held_out)) else "train",
        )
        for path, text in files.items()
    ]


LABELS = labels_of(FIRST, held_out=("3", "7"))


def _train(root: str, labels: Sequence[Label], policy: Policy = POLICY) -> Model:
    context, _, _ = work_on(root, policy)
    return train_quality(context, labels, "a test", fetch=False)


def _computed(root: str, specs: Sequence[str] = (), policy: Policy = POLICY, name: str | None = None) -> set[str]:
    return {done.report.step for done in run_flow(root, specs, policy=policy, name=name, workers=1) if done.computed}


def _outstanding(root: str, policy: Policy = POLICY) -> set[str]:
    context, flow, _ = work_on(root, policy)
    return {step.name for _, step in flow.outstanding(load_records(context.lake))} & {
        step.name for step in (QUALITY_SCORES, FILE_QUALITY, FILE_LEVEL_CORPUS)
    }


def _verdicts(root: str, name: str = "quality") -> dict[str, dict[str, Any]]:
    """The verdicts of a filter by the file's path."""
    lake = lake_of(settings_of(root))
    files = rows_of(lake, FILES).select("batch", "ordinal", "path")
    table = SCORE_TABLE if name == "quality_score" else VERDICTS[name]
    rows = rows_of(lake, table).join(files, on=["batch", "ordinal"])
    return {row["path"]: row for row in rows.iter_rows(named=True)}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("sources")
    for name, files in (("first", FIRST), ("second", SECOND)):
        make_repository(folder / name, files)
    return [str(folder / "first"), str(folder / "second")]


@pytest.fixture(scope="module")
def unscored(tmp_path_factory: pytest.TempPathFactory, sources: list[str]) -> str:
    """A lake of the first batch where there were too few labels."""
    root = str(tmp_path_factory.mktemp("unscored") / "lake")
    run_flow(root, sources[:1], policy=POLICY, name="first", workers=1)
    return root


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, unscored: str) -> str:
    """The same with a scorer in use."""
    root = str(tmp_path_factory.mktemp("scored") / "lake")
    shutil.copytree(unscored, root)
    assert _train(root, LABELS).path is not None
    _computed(root)
    return root


@pytest.fixture
def root(tmp_path: Path, scored: str) -> str:
    """A copy of the lake with a scorer, to write to."""
    return shutil.copytree(scored, str(tmp_path / "lake"))


def test_of_too_few_labels_there_is_no_scorer_and_every_file_passes_as_not_scored(unscored: str, tmp_path: Path):
    root = shutil.copytree(unscored, str(tmp_path / "lake"))
    model = _train(root, LABELS[: POLICY.quality_scorer.min_labels - 1])
    assert model.path is None
    assert "at least 40 are needed" in model.report["why_none"]
    assert _outstanding(root) == set()  # it is none as before
    for name in ("quality", "quality_score"):
        verdicts = _verdicts(root, name)
        assert len(verdicts) == GOOD + BAD
        assert {(row["keep"], row["reason"], row["score"]) for row in verdicts.values()} == {(True, "not_scored", None)}
    assert rows_of(lake_of(settings_of(root)), FILE_LEVEL).height == GOOD + BAD


def test_the_scorer_learns_the_labels_of_the_lakes_files_and_is_measured_on_those_held_out(root: str):
    report = models(lake_of(settings_of(root)))[MODEL].report
    held_out = sum(label.split == "held_out" for label in LABELS)
    assert (report["trained_on"], report["held_out"]) == (len(LABELS) - held_out, held_out)
    assert report["labels_without_file"] == 0
    assert report["judge"] == "a test"
    assert report["mae"] < report["baselines"]["mean"]["mae"] / 2
    assert report["rank_correlation"] > 0
    model = _train(root, [*LABELS, *labels_of(SECOND)])
    assert model.report["labels_without_file"] == LATER
    assert model.id == models(lake_of(settings_of(root)))[MODEL].id
    assert model.report["trained_on"] == report["trained_on"]


def test_held_out_labels_teach_nothing(root: str):
    before = models(lake_of(settings_of(root)))[MODEL].id
    other = [
        label if label.split == "train" else Label(**{**_fields(label), "score": 10 - label.score}) for label in LABELS
    ]
    assert _train(root, other).id == before


def _fields(label: Label) -> dict[str, Any]:
    return {name: getattr(label, name) for name in Label.__dataclass_fields__}


def test_the_lowest_tenth_is_dropped_and_only_bad_files_are_in_it(scored: str):
    scores = {path: row["score"] for path, row in _verdicts(scored, "quality_score").items()}
    assert max(scores[path] for path in scores if path.startswith("bad")) < min(
        scores[path] for path in scores if path.startswith("good")
    )
    verdicts = _verdicts(scored)
    dropped = [path for path, row in verdicts.items() if not row["keep"]]
    assert len(verdicts) == GOOD + BAD
    assert len(dropped) in range(9, 12)  # scores are compared in hundredths: two files may be equal
    assert all(path.startswith("bad") for path in dropped)
    assert {verdicts[path]["reason"] for path in dropped} == {"low_quality"}
    assert max(scores[path] for path in dropped) <= min(scores[path] for path in scores if path not in dropped)
    outcomes = outcomes_of(scored)
    assert {name.rsplit("/", 1)[-1] for name, fate in outcomes.items() if fate == "quality: low_quality"} == set(
        dropped
    )
    lake = lake_of(settings_of(scored))
    assert rows_of(lake, FILE_LEVEL).height == GOOD + BAD - len(dropped)
    scorer = models(lake)[MODEL].id[:12]
    for row in verdicts.values():
        evidence = json.loads(row["evidence"])
        assert evidence["scorer"] == scorer
        assert (evidence["percentile"] < 10) is not row["keep"]


def test_another_percentile_scores_nothing_anew(root: str):
    scores = _verdicts(root, "quality_score")
    policy = POLICY.model_copy(update={"file_quality": FileQualityPolicy(min_files=50, drop_percentile=20)})
    assert _outstanding(root, policy) == {FILE_QUALITY.name, FILE_LEVEL_CORPUS.name}
    assert _computed(root, policy=policy) & {QUALITY_SCORES.name, FILE_QUALITY.name} == {FILE_QUALITY.name}
    assert _verdicts(root, "quality_score") == scores
    dropped = {path for path, row in _verdicts(root).items() if not row["keep"]}
    assert dropped == {path for path in FIRST if path.startswith("bad")}


def test_a_corpus_can_leave_the_filter_out(root: str):
    policy = POLICY.model_copy(
        update={"file_level": POLICY.file_level.model_copy(update={"filters": POLICY.file_level.filters[:-1]})}
    )
    assert _computed(root, policy=policy) == {FILE_LEVEL_CORPUS.name}
    assert rows_of(lake_of(settings_of(root)), FILE_LEVEL).height == GOOD + BAD


def test_training_anew_makes_scores_outstanding_and_training_the_same_does_not(root: str):
    assert _outstanding(root) == set()
    before = models(lake_of(settings_of(root)))[MODEL].id
    assert _train(root, LABELS).id == before
    assert _outstanding(root) == set()
    retrained = _train(root, LABELS[10:])
    assert retrained.id != before
    assert _outstanding(root) == {QUALITY_SCORES.name, FILE_QUALITY.name, FILE_LEVEL_CORPUS.name}
    scores = _verdicts(root, "quality_score")
    _computed(root)
    assert _outstanding(root) == set()
    again = _verdicts(root, "quality_score")
    assert {path: row["score"] for path, row in again.items()} != {path: row["score"] for path, row in scores.items()}
    assert {json.loads(row["evidence"])["scorer"] for row in _verdicts(root).values()} == {retrained.id[:12]}


def test_a_scorer_in_use_stays_when_there_are_too_few_labels_for_another(root: str):
    before = models(lake_of(settings_of(root)))[MODEL]
    assert _train(root, LABELS[:5]) == before
    assert _train(root, labels_of(SECOND)) == before  # of none of them is there a file
    assert _outstanding(root) == set()


def test_a_later_batch_is_compared_with_earlier_ones_whose_verdicts_stay(root: str, sources: list[str]):
    before = _verdicts(root)
    _computed(root, sources[1:], name="second")
    verdicts = _verdicts(root)
    assert {path: verdicts[path] for path in before} == before
    everything = [round(row["score"] * 100) for row in verdicts.values()]
    for path in SECOND:
        row = verdicts[path]
        score = round(row["score"] * 100)
        lower, equal = sum(other < score for other in everything), everything.count(score)
        percentile = 100 * (lower + equal / 2) / len(everything)
        assert json.loads(row["evidence"])["percentile"] == pytest.approx(percentile, abs=0.006)
        assert row["keep"] is (percentile >= 10)
    counts = rows_of(lake_of(settings_of(root)), SCORE_HISTOGRAMS).filter(pl.col("language") == "")
    totals = counts.group_by("batch").agg(pl.col("files").sum()).sort("files")
    assert totals["files"].to_list() == [LATER, GOOD + BAD]


def test_too_few_files_to_compare_all_pass_until_a_later_batch_has_more(
    unscored: str, sources: list[str], tmp_path: Path
):
    root = shutil.copytree(unscored, str(tmp_path / "lake"))
    policy = POLICY.model_copy(update={"file_quality": FileQualityPolicy(min_files=GOOD + BAD + 1)})
    _train(root, LABELS)
    _computed(root, policy=policy)
    verdicts = _verdicts(root)
    assert {(row["keep"], row["reason"]) for row in verdicts.values()} == {(True, "too_few_to_compare")}
    assert all(row["score"] is not None for row in verdicts.values())
    _computed(root, sources[1:], policy, "second")
    assert any(not row["keep"] for path, row in _verdicts(root).items() if path in SECOND)


def test_files_that_an_earlier_filter_drops_are_neither_scored_nor_counted(unscored: str, tmp_path: Path):
    root = shutil.copytree(unscored, str(tmp_path / "lake"))
    files = {**{f"good{seed}.py": python_source(seed, 40) for seed in range(500, 505)}, "broken.py": "def f(:\n" * 9}
    make_repository(tmp_path / "third", files)
    _train(root, LABELS)
    _computed(root, [str(tmp_path / "third")], name="third")
    assert "broken.py" not in _verdicts(root, "quality_score")
    assert "broken.py" not in _verdicts(root)
    counts = rows_of(lake_of(settings_of(root)), SCORE_HISTOGRAMS).filter(pl.col("language") == "")
    assert counts["files"].sum() == GOOD + BAD + 5


def test_an_empty_batch_has_no_scores_and_changes_none(root: str, tmp_path: Path):
    before = _verdicts(root)
    make_repository(tmp_path / "empty", {})
    assert FILE_QUALITY.name in _computed(root, [str(tmp_path / "empty")], name="empty")
    assert _verdicts(root) == before


def test_two_lakes_given_the_same_have_the_same_scores_however_many_processes_scored(
    scored: str, unscored: str, tmp_path: Path
):
    root = shutil.copytree(unscored, str(tmp_path / "lake"))
    assert _train(root, LABELS).id == models(lake_of(settings_of(scored)))[MODEL].id
    run_flow(root, [], policy=POLICY, workers=2)
    assert contents_of(root) == contents_of(scored)


@pytest.mark.parametrize("damage", ["cut", "emptied", "changed", "gone"])
def test_a_damaged_model_file_ends_the_run_with_a_line_that_names_it(unscored: str, tmp_path: Path, damage: str):
    root = shutil.copytree(unscored, str(tmp_path / "lake"))
    model = _train(root, LABELS)
    assert model.path is not None
    file = Path(root) / model.path
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        changed = content[:2000] + bytes(byte ^ 255 for byte in content[2000:2100]) + content[2100:]
        file.write_bytes({"cut": content[: len(content) // 2], "emptied": b"", "changed": changed}[damage])
    with pytest.raises(WorkError, match=r"file_quality.*seed train file-quality"):
        _computed(root)
    assert {row["reason"] for row in _verdicts(root).values()} == {"not_scored"}  # nothing was published
    file.write_bytes(content)
    _computed(root)
    assert {row["reason"] for row in _verdicts(root).values()} == {None, "low_quality"}


def test_a_model_in_use_whose_labels_were_none_held_out_is_published_too(unscored: str, tmp_path: Path):
    root = shutil.copytree(unscored, str(tmp_path / "lake"))
    model = _train(root, labels_of(FIRST))
    assert model.path is not None
    assert (model.report["held_out"], model.report["mae"]) == (0, None)
