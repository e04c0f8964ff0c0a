"""Making the near-duplicate index of a batch: segments from texts, and runs from the documents that were kept.

A task makes one file, under a name that says what it is made of, so a killed step goes on where it was, and a damaged
file is made again as it was. What belongs here: those tasks. What does not: comparing (`candidates.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seed_platform.batches import Batch
from seed_platform.filters.minhash import Signed, permutations, sign_texts
from seed_platform.indexes.arrays import Array, ArrayFile, DamagedIndexError, write_arrays
from seed_platform.indexes.documents import Segment
from seed_platform.indexes.near_duplicates import segments_of
from seed_platform.indexes.postings import PARTITIONS, Keys, Numbers, partition, reference, sort
from seed_platform.indexes.runs import RunFile, write_run
from seed_platform.lake.lake import Lake, Part
from seed_platform.policy import NearDuplicatesPolicy
from seed_platform.progress import track
from seed_platform.steps.base import Context
from seed_platform.steps.judge import VerdictParts, overlapping, passing_in, verdict_parts
from seed_platform.steps.near_duplicates.subject import Subject

VERSION = "2"
"""Of what a segment holds for the same files."""

_PER_SHARD = 1 << 21
_LEAST_PER_SHARD = 1 << 16
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class _SegmentTask:
    lake: Lake
    subject: Subject
    batch: str
    part: Part
    required: VerdictParts
    policy: NearDuplicatesPolicy


def make_segments(context: Context, subject: Subject, batch: Batch, requires: tuple[str, ...]) -> tuple[Segment, ...]:
    """A segment for each data file of the documents, with the documents that every filter in `requires` keeps.

    If none is required, with all that have a text.
    """
    lake, policy = context.lake, subject.policy(context.policy)
    required = verdict_parts(lake, batch.key, requires, subject.kind)
    tasks = [
        _SegmentTask(lake, subject, batch.key, part, overlapping(required, part.first, part.last), policy)
        for part in lake.parts(subject.documents, batch=batch.key)
    ]
    made: dict[str, tuple[str, int]] = {}
    with track(f"signatures {batch.key}", sum(task.part.rows for task in tasks)) as progress:
        for task, segment in context.engine.run(_make_segment, tasks):
            made[task.part.path] = segment
            progress.advance(task.part.rows)
    return segments_of(batch.arrival, [made[task.part.path] for task in tasks])


def segments_of_all(lake: Lake, subject: Subject, batch: Batch, policy: NearDuplicatesPolicy) -> list[str]:
    """The paths of the segments that `make_segments` makes of a batch of which it takes all documents."""
    return [_path(subject, batch.key, part, None, policy) for part in lake.parts(subject.documents, batch=batch.key)]


def _path(subject: Subject, batch: str, part: Part, wanted: Numbers | None, policy: NearDuplicatesPolicy) -> str:
    """Named after all that the segment depends on: data files have names of their own and never change.

    Which documents pass is part of it, and not where their verdicts are: these are written anew to say the same.
    """
    passing = "all" if wanted is None else hashlib.blake2b(wanted.tobytes()).hexdigest()
    parameters = [VERSION, part.path, policy.shingle_words, policy.permutations, policy.rows, policy.seed, passing]
    return f"{subject.folder}/{batch}/{digest(parameters)}.segment"


def _make_segment(task: _SegmentTask) -> tuple[str, int]:
    """Its path and how many documents it has."""
    policy = task.policy
    passed = passing_in(task.lake, task.required, task.part.first, task.part.last)
    wanted = None if passed is None else passed.to_numpy()
    path = _path(task.subject, task.batch, task.part, wanted, policy)
    try:
        with ArrayFile(task.lake.storage, path) as known:
            known.verify()
            return path, known.rows("ordinal")
    except DamagedIndexError:
        pass  # not there yet, or not whole
    permutation = permutations(policy.permutations, policy.seed)
    signed: list[Signed] = []
    facts: list[tuple[Array, Array, Array]] = []
    columns = ["ordinal", "doc_id", "bytes", "content"]
    for group in task.lake.read_arrow(task.subject.documents, task.part, columns, ordinals=wanted):
        ordinals = group.column("ordinal").to_numpy()
        has_text = group.column("content").is_valid().to_numpy()
        chosen = np.flatnonzero(has_text if wanted is None else np.isin(ordinals, wanted, assume_unique=True))
        if len(chosen):
            data, offsets = _text_buffer(task.subject.texts(group.column("content")))
            signed.append(sign_texts(data, offsets, chosen, policy.shingle_words, permutation, policy.rows))
            ids = bytes.fromhex("".join(group.column("doc_id").take(chosen).to_pylist()))
            sizes = group.column("bytes").to_numpy()[chosen]
            facts.append((ordinals[chosen], np.frombuffer(ids, dtype=np.uint8).reshape(-1, _ID_BYTES), sizes))
    arrays = _segment_arrays(signed, facts, policy)
    write_arrays(task.lake.storage, path, arrays)
    return path, len(arrays["ordinal"])


def _text_buffer(texts: pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], Numbers]:
    """The UTF-8 bytes of all texts and the texts + 1 offsets between them; no text is copied or decoded."""
    array = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
    _, offset_buffer, data_buffer = array.buffers()
    kind = np.int64 if pa.types.is_large_string(array.type) else np.int32
    offsets = np.frombuffer(offset_buffer, dtype=kind)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return np.frombuffer(data_buffer if data_buffer is not None else b"", dtype=np.uint8), offsets


def _segment_arrays(
    signed: Sequence[Signed], facts: Sequence[tuple[Array, Array, Array]], policy: NearDuplicatesPolicy
) -> dict[str, Array]:
    """What a segment holds; `rows` are those of the segment, and postings are in order of their keys' highest byte."""

    def joined(arrays: list[Array], dtype: type[np.generic], *shape: int) -> Array:
        return np.concatenate(arrays) if arrays else np.empty((0, *shape), dtype=dtype)

    sizes = joined([np.diff(each.bounds) for each in signed], np.int64)
    bands = joined([each.keys for each in signed], np.uint64, policy.bands)
    with_words = np.flatnonzero(sizes)
    bounds, keys, rows = partition(bands[with_words].ravel(), np.repeat(with_words, policy.bands))
    return {
        "ordinal": joined([each for each, _, _ in facts], np.int64),
        "doc_id": joined([each for _, each, _ in facts], np.uint8, _ID_BYTES),
        "size": joined([each for _, _, each in facts], np.int64),
        "bounds": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "sets": joined([each.sets for each in signed], np.uint32),
        "sketches": joined([each.sketches for each in signed], np.uint8, policy.permutations),
        "partitions": bounds,
        "keys": keys,
        "rows": rows.astype(np.uint32),
    }


