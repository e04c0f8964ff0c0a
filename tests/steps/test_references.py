"""Reference sets: what they drop, what they never touch, and what becomes outstanding when one comes or goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from calls import Seed, is_one_line
from flow_tables import TABLES, contents_of, outcomes_of, rows_of, work_on
from support import edited, lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.batches import REFERENCES, Added, add_batch, fingerprints, list_batches, pin_sources
from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.schemas import FILES, REPOSITORIES, verdicts
from seed_platform.lineage import repository_checks
from seed_platform.lineage.checks import content_is_unique
from seed_platform.lineage.funnel import funnel, repository_funnel
from seed_platform.lineage.why import Story, why
from seed_platform.policy import Policy
from seed_platform.steps.flow import FILE_LEVEL_CORPUS, FILE_QUALITY, NEAR_DUPLICATES, QUALITY_SCORES, SEQUENCES
from seed_platform.steps.freshness import bring_up_to_date, load_records
from seed_platform.steps.lines import REPOSITORY_LINE
from seed_platform.steps.read import limits_of
from seed_platform.steps.references import read_references
from seed_platform.steps.remove import remove_batch

_EVALUATED = python_source(1, 60)
_FIRST = {"like.py": edited(_EVALUATED, [20]), "other.py": python_source(2, 60), "test.py": python_source(3, 40)}
_SECOND = {"same.py": _EVALUATED, "more.py": python_source(4, 60)}


def _set(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def _add(root: str, name: str, *specs: str | Path, kind: str = REFERENCES) -> Added:
    settings = settings_of(root)
    pinned = pin_sources([str(spec) for spec in specs], limits_of(settings), {}, kind=kind)
    return add_batch(lake_of(settings), pinned, name=name, kind=kind)


def _read(root: str) -> None:
    context, flow, _ = work_on(root)
    read_references(context, flow)


def _remove(root: str, name: str) -> None:
    context, _, _ = work_on(root)
    batch = next(each for each in list_batches(context.lake, kind=None) if each.key == name)
    remove_batch(context, REPOSITORY_LINE.steps, batch)


def _outstanding(root: str) -> list[tuple[str, str]]:
    context, flow, _ = work_on(root)
    return [(batch.key, step.name) for batch, step in flow.outstanding(load_records(context.lake))]


def _why(root: str, target: str) -> Story:
    with views(root) as connection:
        return why(connection, target, Policy())


def _of_batches(root: str, *batches: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of those batches in every table; not the index, which only near duplicates look at."""
    tables = {name: rows for name, rows in contents_of(root).items() if name in TABLES}
    return {name: [row for row in rows if row["batch"] in batches] for name, rows in tables.items()}


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources of two batches and a lake where both are done; tests that write take a copy."""
    folder = tmp_path_factory.mktemp("without")
    for name, files in (("first", _FIRST), ("second", _SECOND)):
        make_repository(folder / name, files)
        run_flow(str(folder / "lake"), [str(folder / name)], name=name, workers=1, steps=REPOSITORY_LINE.steps)
    return folder


@pytest.fixture(scope="module")
def compared(without: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same lake after a reference set was added and everything was computed again."""
    folder = tmp_path_factory.mktemp("compared")
    root = str(shutil.copytree(without / "lake", folder / "lake"))
    _add(root, "held-out", _set(folder / "held.jsonl", python_source(9, 30), _EVALUATED), without / "first")
    run_flow(root, [], workers=1)
    return root


@pytest.fixture
def root(without: Path, tmp_path: Path) -> str:
    """A copy of the lake without a reference set."""
    return str(shutil.copytree(without / "lake", tmp_path / "lake"))


def test_what_resembles_a_reference_document_is_dropped_whenever_it_arrived(compared: str):
    # All of `first` is in the set as well.
    assert outcomes_of(compared) == {
        **dict.fromkeys(("first/like.py", "first/other.py", "first/test.py"), "near_duplicates: reference_duplicate"),
        "second/same.py": "near_duplicates: reference_duplicate",
        "second/more.py": "kept",
        "held/held.jsonl/000000": "kept",
        "held/held.jsonl/000001": "kept",
    }


def test_the_verdict_names_the_reference_document_and_why_names_the_set(compared: str):
    verdict = _why(compared, "second:same.py").verdicts[-1]
    assert (verdict["filter"], verdict["reason"], verdict["score"]) == ("near_duplicates", "reference_duplicate", 1.0)
    story = _why(compared, verdict["related_doc_id"])
    assert (story.document["reference_set"], story.document["path"]) == ("held-out", "held.jsonl/000001")
    assert (story.kept, story.verdicts) == (None, [])
    assert "second" in " ".join(story.duplicates[1])
    assert _why(compared, "held").document["reference_set"] == "held-out"


def test_a_repository_that_is_also_in_a_set_is_told_of_as_the_repository_that_it_is(compared: str):
    for target in ("first", "first:like.py", _why(compared, "first:like.py").doc_id or ""):
        story = _why(compared, target)
        assert (story.document["batch"], story.document["reference_set"]) == ("first", None)
    assert _why(compared, "first:like.py").kept is False


