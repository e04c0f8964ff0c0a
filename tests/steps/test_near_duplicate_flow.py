"""Near duplicates through the whole flow, against a brute force over Python sets of word 5-grams."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from flow_tables import VERDICTS, outcomes_of, rows_of, shingles, similarity
from support import lake_of, run_flow, settings_of

from seed_platform.lake.schemas import FILES
from seed_platform.policy import Policy

THRESHOLD = Policy().near_duplicates.threshold
FAMILIES, MEMBERS, LINES = 50, 6, 60


def _lines(name: str) -> list[str]:
    """Distinct lines of three words each, so that a replaced block of lines has a known effect on similarity."""
    return [f"{name}_a{line} = {name}_b{line}({name}_c{line})" for line in range(LINES)]


def _with_block(lines: list[str], start: int, size: int, name: str) -> list[str]:
    return [*lines[:start], *_lines(name)[start : start + size], *lines[start + size :]]


def _write(folder: Path, texts: dict[str, str]) -> str:
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return str(folder)


def test_in_a_chain_only_documents_that_resemble_a_kept_one_are_dropped(tmp_path: Path):
    first = _lines("first")
    middle = _with_block(first, 5, 6, "middle")
    last = _with_block(middle, 40, 6, "last")
    texts = {name: "\n".join(lines) + "\n" for name, lines in (("a.py", first), ("b.py", middle), ("c.py", last))}
    a, b, c = texts.values()
    assert min(similarity(a, b), similarity(b, c)) > THRESHOLD > similarity(a, c)
    root = str(tmp_path / "lake")
    run_flow(root, [_write(tmp_path / "chain", texts)], workers=1)
    assert outcomes_of(root) == {
        "chain/a.py": "kept",
        "chain/b.py": "near_duplicates: near_duplicate",
        "chain/c.py": "kept",
    }


def _families() -> dict[str, str]:
    """Families of documents whose members differ from the first by a block of 1 to 19 of 60 lines, in mixed order."""
    chance = random.Random(7)
    texts: list[str] = []
    for family in range(FAMILIES):
        base = _lines(f"f{family}")
        texts.append("\n".join(base) + "\n")
        for member in range(1, MEMBERS):
            size = round(chance.triangular(1, 19, 1))
            block = _with_block(base, chance.randint(0, LINES - size), size, f"f{family}m{member}")
            texts.append("\n".join(block) + "\n")
    chance.shuffle(texts)
    return {f"{number:03d}.py": text for number, text in enumerate(texts)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], pl.DataFrame, pl.DataFrame]:
    """The texts by name, and the verdicts on them as one batch and as two; `name` is the file's."""
    folder = tmp_path_factory.mktemp("families")
    texts = _families()
    names = list(texts)
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    specs = [
        _write(folder / f"half{number}", {name: texts[name] for name in half}) for number, half in enumerate(halves)
    ]
    run_flow(str(folder / "one"), specs, workers=1)
    for spec in specs:
        run_flow(str(folder / "two"), [spec], workers=1)
    verdicts = []
    for root in ("one", "two"):
        lake = lake_of(settings_of(str(folder / root)))
        files = rows_of(lake, FILES).select("doc_id", name="path")
        verdicts.append(rows_of(lake, VERDICTS["near_duplicates"]).drop("batch", "ordinal").join(files, on="doc_id"))
    return texts, *(each.sort("name") for each in verdicts)


def test_every_removal_is_as_similar_to_a_kept_document_as_it_says(
    runs: tuple[dict[str, str], pl.DataFrame, pl.DataFrame],
):
    texts, verdicts, _ = runs
    names = dict(verdicts.select("doc_id", "name").iter_rows())
    kept = set(verdicts.filter("keep")["name"])
    removals = verdicts.filter(~pl.col("keep")).to_dicts()
    assert len(removals) > 100
    for row in removals:
        related = names[row["related_doc_id"]]
        truth = similarity(texts[row["name"]], texts[related])
        assert related in kept
        assert related < row["name"], "a later document must not remove an earlier one"
        assert truth >= THRESHOLD
        assert row["score"] == pytest.approx(truth, abs=1e-9)


def test_at_least_99_percent_of_what_is_clearly_similar_to_a_kept_document_is_found(
    runs: tuple[dict[str, str], pl.DataFrame, pl.DataFrame],
):
    texts, verdicts, _ = runs
    sets = {name: shingles(text) for name, text in texts.items()}
    keep = dict(verdicts.select("name", "keep").iter_rows())
    expected, found = 0, 0
    for name, mine in sets.items():
        kept_before = (sets[other] for other in sets if other < name and keep[other])
        if any(len(mine & theirs) >= (THRESHOLD + 0.05) * len(mine | theirs) for theirs in kept_before):
            expected += 1
            found += not keep[name]
    assert expected > 100
    assert found >= 0.99 * expected


def test_splitting_the_documents_over_two_batches_changes_no_verdict(
    runs: tuple[dict[str, str], pl.DataFrame, pl.DataFrame],
):
    _, one, two = runs
    assert one.to_dicts() == two.to_dicts()
