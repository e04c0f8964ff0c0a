"""What the tasks of one batch have in common, and where they leave their results.

What belongs here: the places of things. What does not: any task.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seed_platform.indexes.arrays import ArrayFile, DamagedIndexError
from seed_platform.indexes.documents import Documents, Segment
from seed_platform.indexes.near_duplicates import BatchIndex
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
        before: the index of each batch and reference set that it is compared with.
        runs: the postings of those.
        references: arrival numbers of the reference sets.
    """

    lake: Lake
    arrival: int
    policy: NearDuplicatesPolicy
    run_id: str
    scratch: Path
    segments: tuple[Segment, ...]
    before: tuple[BatchIndex, ...]
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
        known = [segment for index in self.before for segment in index.segments]
        return Documents(self.lake.storage, [*known, *self.segments])
