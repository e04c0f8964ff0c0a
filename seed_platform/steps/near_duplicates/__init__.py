"""Near duplicates of a batch, against itself and all that was kept before.

1. Segments (`index.py`): a task per data file walks once over its texts and keeps sets, sketches and band keys.
2. Candidates (`candidates.py`): a task per range of keys finds documents that share a band with an earlier one, of this
   batch or kept before, and passes on the pairs that are alike by their sketches.
3. Decisions (`decisions.py`): a task per group of linked documents verifies pairs on whole sets, in order of arrival.
4. Verdicts (`step.py`): a task per segment.
5. Run (`index.py`, `compaction.py`): a task per range of keys stores the postings of what was kept.

Each task leaves one file, so a killed step goes on where it was. An index file that is not as it was written is made
again from the tables, and the step repeated.
"""

from seed_platform.filters import near_duplicates as rule
from seed_platform.steps.near_duplicates import index
from seed_platform.steps.near_duplicates.step import find_near_duplicates
from seed_platform.steps.near_duplicates.subject import COMMIT_CHANGES, SOURCE_FILES, WEB_PAGES

VERSION = f"{rule.VERSION}.{index.VERSION}"
"""Of the verdicts, and of the index that other batches are compared with."""

__all__ = ["COMMIT_CHANGES", "SOURCE_FILES", "VERSION", "WEB_PAGES", "find_near_duplicates"]