def shards_for(documents: int, bands: int, workers: int) -> int:
    """In how many ranges of keys to work on a batch's postings: a power of two, so that ranges of batches nest.

    A range has at most 2^21 postings (32 MB) until there are 256 of them.
    """
    postings = documents * bands
    wanted = max(-(-postings // _PER_SHARD), min(workers, postings // _LEAST_PER_SHARD), 1)
    return min(1 << (wanted - 1).bit_length(), PARTITIONS)


def sorted_postings(
    lake: Lake, segments: Sequence[Segment], shard: int, shards: int, dropped: npt.NDArray[np.bool_] | None = None
) -> tuple[Keys, Numbers]:
    """The postings of a batch in a range of keys: keys, ascending, and rows of the batch that are not `dropped`."""
    low, high = shard * PARTITIONS // shards, (shard + 1) * PARTITIONS // shards
    keys: list[Keys] = [np.empty(0, dtype=np.uint64)]
    rows: list[Numbers] = [np.empty(0, dtype=np.int64)]
    for segment in segments:
        with ArrayFile(lake.storage, segment.path) as file:
            bounds = file.read("partitions")
            start, stop = int(bounds[low]), int(bounds[high])
            mine = file.read("rows", start, stop).astype(np.int64) + segment.first
            kept = slice(None) if dropped is None else ~dropped[mine]
            keys.append(file.read("keys", start, stop)[kept])
            rows.append(mine[kept])
    # Within a range of keys postings come partition by partition, of each key in order of rows all the same.
    found, ordered = sort(np.concatenate(keys), np.concatenate(rows).view(np.uint64), shard, shards)
    return found, ordered.view(np.int64)


@dataclass(frozen=True, slots=True)
class _RunTask:
    lake: Lake
    segments: tuple[Segment, ...]
    dropped: Numbers
    path: str
    shard: int
    shards: int


def make_run(
    context: Context, subject: Subject, batch: Batch, segments: tuple[Segment, ...], dropped: Numbers, shards: int
) -> tuple[RunFile, ...]:
    """The postings of the batch's documents but the `dropped` rows, in files in order of keys."""
    made_of = [*(segment.path for segment in segments), hashlib.blake2b(dropped.tobytes()).hexdigest(), batch.arrival]
    stem = f"{subject.folder}/{batch.key}/{digest(made_of)}"
    tasks = [_RunTask(context.lake, segments, dropped, run_path(stem, n, shards), n, shards) for n in range(shards)]
    rows: dict[int, int] = {}
    with track(f"index {batch.key}", shards) as progress:
        for task, count in context.engine.run(_make_run_file, tasks):
            rows[task.shard] = count
            progress.advance()
    return tuple(RunFile(task.path, task.shard, shards, rows[task.shard]) for task in tasks)


def run_path(stem: str, shard: int, shards: int) -> str:
    """The name of one file of a run."""
    return f"{stem}-{shard:03d}-of-{shards:03d}.run"


def digest(made_of: Sequence[object]) -> str:
    """A name for what is made of all this."""
    return hashlib.blake2b(repr(list(made_of)).encode(), digest_size=16).hexdigest()


def _make_run_file(task: _RunTask) -> int:
    storage = task.lake.storage
    try:
        with ArrayFile(storage, task.path) as known:
            known.verify()
            return known.rows("keys")
    except DamagedIndexError:
        pass  # not there yet, or not whole
    dropped = np.zeros(sum(segment.rows for segment in task.segments), dtype=np.bool_)
    dropped[task.dropped] = True
    keys, rows = sorted_postings(task.lake, task.segments, task.shard, task.shards, dropped)
    arrival = task.segments[0].arrival if task.segments else 0
    write_run(storage, task.path, keys, reference(arrival, rows))
    return len(keys)
