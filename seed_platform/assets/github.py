"""Assets of repositories: they and their files as they arrived, verdicts on both, and the two corpora made of them.

Every asset body is a few lines: the work is in `steps/`. What belongs here: keys, groups, checks, descriptions.
"""

import dagster as dg

from seed_platform.assets.execution import Check, current_batches
from seed_platform.assets.step_assets import FILES, REPOSITORIES, conserved, read_asset, step_asset
from seed_platform.lake.lake import Lake
from seed_platform.lineage import checks, near_duplicate_checks, repository_checks, structure_checks
from seed_platform.policy import load_policy
from seed_platform.settings import Settings
from seed_platform.steps import (
    exact_duplicates,
    judge,
    near_duplicates,
    quality_scores,
    repository_duplicates,
    repository_near_duplicates,
    repository_quality,
)
from seed_platform.steps.flow import (
    FILE_DEPENDENCIES,
    FILE_LEVEL_CORPUS,
    FILTERS,
    QUALITY_SCORES,
    READ,
    REPOSITORY_EXACT_DUPLICATES,
    REPOSITORY_LEVEL_CORPUS,
    REPOSITORY_NEAR_DUPLICATES,
    REPOSITORY_QUALITY,
    SEQUENCES,
)

FILE_LEVEL = dg.AssetKey(["corpora", "file_level"])
REPOSITORY_LEVEL = dg.AssetKey(["corpora", "repository_level"])

REQUIRES = {
    "rules": judge.RULES.requires,
    "repository_duplicates": repository_duplicates.REQUIRES,
    "exact_duplicates": exact_duplicates.REQUIRES,
    "near_duplicates": near_duplicates.SOURCE_FILES.requires,
    "syntax": judge.SYNTAX.requires,
    "quality": (quality_scores.SCORES.name,),
}
_KINDS = {
    "rules": "polars",
    "repository_duplicates": "duckdb",
    "exact_duplicates": "duckdb",
    "near_duplicates": "numba",
    "syntax": "treesitter",
    "quality": "polars",
}


read_repositories = read_asset(
    READ,
    group="github",
    name="read_repositories",
    described={
        REPOSITORIES: "One document per repository: origin, revision, licence files, stars and forks if known.",
        FILES: "One document per file, with its text, as it arrived. " + READ.described,
    },
    check_name="files_are_accounted_for",
    check=checks.files_are_accounted_for,
)


def _overlaps(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    policy = load_policy(settings.policy).repository_duplicates
    return repository_checks.overlaps_hold(lake, settings, policy, batches)


def _verified(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    policy = load_policy(settings.policy).near_duplicates
    return near_duplicate_checks.removals_are_verified(lake, settings, policy, batches)


_FURTHER: dict[str, dict[str, Check]] = {
    "repository_duplicates": {"dropped_files_are_kept_elsewhere": repository_checks.dropped_files_are_kept_elsewhere},
    "near_duplicates": {"removals_are_verified": _verified},
}
repository_verdict_assets = [
    step_asset(
        REPOSITORY_EXACT_DUPLICATES,
        group="verdicts",
        kind="duckdb",
        asked={
            **conserved("exact_duplicates", (), "repositories"),
            "dropped_repositories_equal_a_kept_one": repository_checks.trees_are_equal,
        },
    ),
    step_asset(
        REPOSITORY_NEAR_DUPLICATES,
        group="verdicts",
        kind="duckdb",
        asked={
            **conserved("near_duplicates", repository_near_duplicates.REQUIRES, "repositories"),
            "dropped_repositories_overlap_a_kept_one": _overlaps,
        },
    ),
]
verdict_assets = [
    step_asset(
        step,
        group="verdicts",
        kind=_KINDS[name],
        asked={**conserved(name, REQUIRES[name]), **_FURTHER.get(name, {})},
    )
    for name, step in FILTERS.items()
]
scores = step_asset(
    QUALITY_SCORES,
    group="verdicts",
    kind="fasttext",
    asked=conserved(quality_scores.SCORES.name, quality_scores.REQUIRES),
)


def _unique_where_asked(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    """A policy that leaves out exact duplicates may keep the same content twice."""
    if "exact_duplicates" not in load_policy(settings.policy).file_level.filters:
        return checks.Outcome(passed=True, numbers={})
    return checks.content_is_unique(lake, settings, batches, current_batches(lake, settings, FILE_LEVEL_CORPUS))


file_level = step_asset(
    FILE_LEVEL_CORPUS,
    group="corpora",
    kind="polars",
    asked={"no_two_documents_share_content": _unique_where_asked},
)
repository_level = step_asset(
    REPOSITORY_LEVEL_CORPUS,
    group="corpora",
    kind="polars",
    asked={"repositories_are_accounted_for": repository_checks.repositories_are_accounted_for},
)


def _sequences_hold(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    return structure_checks.sequences_hold(lake, settings, load_policy(settings.policy).repository_level, batches)


structure_assets = [
    step_asset(
        REPOSITORY_QUALITY,
        group="verdicts",
        kind="polars",
        asked=conserved("quality", repository_quality.REQUIRES, "repositories"),
    ),
    step_asset(FILE_DEPENDENCIES, group="github", kind="treesitter", asked={}),
    repository_level,
    step_asset(SEQUENCES, group="corpora", kind="polars", asked={"sequences_hold": _sequences_hold}),
]

ASSETS: list[dg.AssetsDefinition] = [
    read_repositories,
    *repository_verdict_assets,
    *verdict_assets,
    scores,
    file_level,
    *structure_assets,
]
"""All of them."""
