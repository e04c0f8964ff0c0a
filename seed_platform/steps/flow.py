"""The flow of files and repositories, on one page: every step, what it reads and what it publishes.

What belongs here: the list. What does not: any step's work.
"""

from __future__ import annotations

from seed_platform.engine.local import preload
from seed_platform.filters import file_quality
from seed_platform.lake.query import VerdictTable
from seed_platform.lake.schemas import (
    DEPENDENCIES,
    FILE_LEVEL,
    FILES,
    NEAR_DUPLICATE_INDEX,
    REJECTIONS,
    REPOSITORIES,
    REPOSITORY_LEVEL,
    REPOSITORY_SEQUENCES,
    SCORE_HISTOGRAMS,
    verdicts,
)
from seed_platform.steps import (
    dependencies,
    exact_duplicates,
    judge,
    near_duplicates,
    quality_model,
    quality_scores,
    read,
    repository_duplicates,
    repository_exact_duplicates,
    repository_near_duplicates,
    repository_quality,
    repository_sequences,
    select,
)
from seed_platform.steps.base import Step

# What tasks need.
preload(__name__, "seed_platform.steps.near_duplicates.compiled")

READ = Step(
    name=FILES.name,
    version=read.VERSION,
    inputs=(),
    compares=False,
    sections=(),
    run=lambda context, batch, _: read.read_batch(context, batch),
    tables=(FILES, REPOSITORIES, REJECTIONS),
    described="The repositories of the batch and their files, as they arrived.",
    limits=("max_content_bytes", "max_archive_bytes", "max_archive_ratio", "max_archive_entries"),
)
RULES = Step(
    name=verdicts("files", "rules").name,
    version=judge.RULES.version,
    inputs=(FILES.name,),
    compares=False,
    sections=("rules",),
    run=lambda context, batch, _: judge.judge_batch(context, batch, judge.RULES),
    tables=(verdicts("files", "rules"),),
    described="Minimal rules: is it text, is it one of the 89 languages, did a person write it.",
)
REPOSITORY_EXACT_DUPLICATES = Step(
    name=verdicts("repositories", "exact_duplicates").name,
    version=repository_exact_duplicates.VERSION,
    inputs=(FILES.name,),
    compares=True,
    sections=("repository_duplicates",),
    run=repository_exact_duplicates.find_exact_duplicates,
    tables=(verdicts("repositories", "exact_duplicates"),),
    described="Repositories with the same paths and contents as a kept one.",
)
REPOSITORY_NEAR_DUPLICATES = Step(
    name=verdicts("repositories", "near_duplicates").name,
    version=repository_near_duplicates.VERSION,
    inputs=(FILES.name, RULES.name, REPOSITORY_EXACT_DUPLICATES.name),
    compares=True,
    sections=("repository_duplicates",),
    run=repository_near_duplicates.find_near_duplicates,
    tables=(verdicts("repositories", "near_duplicates"),),
    described="Forks, mirrors and copies: repositories most of whose contents are in a kept one.",
)
REPOSITORY_DUPLICATES = Step(
    name=verdicts("files", "repository_duplicates").name,
    version=repository_duplicates.VERSION,
    inputs=(FILES.name, RULES.name, REPOSITORY_EXACT_DUPLICATES.name, REPOSITORY_NEAR_DUPLICATES.name),
    compares=True,
    sections=(),
    run=repository_duplicates.find_repository_duplicates,
    tables=(verdicts("files", "repository_duplicates"),),
    described="Files of dropped repositories whose content the kept repository has as well.",
)
EXACT_DUPLICATES = Step(
    name=verdicts("files", "exact_duplicates").name,
    version=exact_duplicates.VERSION,
    inputs=(FILES.name, RULES.name, REPOSITORY_DUPLICATES.name),
    compares=True,
    sections=(),
    run=exact_duplicates.find_exact_duplicates,
    tables=(verdicts("files", "exact_duplicates"),),
    described="Files with the same SHA-256 and language as one that arrived earlier.",
)
SYNTAX = Step(
    name=verdicts("files", "syntax").name,
    version=judge.SYNTAX.version,
    inputs=(FILES.name, RULES.name, REPOSITORY_DUPLICATES.name, EXACT_DUPLICATES.name),
    compares=False,
    sections=("syntax",),
    run=lambda context, batch, _: judge.judge_batch(context, batch, judge.SYNTAX),
    tables=(verdicts("files", "syntax"),),
    described="Does a parser of the language accept it, within the language's tolerance.",
)
NEAR_DUPLICATES = Step(
    name=verdicts("files", "near_duplicates").name,
    version=near_duplicates.VERSION,
    inputs=(FILES.name, RULES.name, REPOSITORY_DUPLICATES.name, EXACT_DUPLICATES.name, SYNTAX.name),
    compares=True,
    sections=("near_duplicates",),
    run=near_duplicates.find_near_duplicates,
    tables=(verdicts("files", "near_duplicates"), NEAR_DUPLICATE_INDEX),
    described="Files that truly resemble a kept one, or one of a reference set: MinHash candidates, each verified.",
    references=True,
)
QUALITY_SCORES = Step(
    name=quality_scores.SCORES.table.name,
    version=quality_scores.SCORES.version,
    inputs=(
        FILES.name,
        RULES.name,
        REPOSITORY_DUPLICATES.name,
        EXACT_DUPLICATES.name,
        SYNTAX.name,
        NEAR_DUPLICATES.name,
    ),
    compares=False,
    sections=(),
    run=lambda context, batch, _: quality_scores.score_files(context, batch),
    tables=(quality_scores.SCORES.table,),
    described="The score that the distilled scorer gives each file that the filters before keep.",
    models=(quality_model.MODEL,),
)
FILE_QUALITY = Step(
    name=quality_scores.TABLE.name,
    version=file_quality.VERSION,
    inputs=(FILES.name, QUALITY_SCORES.name),
    compares=True,
    sections=("file_quality",),
    run=quality_scores.judge_quality,
    tables=(quality_scores.TABLE, SCORE_HISTOGRAMS),
    described="Files below a percentile of the scores of all that arrived so far.",
)
FILE_LEVEL_CORPUS = Step(
    name=FILE_LEVEL.name,
    version=select.VERSION,
    inputs=(
        FILES.name,
        RULES.name,
        REPOSITORY_DUPLICATES.name,
        EXACT_DUPLICATES.name,
        SYNTAX.name,
        NEAR_DUPLICATES.name,
        FILE_QUALITY.name,
    ),
    compares=False,
    sections=("file_level",),
    run=lambda context, batch, _: select.select_file_level(context, batch),
    tables=(FILE_LEVEL,),
    described="The file-level corpus: every file that all filters of the policy keep.",
)

