"""From what a user names to the pinned sources of a crawl batch.

What belongs here: many specs, and what becomes of those that cannot be found. What does not: any one place
(`locations.py`), and the register (`batches.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from seed_platform.batches import BatchSource
from seed_platform.crawl import locations
from seed_platform.crawl.locations import WARC
from seed_platform.errors import UsageError
from seed_platform.progress import track
from seed_platform.sources.base import Limits, PinnedSource, SourceError, display_text
from seed_platform.sources.locations import without_credentials


def pin_crawl(specs: Sequence[str], limits: Limits, base_url: str | None = None) -> list[BatchSource]:
    """Find the files that each spec names, in order; a spec that names none is kept as a rejection.

    A file named twice counts once. `base_url` is that of the folders of HTML among the specs.

    Raises:
        UsageError: there is a `base_url`, and no source that it could be of.
    """
    sources: dict[str, BatchSource] = {}
    with track("looking up crawl files", len(specs)) as progress:
        for spec in specs:
            try:
                found = [BatchSource(pinned) for pinned in locations.pin(spec, limits, base_url)]
            except SourceError as error:
                shown = display_text(without_credentials(spec))
                unread = PinnedSource(spec=shown, kind="", locator=shown, repository=shown, origin="", revision="")
                found = [BatchSource(unread, rejected=(error.reason, error.detail))]
            for source in found:
                sources.setdefault(source.identity(), source)
            progress.advance()
    if base_url is not None and all(source.pinned.kind == WARC for source in sources.values()):
        raise UsageError("--base-url is for a folder of HTML, and none of the sources is one")
    return list(sources.values())
