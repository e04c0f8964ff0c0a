"""The commit corpus: change-prediction samples (PAPER §3), as the table `corpora/commits` holds them.

Unlike other corpora the table has the text: what a sample shows of the files before the commit is nowhere else in the
lake. What belongs here: from the table to frames. What does not: making samples (`steps/commit_samples.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from seed_platform.batches import Batch
from seed_platform.corpora.base import Corpus
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import COMMIT_SAMPLES

_COLUMNS = [
    "doc_id", "repository", "sha", "tokens", "context_tokens", "target_offset", "relevant", "truncated", "bytes"
]  # fmt: skip


def documents(lake: Lake, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
    """The samples of the commit corpus, in order of arrival, a bounded frame at a time.

    Columns: text, batch, and those of the table.
    """
    for batch in batches:
        for part in lake.parts(COMMIT_SAMPLES, batch=batch.key):
            for group in lake.read(COMMIT_SAMPLES, part, [*_COLUMNS, "content"]):
                yield group.select(pl.col("content").alias("text"), pl.lit(batch.key).alias("batch"), *_COLUMNS)


COMMIT_CORPUS = Corpus(
    name="commits",
    chosen=COMMIT_SAMPLES,
    texts=(COMMIT_SAMPLES,),
    documents=documents,
    noun="commit samples",
    grouped_by="repository",
    columns=(
        ("text", "message, README, directory tree and relevant files before the commit, then the change"),
        ("doc_id", "its id: `seed why DOC_ID` tells its story, and so does `seed why SHA`"),
        ("batch, repository, sha", "which commit"),
        ("target_offset", "characters before the target: the changed paths and their changes"),
        ("tokens, context_tokens, bytes", "of the sample; tokens are estimated"),
        ("relevant, truncated", "paths of the files shown, and parts that were shortened"),
    ),
    licence="The samples keep the licences of the repositories they came from.",
)
