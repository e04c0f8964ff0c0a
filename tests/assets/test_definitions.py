"""What Dagster loads: the graph as a literal, so that its changes show in review, and what loading it may not do."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import seed_platform
from seed_platform.assets.resources import LakeResource
from seed_platform.definitions import build_definitions, defs
from seed_platform.steps import quality_model
from seed_platform.steps.flow import NEAR_DUPLICATES
from seed_platform.steps.page_flow import CODE_RELEVANCE, PAGE_FILTERS

PROJECT = Path(seed_platform.__file__).parents[1]

_BATCHES = "repository_batches"
_FILES = "github/files"
_RULES, _EXACT = "verdicts/files/rules", "verdicts/files/exact_duplicates"
_NEAR, _SYNTAX = "verdicts/files/near_duplicates", "verdicts/files/syntax"
_COPIES = "verdicts/files/repository_duplicates"
_SCORES, _FILE_QUALITY = "verdicts/files/quality_score", "verdicts/files/quality"
_REPOSITORIES = "github/repositories"
_SAME_TREES, _FORKS = "verdicts/repositories/exact_duplicates", "verdicts/repositories/near_duplicates"
_REPOSITORY_QUALITY, _GATE = "verdicts/repositories/quality", "verdicts/repositories/commit_gate"
_DEPENDENCIES = "github/dependencies"
_COMMITS = "github/commits"
_COMMIT_RULES, _SAME_CHANGES, _ALIKE_CHANGES = (
    f"verdicts/commits/{name}" for name in ("rules", "exact_duplicates", "near_duplicates")
)

_CRAWLS = "crawl_batches"
_PAGES = "web/pages"
_PAGE_FILTERS = {name: f"verdicts/pages/{name}" for name in PAGE_FILTERS}
_PAGE_RULES, _URLS, _TEXTS, _ALIKE, _RELEVANCE, _QUALITY = _PAGE_FILTERS.values()


def _verdict(
    kind: str, *deps: str, version: str = "1", check: str | None = None, partitions: str = _BATCHES
) -> dict[str, Any]:
    return {
        "group": "verdicts",
        "deps": sorted(deps),
        "kinds": sorted((kind, "deltalake")),
        "partitions": partitions,
        "single_run": True,
        "code_version": version,
        "automation": "when_outstanding",
        "blocking_checks": sorted(["verdicts_are_conserved", *([check] if check else [])]),
    }


def _corpus(
    *deps: str, checks: list[str], kind: str = "polars", version: str = "1", partitions: str = _BATCHES
) -> dict[str, Any]:
    return {
        **_verdict(kind, *deps, version=version, partitions=partitions),
        "group": "corpora",
        "blocking_checks": checks,
    }


SNAPSHOT: dict[str, dict[str, Any]] = {
    "github/repositories": {
        "group": "github",
        "deps": [],
        "kinds": ["deltalake"],
        "partitions": _BATCHES,
        "single_run": True,
        "code_version": "3",
        "automation": "when_outstanding",
        "blocking_checks": [],
    },
    _FILES: {
        "group": "github",
        "deps": [],
        "kinds": ["deltalake"],
        "partitions": _BATCHES,
        "single_run": True,
        "code_version": "3",
        "automation": "when_outstanding",
        "blocking_checks": ["files_are_accounted_for"],
    },
    _RULES: _verdict("polars", _FILES),
    _SAME_TREES: _verdict("duckdb", _FILES, _REPOSITORIES, check="dropped_repositories_equal_a_kept_one"),
    _FORKS: _verdict(
        "duckdb", _FILES, _REPOSITORIES, _RULES, _SAME_TREES, check="dropped_repositories_overlap_a_kept_one"
    ),
    _COPIES: _verdict(
        "duckdb",
        _FILES,
        _REPOSITORIES,
        _RULES,
        _SAME_TREES,
        _FORKS,
        version="2",
        check="dropped_files_are_kept_elsewhere",
    ),
    _EXACT: _verdict("duckdb", _FILES, _RULES, _COPIES, version="3"),
    _NEAR: _verdict(
        "numba",
        *(_FILES, _RULES, _COPIES, _EXACT, _SYNTAX),
        version=NEAR_DUPLICATES.version,
        check="removals_are_verified",
    ),
    _SYNTAX: _verdict("treesitter", _FILES, _RULES, _COPIES, _EXACT),
    # Which files are labelled is a matter of the whole lake: it has no partitions.
    "models/file_quality": {
        "group": "models",
        "deps": [_NEAR],
        "kinds": ["fasttext"],
        "partitions": None,
        "single_run": False,
        "code_version": quality_model.VERSION,
        "automation": "when_never_made",
        "blocking_checks": [],
    },
    _SCORES: _verdict("fasttext", *(_FILES, _RULES, _COPIES, _EXACT, _SYNTAX, _NEAR, "models/file_quality")),
    _FILE_QUALITY: _verdict("polars", _FILES, _SCORES),
    "corpora/file_level": _corpus(
        *(_FILES, _RULES, _COPIES, _EXACT, _NEAR, _SYNTAX, _FILE_QUALITY),
        version="2",
        checks=["no_two_documents_share_content"],
    ),
    _REPOSITORY_QUALITY: _verdict("polars", _FILES, _REPOSITORIES, _RULES, _SAME_TREES, _FORKS, _SYNTAX),
    "corpora/repository_level": _corpus(
        *(_FILES, _REPOSITORIES, _RULES, _SAME_TREES, _FORKS, _REPOSITORY_QUALITY),
        version="2",
        checks=["repositories_are_accounted_for"],
    ),
    _DEPENDENCIES: {
        **_corpus(*(_FILES, _REPOSITORIES, _RULES, _SAME_TREES, _FORKS), kind="treesitter", checks=[]),
        "group": "github",
    },
    "corpora/repository_sequences": _corpus(
        *(_FILES, _REPOSITORIES, _RULES, _NEAR, _DEPENDENCIES, "corpora/repository_level"), checks=["sequences_hold"]
    ),
    _GATE: _verdict("polars", _FILES, _REPOSITORIES),
    **{
        key: {
            "group": "github",
            "deps": [_FILES, _GATE],
            "kinds": ["deltalake"],
            "partitions": _BATCHES,
            "single_run": True,
            "code_version": "1",
            "automation": "when_outstanding",
            "blocking_checks": blocking,
        }
        for key, blocking in ((_COMMITS, ["commits_are_accounted_for"]), ("github/commit_walks", []))
    },
    _COMMIT_RULES: _verdict("polars", _COMMITS),
    _SAME_CHANGES: _verdict("duckdb", _COMMITS, _COMMIT_RULES, version="3"),
    _ALIKE_CHANGES: _verdict(
        "numba",
        *(_COMMITS, _COMMIT_RULES, _SAME_CHANGES),
        version=NEAR_DUPLICATES.version,
        check="removals_are_verified",
    ),
    "corpora/commits": _corpus(
        *(_COMMITS, _COMMIT_RULES, _SAME_CHANGES, _ALIKE_CHANGES),
        kind="numpy",
        checks=["samples_hold", "verdicts_are_conserved"],
    ),
    # Its rounds learn from the whole lake: it has no partitions.
    "corpora/high_quality": {
        **_corpus(
            *("corpora/file_level", "verdicts/files/quality_score"), kind="fasttext", checks=["files_are_of_the_corpus"]
        ),
        "partitions": None,
        "single_run": False,
        "automation": "eager",
    },
    # Its shares are of the whole lake: it has no partitions.
    "corpora/long_context": {
        **_corpus(
            *("corpora/commits", "corpora/file_level", "corpora/repository_sequences", "corpora/web"),
            kind="duckdb",
            checks=["shares_are_kept"],
        ),
        "partitions": None,
        "single_run": False,
        "automation": "eager",
    },
    **{
        f"reports/{corpus}_funnel": {
            "group": "reports",
            "deps": [f"corpora/{corpus}"],
            "kinds": ["duckdb"],
            "partitions": None,
            "single_run": False,
            "code_version": None,
            "automation": "eager",
            "blocking_checks": [],
        }
        for corpus in ("file_level", "web", "commits")
    },
    **{
        key: {
            "group": "web",
            "deps": [],
            "kinds": ["deltalake"],
            "partitions": _CRAWLS,
            "single_run": True,
            "code_version": "1",
            "automation": "when_outstanding",
            "blocking_checks": blocking,
        }
        for key, blocking in ((_PAGES, ["pages_are_accounted_for"]), ("web/crawl_files", []))
    },
    _PAGE_RULES: _verdict("polars", _PAGES, version=PAGE_FILTERS["rules"].version, partitions=_CRAWLS),
    _URLS: _verdict("duckdb", _PAGES, _PAGE_RULES, version="3", partitions=_CRAWLS),
    _TEXTS: _verdict("duckdb", _PAGES, _PAGE_RULES, _URLS, version="3", partitions=_CRAWLS),
    _ALIKE: _verdict(
        "numba",
        *(_PAGES, _PAGE_RULES, _URLS, _TEXTS),
        version=NEAR_DUPLICATES.version,
        check="removals_are_verified",
        partitions=_CRAWLS,
    ),
    # Of the model depends who is judged, of the pages who is trained on: it has no partitions.
    "models/code_relevance": {
        "group": "models",
        "deps": [_ALIKE],
        "kinds": ["fasttext"],
        "partitions": None,
        "single_run": False,
        "code_version": CODE_RELEVANCE.version,
        "automation": "when_never_made",
        "blocking_checks": [],
    },
    _RELEVANCE: _verdict(
        "fasttext",
        *(_PAGES, _PAGE_RULES, _URLS, _TEXTS, _ALIKE, "models/code_relevance"),
        version=CODE_RELEVANCE.version,
        partitions=_CRAWLS,
    ),
    _QUALITY: _verdict("polars", _PAGES, _RELEVANCE, version=PAGE_FILTERS["quality"].version, partitions=_CRAWLS),
    "corpora/web": _corpus(*(_PAGES, *_PAGE_FILTERS.values()), checks=["no_two_pages_share_a_url"], partitions=_CRAWLS),
}

_KEY_GRAMMAR = re.compile(
    r"github/(repositories|files|dependencies|commits|commit_walks)|web/(pages|crawl_files)|verdicts/[a-z_]+/[a-z_]+|corpora/[a-z_]+|models/.+|"
    r"mixtures/[a-z_]+|training/.+|evaluation/.+|reports/[a-z_]+"
)

_DOMAIN = (
    *("sources", "lake", "engine", "filters", "steps", "corpora", "lineage"),
    *("crawl", "extraction", "pages", "indexes", "commits", "dependencies", "scoring", "judging"),
)
_HEAVY = ("torch", "vllm", "ray", "transformers", "fasttext")


def _nodes() -> list[Any]:
    return list(defs.resolve_asset_graph().asset_nodes)


def test_the_assets_are_those_of_the_snapshot():
    graph = defs.resolve_asset_graph()
    found = {}
    for node in _nodes():
        policy, partitions = node.backfill_policy, node.partitions_def
        specs = [graph.get_check_spec(key) for key in node.check_keys]
        condition = node.automation_condition
        found[node.key.to_user_string()] = {
            "group": node.group_name,
            "deps": sorted(key.to_user_string() for key in node.parent_keys),
            "kinds": sorted(node.kinds),
            "partitions": partitions.name if isinstance(partitions, dg.DynamicPartitionsDefinition) else None,
            "single_run": policy == dg.BackfillPolicy.single_run(),
            "code_version": node.code_version,
            "automation": condition.get_label() if condition else None,
            "blocking_checks": sorted(spec.name for spec in specs if spec.blocking),
        }
    assert found == SNAPSHOT


def test_keys_follow_the_grammar_of_the_design():
    keys = [node.key.to_user_string() for node in _nodes()]
    assert [key for key in keys if not _KEY_GRAMMAR.fullmatch(key)] == []


def test_every_asset_says_what_it_is_and_who_owns_it():
    bare = [node.key.to_user_string() for node in _nodes() if not node.description or not node.owners]
    assert bare == []


def test_the_sensors_and_their_states_are_these():
    repository = defs.get_repository_def()
    assert {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs} == {
        "batch_arrivals": "RUNNING",
        "crawl_arrivals": "RUNNING",
        "outstanding_work": "STOPPED",
    }


def test_the_schedules_and_their_states_are_these():
    repository = defs.get_repository_def()
    assert [(each.name, each.default_status.value, each.cron_schedule) for each in repository.schedule_defs] == [
        ("crawl_refresh", "STOPPED", "0 2 * * *")
    ]


def test_definitions_can_be_built_with_other_resources():
    variant = build_definitions(lake=LakeResource(root="elsewhere"))
    dg.Definitions.validate_loadable(variant)
    assert variant.resources is not None
    assert variant.resources["lake"].root == "elsewhere"


def _python(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dagster_validates_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(PROJECT / "workspace.yaml")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_definitions_writes_nothing_and_loads_nothing_heavy(tmp_path: Path):
    code = f"import sys, seed_platform.definitions; print([name for name in {_HEAVY!r} if name in sys.modules])"
    assert _python(code, tmp_path).strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_no_domain_module_imports_dagster(tmp_path: Path):
    package = Path(seed_platform.__file__).parent
    modules = [
        found.name
        for name in _DOMAIN
        for found in pkgutil.walk_packages([str(package / name)], prefix=f"seed_platform.{name}.")
    ]
    modules += [
        f"seed_platform.{file.stem}"
        for file in package.glob("*.py")
        if file.stem not in ("definitions", "__main__", "__init__")
    ]
    assert len(modules) > 40
    code = f"""
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("dagster"):
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocked())
for module in {modules!r}:
    importlib.import_module(module)
"""
    _python(code, tmp_path)


def test_no_domain_module_names_dagster_even_inside_a_function():
    package = Path(seed_platform.__file__).parent
    files = [file for name in _DOMAIN for file in (package / name).rglob("*.py")]
    pattern = re.compile(
        r"^\s*(?:import|from)\s+dagster|^\s*(?:import|from)\s+seed_platform\.(?:assets|automation|definitions)", re.M
    )
    assert [str(file) for file in files if pattern.search(file.read_text())] == []