def test_a_reference_set_touches_nothing_but_near_duplicates_and_the_corpus(without: Path, compared: str):
    before, after = _of_batches(str(without / "lake"), "first", "second"), _of_batches(compared, "first", "second")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {NEAR_DUPLICATES.name, FILE_QUALITY.name, FILE_LEVEL_CORPUS.name}
    held = _of_batches(compared, "held-out")
    assert {name for name, rows in held.items() if rows} == {FILES.name, REPOSITORIES.name}


def test_reference_documents_are_in_no_funnel_and_fail_no_check(without: Path, compared: str):
    with views(str(without / "lake")) as before, views(compared) as after:
        policy = Policy().file_level
        assert funnel(after, policy).documents.seen == funnel(before, policy).documents.seen == 5
        assert repository_funnel(after, policy).to_json() == repository_funnel(before, policy).to_json()
        assert funnel(after, policy, ["held-out"]).documents.seen == 0
    lake, settings, batches = lake_of(settings_of(compared)), settings_of(compared), ["first", "second"]
    assert repository_checks.trees_are_equal(lake, settings, batches).passed
    assert repository_checks.overlaps_hold(lake, settings, Policy().repository_duplicates, batches).passed
    assert repository_checks.dropped_files_are_kept_elsewhere(lake, settings, batches).passed
    assert content_is_unique(lake, settings, batches).passed


def test_checks_of_copies_hold_where_the_kept_repository_is_in_a_set_as_well(tmp_path: Path):
    root = str(tmp_path / "lake")
    files = {f"m{number}.py": python_source(number, 20) for number in range(12)}
    make_repository(tmp_path / "one", files)
    make_repository(tmp_path / "fork", {**files, "m0.py": python_source(50, 20)})
    _add(root, "a-set", tmp_path / "one")
    run_flow(root, [str(tmp_path / "one"), str(tmp_path / "fork")], name="both", workers=1)
    lake, settings = lake_of(settings_of(root)), settings_of(root)
    outcome = repository_checks.overlaps_hold(lake, settings, Policy().repository_duplicates, ["both"])
    assert (outcome.passed, outcome.numbers["dropped"]) == (True, 1)
    outcome = repository_checks.dropped_files_are_kept_elsewhere(lake, settings, ["both"])
    assert (outcome.passed, outcome.numbers["dropped"]) == (True, 11)


def test_adding_a_set_makes_near_duplicates_and_the_corpus_outstanding_and_removing_it_undoes_that(
    root: str, tmp_path: Path
):
    _add(root, "set", _set(tmp_path / "set.jsonl", "x = 1"))
    _read(root)
    steps = (NEAR_DUPLICATES, QUALITY_SCORES, FILE_QUALITY, FILE_LEVEL_CORPUS, SEQUENCES)
    assert _outstanding(root) == [(batch, step.name) for batch in ("first", "second") for step in steps]
    _remove(root, "set")
    assert _outstanding(root) == []


def test_what_was_dropped_for_a_set_comes_back_when_the_set_is_removed(without: Path, compared: str, tmp_path: Path):
    root = str(shutil.copytree(compared, tmp_path / "lake"))
    _remove(root, "held-out")
    run_flow(root, [], workers=1)
    assert contents_of(root) == contents_of(str(without / "lake"))


def test_a_set_is_as_good_as_its_documents_whatever_holds_them(compared: str, root: str, tmp_path: Path):
    make_repository(
        tmp_path / "checkout", {"a.py": _EVALUATED, **{f"x{n}.py": _FIRST[n] for n in ("other.py", "test.py")}}
    )
    _add(root, "a-checkout", tmp_path / "checkout")
    run_flow(root, [], workers=1)
    table = verdicts("files", "near_duplicates")
    found = [rows_of(lake_of(settings_of(each)), table).select("doc_id", "keep", "reason") for each in (compared, root)]
    assert found[0].equals(found[1])


def test_a_set_that_was_added_and_never_read_is_read_before_anything_is_compared_with_it(root: str, tmp_path: Path):
    _add(root, "set", _set(tmp_path / "set.jsonl", _EVALUATED))
    context, flow, batches = work_on(root)
    with pytest.raises(WorkError, match="needs files of batch set, which is outstanding: seed run"):
        bring_up_to_date(context, flow, NEAR_DUPLICATES, batches[0])
    run_flow(root, [], workers=1)
    assert outcomes_of(root)["second/same.py"] == "near_duplicates: reference_duplicate"


def test_a_run_tells_of_a_set_that_it_read_and_of_what_failed(seed: Seed, root: str, tmp_path: Path):
    gone = _set(tmp_path / "gone.jsonl", "x = 1")
    _add(root, "set", _set(tmp_path / "set.jsonl", "y = 2"), gone)
    gone.unlink()
    told = seed("run", "--lake", root, "--select", "verdicts/files/near_duplicates")
    assert (told.code, "gone.jsonl: missing_path" in told.err) == (0, True)
    assert "done: 3 results for 3 batches" in told.out


