"""The web corpus: the text of every page that the table `corpora/web` names, with its way back to the crawl.

The table holds which pages, not their text: that is stored once, in `web/pages`, and joined when it is read. What
belongs here: from chosen pages to text. What does not: choosing them (`steps/select.py`), writing files (`export.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from seed_platform.batches import Batch
from seed_platform.corpora.base import Corpus
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import PAGES, WEB

_CHOSEN = ["ordinal", "category", "quality"]
_PAGE = ["doc_id", "url", "host", "title", "language", "explicit", "captured_at", "crawl_file", "record_id", "offset"]


def documents(lake: Lake, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
    """The pages of the web corpus with their Markdown, in order of arrival, a bounded frame at a time.

    Columns: text, batch, those of `_PAGE`, category, quality, bytes (of the text), content_sha256.
    """
    for batch in batches:
        chosen = lake.column(WEB, _CHOSEN, batch=batch.key)
        for part in lake.parts(PAGES, batch=batch.key):
            mine = chosen.filter(pl.col("ordinal").is_between(part.first, part.last))
            if mine.is_empty():
                continue
            for group in lake.read(PAGES, part, ["ordinal", *_PAGE, "text_bytes", "content_sha256", "content"]):
                kept = group.join(mine, on="ordinal", how="inner", maintain_order="left")
                if not kept.is_empty():
                    yield kept.select(
                        pl.col("content").alias("text"),
                        pl.lit(batch.key).alias("batch"),
                        *_PAGE,
                        "category",
                        "quality",
                        pl.col("text_bytes").alias("bytes"),
                        "content_sha256",
                    )


WEB_CORPUS = Corpus(
    name="web",
    chosen=WEB,
    texts=(PAGES,),
    documents=documents,
    noun="pages",
    grouped_by="category",
    columns=(
        ("text", "the page's main content as Markdown, its code in fenced blocks"),
        ("doc_id", "its id: `seed why DOC_ID` tells its story, and so does `seed why URL`"),
        ("batch, url, host, title, captured_at", "which page, and when it was captured"),
        ("crawl_file, record_id, offset", "the record of the WARC file that it came from"),
        ("category, quality, language, explicit", "kind of site, score, language of the prose, code marked as code"),
        ("bytes, content_sha256", "of the text"),
    ),
    licence="The pages keep the licences and terms of the sites they came from.",
)
