"""Tests of which commits of a branch are new."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygit2.enums import ObjectType
from raw_commits import empty_repository, raw_object, remove, write_commit
from support import git, make_repository

from seed_platform.commits.walk import Walk, new_commits


@pytest.fixture
def repository(tmp_path: Path):
    return empty_repository(tmp_path / "repository")


def chain(repository: pygit2.Repository, length: int, start: str | None = None, label: bytes = b""):
    """The ids of commits one on top of the other, oldest first."""
    made = [] if start is None else [start]
    for number in range(length):
        made.append(write_commit(repository, {}, *made[-1:], message=b"%s%d" % (label, number)))
    return made if start is None else made[1:]


def hexes(walk: Walk):
    return [sha.hex() for sha in walk]


def test_a_history_is_told_oldest_first(repository: pygit2.Repository):
    made = chain(repository, 5)
    walk = new_commits(repository, made[-1], [])
    assert hexes(walk) == made
    assert len(walk) == 5
    assert walk.unknown == walk.missing == ()


def test_only_commits_after_the_seen_tip_are_new(repository: pygit2.Repository):
    made = chain(repository, 6)
    assert hexes(new_commits(repository, made[-1], [made[3]])) == made[4:]
    assert hexes(new_commits(repository, made[-1], [made[-1]])) == []
    assert hexes(new_commits(repository, made[2], [made[-1]])) == []


def test_a_merge_brings_its_branch_and_nothing_seen(repository: pygit2.Repository):
    base = chain(repository, 4)
    ours, theirs = chain(repository, 2, base[-1], b"o"), chain(repository, 2, base[1], b"t")
    merge = write_commit(repository, {}, ours[-1], theirs[-1])
    assert hexes(new_commits(repository, merge, [ours[-1]])) == [*theirs, merge]
    assert hexes(new_commits(repository, merge, [])) == [*base, *ours, *theirs, merge]


def test_an_octopus_merge_comes_after_all_its_parents(repository: pygit2.Repository):
    root = write_commit(repository, {})
    arms = [chain(repository, 2, root, bytes([65 + arm])) for arm in range(5)]
    octopus = write_commit(repository, {}, *(arm[-1] for arm in arms))
    assert hexes(new_commits(repository, octopus, [])) == [root, *itertools.chain(*arms), octopus]


def test_the_same_parent_twice_is_told_once(repository: pygit2.Repository):
    root = write_commit(repository, {})
    twice = write_commit(repository, {}, root, root)
    assert hexes(new_commits(repository, twice, [])) == [root, twice]


def test_after_the_history_was_rewritten_the_common_part_is_not_new(repository: pygit2.Repository):
    base = chain(repository, 3)
    old, new = chain(repository, 2, base[-1], b"old"), chain(repository, 2, base[-1], b"new")
    walk = new_commits(repository, new[-1], [old[-1]])
    assert hexes(walk) == new
    assert walk.unknown == ()


def test_a_commit_that_is_found_again_behind_a_wrong_clock_can_be_left_out(repository: pygit2.Repository):
    root, shared = chain(repository, 2)
    late = write_commit(repository, {}, shared, committer=b"A <a@b> 0 +0000")
    ours, theirs = write_commit(repository, {}, late), write_commit(repository, {}, shared, message=b"theirs")
    first, second = new_commits(repository, ours, []), new_commits(repository, theirs, [ours])
    assert hexes(first) == [root, shared, late, ours]
    assert hexes(second) == [root, shared, theirs], "it is found again"
    assert hexes(second.without(set(first))) == [theirs]
    assert second.without(set()) == second
    assert hexes(new_commits(repository, theirs, []).without({bytes.fromhex(shared)})) == [root, theirs]


def test_a_seen_tip_that_is_gone_is_unknown_and_the_other_still_counts(repository: pygit2.Repository):
    made = chain(repository, 4)
    gone, tree = "12" * 20, raw_object(repository, ObjectType.TREE, b"")
    walk = new_commits(repository, made[-1], [tree, made[1], gone])
    assert hexes(walk) == made[2:]
    assert walk.unknown == (gone, tree)
    assert walk.missing == ()


def test_a_tip_that_is_not_there_is_missing(repository: pygit2.Repository):
    walk = new_commits(repository, "12" * 20, [])
    assert (len(walk), walk.missing) == (0, ("12" * 20,))


def test_a_missing_parent_ends_its_branch_only(repository: pygit2.Repository):
    base = chain(repository, 3)
    side = chain(repository, 3, base[0], b"s")
    merge = write_commit(repository, {}, base[-1], side[-1])
    walk = new_commits(remove(repository, side[0]), merge, [])
    assert hexes(walk) == [*base, side[1], side[2], merge]
    assert walk.missing == (side[0],)


def test_what_is_missing_behind_the_seen_tip_is_not_told(repository: pygit2.Repository):
    made = chain(repository, 5)
    walk = new_commits(remove(repository, made[0]), made[-1], [made[2]])
    assert hexes(walk) == made[3:]
    assert walk.missing == ()


def test_a_shallow_clone_ends_at_parents_that_are_missing(tmp_path: Path):
    for number in range(5):
        make_repository(tmp_path / "full", {"a": str(number)})
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{tmp_path}/full", "clone")
    clone = pygit2.Repository(str(tmp_path / "clone"))
    edge = git(tmp_path / "full", "rev-parse", "HEAD~2")
    walk = new_commits(clone, str(clone.head.target), [])
    assert hexes(walk) == git(tmp_path / "full", "rev-list", "--reverse", "HEAD~2..HEAD").split()
    assert walk.missing == (edge,)


def test_a_corrupt_commit_is_told_and_has_no_parents(repository: pygit2.Repository):
    root = write_commit(repository, {})
    corrupt = raw_object(repository, ObjectType.COMMIT, b"parent %s\n\nno tree" % root.encode())
    tip = write_commit(repository, {}, corrupt)
    assert hexes(new_commits(repository, tip, [])) == [corrupt, tip]


def test_three_thousand_commits_in_a_row_do_not_exhaust_the_stack(tmp_path: Path):
    lines = (
        b"commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 0\n\n" % (n, n) for n in range(1, 3_001)
    )
    (tmp_path / "stream").write_bytes(b"".join(lines))
    repository = empty_repository(tmp_path / "repository")
    with (tmp_path / "stream").open("rb") as stream:
        import_stream(repository.path, stream)
    tip = str(pygit2.Repository(repository.path).references["refs/heads/main"].target)
    assert len(new_commits(pygit2.Repository(repository.path), tip, [])) == 3_000


def import_stream(path: str, stream: IO[bytes]):
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], stdin=stream, check=True)


@st.composite
def histories(draw: st.DrawFn):
    """Parents by number, times, a tip and seen tips: commits are numbered parents first."""
    size = draw(st.integers(1, 12))
    parents = [
        draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else [] for number in range(size)
    ]
    skewed = draw(st.booleans())
    times = [draw(st.integers(0, 20)) if skewed else number for number in range(size)]
    seen = draw(st.lists(st.integers(0, size - 1), max_size=3))
    return parents, times, draw(st.integers(0, size - 1)), seen, skewed


@settings(max_examples=25, deadline=None)
@given(histories())
def test_no_new_commit_is_left_out_and_parents_come_first_whatever_the_history(
    history: tuple[list[list[int]], list[int], int, list[int], bool],
):
    parents, times, tip, seen, skewed = history
    with tempfile.TemporaryDirectory() as folder:
        repository = empty_repository(Path(folder))
        ids: list[str] = []
        for number, above in enumerate(parents):
            clock = b"A <a@b> %d +0000" % times[number]
            ids.append(
                write_commit(repository, {}, *(ids[each] for each in above), committer=clock, message=b"%d" % number)
            )
        told = [ids.index(sha) for sha in hexes(new_commits(repository, ids[tip], [ids[each] for each in seen]))]
    reached, known = ancestors(parents, [tip]), ancestors(parents, seen)
    assert reached - known <= set(told) <= reached - set(seen)
    assert skewed or set(told) == reached - known
    assert len(told) == len(set(told))
    assert all(told.index(above) < told.index(each) for each in told for above in parents[each] if above in told)


def ancestors(parents: list[list[int]], tips: list[int]):
    """The tips and all that they reach."""
    found, stack = set(), list(tips)
    while stack:
        each = stack.pop()
        if each not in found:
            found.add(each)
            stack.extend(parents[each])
    return found
