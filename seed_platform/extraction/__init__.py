"""HTML in, Markdown and facts out: main content without boilerplate, with code kept exactly.

What belongs here: the extraction of one page. What does not: reading crawls (`crawl`), and judging pages (`pages`).
"""

from __future__ import annotations

from seed_platform.extraction.page import Extraction, ExtractionLimits, extract

__all__ = ["Extraction", "ExtractionLimits", "extract"]
