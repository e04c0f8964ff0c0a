"""A history of which a part was missing when it was walked first: what has come since is read, and nothing twice."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from raw_commits import empty_repository, remove, write_commit
from support import git, lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.commits.walk import new_commits
from seed_platform.lineage.structure_checks import commits_are_accounted_for
from seed_platform.policy import Policy
from seed_platform.steps.commit_flow import GATE, READ_COMMITS
from seed_platform.steps.flow import READ

POLICY = Policy(
    commit_gate=CommitGatePolicy(commits=0, active_days=0, waive_unknown=("stars", "forks", "commits", "active_days"))
)


@st.composite
def _deepened(draw: st.DrawFn):
    """Parents by number (commits are numbered parents first), a tip, those that are missing at first, a later tip."""
    size = draw(st.integers(2, 12))
    parents = [
        draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else [] for number in range(size)
    ]
    tip = draw(st.integers(0, size - 1))
    missing = draw(st.sets(st.integers(0, size - 1), max_size=4)) - {tip}
    return parents, tip, missing, draw(st.integers(0, size - 1))


def _reached(parents: list[list[int]], tips: list[int], without: set[int] | frozenset[int] = frozenset()) -> set[int]:
    found: set[int] = set()
    stack = list(tips)
    while stack:
        each = stack.pop()
        if each not in found and each not in without:
            found.add(each)
            stack.extend(parents[each])
    return found


@settings(max_examples=40, deadline=None)
@given(_deepened())
def test_what_is_behind_a_gap_is_told_when_it_is_there(history: tuple[list[list[int]], int, set[int], int]):
    parents, tip, missing, later = history
    with tempfile.TemporaryDirectory() as folder:
        repositories = [empty_repository(Path(folder) / name) for name in ("partial", "whole")]
        ids: list[str] = []
        for number, above in enumerate(parents):
            clock = b"A <a@b> %d +0000" % number
            for repository in repositories if number not in missing else repositories[1:]:
                sha = write_commit(
                    repository, {}, *(ids[each] for each in above), committer=clock, message=b"%d" % number
                )
            ids.append(sha)
        partial, whole = repositories
        first = new_commits(partial, ids[tip], [])
        told = [ids.index(sha.hex()) for sha in first]
        second = new_commits(whole, ids[later], [ids[tip]], first.missing)
        since = [ids.index(sha.hex()) for sha in second]
        still = new_commits(partial, ids[tip], [ids[tip]], first.missing)
    assert set(told) == _reached(parents, [tip], missing)
    assert set(since) == _reached(parents, [tip, later]) - set(told)
    assert len(since) == len(set(since))
    assert second.missing == ()
    assert (len(still), still.missing) == (0, first.missing), "what lacked once is lacked until it is there"
    assert all(since.index(above) < since.index(each) for each in since for above in parents[each] if above in since)


def test_a_gap_that_a_walk_was_not_told_of_stays_closed(tmp_path: Path):
    repository = empty_repository(tmp_path / "repository")
    root = write_commit(repository, {})
    tip = write_commit(repository, {}, root)
    assert len(new_commits(repository, tip, [tip])) == 0
    assert [sha.hex() for sha in new_commits(repository, tip, [tip], [root])] == [root]
    assert len(new_commits(repository, tip, [tip, root], [root])) == 0, "it is the tip of another walk"


def _add(folder: Path, name: str, number: int) -> None:
    make_repository(folder / name, {f"s{number}.py": python_source(number, 8)})
    git(folder / name, "commit", "-q", "--amend", "-m", f"Plant the tree number {number} in the shade")


def test_a_clone_that_was_deepened_gives_the_commits_that_it_lacked_once(tmp_path: Path):
    clone, root = tmp_path / "clone", str(tmp_path / "lake")
    for number in range(4):
        _add(tmp_path, "deep", number)
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{tmp_path / 'deep'}", str(clone))
    steps = (READ, GATE, READ_COMMITS)
    run_flow(root, [str(clone)], policy=POLICY, name="one", workers=1, steps=steps)
    _add(tmp_path, "deep", 9)
    git(clone, "fetch", "-q", "--unshallow")
    git(clone, "merge", "-q", "--ff-only", "origin/main")
    git(clone, "branch", "old", "HEAD~4")
    run_flow(root, [str(clone), f"{clone}#old"], policy=POLICY, name="two", workers=1, steps=steps)
    with views(root) as connection:
        walks = connection.execute(
            "SELECT batch, commits, len(missing) FROM commit_walks ORDER BY batch, ordinal"
        ).fetchall()
        found = connection.execute("SELECT sha FROM commits WHERE batch = 'two' ORDER BY ordinal").fetchall()
    assert walks == [("one", 2, 1), ("two", 3, 0), ("two", 0, 0)]
    history = git(clone, "rev-list", "--reverse", "HEAD").split()
    assert [sha for (sha,) in found] == [history[0], history[1], history[4]]


def test_a_gap_is_left_to_the_next_repository_of_its_origin_if_the_first_cannot_be_walked(tmp_path: Path):
    root = str(tmp_path / "lake")
    for number in range(3):
        _add(tmp_path, "deep", number)
    for name in ("first", "second"):
        git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path / 'deep'}", str(tmp_path / name))
    steps = (READ, GATE, READ_COMMITS)
    run_flow(root, [str(tmp_path / "first")], policy=POLICY, name="one", workers=1, steps=steps)
    for number, name in enumerate(("first", "second")):
        git(tmp_path / name, "fetch", "-q", "--unshallow")
        _add(tmp_path, name, 10 + number)
    both = [str(tmp_path / name) for name in ("first", "second")]
    run_flow(root, both, policy=POLICY, name="two", workers=1, steps=steps[:2])
    (tmp_path / "first" / ".git").rename(tmp_path / "first" / "git")
    run_flow(root, [], policy=POLICY, workers=1, steps=steps)
    with views(root) as connection:
        walks = connection.execute(
            "SELECT batch, commits, len(missing), reason FROM commit_walks ORDER BY batch, ordinal"
        ).fetchall()
    assert walks == [("one", 1, 1, None), ("two", 0, 0, "not_a_repository"), ("two", 3, 0, None)]


def _branches(path: Path, **tips: str) -> list[str]:
    """Point branches of the bare repository at `path` to commits; the specs of these."""
    for name, tip in tips.items():
        git(path, "update-ref", f"refs/heads/{name}", tip)
    return [f"{path}#{name}" for name in tips]


def test_a_tip_that_is_missing_does_not_count_as_seen(tmp_path: Path):
    repository, root = empty_repository(tmp_path / "bare"), str(tmp_path / "lake")
    shared = write_commit(repository, {b"a.py": python_source(1, 9).encode()})
    ours, theirs = (write_commit(repository, {}, shared, message=each) for each in (b"ours", b"theirs"))
    specs = _branches(tmp_path / "bare", ours=ours, theirs=theirs)
    run_flow(root, specs, policy=POLICY, name="a", workers=1, steps=(READ, GATE))
    remove(repository, ours)
    run_flow(root, [], policy=POLICY, workers=1, steps=(READ, GATE, READ_COMMITS))
    with views(root) as connection:
        walks = connection.execute("SELECT commits, missing, seen FROM commit_walks ORDER BY ordinal").fetchall()
    assert walks == [(0, [ours], []), (2, [], [])]


def test_branches_behind_a_wrong_clock_give_what_they_share_once_in_a_batch(tmp_path: Path):
    repository, root = empty_repository(tmp_path / "bare"), str(tmp_path / "lake")
    first = write_commit(repository, {b"a.py": python_source(1, 9).encode()})
    shared = write_commit(repository, {b"b.py": b"b = 1\n"}, first)
    skewed = write_commit(repository, {}, shared, committer=b"A <a@b> 0 +0000")
    a, b = (write_commit(repository, {b"c.py": b"c = 1\n"}, parent) for parent in (skewed, shared))
    specs = _branches(tmp_path / "bare", a=a, b=b)
    run_flow(root, specs, policy=POLICY, name="a", workers=1, steps=(READ, GATE, READ_COMMITS))
    with views(root) as connection:
        found = connection.execute("SELECT sha FROM commits ORDER BY ordinal").fetchall()
        walks = connection.execute("SELECT commits FROM commit_walks ORDER BY ordinal").fetchall()
    assert [sha for (sha,) in found] == [first, shared, skewed, a, b]
    assert walks == [(4,), (1,)]
    assert commits_are_accounted_for(lake_of(settings_of(root)), settings_of(root), ["a"]).passed
