"""The repository-level corpus on generated repositories: what is chosen, in which order it stands, where it is cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from flow_tables import rows_of
from support import lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.batches import list_batches
from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.corpora.repository_level import documents
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import DEPENDENCIES, FILES, REPOSITORY_LEVEL, REPOSITORY_SEQUENCES, verdicts
from seed_platform.lineage.show import texts
from seed_platform.lineage.structure_checks import sequences_hold
from seed_platform.lineage.why import why
from seed_platform.policy import Policy
from seed_platform.steps.flow import STEPS

_SMALL = Policy(repository_level=RepositoryLevelPolicy(sequence_tokens=1200))


def _module(seed: int, *imports: str, lines: int = 30) -> str:
    return "\n".join([*imports, "", python_source(seed, lines)])


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Four repositories: a package of two related halves, one of a cycle, one of broken files, one of a single file."""
    folder = tmp_path_factory.mktemp("structure")
    chain = {
        "pkg/__init__.py": "",
        "pkg/zero.py": _module(1),
        "pkg/one.py": _module(2, "from pkg.zero import a"),
        "pkg/two.py": _module(3, "from . import one"),
        "other/far.py": _module(4),
        "other/near.py": _module(5, "from other import far"),
        "README.md": "# A chain of modules\n\nEach imports the one before.\n",
        "long.py": python_source(6, 400),
    }
    cycle = {"a.py": _module(10, "import b"), "b.py": _module(11, "import c"), "c.py": _module(12, "import a")}
    broken = {f"m{n}.py": f"def (:\n    !!! {n}\n" * 9 for n in range(3)} | {"good.py": _module(20)}
    for name, files in (("chain", chain), ("cycle", cycle), ("broken", broken), ("single", {"s.py": _module(30)})):
        make_repository(folder / name, files)
    specs = [str(folder / name) for name in ("chain", "cycle", "broken", "single")]
    run_flow(str(folder / "lake"), specs, policy=_SMALL, name="first", steps=STEPS)
    return lake_of(settings_of(str(folder / "lake")))


def _order(lake: Lake) -> list[str]:
    """Every file of the corpus as it stands, the sequences one after the other."""
    files = dict(rows_of(lake, FILES).select("ordinal", "path").iter_rows())
    return [files[each] for row in rows_of(lake, REPOSITORY_SEQUENCES)["files"] for each in row]


def test_repositories_are_chosen_by_the_average_quality_of_their_files(lake: Lake):
    judged = rows_of(lake, verdicts("repositories", "quality"))
    assert judged["reason"].to_list() == [None, None, "low_quality", "too_few_files"]
    assert judged["score"].to_list()[2] == pytest.approx(0.25)
    assert rows_of(lake, REPOSITORY_LEVEL)["repository"].to_list() == ["chain", "cycle"]


def test_dependencies_stand_before_their_users(lake: Lake):
    order = _order(lake)
    pairs = {"pkg/one.py": "pkg/zero.py", "pkg/two.py": "pkg/one.py", "other/near.py": "other/far.py"}
    for user, dependency in pairs.items():
        assert order.index(dependency) < order.index(user)
    names = dict(rows_of(lake, FILES).select("ordinal", "path").iter_rows())
    found = rows_of(lake, DEPENDENCIES).select("ordinal", "dependency")
    edges = {(names[user], names[used]) for user, used in found.iter_rows()}
    assert {("pkg/one.py", "pkg/zero.py"), ("a.py", "b.py"), ("b.py", "c.py"), ("c.py", "a.py")} <= edges


def test_no_sequence_is_over_the_budget_and_no_file_is_lost(lake: Lake):
    held = sequences_hold(lake, settings_of(lake.root), _SMALL.repository_level, ["first"])
    assert held.passed, held
    assert held.numbers["files"] == len(set(_order(lake)))
    assert rows_of(lake, REPOSITORY_SEQUENCES)["tokens"].max() <= 1200  # type: ignore[operator]


def test_texts_are_the_files_under_their_paths_and_parts_join_to_the_whole(lake: Lake):
    frames = list(documents(lake, list_batches(lake)))
    told = pl.concat(frames)
    sizes = rows_of(lake, REPOSITORY_SEQUENCES)["bytes"].to_list()
    assert [len(text.encode()) for text in told["text"]] == sizes
    contents = dict(rows_of(lake, FILES).select("path", "content").iter_rows())
    whole = [text for text, paths in told.select("text", "paths").iter_rows() if "pkg/one.py" in paths]
    assert f"# pkg/one.py\n{contents['pkg/one.py']}" in whole[0]
    assert "<!-- README.md -->\n# A chain of modules" in "".join(told["text"])
    parts = [text for text, paths in told.select("text", "paths").iter_rows() if paths == ["long.py"]]
    assert len(parts) > 1
    assert "".join(part.partition("\n")[2].removesuffix("\n") for part in parts) == contents["long.py"]
    assert parts[0].startswith("# long.py (bytes 0 to ")


def test_the_story_of_a_repository_says_what_it_became(lake: Lake):
    with views(lake.root) as connection:
        story = why(connection, "chain", _SMALL)
        assert story.kept
        sequences = rows_of(lake, REPOSITORY_SEQUENCES).filter(pl.col("repository") == "chain")
        assert story.document["sequences"]["sequences"] == sequences.height
        shown = list(texts(lake, connection, story))
        assert shown[0][0].startswith("sequence 1 of ")
        dropped = why(connection, "broken", _SMALL)
        assert dropped.kept is False
        assert next(each["reason"] for each in dropped.verdicts if not each["keep"]) == "low_quality"


def test_another_budget_recuts_and_parses_nothing(lake: Lake, tmp_path: Path):
    root = tmp_path / "lake"
    shutil.copytree(lake.root, root)
    done = run_flow(str(root), [], policy=Policy(), steps=STEPS)
    assert {each.report.step for each in done} == {
        "verdicts/repositories/quality", "corpora/repository_level", "corpora/repository_sequences"
    }  # fmt: skip
    sequences = rows_of(lake_of(settings_of(str(root))), REPOSITORY_SEQUENCES)
    assert sequences["repository"].to_list() == ["chain", "cycle"]
