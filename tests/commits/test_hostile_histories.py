"""Histories that are damaged or made to hurt, through every step of commits: each commit has one named outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pygit2
import pytest
from pygit2.enums import FileMode
from raw_commits import Content, empty_repository, loose_file, write_commit, write_tree
from support import git, lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.lineage.checks import conserved
from seed_platform.lineage.commits import commit_funnel
from seed_platform.lineage.structure_checks import commits_are_accounted_for, samples_hold
from seed_platform.lineage.why import why
from seed_platform.policy import Policy
from seed_platform.steps.commit_flow import COMMIT_FILTERS, COMMIT_STEPS
from seed_platform.steps.flow import READ

POLICY = Policy(
    commit_gate=CommitGatePolicy(commits=0, active_days=0, waive_unknown=("stars", "forks", "commits", "active_days"))
)
_PATHS = 100
_PATCH_BYTES = 8 << 10
_FATES = {
    "first": "sample: root_commit",
    "latin-1 message": "kept",
    "undeclared message": "kept",
    "binary message": "kept",
    "path that is not UTF-8": "rules: not_text",
    "path away": "rules: not_text",
    "line that is not UTF-8": "rules: not_text",
    "1970": "kept, date_out_of_range",
    "2100": "kept, date_out_of_range",
    "no date of any calendar": "kept, date_out_of_range",
    "no author": "kept, date_out_of_range",
    "2,000 files": "rules: too_many_paths",
    "2,000 files away": "rules: too_many_paths",
    "large patch": "rules: too_large",
    "large contents": "rules: too_large",
    "large contents away": "rules: too_large",
    "submodule": "rules: submodule_only",
    "submodule again": "rules: submodule_only",
    "mode": "rules: mode_only",
    "link": "kept",
    "nothing": "rules: empty",
    "missing blob": "rules: missing_object",
    "missing blob away": "rules: missing_object",
    "missing tree": "rules: missing_object",
    "after the missing tree": "rules: missing_object",
    "branch": "kept",
    "other branch": "kept",
    "octopus": "rules: merge",
    "merge with what is missing": "rules: merge",
    "last": "kept",
}
"""By what is wrong with a commit: what becomes of it. In order of their making."""


@dataclass
class _History:
    """A history on one branch; `ids` has the commits by name."""

    repository: pygit2.Repository
    files: dict[bytes, Content] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    tip: tuple[str, ...] = ()

    def commit(self, name: str, changes: dict[bytes, Content | None] | None = None, **parts: Any) -> str:  # noqa: ANN401 - bytes of the parts of a commit
        """Commit `changes` (None deletes) to the files on top of the last commit, or of `parents`."""
        for path, content in (changes or {}).items():
            if content is None:
                del self.files[path]
            else:
                self.files[path] = content
        parents = parts.pop("parents", self.tip)
        words = "".join(letter if letter.isalpha() else " " for letter in name)
        parts = {"message": f"Plant the case of {words} in the garden\n".encode(), **parts}
        tree = parts.pop("tree", None) or write_tree(self.repository, self.files)
        self.ids[name] = write_commit(self.repository, tree, *parents, **parts)
        self.tip = (self.ids[name],)
        return self.ids[name]


def _text(seed: int, lines: int = 8) -> bytes:
    return python_source(seed, lines).encode()


def _person(time: bytes) -> dict[str, bytes]:
    return dict.fromkeys(("author", "committer"), b"A B <a@b.c> " + time)


def _hostile(path: Path) -> dict[str, str]:
    """A bare repository with every commit of `_FATES`; their ids by name."""
    repository = empty_repository(path)
    history = _History(repository)
    history.commit("first", {b"README.md": b"# Garden\n", b"a.py": _text(1)})
    for number, (name, parts) in enumerate(
        {
            "latin-1 message": {"message": b"Caf\xe9 au lait in the garden\n", "headers": b"encoding ISO-8859-1\n"},
            "undeclared message": {"message": b"Caf\xe9 noir in the garden\n"},
            "binary message": {
                "message": b"Tell \0 of \xff and \x1b[31m in the garden\n",
                "headers": b"encoding x\xff\n",
            },
        }.items()
    ):
        history.commit(name, {f"m{number}.py".encode(): _text(10 + number)}, **parts)
    history.commit("path that is not UTF-8", {b"caf\xe9/\xff\n.py": _text(20)})
    history.commit("path away", {b"caf\xe9/\xff\n.py": None})
    history.commit("line that is not UTF-8", {b"latin.txt": b"caf\xe9\n" * 3})
    history.commit("1970", {b"t0.py": _text(30)}, **_person(b"0 +0000"))
    history.commit("2100", {b"t1.py": _text(31)}, **_person(b"4102444800 +0000"))
    history.commit("no date of any calendar", {b"t2.py": _text(32)}, **_person(b"9223372036854775807 +9999"))
    history.commit("no author", {b"t3.py": _text(33)}, author=b"", committer=b"nobody")
    many: dict[bytes, Content | None] = {f"many/{n // 100}/{n}.txt".encode(): b"one of many\n" for n in range(2000)}
    history.commit("2,000 files", many)
    history.commit("2,000 files away", dict.fromkeys(many))
    history.commit("large patch", {b"large.py": _text(40, 300)})
    large = b"".join(b"%d lines of a large file\n" % number for number in range(20 * _PATCH_BYTES // 25))
    history.commit("large contents", {b"larger.txt": large})
    history.commit("large contents away", {b"larger.txt": None})
    history.commit("submodule", {b"sub": (FileMode.COMMIT, bytes(range(20)))})
    history.commit("submodule again", {b"sub": (FileMode.COMMIT, bytes(range(20, 40)))})
    history.commit("mode", {b"a.py": (FileMode.BLOB_EXECUTABLE, _text(1))})
    history.commit("link", {b"link.py": (FileMode.LINK, b"../../../../etc/passwd")})
    history.commit("nothing")
    _damage(history)
    here = history.tip
    history.commit("branch", {b"b1.py": _text(60)}, parents=here)
    history.commit("other branch", {b"b2.py": _text(61)}, parents=here)
    ends = [history.ids["branch"], history.ids["other branch"]]
    history.commit("octopus", parents=(*here, *ends))
    history.commit("merge with what is missing", parents=(*history.tip, "ab" * 20))
    history.commit("last", {b"a.py": _text(1) + b"LAST = 1\n"})
    repository.create_reference("refs/heads/main", history.ids["last"])
    repository.set_head("refs/heads/main")
    return history.ids


def _damage(history: _History) -> None:
    """Commits whose blob or tree is not there, between commits where all is."""
    gone = _text(50)
    history.commit("missing blob", {b"gone.py": gone})
    history.commit("missing blob away", {b"gone.py": None, b"d.py": _text(51)})
    loose_file(history.repository, str(pygit2.hash(gone))).unlink()
    tree = write_tree(history.repository, {**history.files, b"lost.py": _text(52)})
    history.commit("missing tree", tree=tree)
    history.commit("after the missing tree", {b"e.py": _text(53)})
    loose_file(history.repository, tree.hex()).unlink()


@dataclass(frozen=True)
class _World:
    root: str
    ids: dict[str, str]
    shallow: list[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_World]:
    """One batch of the hostile repository, of a shallow clone, and of a harmless repository behind them."""
    folder = tmp_path_factory.mktemp("hostile")
    ids = _hostile(folder / "hostile.git")
    for number in range(3):
        make_repository(folder / "deep", {f"s{number}.py": python_source(70 + number, 8)})
        git(folder / "deep", "commit", "-q", "--amend", "-m", f"Plant the tree number {number} in the shade")
        make_repository(folder / "harmless", {f"h{number}.py": python_source(80 + number, 8)})
        git(folder / "harmless", "commit", "-q", "--amend", "-m", f"Plant the bush number {number} in the sun")
    git(folder, "clone", "-q", "--depth", "2", f"file://{folder / 'deep'}", str(folder / "shallow"))
    shallow = git(folder / "shallow", "log", "--format=%H", "--reverse").split()
    root = str(folder / "lake")
    specs = [str(folder / name) for name in ("hostile.git", "shallow", "harmless")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEED_MAX_COMMIT_PATHS", str(_PATHS))
        patch.setenv("SEED_MAX_PATCH_BYTES", str(_PATCH_BYTES))
        run_flow(root, specs, policy=POLICY, name="b", workers=1, steps=(READ, *COMMIT_STEPS))
        yield _World(root, ids, shallow)


@pytest.fixture
def connection(world: _World) -> Iterator[duckdb.DuckDBPyConnection]:
    with views(world.root) as opened:
        yield opened


def _fates(connection: duckdb.DuckDBPyConnection, repository: str) -> dict[str, str]:
    """Of each commit of a repository, by SHA: "kept", or the filter that drops it and why."""
    rows = connection.execute(
        "SELECT c.sha, v.filter, v.keep, v.reason FROM commits c LEFT JOIN verdicts v ON v.kind = 'commit' AND "
        "v.batch = c.batch AND v.ordinal = c.ordinal WHERE c.repository LIKE ? ORDER BY c.ordinal",
        [f"%{repository}%"],
    ).fetchall()
    fates: dict[str, str] = {}
    for name in reversed(COMMIT_FILTERS):
        for sha, by, keep, reason in rows:
            if by == name and not keep:
                fates[sha] = f"{by}: {reason}"
            elif by == name:
                fates.setdefault(sha, f"kept, {reason}" if reason else "kept")
                if reason and fates[sha] == "kept":
                    fates[sha] = f"kept, {reason}"
    return fates


def test_each_hostile_commit_has_the_outcome_that_it_is_named_for(world: _World, connection: duckdb.DuckDBPyConnection):
    fates = _fates(connection, "hostile")
    assert {name: fates[sha] for name, sha in world.ids.items()} == _FATES
    assert len(fates) == len(_FATES)


def test_nothing_is_lost_and_nothing_stands_twice(world: _World, connection: duckdb.DuckDBPyConnection):
    walks = connection.execute("SELECT commits, reason, len(missing) FROM commit_walks ORDER BY ordinal").fetchall()
    assert walks == [(len(_FATES), None, 1), (2, None, 1), (3, None, 0)]
    rows = connection.execute(
        "SELECT ordinal >> 32, count(*), count(DISTINCT sha), min(ordinal % (1::BIGINT << 32)), "
        "max(ordinal % (1::BIGINT << 32)) FROM commits GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert rows == [(place, n, n, 0, n - 1) for place, (n, _, _) in enumerate(walks)]
    counted = commit_funnel(connection, POLICY.commit_samples).documents
    assert counted.seen == sum(n for n, _, _ in walks)
    assert counted.seen == counted.kept + sum(sum(each.values()) for each in counted.dropped.values())
    assert counted.outstanding == 0
    settings = settings_of(world.root)
    lake = lake_of(settings)
    assert commits_are_accounted_for(lake, settings, ["b"]).passed
    required: tuple[str, ...] = ()
    for name in COMMIT_FILTERS:
        assert conserved(lake, settings, name, required, ["b"], "commits").passed
        required = (*required, name)
    assert samples_hold(lake, settings, POLICY.commit_samples, ["b"]).passed


def test_parents_stand_before_their_children(world: _World, connection: duckdb.DuckDBPyConnection):
    rows = connection.execute("SELECT sha, parents FROM commits ORDER BY ordinal").fetchall()
    place = {sha: number for number, (sha, _) in enumerate(rows)}
    for sha, parents in rows:
        assert all(place[parent] < place[sha] for parent in parents if parent in place)
    (octopus,) = [parents for sha, parents in rows if sha == world.ids["octopus"]]
    assert len(octopus) == 3


def test_a_shallow_clone_gives_what_it_has_and_says_what_it_lacks(world: _World, connection: duckdb.DuckDBPyConnection):
    fates = _fates(connection, "shallow")
    assert [fates[sha] for sha in world.shallow] == ["rules: missing_parent", "kept"]


def test_a_harmless_neighbour_loses_nothing(connection: duckdb.DuckDBPyConnection):
    assert list(_fates(connection, "harmless").values()) == ["sample: root_commit", "kept", "kept"]


def test_messages_are_text_and_dates_are_dates_or_none(world: _World, connection: duckdb.DuckDBPyConnection):
    told = {
        sha: (message, encoding, date)
        for sha, message, encoding, date in connection.execute(
            "SELECT sha, message, message_encoding, year(committed_at) FROM commits"
        ).fetchall()
    }
    by_name = {name: told[sha] for name, sha in world.ids.items()}
    assert by_name["latin-1 message"][:2] == ("Café au lait in the garden\n", "iso8859-1")
    assert by_name["undeclared message"][:2] == ("Café noir in the garden\n", "latin-1")
    assert "\0" in by_name["binary message"][0]
    years = {name: by_name[name][2] for name in ("1970", "2100", "no date of any calendar", "no author")}
    assert years == {"1970": 1970, "2100": 2100, "no date of any calendar": None, "no author": None}


def test_why_tells_the_story_of_every_one(world: _World, connection: duckdb.DuckDBPyConnection):
    for name, sha in world.ids.items():
        story = why(connection, sha, POLICY)
        assert story.kept is _FATES[name].startswith("kept"), name
        assert story.document["changed_paths"] >= len(story.document["changes"])
        assert len(story.document["changes"]) <= _PATHS
    assert why(connection, world.ids["2,000 files"], POLICY).document["changed_paths"] == 2000
    assert why(connection, world.ids["path that is not UTF-8"], POLICY).document["changes"][0]["kind"] == "add"
