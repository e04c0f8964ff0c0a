"""The `seed` command on judges and scorers: asking, listing, comparing, training from a file, quoting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from calls import Seed, is_one_line
from judge_server import KEY, JudgeServer, rates
from support import make_repository, python_source, run_flow

FILES = 30


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of one batch without a scorer; the judge's answers are added to it, never taken away."""
    folder = tmp_path_factory.mktemp("quality")
    make_repository(folder / "one", {f"p{seed}.py": python_source(seed, 25) for seed in range(FILES)})
    run_flow(str(folder / "lake"), [str(folder / "one")], name="one", workers=1)
    return str(folder / "lake")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JudgeServer]:
    with JudgeServer(rates(6)) as serving:
        for name, value in (("URL", serving.url), ("MODEL", "judge"), ("KEY", KEY)):
            monkeypatch.setenv(f"SEED_JUDGE_{name}", value)
        yield serving


def _labels(path: Path, scores: list[float], *, held_out: int) -> Path:
    lines = [
        {
            "package": "pypi:none==1",
            "path": f"p{seed}.py",
            "sha256": hashlib.sha256(python_source(seed, 25).encode()).hexdigest(),
            "language": "Python",
            "bytes": 1000,
            "score": score,
            "reason": "as it is",
            "split": "held_out" if seed < held_out else "train",
        }
        for seed, score in enumerate(scores)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_judge_is_asked_listed_compared_and_quoted(seed: Seed, root: str, server: JudgeServer, tmp_path: Path):
    told = seed("judge", "files", "--json", "--lake", root)
    first = told.json
    assert (first["sampled"], first["judged"], first["requests"], first["languages"]) == (
        FILES,
        FILES,
        FILES,
        {"Python": FILES},
    )
    again = seed("judge", "files", "--lake", root)
    assert f"{FILES} of {FILES} files judged, {FILES} of them before" in " ".join(again.out.split())
    assert len(server.requests) == FILES
    assert KEY not in told.out + told.err + again.out + again.err
    listed = seed("judge", "list", "--json", "--lake", root).json
    assert listed == [{"judge": first["judge"], "rubric": "code_quality-1", "judgements": FILES}]
    name = first["judge"]
    found = seed("judge", "compare", name, name, "--json", "--plot", "a.png", "--lake", root).json
    assert (found["files"], found["exact"], found["mae"], found["confusion"][6][6]) == (FILES, 1.0, 0.0, FILES)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "exact 100.0%" in seed("judge", "compare", name, name, "--lake", root).out
    assert is_one_line(seed("judge", "compare", name, "shipped", "--lake", root), 2, "no file in common")
    assert is_one_line(seed("judge", "compare", name, "shipped", "--rubric", "best", "--lake", root), 2, "'best'")
    story = seed("why", "one:p3.py", "--json", "--lake", root).json
    assert [(each["judge"], each["score"], each["explanation"]) for each in story["document"]["judged"]] == [
        (name, 6.0, "It is as it is.")
    ]
    shown = " ".join(seed("why", "one:p3.py", "--lake", root).out.split())
    assert f"6 by {name} (code_quality-1): It is as it is." in shown


@pytest.mark.parametrize("arguments", [("judge", "files"), ("train", "file-quality", "--labels", "judged")])
def test_without_a_judge_one_line_says_what_to_set(seed: Seed, root: str, arguments: tuple[str, ...]):
    assert is_one_line(seed(*arguments, "--lake", root), 2, "SEED_JUDGE_URL", "SEED_JUDGE_MODEL")


def test_a_scorer_is_trained_from_a_label_file_and_too_few_labels_are_said_to_be(seed: Seed, root: str, tmp_path: Path):
    (tmp_path / "policy.yaml").write_text("quality_scorer: {min_labels: 20}\n")
    train = ("train", "file-quality", "--no-fetch", "--lake", root, "--policy", "policy.yaml", "--labels")
    few = _labels(tmp_path / "few.jsonl", [5.0] * 10, held_out=0)
    assert "every file passes, noted as not_scored" in " ".join(seed(*train, few).out.split())
    labels = _labels(tmp_path / "labels.jsonl", [float(at % 9) for at in range(FILES)], held_out=6)
    trained = seed(*train, labels, "--plot", "c.png")
    assert trained.code == 0, trained.err
    shown = " ".join(trained.out.split())
    assert "on 6 held-out files MAE" in shown
    assert "next: seed run" in shown
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert seed(*train, labels, "--json").json["trained_on"] == FILES - 6
    (batch,) = seed("batch", "list", "--json", "--lake", root, "--policy", "policy.yaml").json
    assert batch["outstanding"] > 0


def test_labels_of_which_nothing_can_be_measured_train_a_scorer_all_the_same(seed: Seed, root: str, tmp_path: Path):
    (tmp_path / "policy.yaml").write_text("quality_scorer: {min_labels: 20}\n")
    train = ("train", "file-quality", "--no-fetch", "--lake", root, "--policy", "policy.yaml", "--labels")
    none = seed(
        *train, _labels(tmp_path / "none.jsonl", [float(at % 9) for at in range(FILES)], held_out=0), "--plot", "c.png"
    )
    assert none.code == 0, none.err
    assert "nothing is measured" in " ".join(none.out.split())
    same = seed(*train, _labels(tmp_path / "same.jsonl", [5.0] * 6 + [float(at % 9) for at in range(24)], held_out=6))
    assert same.code == 0, same.err
    assert "rank correlation undefined" in " ".join(same.out.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot read the labels"), ("{}\n", "line 1: unknown keys"), ("\n[\n", "line 2: not JSON")],
)
def test_a_wrong_label_file_is_one_line(seed: Seed, root: str, text: str | None, words: str):
    if text is not None:
        Path("labels.jsonl").write_text(text)
    assert is_one_line(seed("train", "file-quality", "--labels", "labels.jsonl", "--lake", root), 2, words)


def test_a_lake_that_is_not_there_has_no_judges(seed: Seed):
    assert is_one_line(seed("judge", "list", "--lake", "none"), 2, "none")
