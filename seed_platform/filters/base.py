"""What every filter is made of: verdicts as columns, and the contract of a filter over record batches.

What belongs here: the shape of a verdict. What does not: how verdicts are stored (`lake`) or scheduled (`steps`).
"""

from __future__ import annotations

import polars as pl

VERDICT_COLUMNS: dict[str, pl.DataType] = {
    "ordinal": pl.Int64(),
    "doc_id": pl.String(),
    "keep": pl.Boolean(),
    "reason": pl.String(),
    "score": pl.Float64(),
    "related_doc_id": pl.String(),
    "evidence": pl.String(),
}
"""The columns that a filter returns, one row for each document it was given, in the order given.

`reason` names why a document is dropped, or null; a kept document may have one too ("not_checked"). `score` is the
number that the decision was a threshold on. `related_doc_id` is what it was compared with, for a duplicate the document
that is kept. `evidence` is a JSON object with whatever else a person would ask for.
"""


def as_verdicts(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with exactly the verdict columns; optional ones that it lacks become null.

    Raises:
        polars.exceptions.ColumnNotFoundError: if it lacks `ordinal`, `doc_id` or `keep`.
    """
    required = ("ordinal", "doc_id", "keep")
    return frame.select(
        pl.col(name).cast(dtype) if name in required or name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in VERDICT_COLUMNS.items()
    )
