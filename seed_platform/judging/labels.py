"""Labels: ratings of named files by a judge, without the files: each is found again by the hash of its bytes.

What belongs here: the label set that is shipped, label files of the same form, joining labels with documents. What does
not: judging (`judge.py`), and learning from labels (`scoring/`). How the shipped set was made stands beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from seed_platform.errors import UsageError

Split = Literal["train", "held_out"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Label:
    """The rating of one file.

    Attributes:
        package: where the file came from, as a source is named: "pypi:name==version".
        path: of the file in the package.
        sha256: of its bytes as they arrived, in hex.
        language: as `filters.languages` names it.
        bytes: size of the file.
        score: 0 to 10.
        reason: one line by the judge.
        split: "held_out" files are for measuring and for nothing else.
        second_score: of another reading by the same judge, which did not know of the first; None if there was none.
    """

    package: str
    path: str
    sha256: str
    language: str
    bytes: int
    score: float
    reason: str
    split: Split
    second_score: float | None = None


_KINDS: dict[str, type | tuple[type, ...]] = {
    "package": str,
    "path": str,
    "sha256": str,
    "language": str,
    "bytes": int,
    "score": (int, float),
    "reason": str,
    "split": str,
    "second_score": (int, float, type(None)),
}
assert tuple(_KINDS) == tuple(field.name for field in fields(Label))  # noqa: S101 - of this module, not of input


def shipped(name: str = "code_quality", version: int = 1) -> list[Label]:
    """The label set that comes with the platform for a rubric, in the order of packages and paths.

    Args:
        name: of the rubric.
        version: of the rubric.

    Raises:
        UsageError: no labels are shipped for it.
    """
    file = files("seed_platform.judging") / "labels" / f"{name}-{version}.jsonl"
    if not file.is_file():
        raise UsageError(f"no labels are shipped for the rubric {name}-{version}")
    return _read(file)


def read_labels(path: Path) -> list[Label]:
    """The labels in a file of JSON lines whose keys are those of `Label`.

    Raises:
        UsageError: the file cannot be read, a line is no label, or a file is labelled twice; names the line.
    """
    return _read(path)


def write_labels(labels: Sequence[Label], path: Path) -> None:
    """Write `labels` as `read_labels` takes them, one a line; a second score only where there is one."""
    lines = (
        json.dumps({name: value for name, value in asdict(label).items() if value is not None}, ensure_ascii=False)
        for label in labels
    )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def join_labels(documents: pl.DataFrame, labels: Sequence[Label], *, hashes: str = "content_sha256") -> pl.DataFrame:
    """The labelled ones of `documents`, with their labels; each content once, in the order of `documents`.

    Args:
        documents: with a column of SHA-256 in hex.
        labels: of any files.
        hashes: the name of that column.

    Returns:
        The columns of `documents`, then `label_language`, `score`, `reason`, `split`. How many labels found no document
        is the difference of the lengths.
    """
    table = pl.DataFrame(
        {
            hashes: [label.sha256 for label in labels],
            "label_language": [label.language for label in labels],
            "score": [float(label.score) for label in labels],
            "reason": [label.reason for label in labels],
            "split": [label.split for label in labels],
        },
        schema_overrides={hashes: pl.String, "label_language": pl.String, "reason": pl.String, "split": pl.String},
    )
    once = documents.unique(hashes, keep="first", maintain_order=True)
    return once.join(table, on=hashes, how="inner", maintain_order="left")


def _read(file: Traversable | Path) -> list[Label]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the labels {file}: {error}") from error
    labels = list(_parsed(text, str(file)))
    lines: dict[str, int] = {}
    for number, label in labels:
        first = lines.setdefault(label.sha256, number)
        if first != number:
            raise UsageError(f"{file}: line {number}: the same file as in line {first}")
    return [label for _, label in labels]


def _parsed(text: str, name: str) -> Iterator[tuple[int, Label]]:
    """(1-based line, label); blank lines are skipped."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{name}: line {number}: not JSON: {error}") from error
        wrong = _fault(values)
        if wrong is not None:
            raise UsageError(f"{name}: line {number}: {wrong}")
        yield number, Label(**values)


def _fault(values: Any) -> str | None:  # noqa: ANN401 - whatever a line of JSON holds
    """What makes `values` no label; None if nothing does."""
    if not isinstance(values, dict):
        return "not an object"
    unknown = values.keys() - _KINDS.keys()
    missing = _KINDS.keys() - values.keys() - {"second_score"}
    if unknown or missing:
        return f"unknown keys {sorted(unknown)}, missing keys {sorted(missing)}"
    for key, value in values.items():
        if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
            return f"{key} is {value!r}"
    for key in ("score", "second_score"):
        # Not "< 0 or > 10", so that a score that is not a number is found too.
        if values.get(key) is not None and not 0 <= values[key] <= 10:
            return f"{key} {values[key]!r} is not in 0 to 10"
    if values["split"] not in get_args(Split):
        return f"split {values['split']!r} is none of {', '.join(get_args(Split))}"
    return None if _SHA256.fullmatch(values["sha256"]) else f"sha256 {values['sha256']!r} is not 64 hex digits"
