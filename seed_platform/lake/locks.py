"""One run at a time on a local lake: scratch files and the order of publishing belong to whoever works.

What belongs here: the lock. What does not: what it protects. The kernel drops it with the process that holds it, so a
killed run leaves nothing to clean up. A lake on S3 has no such lock; its runs must be serialized by their launcher.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from seed_platform.errors import WorkError
from seed_platform.lake.storage import Storage


@contextmanager
def only_run(storage: Storage, name: str) -> Iterator[None]:
    """Hold the lock `name` of the lake. Raises `WorkError` at once if another process holds it."""
    if storage.is_s3:
        yield
        return
    with (storage.scratch("locks") / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkError(f"another run is working on {storage.root}; wait for it, or end it") from error
        yield
