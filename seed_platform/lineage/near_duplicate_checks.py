"""What must hold of near duplicates: each removal names a kept document, and is as similar to it as it says.

What belongs here: recounting from verdicts and texts, without the index. What does not: when it is asked (`assets/`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from seed_platform.batches import list_batches
from seed_platform.filters.shingles import jaccard, shingle_set
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan
from seed_platform.lineage.checks import Outcome
from seed_platform.policy import NearDuplicatesPolicy
from seed_platform.settings import Settings
from seed_platform.steps.near_duplicates.subject import SOURCE_FILES, Subject

_SAMPLE = 20
"""Removals whose similarity is computed again from both texts: each costs the reading of two row groups."""

_TOLERANCE = 1e-9

_REMOVALS = """
CREATE TEMP TABLE removals AS
SELECT d.batch, d.ordinal, d.score, k.batch AS kept_batch, k.ordinal AS kept_ordinal
FROM judged d LEFT JOIN (
    SELECT doc_id, batch, ordinal FROM judged_anywhere WHERE keep
    UNION ALL SELECT doc_id, batch, ordinal FROM reference_files
) k ON k.doc_id = d.related_doc_id
WHERE NOT d.keep
"""


def removals_are_verified(
    lake: Lake,
    settings: Settings,
    policy: NearDuplicatesPolicy,
    batches: Sequence[str],
    subject: Subject = SOURCE_FILES,
) -> Outcome:
    """Every removal in `batches` names a document that is kept and has a similarity at or above the threshold.

    For a sample of them, chosen by their ids, the similarity is computed again from the two texts.
    """
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    table = subject.table
    references = [each.key for each in list_batches(lake, kind="references")] if subject.references else []
    connection.register("judged", scan(lake, table, batches))
    connection.register("judged_anywhere", scan(lake, table))
    connection.register("reference_files", scan(lake, subject.documents, references))
    connection.execute(_REMOVALS)
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (score IS NULL OR score < $threshold), "
        "count(*) FILTER (kept_batch IS NULL) FROM removals",
        {"threshold": policy.threshold},
    ).fetchone()
    sample = connection.execute(
        f"SELECT * FROM removals WHERE kept_batch IS NOT NULL ORDER BY hash(batch, ordinal) LIMIT {_SAMPLE}"
    ).fetchall()
    connection.close()
    removed, below, unnamed = row or (0, 0, 0)
    wrong = sum(
        abs(_similarity(lake, subject, policy, (batch, ordinal), (kept_batch, kept_ordinal)) - score) > _TOLERANCE
        for batch, ordinal, score, kept_batch, kept_ordinal in sample
    )
    numbers = {
        "removed": removed,
        "below_threshold": below,
        "related_not_kept": unnamed,
        "computed_again": len(sample),
        "computed_otherwise": wrong,
    }
    return Outcome(not (below or unnamed or wrong), numbers)


def _similarity(
    lake: Lake, subject: Subject, policy: NearDuplicatesPolicy, one: tuple[str, int], other: tuple[str, int]
) -> float:
    width = policy.shingle_words
    texts = (_text(lake, subject, *one), _text(lake, subject, *other))
    return jaccard(*(shingle_set(text, width) for text in texts))


def _text(lake: Lake, subject: Subject, batch: str, ordinal: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    for part in lake.parts(subject.documents, batch=batch):
        if part.first <= ordinal <= part.last:
            for group in lake.read(subject.documents, part, ["ordinal", "content"], first=ordinal, last=ordinal):
                found = group.filter(pl.col("ordinal") == ordinal).to_arrow()
                if found.num_rows:
                    text = subject.texts(found.column("content").cast(pa.large_string()))[0].as_py()
                    return np.frombuffer(text.encode(), dtype=np.uint8)
    return np.empty(0, dtype=np.uint8)
