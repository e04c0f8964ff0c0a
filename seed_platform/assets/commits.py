"""The line of work for commits, as Dagster assets.

Every asset body is a few lines: the work is in `steps/`. What belongs here: keys, groups, checks, descriptions.
"""

import dagster as dg

from seed_platform.assets.step_assets import COMMIT_WALKS, COMMITS, conserved, read_asset, step_asset
from seed_platform.lake.lake import Lake
from seed_platform.lineage import checks, near_duplicate_checks, structure_checks
from seed_platform.policy import load_policy
from seed_platform.settings import Settings
from seed_platform.steps import commit_samples, exact_duplicates, near_duplicates
from seed_platform.steps.commit_flow import (
    COMMIT_CORPUS,
    COMMIT_EXACT_DUPLICATES,
    COMMIT_NEAR_DUPLICATES,
    COMMIT_RULES,
    GATE,
    READ_COMMITS,
)

COMMITS_CORPUS = dg.AssetKey(["corpora", "commits"])

read_history = read_asset(
    READ_COMMITS,
    group="github",
    name="read_history",
    described={
        COMMIT_WALKS: "One row per repository that the gate keeps: where its walk began and ended.",
        COMMITS: "One document per new commit: message, changed paths, patch. " + READ_COMMITS.described,
    },
    check_name="commits_are_accounted_for",
    check=structure_checks.commits_are_accounted_for,
)


def _verified(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    policy = load_policy(settings.policy).commit_near_duplicates
    return near_duplicate_checks.removals_are_verified(lake, settings, policy, batches, near_duplicates.COMMIT_CHANGES)


def _samples_hold(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    return structure_checks.samples_hold(lake, settings, load_policy(settings.policy).commit_samples, batches)


ASSETS: list[dg.AssetsDefinition] = [
    step_asset(GATE, group="verdicts", kind="polars", asked=conserved("commit_gate", (), "repositories")),
    read_history,
    step_asset(COMMIT_RULES, group="verdicts", kind="polars", asked=conserved("rules", (), "commits")),
    step_asset(
        COMMIT_EXACT_DUPLICATES,
        group="verdicts",
        kind="duckdb",
        asked=conserved("exact_duplicates", exact_duplicates.SAME_CHANGE.requires, "commits"),
    ),
    step_asset(
        COMMIT_NEAR_DUPLICATES,
        group="verdicts",
        kind="numba",
        asked={
            **conserved("near_duplicates", near_duplicates.COMMIT_CHANGES.requires, "commits"),
            "removals_are_verified": _verified,
        },
    ),
    step_asset(
        COMMIT_CORPUS,
        group="corpora",
        kind="numpy",
        asked={**conserved(commit_samples.NAME, commit_samples.REQUIRES, "commits"), "samples_hold": _samples_hold},
    ),
]
"""All of them."""
