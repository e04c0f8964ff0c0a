"""Removing a batch or a reference set: everything that the lake holds of it, the register last.

A removal that is killed leaves a batch that is outstanding, or that can be removed again. Batches that arrived later
and were compared with it become outstanding, since their fingerprints name it. What belongs here: the rows and files of
one batch. What does not: data files of replaced versions, which stay until a table is vacuumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from seed_platform.batches import REFERENCES, Batch, list_batches, remove_from_register
from seed_platform.indexes.near_duplicates import FOLDERS
from seed_platform.lake.schemas import MATERIALIZATIONS
from seed_platform.progress import track
from seed_platform.steps.base import Context, Step
from seed_platform.steps.freshness import withdraw
from seed_platform.steps.lines import WHOLE_CORPORA


def remove_batch(context: Context, steps: Sequence[Step], batch: Batch) -> None:
    """Withdraw all that `steps` published of a batch, delete its index files, and take it out of the register.

    The caller holds the lake's locks: no run may be at work. Repeating it is safe.

    Raises:
        WorkError: commits kept conflicting.
    """
    lake = context.lake
    # What was made last goes first, and before any table: what is outstanding is not believed.
    backwards = list(reversed(steps))
    tables = [table for step in backwards for table in reversed(step.tables)]
    with track(f"removing {batch.key}", len(backwards) + len(tables)) as progress:
        for step in backwards:
            if lake.parts(MATERIALIZATIONS, batch=batch.key, step=step.name):
                withdraw(context, step, batch)
            progress.advance()
        for table in tables:
            if lake.parts(table, batch=batch.key):
                lake.publish(table, [], context.commit, batch=batch.key)
            progress.advance()
    for corpus in WHOLE_CORPORA:
        corpus.without(context, batch.key)
    _delete_files(context, batch)
    remove_from_register(lake, batch)


def left_out_for(context: Context, batch: Batch) -> list[str]:
    """Sources that other batches left out because they are in this one: removed, they can be added again."""
    if batch.kind == REFERENCES:
        return []
    mine = {source.pinned.doc_id for source in batch.sources if source.rejected is None}
    return sorted(
        {
            source.pinned.spec
            for other in list_batches(context.lake, kind=batch.kind)
            if other.key != batch.key
            for source in other.sources
            if source.rejected is not None and source.pinned.doc_id in mine
        }
    )


def _delete_files(context: Context, batch: Batch) -> None:
    """Its index files, and what killed runs left of it: another batch may get its name."""
    storage = context.lake.storage
    for folder in (f"{each}/{batch.key}" for each in FOLDERS):
        for path in storage.list(folder):
            storage.remove(path)
        if not storage.is_s3:
            with suppress(FileNotFoundError):
                Path(storage.uri(folder)).rmdir()
    for scratch in storage.scratch("locks").parent.iterdir():
        if scratch.name.endswith(f"-{batch.key}"):
            storage.drop_scratch(scratch.name)
