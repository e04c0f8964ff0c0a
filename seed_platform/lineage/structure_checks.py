"""What must hold of commits, samples and sequences, recounted from the lake and not taken from any step's own report.

What belongs here: invariants of the corpora that keep structure. What does not: those of any filter (`checks.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from seed_platform.commits.apply import apply_changes
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.commits.template import parse_sample
from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import (
    COMMIT_SAMPLES,
    COMMIT_WALKS,
    COMMITS,
    FILES,
    REPOSITORY_LEVEL,
    REPOSITORY_SEQUENCES,
    verdicts,
)
from seed_platform.lineage.checks import Outcome
from seed_platform.settings import Settings

_SAMPLE = 50
"""Samples whose text is looked at."""


def commits_are_accounted_for(lake: Lake, settings: Settings, batches: Sequence[str]) -> Outcome:
    """Commits and walks agree on how many commits there are, and no commit of an origin stands twice in a batch."""
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("commits", scan(lake, COMMITS, batches))
    connection.register("walks", scan(lake, COMMIT_WALKS, batches))
    row = connection.execute(
        "SELECT (SELECT count(*) FROM commits), (SELECT count(DISTINCT (batch, doc_id)) FROM commits), "
        "(SELECT coalesce(sum(commits), 0)::BIGINT FROM walks)"
    ).fetchone()
    connection.close()
    found, distinct, declared = row or (0, 0, 0)
    return Outcome(found == distinct == declared, {"commits": found, "distinct": distinct, "declared": declared})


def samples_hold(lake: Lake, settings: Settings, policy: CommitSamplePolicy, batches: Sequence[str]) -> Outcome:
    """Each kept commit has a sample, none is over the budget, and of some the target parses to the commit's paths.

    A target that parses is one whose every hunk can be applied: `apply_changes` of an addition is tried.
    """
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("samples", scan(lake, COMMIT_SAMPLES, batches))
    connection.register("judged", scan(lake, verdicts("commits", "sample"), batches))
    row = connection.execute(
        "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM judged WHERE keep), "
        "(SELECT count(*) FROM samples WHERE tokens > $most), "
        "(SELECT count(*) FROM samples ANTI JOIN (SELECT * FROM judged WHERE keep) k USING (batch, ordinal))",
        {"most": policy.max_tokens},
    ).fetchone()
    texts = connection.execute(
        f"SELECT content, target_offset FROM samples ORDER BY hash(batch, ordinal) LIMIT {_SAMPLE}"
    ).fetchall()
    connection.close()
    samples, kept, over, extra = row or (0, 0, 0, 0)
    broken = sum(not _parses(text, offset) for text, offset in texts)
    numbers = {"samples": samples, "kept": kept, "over_budget": over, "extra": extra, "looked_at": len(texts)}
    return Outcome(samples == kept and not (over or extra or broken), {**numbers, "broken": broken})


def _parses(text: str, offset: int) -> bool:
    """Whether a sample can be taken apart, and what it adds can be made."""
    try:
        parsed = parse_sample(text)
        added = [change for change in parsed.target if change.kind == "add"]
        apply_changes(added, {})
    except ValueError:
        return False
    return 0 < offset < len(text) and bool(parsed.target)


def sequences_hold(lake: Lake, settings: Settings, policy: RepositoryLevelPolicy, batches: Sequence[str]) -> Outcome:
    """Each file of a chosen repository that the rules keep is in a sequence, whole or in parts; none is too long.

    Files that resemble a document of a reference set are in none.
    """
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("sequences", scan(lake, REPOSITORY_SEQUENCES, batches))
    connection.register("repositories", scan(lake, REPOSITORY_LEVEL, batches))
    connection.register("files", scan(lake, FILES, batches))
    connection.register("rules", scan(lake, verdicts("files", "rules"), batches))
    connection.register("compared", scan(lake, verdicts("files", "near_duplicates"), batches))
    row = connection.execute(
        "WITH wanted AS (SELECT f.batch, f.ordinal, strlen(f.content) AS length FROM files f "
        "SEMI JOIN rules v ON v.batch = f.batch AND v.ordinal = f.ordinal AND v.keep "
        "SEMI JOIN repositories r ON r.batch = f.batch AND r.ordinal = f.ordinal >> 32 "
        "ANTI JOIN (SELECT * FROM compared WHERE reason = 'reference_duplicate') c "
        "ON c.batch = f.batch AND c.ordinal = f.ordinal), "
        "parts AS (SELECT batch, unnest(files) AS ordinal, unnest(starts) AS start, unnest(stops) AS stop "
        "FROM sequences), "
        "held AS (SELECT batch, ordinal, count(*) AS parts, min(start) AS start, max(stop) AS stop, "
        "sum(stop - start) AS size FROM parts GROUP BY ALL) "
        "SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM held), "
        "(SELECT count(*) FROM wanted ANTI JOIN held USING (batch, ordinal)), "
        "(SELECT count(*) FROM held LEFT JOIN wanted USING (batch, ordinal) "
        "WHERE start <> 0 OR size <> stop OR stop <> length), "
        "(SELECT count(*) FROM sequences WHERE tokens > $most), "
        "(SELECT coalesce(sum(edges_inside), 0)::BIGINT FROM sequences), "
        "(SELECT coalesce(sum(edges_respected), 0)::BIGINT FROM sequences)",
        {"most": policy.sequence_tokens},
    ).fetchone()
    connection.close()
    wanted, held, missing, torn, over, inside, respected = row or (0,) * 7
    numbers = {"files": wanted, "in_sequences": held, "missing": missing, "torn": torn, "over_budget": over}
    told = {**numbers, "edges_inside": inside, "edges_respected": respected}
    return Outcome(wanted == held and not (missing or torn or over), told)