REPOSITORY_QUALITY = Step(
    name=repository_quality.TABLE.name,
    version=repository_quality.VERSION,
    inputs=(FILES.name, RULES.name, REPOSITORY_EXACT_DUPLICATES.name, REPOSITORY_NEAR_DUPLICATES.name, SYNTAX.name),
    compares=False,
    sections=("repository_level",),
    run=lambda context, batch, _: repository_quality.judge_quality(context, batch),
    tables=(repository_quality.TABLE,),
    described="Repositories by the average quality of their files.",
)
REPOSITORY_LEVEL_CORPUS = Step(
    name=REPOSITORY_LEVEL.name,
    version=select.VERSION,
    inputs=(
        FILES.name,
        RULES.name,
        REPOSITORY_EXACT_DUPLICATES.name,
        REPOSITORY_NEAR_DUPLICATES.name,
        REPOSITORY_QUALITY.name,
    ),
    compares=False,
    sections=(),
    run=lambda context, batch, _: select.select_repository_level(context, batch),
    tables=(REPOSITORY_LEVEL,),
    described="The repository-level corpus: every repository that is no copy and whose files are good on average.",
)
FILE_DEPENDENCIES = Step(
    name=DEPENDENCIES.name,
    version=dependencies.VERSION,
    inputs=(FILES.name, RULES.name, REPOSITORY_EXACT_DUPLICATES.name, REPOSITORY_NEAR_DUPLICATES.name),
    compares=False,
    sections=(),
    run=lambda context, batch, _: dependencies.find_dependencies(context, batch),
    tables=(DEPENDENCIES,),
    described="Which files of a repository depend on which: imports by tree-sitter, resolved by each language's rules.",
)
SEQUENCES = Step(
    name=REPOSITORY_SEQUENCES.name,
    version=repository_sequences.VERSION,
    inputs=(FILES.name, RULES.name, NEAR_DUPLICATES.name, REPOSITORY_LEVEL_CORPUS.name, FILE_DEPENDENCIES.name),
    compares=False,
    sections=("repository_level",),
    run=lambda context, batch, _: repository_sequences.make_sequences(context, batch),
    tables=(REPOSITORY_SEQUENCES,),
    described="The repository-level corpus as sequences: dependencies before their users, none over the context.",
)

STEPS: tuple[Step, ...] = (
    READ,
    RULES,
    REPOSITORY_EXACT_DUPLICATES,
    REPOSITORY_NEAR_DUPLICATES,
    REPOSITORY_DUPLICATES,
    EXACT_DUPLICATES,
    SYNTAX,
    NEAR_DUPLICATES,
    QUALITY_SCORES,
    FILE_QUALITY,
    FILE_LEVEL_CORPUS,
    REPOSITORY_QUALITY,
    REPOSITORY_LEVEL_CORPUS,
    FILE_DEPENDENCIES,
    SEQUENCES,
)
"""In an order in which each comes after its inputs."""

FILTERS: dict[str, Step] = {
    step.name.rsplit("/", 1)[1]: step
    for step in (RULES, REPOSITORY_DUPLICATES, EXACT_DUPLICATES, SYNTAX, NEAR_DUPLICATES, FILE_QUALITY)
}
"""The filters over files, by the names that policies use."""

REPOSITORY_FILTERS: dict[str, Step] = {
    step.name.rsplit("/", 1)[1]: step
    for step in (REPOSITORY_EXACT_DUPLICATES, REPOSITORY_NEAR_DUPLICATES, REPOSITORY_QUALITY)
}
"""The filters over repositories, in the order in which a drop is attributed."""

VERDICT_TABLES: tuple[VerdictTable, ...] = tuple(
    VerdictTable(kind, name, step.tables[0])
    for kind, filters in (("file", FILTERS), ("repository", REPOSITORY_FILTERS))
    for name, step in filters.items()
)
"""What the view `verdicts` is made of."""
