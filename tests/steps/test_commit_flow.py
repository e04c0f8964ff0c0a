"""The line of commits on repositories with planted histories: verdicts, samples, and what a second batch costs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pygit2
import pytest
from flow_tables import rows_of
from support import git, lake_of, python_source, run_flow, settings_of, views

from seed_platform.commits.apply import apply_changes
from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.commits.rows import changes_from_json
from seed_platform.commits.template import parse_sample
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import COMMIT_SAMPLES, COMMIT_WALKS, COMMITS, verdicts
from seed_platform.lineage.commits import commit_funnel
from seed_platform.lineage.structure_checks import commits_are_accounted_for, samples_hold
from seed_platform.lineage.why import why
from seed_platform.policy import Policy
from seed_platform.steps.commit_flow import COMMIT_FILTERS, COMMIT_STEPS, GATE, READ_COMMITS
from seed_platform.steps.flow import READ
from seed_platform.steps.lines import REPOSITORY_LINE

WALKING = (READ, GATE, READ_COMMITS)
POLICY = Policy(commit_gate=CommitGatePolicy(commits=0, active_days=0))
_APP, _UTIL = python_source(1, 60), python_source(2, 60)


def commit(path: Path, message: str, files: dict[str, str | bytes | None], author: str = "A <a@b.c>") -> str:
    """Write (or delete, if None) `files` and commit; the commit's id."""
    if not (path / ".git").exists():
        path.mkdir(parents=True, exist_ok=True)
        git(path, "init", "-q")
    for name, content in files.items():
        file = path / name
        if content is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(path, "add", "-A")
    git(path, "commit", "-q", "--allow-empty", "--author", author, "-m", message)
    return git(path, "rev-parse", "HEAD")


def lines_of(text: str, place: int, *new: str) -> str:
    """`text` with the lines `new` put in before line `place`."""
    lines = text.split("\n")
    return "\n".join([*lines[:place], *new, *lines[place:]])


def planted(path: Path) -> dict[str, str]:
    """A history with one commit of each kind, by what is expected of it."""
    ids = {"too much at once": commit(path, "Import the project", {f"m{n}.py": python_source(n, 5) for n in range(9)})}
    base = {"README.md": "# Planted\n\nCounts what is planted.\n", "src/app.py": _APP, "src/util.py": _UTIL}
    commit(path, "Count plants in rows", base)
    ids["kept"] = commit(
        path, "Let app count roots as well as leaves", {"src/app.py": lines_of(_APP, 20, "roots = leaves = 0", "")}
    )
    git(path, "branch", "release", "HEAD~1")
    git(path, "mv", "src/util.py", "src/helpers.py")
    ids["renamed"] = commit(
        path, "Name the helpers for what they are", {"src/helpers.py": lines_of(_UTIL, 9, "HELPS = True")}
    )
    bot = "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>"
    ids["bot"] = commit(path, "Bump lark from 1.1 to 1.2", {"requirements.txt": "lark==1.2\n"}, bot)
    ids["poor_message"] = commit(path, "fix", {"src/app.py": _APP + "\nLAST = 1\n"})
    ids["binary_only"] = commit(path, "Add the picture of a plant", {"plant.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"})
    ids["empty"] = commit(path, "Trigger the build machine again", {})
    git(path, "checkout", "-q", "-b", "side", "HEAD~2")
    commit(path, "Water plants in the evening", {"src/water.py": python_source(3, 30)})
    git(path, "checkout", "-q", "main")
    git(path, "merge", "-q", "--no-ff", "-m", "Merge the side branch", "side")
    ids["merge"] = git(path, "rev-parse", "HEAD")
    return ids


