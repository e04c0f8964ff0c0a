"""Repository-level deduplication through the whole flow, on real repositories that copy each other in every way."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from flow_tables import REPOSITORY_VERDICTS, VERDICTS, contents_of, outcomes_of, rows_of, work_on
from repository_world import FATES, FIRST, POLICY, SECOND, add, make, world
from support import FILE_STEPS, git, lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILES, REPOSITORIES, REPOSITORY_LEVEL
from seed_platform.policy import Policy, RepositoryDuplicatesPolicy
from seed_platform.steps import repository_near_duplicates
from seed_platform.steps.base import Context
from seed_platform.steps.flow import READ, REPOSITORY_EXACT_DUPLICATES, REPOSITORY_NEAR_DUPLICATES, RULES
from seed_platform.steps.freshness import bring_up_to_date, load_records

_JUDGING = (READ, RULES, REPOSITORY_EXACT_DUPLICATES, REPOSITORY_NEAR_DUPLICATES)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the world; its lake is `lake`."""
    folder = tmp_path_factory.mktemp("world")
    world(folder)
    return folder


def _lake(folder: Path) -> Lake:
    return lake_of(settings_of(str(folder / "lake")))


def _judged(lake: Lake, name: str) -> dict[str, dict[str, Any]]:
    """The verdicts of one filter over repositories by the repository's name, `related` being a name too."""
    names = dict(rows_of(lake, REPOSITORIES).select("doc_id", "repository").iter_rows())
    rows = rows_of(lake, REPOSITORY_VERDICTS[name]).to_dicts()
    return {names[row["doc_id"]]: {**row, "related": names.get(row["related_doc_id"])} for row in rows}


def _fates(lake: Lake, filters: Sequence[str] = tuple(REPOSITORY_VERDICTS)) -> dict[str, str]:
    fates = dict.fromkeys(rows_of(lake, REPOSITORIES)["repository"], "not judged")
    for name in filters:
        for repository, row in _judged(lake, name).items():
            dropped = f"{name} of {row['related']}" if row["related"] else f"{name}: {row['reason']}"
            fates[repository] = "kept" if row["keep"] else dropped
    return fates


def test_each_repository_ends_as_it_should(done: Path):
    assert _fates(_lake(done)) == FATES


def test_every_repository_is_judged_once_and_near_duplicates_looks_at_what_exact_duplicates_keeps(done: Path):
    lake = _lake(done)
    exact, near = (rows_of(lake, REPOSITORY_VERDICTS[name]) for name in ("exact_duplicates", "near_duplicates"))
    found = rows_of(lake, REPOSITORIES)
    assert exact.select("batch", "ordinal", "doc_id").equals(found.select("batch", "ordinal", "doc_id"))
    assert near["doc_id"].to_list() == exact.filter("keep")["doc_id"].to_list()


def test_what_holds_nothing_to_compare_is_kept_and_noted(done: Path):
    lake = _lake(done)
    assert _judged(lake, "exact_duplicates")["void"]["reason"] == "no_files"
    near = _judged(lake, "near_duplicates")
    assert {name: near[name]["reason"] for name in ("void", "picture", "app")} == {
        "void": "no_kept_files",
        "picture": "no_kept_files",
        "app": None,
    }


def _contents(folder: Path) -> dict[str, int]:
    """SHA-256 and size of every file of a checkout that is code or prose; read from the disk, by nobody else's code."""
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".md") and "third_party" not in path.parts]
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path.stat().st_size for path in files}


def test_the_overlap_is_that_of_the_bytes_in_the_checkouts(done: Path):
    near = _judged(_lake(done), "near_duplicates")
    dropped = {name: row for name, row in near.items() if not row["keep"]}
    assert len(dropped) == 4
    for name, row in near.items():
        if row["related"] is None:
            continue
        mine, theirs = _contents(done / name), _contents(done / row["related"])
        shared = sum(size for digest, size in mine.items() if digest in theirs)
        everything = sum((mine | theirs).values())
        evidence = json.loads(row["evidence"])
        assert row["score"] == shared / sum(mine.values())
        assert (row["score"] >= 0.8) == (not row["keep"])
        assert evidence["jaccard"] == pytest.approx(shared / everything, abs=1e-12)
        assert (evidence["shared_bytes"], evidence["bytes"]) == (shared, sum(mine.values()))
        assert evidence["own_files"] == sum(digest not in theirs for digest in mine)


def test_repositories_that_share_boilerplate_name_the_nearest_kept_one_and_stay(done: Path):
    near = _judged(_lake(done), "near_duplicates")
    assert {name: near[name]["related"] for name in ("one", "two", "lib", "app")} == {
        "one": "lib",
        "two": "lib",
        "lib": None,
        "app": None,
    }
    assert 0 < near["two"]["score"] < 0.8


