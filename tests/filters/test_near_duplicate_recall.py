"""Near duplicates among real files, against the true similarity of all pairs.

The files are those of Python packages installed here: pip carries its own copies of other packages in other releases,
and packages hold variants of their own modules. What counts as truth is worked out apart from the platform: words by
`re`, shingles as texts in Python sets.
"""

from __future__ import annotations

import hashlib
import re
import sysconfig
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from seed_platform.policy import Policy
from tests.support import run_flow, views

_PACKAGES = (
    "_pytest", "alembic", "certifi", "click", "cryptography", "dagster", "dagster_graphql", "dagster_shared",
    "dateutil", "duckdb", "fontTools", "graphql", "grpc", "huggingface_hub", "hypothesis", "idna", "jsonpath_ng",
    "moto", "mypy", "mypyc", "numpy", "packaging", "pip", "pkg_resources",
    "platformdirs", "pyarrow", "pygments", "requests", "rich", "setuptools", "urllib3",
)  # fmt: skip
_SUFFIXES = {".py", ".pyi", ".pyx", ".h"}
_SIZES = range(400, 12_000)
_MARGIN = 0.05
_WORD = re.compile(r"[0-9A-Za-z_\u0080-\U0010ffff]+")


@dataclass(frozen=True)
class _Judged:
    """Verdicts on documents in order of arrival, and how many shingles each shares with each, itself included."""

    keep: np.ndarray
    score: np.ndarray
    related: np.ndarray
    shared: np.ndarray
    nearest: np.ndarray

    def similarity(self, one: np.ndarray | int, other: np.ndarray) -> np.ndarray:
        sizes = self.shared.diagonal()
        union = sizes[one] + sizes[other] - self.shared[one, other]
        return self.shared[one, other] / np.maximum(union, 1)


def _deal(destination: Path) -> list[Path]:
    """Two folders of installed files, each content once; a path decides the folder, so that copies meet across both."""
    root, seen = Path(sysconfig.get_path("purelib")), set()
    for path in sorted(path for package in _PACKAGES for path in (root / package).rglob("*")):
        if path.suffix not in _SUFFIXES or not path.is_file() or path.stat().st_size not in _SIZES:
            continue
        content = path.read_bytes()
        digest = hashlib.sha256(content).digest()
        if digest in seen:
            continue
        seen.add(digest)
        # In a folder of that name they would be dropped as copies, before anybody looks at what they say.
        name = path.relative_to(root).as_posix().replace("_vendor/", "bundled/")
        target = destination / f"half-{digest[0] % 2}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return sorted(destination.iterdir())


def _shingles(text: str, width: int) -> set[str]:
    words = _WORD.findall(text)
    if len(words) < width:
        return {" ".join(words)} if words else set()
    return {" ".join(words[start : start + width]) for start in range(len(words) - width + 1)}


def _shared(texts: list[str], width: int) -> np.ndarray:
    """Intersection sizes of all shingle sets, counted shingle by shingle."""
    owners: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        for shingle in _shingles(text, width):
            owners.setdefault(shingle, []).append(number)
    counts = np.zeros((len(texts), len(texts)), dtype=np.int32)
    for documents, weight in Counter(map(tuple, owners.values())).items():
        index = np.array(documents)
        counts[index[:, None], index] += weight
    return counts


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> _Judged:
    folder = tmp_path_factory.mktemp("recall")
    lake = str(folder / "lake")
    for half in _deal(folder / "files"):
        run_flow(lake, [str(half)], name=half.name)
    with views(lake) as connection:
        rows = connection.execute(
            "SELECT v.doc_id, v.keep, v.score, v.related_doc_id, f.content FROM verdicts v "
            "JOIN files f ON f.batch = v.batch AND f.ordinal = v.ordinal "
            "WHERE v.kind = 'file' AND v.filter = 'near_duplicates' ORDER BY v.batch, v.ordinal"
        ).fetchall()
    ids, keep, score, related, texts = zip(*rows, strict=True)
    place = {name: number for number, name in enumerate(ids)}
    found = _Judged(
        np.array(keep),
        np.array(score, dtype=np.float64),
        np.array([-1 if name is None else place[name] for name in related]),
        _shared(list(texts), Policy().near_duplicates.shingle_words),
        np.zeros(len(ids)),
    )
    for number in range(1, len(ids)):
        earlier = np.flatnonzero(found.keep[:number])
        found.nearest[number] = found.similarity(number, earlier).max(initial=0.0)
    return found


@pytest.fixture(scope="module")
def threshold() -> float:
    return Policy().near_duplicates.threshold


def test_the_files_are_many_and_have_near_duplicates(judged: _Judged, threshold: float):
    count = len(judged.keep)
    later, earlier = np.nonzero(np.tril(judged.shared, -1))
    pairs = (judged.similarity(later, earlier) >= threshold + _MARGIN).sum()
    assert count >= 2000, f"only {count} of the installed files reach the filter: this test needs more packages"
    assert pairs >= 50, f"only {pairs} pairs of {count} installed files are near duplicates: this test shows little"


def test_what_resembles_a_kept_file_clearly_is_removed(judged: _Judged, threshold: float):
    wanted = judged.nearest >= threshold + _MARGIN
    assert wanted.sum() >= 50
    assert (wanted & ~judged.keep).sum() / wanted.sum() >= 0.99


def test_nothing_is_removed_that_does_not_resemble_the_file_it_names(judged: _Judged, threshold: float):
    removed = np.flatnonzero(~judged.keep)
    true = judged.similarity(removed, judged.related[removed])
    assert true.min() >= threshold
    # The platform's shingles are 32-bit hashes, of which two may be equal.
    assert np.abs(true - judged.score[removed]).max() < 0.002


def test_the_file_that_a_removal_names_came_earlier_and_is_kept(judged: _Judged):
    removed = np.flatnonzero(~judged.keep)
    assert (judged.related[removed] >= 0).all()
    assert (judged.related[removed] < removed).all()
    assert judged.keep[judged.related[removed]].all()


def test_a_kept_file_states_its_true_similarity_below_the_threshold(judged: _Judged, threshold: float):
    compared = np.flatnonzero(judged.keep & (judged.related >= 0))
    true = judged.similarity(compared, judged.related[compared])
    assert judged.keep[judged.related[compared]].all()
    assert np.abs(true - judged.score[compared]).max(initial=0.0) < 0.002
    assert judged.score[compared].max(initial=0.0) < threshold