def outcomes(lake: Lake) -> dict[tuple[str, str], str]:
    """Of each (batch, commit): "kept", or the filter that drops it and why."""
    commits = rows_of(lake, COMMITS).select("batch", "ordinal", "sha")
    found = {(row["batch"], row["sha"]): "kept" for row in commits.iter_rows(named=True)}
    for name, table in reversed(COMMIT_FILTERS.items()):
        dropped = rows_of(lake, table).filter(~pl.col("keep")).join(commits, on=["batch", "ordinal"])
        found |= {(row["batch"], row["sha"]): f"{name}: {row['reason']}" for row in dropped.iter_rows(named=True)}
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A lake with a first batch of the planted history; then it grows, and with its release branch is a second one."""
    folder = tmp_path_factory.mktemp("commits")
    ids = planted(folder / "planted")
    steps = REPOSITORY_LINE.steps
    run_flow(str(folder / "lake"), [str(folder / "planted")], policy=POLICY, name="first", steps=steps)
    ids["later"] = commit(
        folder / "planted", "Count the seeds of each plant", {"src/seeds.py": python_source(5, 40), "plant.png": None}
    )
    git(folder / "planted", "checkout", "-q", "release")
    ids["on release"] = commit(
        folder / "planted", "Note what the release has", {"NEWS.md": "# News\n\nRows of plants.\n"}
    )
    git(folder / "planted", "cherry-pick", ids["kept"])
    ids["picked"] = git(folder / "planted", "rev-parse", "HEAD")
    git(folder / "planted", "checkout", "-q", "main")
    second = [str(folder / "planted"), f"{folder / 'planted'}#release"]
    run_flow(str(folder / "lake"), second, policy=POLICY, name="second", steps=steps)
    return folder, ids


def test_each_planted_commit_has_the_verdict_that_it_was_planted_for(world: tuple[Path, dict[str, str]]):
    folder, ids = world
    found = outcomes(lake_of(settings_of(str(folder / "lake"))))
    expected = {name: f"rules: {name}" for name in ("bot", "poor_message", "binary_only", "empty", "merge")}
    expected |= {"kept": "kept", "renamed": "kept", "too much at once": "rules: root"}
    assert {name: found["first", ids[name]] for name in expected} == expected


def test_a_repository_that_comes_again_costs_its_new_commits(world: tuple[Path, dict[str, str]]):
    folder, ids = world
    lake = lake_of(settings_of(str(folder / "lake")))
    commits = rows_of(lake, COMMITS).filter(pl.col("batch") == "second")
    assert set(commits["sha"]) == {ids["later"], ids["on release"], ids["picked"]}
    walks = rows_of(lake, COMMIT_WALKS).filter(pl.col("batch") == "second").sort("ordinal")
    assert walks["branch"].to_list() == ["HEAD", "release"]
    assert walks["seen"].to_list() == [[ids["merge"]], [ids["merge"], ids["later"]]]
    assert walks["commits"].to_list() == [1, 2]


def test_a_cherry_pick_is_a_duplicate_of_the_commit_that_came_first(world: tuple[Path, dict[str, str]]):
    folder, ids = world
    with views(str(folder / "lake")) as connection:
        story = why(connection, ids["picked"], POLICY)
        assert story.kept is False
        (verdict,) = [each for each in story.verdicts if not each["keep"]]
        assert (verdict["filter"], verdict["related"]) == ("exact_duplicates", f"planted@{ids['kept'][:12]}")
        kept = why(connection, f"planted@{ids['kept'][:10]}", POLICY)
        assert kept.kept
        assert kept.duplicates == (1, [f"planted@{ids['picked'][:12]}"])
        assert kept.document["relevant"][0] == "src/app.py"


def test_the_change_of_every_sample_makes_the_file_after_from_the_file_before(world: tuple[Path, dict[str, str]]):
    folder, _ = world
    lake = lake_of(settings_of(str(folder / "lake")))
    repository = pygit2.Repository(str(folder / "planted"))
    commits = {row["doc_id"]: row for row in rows_of(lake, COMMITS).iter_rows(named=True)}
    samples = rows_of(lake, COMMIT_SAMPLES)
    assert samples.height >= 5
    for row in samples.iter_rows(named=True):
        changes = changes_from_json(commits[row["doc_id"]]["changes"])
        text = [change for change in changes if not change.binary]
        before = {each.old_path or each.path: repository[each.old_blob].data for each in text if each.old_blob}
        after = {each.path: repository[each.new_blob].data for each in text if each.new_blob}
        made = apply_changes(parse_sample(row["content"]).target, before)
        assert {path: content for path, content in made.items() if content is not None} == after
        assert row["content"].encode()[: row["bytes"]] == row["content"].encode()
        assert row["tokens"] <= POLICY.commit_samples.max_tokens


def test_names_and_addresses_are_nowhere_in_the_lake(world: tuple[Path, dict[str, str]]):
    folder, _ = world
    lake = lake_of(settings_of(str(folder / "lake")))
    rows = rows_of(lake, COMMITS)
    assert rows["author"].n_unique() == 2  # the person and the bot
    assert rows.select(pl.col("author", "committer").str.contains("^[0-9a-f]{32}$").all()).row(0) == (True, True)


def test_checks_hold_and_the_funnel_adds_up(world: tuple[Path, dict[str, str]]):
    folder, _ = world
    settings = settings_of(str(folder / "lake"))
    lake = lake_of(settings)
    assert commits_are_accounted_for(lake, settings, ["first", "second"]).passed
    held = samples_hold(lake, settings, POLICY.commit_samples, ["first", "second"])
    assert held.passed, held
    with views(str(folder / "lake")) as connection:
        counted = commit_funnel(connection, POLICY.commit_samples)
    documents = counted.documents
    assert documents.seen == rows_of(lake, COMMITS).height
    assert documents.kept == rows_of(lake, COMMIT_SAMPLES).height
    assert documents.seen == documents.kept + sum(sum(each.values()) for each in documents.dropped.values())


def test_a_repository_that_the_gate_drops_is_not_walked(world: tuple[Path, dict[str, str]], tmp_path: Path):
    folder, _ = world
    run_flow(str(tmp_path / "lake"), [str(folder / "planted")], name="first", steps=REPOSITORY_LINE.steps)
    lake = lake_of(settings_of(str(tmp_path / "lake")))
    (verdict,) = rows_of(lake, verdicts("repositories", "commit_gate")).to_dicts()
    assert (verdict["keep"], verdict["reason"]) == (False, "too_few_commits")
    assert json.loads(verdict["evidence"])["stars"]["value"] == "unknown"
    assert rows_of(lake, COMMITS).is_empty()


def test_what_a_shallow_clone_lacks_is_said(world: tuple[Path, dict[str, str]], tmp_path: Path):
    folder, ids = world
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{folder / 'planted'}", str(tmp_path / "shallow"))
    unknown = ("stars", "forks", "commits", "active_days")
    policy = Policy(commit_gate=CommitGatePolicy(commits=0, active_days=0, waive_unknown=unknown))
    run_flow(str(tmp_path / "lake"), [str(tmp_path / "shallow")], policy=policy, name="b", steps=REPOSITORY_LINE.steps)
    lake = lake_of(settings_of(str(tmp_path / "lake")))
    (walk,) = rows_of(lake, COMMIT_WALKS).to_dicts()
    assert walk["missing"]
    found = outcomes(lake)
    assert found["b", ids["later"]] == "kept"
    assert set(found.values()) >= {"rules: missing_parent"} or found["b", ids["merge"]] == "rules: merge"


def test_a_rewritten_history_is_walked_again_and_said(world: tuple[Path, dict[str, str]], tmp_path: Path):
    folder, _ = world
    copy = tmp_path / "planted"
    shutil.copytree(folder / "planted", copy)
    git(copy, "checkout", "-q", "--orphan", "fresh")
    for name in ("main", "release", "side"):
        git(copy, "branch", "-D", name)
    commit(copy, "Begin the history anew with less", {"src/new.py": python_source(11, 20)})
    git(copy, "reflog", "expire", "--expire=now", "--all")
    git(copy, "gc", "-q", "--prune=now")
    root = tmp_path / "lake"
    shutil.copytree(folder / "lake", root)
    run_flow(str(root), [str(copy)], policy=POLICY, name="third", steps=REPOSITORY_LINE.steps)
    (walk,) = rows_of(lake_of(settings_of(str(root))), COMMIT_WALKS).filter(pl.col("batch") == "third").to_dicts()
    assert len(walk["unknown"]) == len(walk["seen"]) > 0
    assert walk["commits"] == 1


def test_a_repository_that_is_gone_does_not_replace_what_was_read_of_it(tmp_path: Path):
    commit(tmp_path / "gone", "Write the first of two files", {"a.py": python_source(1, 20), "b.py": _UTIL})
    root = str(tmp_path / "lake")
    run_flow(root, [str(tmp_path / "gone")], policy=POLICY, name="only", steps=REPOSITORY_LINE.steps)
    lake = lake_of(settings_of(root))
    before = rows_of(lake, COMMITS)
    assert before.height == 1
    shutil.rmtree(tmp_path / "gone")
    other = POLICY.model_copy(update={"commit_gate": CommitGatePolicy(stars=7, commits=0, active_days=0)})
    with pytest.raises(WorkError, match="cannot be read again"):
        run_flow(root, [], policy=other, steps=REPOSITORY_LINE.steps)
    assert rows_of(lake, COMMITS).equals(before)


def test_samples_outlive_a_change_of_policy_while_their_repository_is_away(tmp_path: Path):
    repository, root, steps = tmp_path / "planted", str(tmp_path / "lake"), (READ, *COMMIT_STEPS)
    commit(repository, "Count plants in rows", {"app.py": _APP})
    commit(
        repository, "Let app count roots as well as leaves", {"app.py": lines_of(_APP, 20, "roots = leaves = 0", "")}
    )
    run_flow(root, [str(repository)], policy=POLICY, name="only", steps=steps)
    lake = lake_of(settings_of(root))
    tables = (COMMIT_SAMPLES, COMMIT_FILTERS["sample"])
    before = [rows_of(lake, table) for table in tables]
    assert before[0].height == 1
    fewer = POLICY.commit_samples.model_copy(update={"max_tokens": 20_000})
    changed = POLICY.model_copy(update={"commit_samples": fewer})
    repository.rename(tmp_path / "away")
    with pytest.raises(WorkError, match=r"planted cannot be read again \(missing_path: .*\); the lake is unchanged"):
        run_flow(root, [], policy=changed, steps=steps)
    assert all(rows_of(lake, table).equals(rows) for table, rows in zip(tables, before, strict=True))
    (tmp_path / "away").rename(repository)
    run_flow(root, [], policy=changed, steps=steps)
    after = rows_of(lake, COMMIT_SAMPLES)
    assert after["doc_id"].to_list() == before[0]["doc_id"].to_list()
    assert after["policy_hash"].to_list() == [changed.digest()]


def two_clones(folder: Path) -> tuple[Path, Path, list[str]]:
    """Clones of one origin, each with a commit of its own, and the ids of the commits that they share."""
    for number in range(2):
        commit(folder / "origin", f"Write part {number} of the story", {f"s{number}.py": python_source(number, 9)})
    for number, name in enumerate(("one", "two")):
        git(folder, "clone", "-q", str(folder / "origin"), name)
        commit(folder / name, f"Tell it as {name} does", {"end.py": python_source(20 + number, 9)})
    return folder / "one", folder / "two", git(folder / "origin", "rev-list", "--reverse", "HEAD").split()


def test_a_walk_that_fails_hides_nothing_from_the_next_of_its_origin(tmp_path: Path):
    one, two, shared = two_clones(tmp_path)
    root, ids = str(tmp_path / "lake"), {path: git(path, "rev-parse", "HEAD") for path in (one, two)}
    run_flow(root, [f"{one}#main", f"{two}#main"], policy=POLICY, name="a", steps=WALKING[:2])
    (one / ".git").rename(one / "git")
    run_flow(root, [], policy=POLICY, steps=WALKING)
    lake = lake_of(settings_of(root))
    walks = rows_of(lake, COMMIT_WALKS).sort("ordinal")
    assert walks.select("reason", "commits", "seen").rows() == [("not_a_repository", 0, []), (None, 3, [])]
    assert set(rows_of(lake, COMMITS)["sha"]) == {*shared, ids[two]}
    (one / "git").rename(one / ".git")
    git(one, "fetch", "-q", str(two))
    later = commit(one, "Tell how it goes on", {"more.py": python_source(30, 9)})
    run_flow(root, [str(one)], policy=POLICY, name="b", steps=WALKING)
    assert set(rows_of(lake, COMMITS).filter(pl.col("batch") == "b")["sha"]) == {ids[one], later}


def test_a_first_walk_that_fails_for_now_publishes_nothing_and_is_tried_again(tmp_path: Path):
    one, two, shared = two_clones(tmp_path)
    root = str(tmp_path / "lake")
    run_flow(root, [str(one), str(two)], policy=POLICY, name="a", steps=WALKING[:2])
    one.rename(tmp_path / "away")
    lake = lake_of(settings_of(root))
    for _ in range(2):
        with pytest.raises(WorkError, match=r"cannot be read now \(.*one: missing_path\); the lake is unchanged"):
            run_flow(root, [], policy=POLICY, steps=WALKING)
        assert lake.open(COMMIT_WALKS) is lake.open(COMMITS) is None
    (tmp_path / "away").rename(one)
    run_flow(root, [], policy=POLICY, steps=WALKING)
    assert rows_of(lake, COMMIT_WALKS).sort("ordinal")["commits"].to_list() == [len(shared) + 1, 1]
