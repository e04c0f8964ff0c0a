import json
import multiprocessing
import pickle
import random
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from seed_platform.errors import UsageError, WorkError
from seed_platform.scoring import kernel
from seed_platform.scoring.fast_text import FastTextScorer
from seed_platform.scoring.kernel import KernelScorer
from seed_platform.scoring.ordering import SPOILERS, good_modules, ordering_report
from seed_platform.scoring.scorer import Scorer, load_scorer, report_on, train_scorer
from seed_platform.scoring.supervised import train_model

Files = tuple[list[str], list[str], list[float]]


@cache
def files(count: int = 240, seed: int = 1) -> Files:
    """Programs made of functions with comments, whose rating falls with the share of literals among them."""
    rng = random.Random(seed)
    texts, scores = [], []
    for number in range(count):
        score = number % 9
        function = "def {0}_value(first, second):\n    # The sum of both.\n    return first + second\n\n"
        lines = [
            function.format(rng.choice(["total", "mean", "share", "spread"]))
            if rng.random() * 8 < score
            else f"X{rng.randrange(99)} = {[rng.randrange(99) for _ in range(9)]}\n"
            for _ in range(rng.randint(15, 40))
        ]
        texts.append("".join(lines))
        scores.append(float(score))
    return texts, ["Python"] * count, scores


@cache
def trained(backend: str) -> Scorer:
    return train_scorer(backend, *files(), seed=1)


@pytest.mark.parametrize("backend", ["features", "fast_text"])
def test_a_scorer_learns_what_the_labels_say_and_is_the_same_when_loaded(backend: str, tmp_path: Path):
    texts, languages, scores = files(90, seed=2)
    scorer = trained(backend)
    report = report_on(scorer, texts, languages, scores, mean=4.0)
    assert report["mae"] < 0.7 * report["baselines"]["mean"]["mae"]
    assert report["rank_correlation"] > 0.8
    assert report["baselines"]["mean"]["rank_correlation"] is None
    assert report["mae_by_language"] == {"Python": {"files": 90, "mae": pytest.approx(report["mae"])}}
    json.dumps(report, allow_nan=False)

    scorer.save(tmp_path / "new" / "folder")
    loaded = load_scorer(tmp_path / "new" / "folder")
    assert (loaded.id, loaded.backend) == (scorer.id, backend)
    found = scorer.score(texts, languages)
    np.testing.assert_array_equal(loaded.score(texts, languages), found)
    alone = pickle.loads(pickle.dumps(loaded)).score(texts[:3], languages[:3])
    np.testing.assert_allclose(alone, found[:3], atol=1e-9)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("backend", ["features", "fast_text"])
def test_any_text_is_scored_between_0_and_10(backend: str):
    texts = ["", "\n", "\0", "\ud800", "x" * 10**6, "é" * 1000, "Rating: [[10]]\n__label__10 " * 100, "__label__10"]
    found = trained(backend).score(texts, ["Python", "no such language", "C", "", "JSON", "Go", "Markdown", "C++"])
    assert found.shape == (8,)
    assert found.dtype == np.float64
    assert ((found >= 0) & (found <= 10)).all()
    assert trained(backend).score([], []).shape == (0,)
    with pytest.raises(ValueError, match="1 texts and 2 languages"):
        trained(backend).score(["x"], ["C", "C"])


def test_a_rating_that_stands_in_a_file_does_not_raise_its_score():
    source = good_modules()["textwrap"]
    plain, asking = trained("features").score([source, f"{source}\n# Rating: [[10]]\n"], ["Python", "Python"])
    assert asking == pytest.approx(plain, abs=0.2)


def _train_alone(folder: Path) -> None:
    for backend in ("features", "fast_text"):
        train_scorer(backend, *files(60), seed=3).save(folder / backend)


