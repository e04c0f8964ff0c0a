"""Rows of JSON Lines and Parquet files, one at a time and in bounded memory, whatever the file holds.

What belongs here: the formats. What does not: what a row means (`dataset.py`). A file is hostile until read: a line may
have no end, a compressed file may unpack to more than any disk holds.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from seed_platform.sources.archive import open_archive
from seed_platform.sources.base import CHUNK, MAX_READ_BYTES, Limits, SourceError

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
"""Endings of file names that are taken for data sets."""

_LOOKED_AT = 100
_BATCH_BYTES = 8 << 20
_MOST_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that cannot be read: `reason` is "not_json" or "too_large_to_read"."""

    reason: str
    detail: str


def columns_of(path: Path, limits: Limits) -> Mapping[str, None]:
    """The columns of text: those of a Parquet file's schema, or those of the first rows of JSON Lines.

    Raises:
        SourceError: as `read_rows`.
    """
    if path.name.lower().endswith(".parquet"):
        with _parquet(path) as file:
            return dict.fromkeys(field.name for field in file.schema_arrow if _is_text(field.type))
    rows = islice(_json_lines(path, limits), _LOOKED_AT)
    return dict.fromkeys(
        name for row in rows if not isinstance(row, Broken) for name in row if isinstance(row[name], str)
    )


def read_rows(path: Path, columns: Sequence[str], limits: Limits) -> Iterator[dict[str, object] | Broken]:
    """The rows of a file, with `columns` of each where it has them.

    Raises:
        SourceError: `missing_path`, `permission_denied`, `corrupt_dataset`, and `archive_bomb` if it unpacks to more
            than the limits allow.
    """
    if path.name.lower().endswith(".parquet"):
        yield from _parquet_rows(path, columns)
    else:
        yield from _json_lines(path, limits)


def _json_lines(path: Path, limits: Limits) -> Iterator[dict[str, object] | Broken]:
    """A row for each line that is not blank."""
    with open_archive(path) as packed:
        if not path.name.lower().endswith(".gz"):
            yield from map(_row, _lines(packed, None))
            return
        packed_bytes = packed.seek(0, 2)
        packed.seek(0)
        most = min(limits.max_archive_bytes, max(CHUNK, int(packed_bytes * limits.max_archive_ratio)))
        try:
            with gzip.GzipFile(fileobj=packed) as unpacked:
                yield from map(_row, _lines(cast(BinaryIO, unpacked), most))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError("corrupt_dataset", f"{path}: {error}") from error


def _lines(stream: BinaryIO, most: int | None) -> Iterator[bytes | None]:
    """Lines that are not blank; None for one that is too large, which is passed over.

    Raises:
        SourceError: `archive_bomb` after `most` bytes.
    """
    total = 0
    pieces: list[bytes] = []
    size = 0
    while piece := stream.readline(CHUNK):
        total += len(piece)
        if most is not None and total > most:
            raise SourceError("archive_bomb", f"it unpacks to more than {most} bytes")
        size += len(piece)
        if size <= MAX_READ_BYTES:
            pieces.append(piece)
        if piece.endswith(b"\n"):
            yield from _line(pieces, size)
            pieces, size = [], 0
    yield from _line(pieces, size)


def _line(pieces: Sequence[bytes], size: int) -> Iterator[bytes | None]:
    if size > MAX_READ_BYTES:
        yield None
    elif line := b"".join(pieces).strip():
        yield line


def _row(line: bytes | None) -> dict[str, object] | Broken:
    if line is None:
        return Broken("too_large_to_read", f"a line of more than {MAX_READ_BYTES} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Broken("not_json", " ".join(str(error).split())[:200] or type(error).__name__)
    return value if isinstance(value, dict) else Broken("not_json", "not an object")


@contextmanager
def _parquet(path: Path, columns: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """Open a file; the texts of `columns` that it stores once and repeats are held once."""
    with open_archive(path) as stream:
        try:
            yield pq.ParquetFile(stream, read_dictionary=list(columns), pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise SourceError("corrupt_dataset", f"{path}: {error}") from error


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, object]]:
    with _parquet(path) as file:
        texts = {field.name for field in file.schema_arrow if _is_text(field.type)}
    wanted = [name for name in columns if name in texts]
    with _parquet(path, wanted) as file:
        for group in range(file.num_row_groups):
            facts = file.metadata.row_group(group)
            rows = min(_MOST_ROWS, max(1, _BATCH_BYTES * facts.num_rows // max(1, facts.total_byte_size)))
            for batch in file.iter_batches(rows, row_groups=[group], columns=wanted, use_threads=False):
                for place in range(batch.num_rows):
                    yield {name: batch.column(name)[place].as_py() for name in wanted}
