"""Tasks that foreign C code may kill: which documents it died of, so that the next attempt passes over them.

What belongs here: keeping count between attempts. What does not: the journal's format (`engine/journal.py`), and what a
document that was passed over is recorded as (each step).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from seed_platform.engine.base import Death, count_kill
from seed_platform.engine.journal import Journal
from seed_platform.errors import WorkError


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a task.

    Attributes:
        path: of its journals, without the number of the attempt.
        dead: ordinals of the documents that earlier attempts died of.
        kills: how often the task was killed from outside.
    """

    path: Path
    dead: frozenset[int] = frozenset()
    kills: int = 0

    def journal(self) -> Journal:
        """A journal of this attempt's own: what an earlier one left started is not blamed for a later one's death."""
        return Journal(self.path.with_name(f"{self.path.name}.{len(self.dead)}.{self.kills}.journal"))

    def after(self, death: Death, what: str) -> Attempt:
        """The next attempt, after the process of this one, which was `what`, has died.

        Raises:
            WorkError: it died outside any document, or was killed from outside too often.
        """
        with self.journal() as journal:
            killer = journal.interrupted()
        if not death.own_fault:
            return replace(self, kills=count_kill(self.kills, death, what[:300]))
        if killer is None:
            raise WorkError(f"{what[:300]} died outside any document ({death.cause}); run it again")
        return replace(self, dead=self.dead | {killer})