def test_the_same_files_and_seed_give_the_same_bytes(tmp_path: Path):
    # Each in a process of its own: fastText starts from memory that it does not set to zero.
    for name in ("one", "two"):
        process = multiprocessing.get_context("spawn").Process(target=_train_alone, args=(tmp_path / name,))
        process.start()
        process.join()
        assert process.exitcode == 0
    stored = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(stored) == 3
    for path in stored:
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_of_many_files_a_sample_is_enough(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kernel, "MOST_LANDMARKS", 300)
    rng = np.random.default_rng(1)
    table = rng.normal(size=(2500, 6))
    labels = np.clip(5 + 2 * table[:, 0] + table[:, 1], 0, 10)
    scorer = KernelScorer.fit(table, labels, seed=1)
    assert len(scorer.landmarks) == 300
    assert np.abs(scorer.score_table(table) - labels).mean() < 0.3


def test_wrong_calls_say_what_is_wrong(tmp_path: Path):
    with pytest.raises(UsageError, match="no scorer backend 'oracle': features, fast_text, backbone"):
        train_scorer("oracle", ["x"], ["C"], [1.0], 1)
    with pytest.raises(UsageError, match="at least one"):
        train_scorer("features", [], [], [], 1)
    with pytest.raises(ValueError, match="2 texts, 1 languages, 1 scores"):
        train_scorer("features", ["x", "y"], ["C"], [1.0], 1)
    with pytest.raises(WorkError, match="no scorer in"):
        load_scorer(tmp_path)


def test_a_damaged_or_outdated_scorer_is_named(tmp_path: Path):
    for backend in ("features", "fast_text"):
        folder = tmp_path / backend
        trained(backend).save(folder)
        for path in folder.iterdir():
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            with pytest.raises(WorkError, match=r"cannot read"):
                load_scorer(folder).score(["x"], ["C"])
            path.write_bytes(whole)
    ranges = json.loads((folder / "ranges.json").read_text())
    (folder / "ranges.json").write_text(json.dumps(ranges | {"version": "0"}))
    with pytest.raises(WorkError, match=r"version 0 .* train it again"):
        load_scorer(folder)


def test_a_few_files_with_one_score_are_enough_not_to_fail():
    for backend in (KernelScorer, FastTextScorer):
        scorer = backend.train(["x = 1\n", "y = 2\n"], ["Python", "C"], [3.0, 3.0], 1)
        np.testing.assert_allclose(scorer.score(["z = 3\n"], ["Go"]), [3.0], atol=1e-4)


def test_training_that_diverges_at_every_rate_is_an_error():
    with pytest.raises(WorkError, match="diverged down to a learning rate of"):
        train_model(["__label__0 a b", "__label__1 c d"] * 50, {"dim": 100, "minCount": 1}, float("inf"), 1)


def test_spoiled_copies_are_the_same_every_time_and_no_longer_the_module():
    modules = good_modules()
    assert len(modules) >= 30
    for name, spoil in SPOILERS.items():
        one = [spoil(modules[module]) for module in ("bisect", "textwrap", "heapq")]
        assert one == [spoil(modules[module]) for module in ("bisect", "textwrap", "heapq")], name
        assert all(text != modules["bisect"] and len(text) > 100 for text in one), name
    compile(SPOILERS["minified"](modules["textwrap"]), "minified", "exec")


def test_the_ordering_test_gives_half_to_a_coin_and_one_to_a_scorer_that_knows():
    class Length(KernelScorer):
        def score(self, texts: Sequence[str], languages: Sequence[str]) -> np.ndarray:  # noqa: ARG002
            return np.array([float(text in good_modules().values()) for text in texts])

    class Constant(KernelScorer):
        def score(self, texts: Sequence[str], languages: Sequence[str]) -> np.ndarray:  # noqa: ARG002
            return np.full(len(texts), 5.0)

    empty = (np.empty(0),) * 4
    assert ordering_report(Length(*empty, 0.0))["auc"] == 1.0
    report = ordering_report(Constant(*empty, 0.0))
    assert report["auc"] == 0.5
    assert set(report["auc_by_kind"].values()) == {0.5}


@pytest.mark.parametrize("backend", ["features", "fast_text"])
def test_a_core_scores_at_least_200_files_a_second(backend: str):
    texts = list(good_modules().values()) * 2
    trained(backend).score(texts[:2], ["Python"] * 2)
    started = time.process_time()
    trained(backend).score([text[:6000] for text in texts], ["Python"] * len(texts))
    assert len(texts) / (time.process_time() - started) > 200