def _files(lake: Lake) -> pl.DataFrame:
    """Files that the rules keep, with the verdict of repository_duplicates."""
    judged = rows_of(lake, VERDICTS["repository_duplicates"])
    files = rows_of(lake, FILES).select("batch", "ordinal", "repository", "path", "content_sha256")
    return judged.join(files, on=["batch", "ordinal"])


def test_of_a_dropped_repository_only_what_the_kept_one_lacks_goes_on(done: Path):
    files = _files(_lake(done))
    own = {name: set(rows["path"]) for (name,), rows in files.filter("keep").group_by("repository")}
    assert {name: own.get(name, set()) for name in ("fork", "mirror", "moved", "snapshot", "popular")} == {
        "fork": {"src/m0.py", "src/own.py"},
        "mirror": set(),
        "moved": set(),
        "snapshot": {"main.py"},
        "popular": {"src/m1.py"},
    }
    assert own["fork_of_fork"] == own["fork"], "its repository equals one that is dropped for lib"
    assert len(own["lib"]) == 16


def test_a_dropped_file_names_the_kept_repository_the_overlap_and_the_same_content_there(done: Path):
    lake = _lake(done)
    ids = dict(rows_of(lake, REPOSITORIES).select("repository", "doc_id").iter_rows())
    contents = dict(rows_of(lake, FILES).select("doc_id", "content_sha256").iter_rows())
    dropped = _files(lake).filter(~pl.col("keep")).to_dicts()
    near = _judged(lake, "near_duplicates")
    overlaps = {"mirror": 1.0, "fork_of_fork": near["fork"]["score"]}
    for row in dropped:
        evidence = json.loads(row["evidence"])
        assert (row["reason"], row["related_doc_id"]) == ("repository_duplicate", ids["lib"])
        assert row["score"] == overlaps.get(row["repository"], near.get(row["repository"], {}).get("score"))
        assert contents[evidence["same_content"]] == row["content_sha256"]
        assert evidence["repository"] == ("exact" if row["repository"] == "mirror" else "near")
    assert {row["repository"] for row in dropped} == {name for name, fate in FATES.items() if " of " in fate}


def test_no_content_that_the_rules_keep_is_lost(done: Path):
    lake = _lake(done)
    files = rows_of(lake, FILES)
    judged = {
        name: set(rows_of(lake, VERDICTS[name]).filter("keep").join(files, on="doc_id")["content_sha256"])
        for name in ("rules", "repository_duplicates", "exact_duplicates")
    }
    assert judged["rules"] == judged["repository_duplicates"] == judged["exact_duplicates"]


def test_the_repository_level_corpus_holds_the_survivors_that_have_a_file(done: Path):
    corpus = rows_of(_lake(done), REPOSITORY_LEVEL)
    assert dict(corpus.select("repository", "files").iter_rows()) == {"app": 4, "one": 7, "two": 7, "lib": 16}
    sizes = {name: sum(_contents(done / name).values()) for name in ("app", "one", "two", "lib")}
    assert dict(corpus.select("repository", "bytes").iter_rows()) == sizes
    assert set(corpus["policy_hash"]) == {POLICY.digest()}


def test_running_again_computes_nothing(done: Path):
    assert run_flow(str(done / "lake"), [], policy=POLICY) == []


def test_rows_do_not_depend_on_workers_or_on_how_they_are_cut_into_files(done: Path, tmp_path: Path):
    root = str(tmp_path / "lake")
    shutil.copytree(done / "lake" / "batches", tmp_path / "lake" / "batches")
    context, flow, _ = work_on(root, POLICY)
    small = Lake(root, row_group_bytes=3_000, part_bytes=6_000)
    context = Context(small, LocalEngine(3), settings_of(root, 3), context.policy, context.run_id)
    for batch, step in flow.outstanding({}):
        if step in FILE_STEPS:
            bring_up_to_date(context, flow, step, batch)
    assert len(small.parts(FILES)) > len(_lake(done).parts(FILES))
    assert contents_of(root) == contents_of(str(done / "lake"))


def _sized(numbers: Sequence[int]) -> dict[str, str | bytes]:
    """Files of equal size, one for each number; the same number is the same content."""
    return {f"f{place}.py": f"value_{number:04d} = [{number:04d}] * 9\n" * 5 for place, number in enumerate(numbers)}


