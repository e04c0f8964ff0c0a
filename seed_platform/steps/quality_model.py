"""Distil the scorer of files from a judge's labels: find the labelled files, train, measure, put in use (PAPER §1.2).

Labels name files by hash; their texts are those of the lake's files, or are fetched from the package index. What
belongs here: labels to texts to a model. What does not: learning (`scoring/`), and scoring files (`quality_scores.py`).
"""

from __future__ import annotations

import hashlib
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from seed_platform.errors import WorkError
from seed_platform.judging.labels import Label
from seed_platform.lake.lake import Lake
from seed_platform.lake.locks import only_run
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import FILES
from seed_platform.progress import track
from seed_platform.scoring.scorer import report_on, train_scorer
from seed_platform.settings import Settings
from seed_platform.sources.base import SourceError, SourceFile
from seed_platform.sources.kinds import kind_of, source_of
from seed_platform.sources.text import decode
from seed_platform.steps.base import Context
from seed_platform.steps.models import FOLDER, Model, models, publish_model
from seed_platform.steps.read import limits_of

MODEL = "file_quality"
"""Name of the model."""
VERSION = "1"


def train_quality(context: Context, labels: Sequence[Label], judge: str, *, fetch: bool) -> Model:
    """Train the scorer on the labelled files, measure it on those held out, and put it in use.

    Args:
        context: what it runs with.
        labels: a judge's; those of the split "held_out" are trained on by nothing.
        judge: what gave the labels, for the report.
        fetch: whether packages of labels that the lake has no file of are fetched from the package index.

    Returns:
        The model; one without a path, which scores nothing, if there are too few labelled files. A model that is in use
        stays then.
    """
    policy = context.policy.quality_scorer
    texts = _texts(context, labels, fetch=fetch)
    known = [label for label in labels if label.sha256 in texts]
    training = [label for label in known if label.split == "train"]
    if len(training) < policy.min_labels:
        why = f"{len(training)} labelled files to train on are at hand, at least {policy.min_labels} are needed"
        in_use = models(context.lake).get(MODEL)
        if in_use is not None and in_use.path is not None:
            return in_use
        return _publish(context, Model(MODEL, f"none-{VERSION}", None, 0.0, {"why_none": why}))
    held_out = [label for label in known if label.split != "train"]
    scorer = train_scorer(
        policy.backend,
        [texts[label.sha256] for label in training],
        [label.language for label in training],
        [float(label.score) for label in training],
        policy.seed,
    )
    report = report_on(
        scorer,
        [texts[label.sha256] for label in held_out],
        [label.language for label in held_out],
        [float(label.score) for label in held_out],
        mean=sum(label.score for label in training) / len(training),
    )
    report |= {"judge": judge, "trained_on": len(training), "held_out": len(held_out)}
    report |= {"labels_without_file": len(labels) - len(known), "backend": policy.backend}
    folder = context.lake.storage.scratch("training") / uuid.uuid4().hex
    scorer.save(folder)
    return _publish(context, _stored(context.lake, folder, report))


def _publish(context: Context, model: Model) -> Model:
    # No step is at work under the lock: none scores with another model than its result is recorded under.
    with only_run(context.lake.storage, "work"):
        publish_model(context.lake, model, context.commit)
    return model


def _stored(lake: Lake, folder: Path, report: dict[str, object]) -> Model:
    """The model, its files as one in the lake."""
    packed = folder.with_suffix(".tar")
    with tarfile.open(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    archive.addfile(entry, file)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    path_in_lake = f"{FOLDER}/{MODEL}/{digest[:32]}.tar"
    lake.storage.put(packed, path_in_lake)
    packed.unlink()
    return Model(MODEL, digest[:32], path_in_lake, 0.0, report)


def folder_of(lake: Lake, model: Model) -> Path | None:
    """The model's files on this machine, unpacked once; None if it is one that scores nothing.

    Raises:
        WorkError: the lake has not the file that was published.
    """
    if model.path is None:
        return None
    folder = lake.storage.scratch("models") / Path(model.path).stem
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.partial")
        with tarfile.open(_intact(lake, model.path, model.id)) as archive:
            archive.extractall(partial, filter="data")
        if not folder.is_dir():
            partial.rename(folder)
    return folder


def _intact(lake: Lake, path: str, digest: str) -> Path:
    """A model's packed files on this machine, checked against their hash."""
    try:
        packed = lake.storage.local_copy(path)
        if hashlib.sha256(packed.read_bytes()).hexdigest()[: len(digest)] == digest:
            return packed
    except FileNotFoundError:
        why = "it is gone"
    else:
        lake.storage.drop_copy(path)  # else a copy that was damaged here would stay
        why = "it is not the file that was published"
    raise WorkError(f"cannot read the model {MODEL}, {path}: {why}; seed train file-quality makes it anew")


def _texts(context: Context, labels: Sequence[Label], *, fetch: bool) -> dict[str, str]:
    """The texts of labelled files by hash: from the lake, and from the package index if `fetch`."""
    wanted = {label.sha256 for label in labels}
    texts = dict(_in_lake(context.lake, context.settings, wanted))
    packages = sorted({label.package for label in labels if label.sha256 not in texts}) if fetch else []
    limits, cache = limits_of(context.settings), str(context.lake.storage.scratch("downloads"))
    with track("fetching labelled packages", len(packages)) as progress:
        for package in packages:
            try:
                source = source_of(kind_of(package))
                for entry in source.read(source.pin(package, limits), limits, cache):
                    if isinstance(entry, SourceFile) and entry.sha256 in wanted and entry.content is not None:
                        text, _ = decode(entry.content)
                        if text is not None:
                            texts[entry.sha256] = text
            except SourceError:
                pass  # its labels are counted as without a file
            progress.advance()
    return texts


def _in_lake(lake: Lake, settings: Settings, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """(hash, text) of the lake's files with these hashes."""
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("files", scan(lake, FILES))
    found = connection.execute(
        "SELECT batch, ordinal, content_sha256 FROM files WHERE content_sha256 IN (SELECT unnest($wanted)) "
        "ORDER BY batch, ordinal",
        {"wanted": sorted(wanted)},
    ).fetchall()
    connection.close()
    schema = {"batch": pl.String, "ordinal": pl.Int64, "content_sha256": pl.String}
    places = pl.DataFrame(found, schema=schema, orient="row").unique(
        "content_sha256", keep="first", maintain_order=True
    )
    for (batch,), group in places.group_by("batch", maintain_order=True):
        ordinals = group["ordinal"].sort()
        for part in lake.parts(FILES, batch=str(batch)):
            columns = ["ordinal", "content_sha256", "content"]
            for rows in lake.read_arrow(FILES, part, columns, ordinals=ordinals.to_numpy()):
                mine = pl.DataFrame(rows).filter(pl.col("ordinal").is_in(ordinals.implode()))
                for _, digest, content in mine.iter_rows():
                    if content is not None:
                        yield digest, content
