"""What the tasks of one batch have in common, and where they leave their results.

What belongs here: the places of things. What does not: any task.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from seed_platform.indexes.arrays import ArrayFile, DamagedIndexError
from seed_platform.indexes.documents import Documents, Places, Segment
from seed_platform.lake.lake import Lake
from seed_platform.lake.storage import Storage
from seed_platform.policy import NearDuplicatesPolicy
from seed_platform.steps.near_duplicates.compaction import Run


@dataclass(frozen=True, slots=True)
class Work:
    """What the tasks of one batch have in common.

    Attributes:
        scratch: where they leave their results.
        segments: of this batch.
        places: of all documents that there is an index of.
        runs: the postings of each batch and reference set that this batch is compared with.
        references: arrival numbers of the reference sets.
    """

    lake: Lake
    arrival: int
    policy: NearDuplicatesPolicy
    run_id: str
    scratch: Path
    segments: tuple[Segment, ...]
    places: Places
    runs: tuple[Run, ...]
    references: tuple[int, ...]

    @property
    def storage(self) -> Storage:
        """The scratch folder, for files of arrays."""
        return Storage(str(self.scratch))

    def is_there(self, path: str) -> bool:
        """Whether an earlier attempt left this result whole."""
        try:
            ArrayFile(self.storage, path).close()
        except DamagedIndexError:
            return False
        return True

    def documents(self) -> Documents:
        """All documents that there is an index of."""
        return Documents(self.lake.storage, self.places)

    @property
    def path(self) -> Path:
        """Where `save` puts it: tasks name this instead of holding lists that grow with the lake."""
        return self.scratch / f"work-{self.run_id}"

    def save(self) -> None:
        """Leave it for the tasks to load."""
        self.path.write_bytes(pickle.dumps(self))


@lru_cache(maxsize=1)
def load_work(path: Path) -> Work:
    """What `Work.save` left; a worker process loads it once."""
    work: Work = pickle.loads(path.read_bytes())  # noqa: S301 - this run's own file
    return work