def _judge(
    root: str,
    folder: Path,
    repositories: dict[str, Sequence[int]],
    policy: RepositoryDuplicatesPolicy | None = None,
    metadata: dict[str, dict[str, Any]] | None = None,
) -> dict[str, str]:
    """Make the repositories, add them as a batch, judge them, and tell what became of all that there are."""
    add(root, make(folder, {name: _sized(numbers) for name, numbers in repositories.items()}), folder.name, metadata)
    policy = policy or RepositoryDuplicatesPolicy()
    context, flow, _ = work_on(root, Policy(repository_duplicates=policy))
    for batch, step in flow.outstanding(load_records(context.lake)):
        if step in _JUDGING:
            bring_up_to_date(context, flow, step, batch)
    return _fates(context.lake, ("exact_duplicates", "near_duplicates"))


def test_in_a_chain_only_repositories_that_are_copies_of_a_kept_one_are_dropped(tmp_path: Path):
    chain = {"a": range(10), "b": range(2, 12), "c": range(4, 14)}
    assert _judge(str(tmp_path / "lake"), tmp_path / "chain", chain) == {
        "a": "kept",
        "b": "near_duplicates of a",
        "c": "kept",
    }


def test_the_threshold_is_inclusive(tmp_path: Path):
    repositories = {"a": range(10), "b": range(2, 12), "c": [*range(7), 20, 21, 22]}
    fates = _judge(str(tmp_path / "lake"), tmp_path / "batch", repositories)
    assert fates == {"a": "kept", "b": "near_duplicates of a", "c": "kept"}


def test_a_few_shared_files_make_no_copy_and_neither_does_one_large_one(tmp_path: Path):
    root, large = str(tmp_path / "lake"), python_source(1, 300)
    make_repository(tmp_path / "parser", {"parser.py": large, **_sized(range(5))})
    make_repository(tmp_path / "user", {"parser.py": large, **_sized(range(3, 12))})
    make_repository(tmp_path / "script", {"parser.py": large, "again.py": large, "f.py": str(_sized([4])["f0.py"])})
    run_flow(root, [str(tmp_path / name) for name in ("parser", "user", "script")], workers=1)
    near = _judged(lake_of(settings_of(root)), "near_duplicates")
    assert all(row["keep"] for row in near.values())
    assert near["user"]["score"] > 0.8
    assert near["script"]["score"] == 1.0


def test_a_content_in_another_language_than_in_the_kept_repository_goes_on(tmp_path: Path):
    """TypeScript under a JavaScript name is dropped for its syntax; the fork that names it rightly has what is left."""
    root, typed = str(tmp_path / "lake"), "export function norm(x: number, y: number): number {\n  return x * y;\n}\n"
    make_repository(tmp_path / "kept", {**_sized(range(9)), "norm.js": typed, "again.md": "# Norm\n"})
    make_repository(tmp_path / "renamed", {**_sized(range(9)), "norm.ts": typed, "twice.md": "# Norm\n"})
    run_flow(root, [str(tmp_path / name) for name in ("kept", "renamed")], workers=1)
    outcomes = outcomes_of(root)
    assert _fates(lake_of(settings_of(root)))["renamed"] == "near_duplicates of kept"
    assert outcomes["kept/norm.js"] == "syntax: syntax_error"
    assert outcomes["renamed/norm.ts"] == "kept"
    assert outcomes["renamed/twice.md"] == outcomes["renamed/f0.py"] == "repository_duplicates: repository_duplicate"


def test_recency_and_the_number_of_commits_come_from_git_unless_the_metadata_says_otherwise(tmp_path: Path):
    root = str(tmp_path / "lake")
    for name in ("long", "short"):
        make_repository(tmp_path / name, {"a.py": "x = 1\n"})
    for number in range(3):
        make_repository(tmp_path / "long", {"a.py": f"x = {number}\n"})
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path / 'long'}", "shallow")
    git(tmp_path / "shallow", "remote", "remove", "origin")
    make_repository(tmp_path / "told", {"a.py": "x = 2\n"})
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.py").write_text("x = 3\n")
    facts = {"told": {"commits": 7, "pushed_at": "2024-05-01T12:00:00Z"}}
    add(root, [tmp_path / name for name in ("long", "short", "shallow", "told", "folder")], "batch", facts)
    context, flow, (batch,) = work_on(root)
    bring_up_to_date(context, flow, READ, batch)
    rows = rows_of(context.lake, REPOSITORIES).with_columns(pl.col("committed_at").dt.strftime("%F %T"))
    made = "2023-11-14 22:13:20"
    assert {row[0]: row[1:] for row in rows.select("repository", "commits", "committed_at").iter_rows()} == {
        "long": (4, made),
        "short": (1, made),
        "shallow": (None, made),
        "told": (7, "2024-05-01 12:00:00"),
        "folder": (None, None),
    }


