"""Sampling by the hash of a document's id: the same documents every time, whatever the batch or the order.

What belongs here: who is in a sample. What does not: how large it should be, which is the policy's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

SEED = 0
"""Seed of the samples of the corpora. Another seed draws another sample."""


def positions(doc_ids: Sequence[str], seed: int = SEED) -> npt.NDArray[np.float64]:
    """Where each document stands in [0, 1), evenly spread; shape (documents,)."""
    hashes = np.fromiter((xxhash.xxh64_intdigest(doc_id.encode(), seed) for doc_id in doc_ids), np.uint64, len(doc_ids))
    # 53 bits are what a double holds: all 64 would round the last 1024 values up to 1.0, and a rate of 1 lose them.
    return (hashes >> np.uint64(11)).astype(np.float64) / (1 << 53)


def sampled(doc_ids: Sequence[str], rates: float | npt.NDArray[np.float64], seed: int = SEED) -> npt.NDArray[np.bool_]:
    """Which documents are in the sample; shape (documents,).

    A document is in iff its position is below its rate, so a lower rate selects a subset of a higher one, and the
    choice for one document depends on no other.

    Args:
        doc_ids: ids.
        rates: share to keep, in [0, 1]: one for all, or one for each document. NaN keeps nothing.
        seed: of the hash.
    """
    return positions(doc_ids, seed) < rates