def test_a_step_refuses_to_run_with_other_sets_than_its_fingerprint_names(root: str, tmp_path: Path):
    context, old, batches = work_on(root, Policy.model_validate({"near_duplicates": {"threshold": 0.9}}))
    _add(root, "set", _set(tmp_path / "set.jsonl", "x = 1"))
    _read(root)
    with pytest.raises(WorkError, match="batch set was added or removed while this ran"):
        bring_up_to_date(context, old, NEAR_DUPLICATES, batches[0])
    _, new, _ = work_on(root)
    _remove(root, "set")
    with pytest.raises(WorkError, match="batch set was added or removed while this ran"):
        bring_up_to_date(context, new, NEAR_DUPLICATES, batches[0])


def test_what_is_in_a_set_has_not_arrived_and_what_arrived_may_be_in_sets(root: str, without: Path, tmp_path: Path):
    make_repository(tmp_path / "third", {"a.py": "x = 1\n"})
    sets = [_add(root, name, tmp_path / "third", *more) for name, more in (("one", ()), ("two", (without / "first",)))]
    assert [(added.new, added.batch.arrival) for added in sets] == [(True, 3), (True, 4)]
    assert not [source for added in sets for source in added.batch.sources if source.rejected]
    third = _add(root, "third", tmp_path / "third", kind="repositories")
    assert (third.new, third.batch.arrival, third.batch.sources[0].rejected) == (True, 5, None)
    again = _add(root, "three", tmp_path / "third")
    assert (again.new, again.batch.key) == (False, "one")
    assert [batch.key for batch in list_batches(lake_of(settings_of(root)))] == ["first", "second", "third"]
    assert set(fingerprints(lake_of(settings_of(root)))) == {"first", "second", "third", "one", "two"}


def test_a_name_is_taken_once_whatever_it_names(root: str, tmp_path: Path):
    with pytest.raises(UsageError, match="'first' already"):
        _add(root, "first", _set(tmp_path / "set.jsonl", "x"))


def test_the_commands_add_list_and_remove_a_set(seed: Seed, tmp_path: Path):
    make_repository(tmp_path / "project", {"a.py": python_source(1, 40), "b.py": python_source(2, 40)})
    seed("batch", "add", "repositories", "project", "--name", "project")
    with (tmp_path / "set.jsonl").open("w") as file:
        file.write(json.dumps({"content": python_source(1, 40)}) + "\nbroken\n")
    added = seed("reference", "add", "tests", "set.jsonl", "./none", "--json").json
    assert {key: added[key] for key in ("reference", "arrival", "new", "sources", "documents")} == {
        "reference": "tests",
        "arrival": 2,
        "new": True,
        "sources": 2,
        "documents": 1,
    }
    assert added["rejected"] == {"./none": "missing_path"}
    assert added["rejections"] == {"missing_path": 1, "not_json": 1}
    assert seed("run").code == 0
    assert seed("funnel", "--json").json["documents"]["dropped"]["near_duplicates"] == {"reference_duplicate": 1}
    told = seed("why", "set:set.jsonl/000000").out
    assert "in the reference set tests" in told
    assert "dropped as duplicates of it: project@" in told
    [listed] = seed("reference", "list", "--json").json
    assert (listed["reference"], listed["documents"], listed["rejections"]) == ("tests", 1, added["rejections"])
    assert "tests" in seed("reference", "list").out
    assert [batch["batch"] for batch in seed("batch", "list", "--json").json] == ["project"]
    again = seed("reference", "add", "other", "set.jsonl", "./none", "--json").json
    assert (again["reference"], again["new"], again["documents"]) == ("tests", False, 1)
    assert is_one_line(seed("batch", "remove", "tests", "--yes"), 2, "seed reference remove tests")
    assert "5 results of 1 batches are outstanding" in seed("reference", "remove", "tests", "--yes").out
    assert seed("reference", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reference", "add", "name"], ["SOURCE"]),
        (["reference", "add", "Not A Name", "set.jsonl"], ["Not A Name"]),
        (["reference", "add", "name", "./none.jsonl"], ["./none.jsonl", "does not exist"]),
        (["reference", "add", "name", "set.jsonl#nope"], ["no column of text called nope", "text"]),
        (["reference", "remove", "name", "--yes"], ["no reference set is called 'name'"]),
        (["batch", "add", "repositories", "set.jsonl"], ["neither a folder"]),
    ],
)
def test_a_wrong_call_is_one_line_and_leaves_no_lake(
    seed: Seed, tmp_path: Path, arguments: list[str], words: list[str]
):
    _set(tmp_path / "set.jsonl", "x")
    assert is_one_line(seed(*arguments), 2, *words)
    assert not (tmp_path / "lake" / "batches").exists()