def test_the_best_by_policy_is_kept_whatever_the_order_in_the_batch(tmp_path: Path):
    copies = {"b": range(10), "c": [*range(9), 20], "a": [*range(9), 21]}
    facts = {"b": {"stars": 1}, "c": {"stars": 2, "forks": 0}, "a": {"stars": 2}}
    for preferred, best in (((), "b"), (("name",), "a"), (("stars", "name"), "a"), (("stars", "forks"), "c")):
        policy = RepositoryDuplicatesPolicy(prefer=preferred)
        root = str(tmp_path / f"lake{len(preferred)}{best}")
        fates = _judge(root, tmp_path / "batch", copies, policy=policy, metadata=facts)
        assert {name for name, fate in fates.items() if fate == "kept"} == {best}, preferred


def _expected(batches: Sequence[dict[str, Sequence[int]]], policy: RepositoryDuplicatesPolicy) -> dict[str, str | None]:
    """The rule in plain Python, all against all: what each repository is dropped for."""
    kept: list[tuple[str, set[int]]] = []
    trees: dict[tuple[int, ...], str] = {}
    fates: dict[str, str | None] = {}
    for repositories in batches:
        for name in sorted(repositories):
            mine = set(repositories[name])
            if tuple(repositories[name]) in trees:
                fates[name] = trees[tuple(repositories[name])]
                continue
            trees[tuple(repositories[name])] = name
            share = [(len(mine & theirs) / len(mine), -place, other) for place, (other, theirs) in enumerate(kept)]
            overlap, _, other = max(share, default=(0.0, 0, ""))
            copy = overlap >= policy.overlap and overlap * len(mine) >= policy.shared_contents
            fates[name] = other if copy else None
            if not copy:
                kept.append((name, mine))
    return fates


@pytest.mark.parametrize("seats", [2, 64])
def test_random_repositories_end_as_the_rule_in_plain_python_says(
    tmp_path: Path, seats: int, monkeypatch: pytest.MonkeyPatch
):
    """However few repositories are looked at for each content: crowded contents are counted for the pairs found."""
    chance = random.Random(3)
    monkeypatch.setattr(repository_near_duplicates, "_SEATS", seats)
    policy = RepositoryDuplicatesPolicy(overlap=0.6, shared_contents=2, prefer=("name",))
    root = str(tmp_path / "lake")
    batches: list[dict[str, Sequence[int]]] = []
    for number in range(3):
        # Families over a content of their own, which is common to few, and a pool that everybody draws from.
        repositories = {}
        for member in range(14):
            family = chance.randrange(4)
            own = chance.sample(range(100 * family, 100 * family + 9), chance.randint(2, 7))
            repositories[f"r{number}{chance.randrange(10**6):06d}{member:02d}"] = sorted(
                [100 * family + 99, *own, *chance.sample(range(900, 906), chance.randint(0, 3))]
            )
        batches.append(repositories)
        _judge(root, tmp_path / f"batch{number}", repositories, policy=policy)
    lake = lake_of(settings_of(root))
    found = {name: row["related"] for name, row in _judged(lake, "near_duplicates").items() if not row["keep"]}
    found |= {name: row["related"] for name, row in _judged(lake, "exact_duplicates").items() if not row["keep"]}
    expected = {name: other for name, other in _expected(batches, policy).items() if other is not None}
    assert 10 < len(expected) < 40
    assert found == expected


def test_among_many_copies_nothing_is_looked_up_where_nothing_can_be_found():
    """All that the first copies have is counted; asking for the crowded contents too would be pairs times contents."""
    copies, contents = 100, 20
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TEMP TABLE mine AS SELECT copy AS mine, CASE WHEN number = 0 THEN 'own ' || copy "
            "ELSE 'common ' || number END AS content, 1000::BIGINT AS bytes, 1::BIGINT AS files "
            f"FROM range({copies}) copies(copy), range({contents}) numbers(number)"
        )
        connection.execute(repository_near_duplicates._TOTALS)
        connection.execute("CREATE TEMP TABLE before (arrival BIGINT, other BIGINT, content VARCHAR)")
        repository_near_duplicates._pairs(connection, 1)
        compared = repository_near_duplicates._decide(connection, 1, RepositoryDuplicatesPolicy())
        pairs = repository_near_duplicates._counted(connection, "close")
        asked = connection.execute("SELECT count(*) FROM asked").fetchone()
    assert pairs.height > 64 * (copies - 65)
    assert asked == (0,)
    assert compared.filter(~pl.col("keep")).select("mine", "other").rows() == [(copy, 0) for copy in range(1, copies)]


def test_the_worlds_batches_are_what_the_fates_are_about():
    assert set(FATES) == {*FIRST, *SECOND}
