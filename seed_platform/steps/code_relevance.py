"""Is a page about code: the model's own loop (sample, label, train, choose the threshold), and its verdicts.

Pages that mark code as code skip the model, as in the paper (PAPER §4.3). What belongs here: which pages are sampled,
where their labels come from, and what a score means. What does not: the classifier (`pages/relevance.py`).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from seed_platform.batches import CRAWL, Batch, list_batches
from seed_platform.engine.journal import Journal
from seed_platform.errors import UsageError, WorkError
from seed_platform.filters.base import as_verdicts
from seed_platform.lake.locks import only_run
from seed_platform.lake.schemas import PAGES, verdicts
from seed_platform.pages import relevance
from seed_platform.pages.categories import categorize
from seed_platform.pages.policy import CodeRelevancePolicy
from seed_platform.pages.sampling import positions
from seed_platform.progress import track
from seed_platform.section import Section
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import DocumentFilter, judge_batch, passing
from seed_platform.steps.models import FOLDER, Model, models, publish_model

MODEL = "code_relevance"
"""Name of the model."""

REQUIRES = ("rules", "url_duplicates", "exact_duplicates", "near_duplicates")
_GOLD = ["doc_id", "url", "explicit", "code_blocks", "title", "structure", "content"]
_GOLD_SCHEMA = {"doc_id": pl.String, "url": pl.String, "text": pl.String, "code_related": pl.Boolean}
_LETTERS_PER_WORD = 40
"""Letters of a page beyond this many times the words that the classifier is shown are not looked at."""


class LoadedModel(Section):
    """The model that judges: where it is on this machine, None if there is none, and how it is used."""

    id: str
    path: Path | None
    threshold: float
    text_words: int


def judge_relevance(context: Context, batch: Batch) -> Report:
    """Judge the pages of one batch with the model in use, and publish the verdicts.

    Raises:
        WorkError: there is no model yet.
    """
    model = models(context.lake).get(MODEL)
    if model is None:
        raise WorkError("there is no code relevance model yet: seed run, or seed train code-relevance")
    path = None if model.path is None else _whole_file(context, model.path)
    # As it was trained: the policy may ask for another number since.
    words = int(model.report.get("text_words", context.policy.code_relevance.text_words))
    section = LoadedModel(id=model.id, path=path, threshold=model.threshold, text_words=words)
    return judge_batch(context, batch, FILTER, section)


def _whole_file(context: Context, path: str) -> Path:
    """The model's file on this machine. fastText would take one that is cut short, and score everything alike."""
    storage = context.lake.storage
    for attempt in range(2):
        try:
            local = storage.local_copy(path)
            with local.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest().startswith(Path(path).stem):
                    return local
        except FileNotFoundError:
            break
        if attempt or not storage.drop_copy(path):
            break
    raise WorkError(f"the model file {path} is missing or altered: seed train code-relevance")


def judge(pages: pl.DataFrame, model: LoadedModel) -> pl.DataFrame:
    """The verdicts on `pages`.

    Args:
        pages: `FILTER.columns`.
        model: in use.

    Returns:
        Verdicts, one row a page, in the order given. `reason` is "not_code_related" for a page that is dropped; a kept
        one has "explicit" if it marks code as code, "not_scored" if there is no model, or null. `score` is the model's.
    """
    explicit = pages["explicit"]
    if model.path is None:
        reason = pl.select(pl.when(explicit).then(pl.lit("explicit")).otherwise(pl.lit("not_scored"))).to_series()
        return as_verdicts(pages.select("ordinal", "doc_id", keep=pl.lit(True), reason=reason))  # noqa: FBT003
    asked = pages.filter(~pl.col("explicit"))
    scores = _scorer(model.path, model.text_words).score(asked["content"].fill_null("").to_list())
    scored = asked.select("ordinal", score=pl.Series(scores, dtype=pl.Float64))
    judged = pages.select("ordinal", "doc_id", "explicit").join(scored, on="ordinal", how="left", maintain_order="left")
    kept = pl.col("explicit") | (pl.col("score") >= model.threshold)
    reason_of = (
        pl.when("explicit").then(pl.lit("explicit")).when(~kept).then(pl.lit("not_code_related")).alias("reason")
    )
    return as_verdicts(judged.with_columns(reason_of, keep=kept))


@lru_cache(maxsize=1)
def _scorer(path: Path, text_words: int) -> relevance.Scorer:
    return relevance.Scorer(path, text_words)


def _judge(pages: pl.DataFrame, section: Section, journal: Journal) -> pl.DataFrame:
    del journal
    assert isinstance(section, LoadedModel)  # noqa: S101 - `judge_relevance` gives no other
    return judge(pages, section)


FILTER = DocumentFilter(
    documents=PAGES,
    name="code_relevance",
    section="code_relevance",
    version=relevance.VERSION,
    requires=REQUIRES,
    columns=("ordinal", "doc_id", "explicit", "content"),
    judge=_judge,
)


def train_relevance(context: Context, labels: Mapping[str, bool] | None = None) -> Model:
    """Train the model on pages of all crawl batches, measure it on held-out ones, and put it in use.

    Args:
        context: what the step runs with.
        labels: gold labels by `doc_id` or URL: whether the page is about code. If None, pages with code blocks count
            as being about code and plain pages of sites about other things as not (`relevance.embedded_gold`): the
            default until a language model has labelled some.

    Returns:
        The model; one without a path, which keeps all pages, if without `labels` there are too few pages of a kind.

    Raises:
        UsageError: too few of the pages are labelled.
    """
    policy = context.policy.code_relevance
    gold = _gold(context, policy, labels)
    source = "given" if labels is not None else "pages with code blocks against plain pages about other things"
    if labels is None and (lacking := _too_few(gold, policy)):
        in_use = models(context.lake).get(MODEL)
        if in_use is not None and in_use.path is not None:
            raise UsageError(lacking)  # a model that works is not replaced by none
        return _publish(context, Model(MODEL, f"none-{relevance.VERSION}", None, 0.0, {"why_none": lacking}))
    target = context.lake.storage.scratch("training") / uuid.uuid4().hex
    trained = relevance.train(gold, policy, target)
    report: dict[str, Any] = {key: value for key, value in asdict(trained).items() if key != "path"}
    report |= {
        "labels": source,
        "labels_without_page": 0 if labels is None else len(labels) - gold.height,
        "pages": gold.height,
        "min_recall": policy.min_recall,
        "text_words": policy.text_words,
    }
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    path = f"{FOLDER}/{MODEL}/{digest[:32]}.bin"
    context.lake.storage.put(target, path)
    target.unlink()
    identity = json.dumps([digest, trained.threshold, policy.text_words, relevance.VERSION])
    model_id = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return _publish(context, Model(MODEL, model_id, path, trained.threshold, report))


def _too_few(gold: pl.DataFrame, policy: CodeRelevancePolicy) -> str | None:
    """What is missing to train without labels, in words; None if nothing is."""
    code = int(gold["code_related"].sum())
    other = gold.height - code
    if min(code, other) >= policy.min_pages:
        return None
    return (
        f"too few pages to learn from: {code} with code blocks and {other} plain pages of sites about other things "
        f"(news, shops, …), at least {policy.min_pages} of each are needed; plain documentation, forums, blogs count "
        "as neither. Add crawls of other sites, or give --labels FILE"
    )


def _publish(context: Context, model: Model) -> Model:
    # No step is at work under the lock: none judges with another model than its result is recorded under.
    with only_run(context.lake.storage, "work"):
        publish_model(context.lake, model, context.commit)
    return model


def _gold(context: Context, policy: CodeRelevancePolicy, labels: Mapping[str, bool] | None) -> pl.DataFrame:
    """Pages to train on, those with the lowest hashes of all that the filters before keep; at most `policy.sample`."""
    lake = context.lake
    batches = list_batches(lake, kind=CRAWL)
    if lake.open(verdicts("pages", REQUIRES[-1])) is None:
        raise UsageError("no crawl batch is deduplicated yet: seed batch add crawl FILE …, then seed run")
    parts = [(batch, part) for batch in batches for part in lake.parts(PAGES, batch=batch.key)]
    share = min(1.0, 1.2 * policy.sample / max(1, sum(part.rows for _, part in parts)))
    longest = policy.text_words * _LETTERS_PER_WORD
    frames = []
    with track("sampling pages", len(parts)) as progress:
        for batch, part in parts:
            kept = passing(lake, batch.key, REQUIRES, part.first, part.last, kind="pages")
            for group in lake.read(PAGES, part, ["ordinal", *_GOLD]):
                pages = group if kept is None else group.filter(pl.col("ordinal").is_in(kept.implode()))
                wanted = pl.Series(positions(pages["doc_id"].to_list(), policy.seed) < share, dtype=pl.Boolean)
                chosen = _labelled(pages if labels is not None else pages.filter(wanted), labels)
                frames.append(chosen.with_columns(pl.col("text").str.slice(0, longest)))
            progress.advance()
    return pl.concat(frames) if frames else pl.DataFrame(schema=_GOLD_SCHEMA)


def _labelled(pages: pl.DataFrame, labels: Mapping[str, bool] | None) -> pl.DataFrame:
    """The columns of gold pages; with `labels`, only the pages that have one."""
    if labels is None:
        named = pages.with_columns(text="content", category=pl.Series(_categories(pages), dtype=pl.String))
        return relevance.embedded_gold(named)
    known = pl.DataFrame({"key": list(labels), "code_related": list(labels.values())})
    by_id = pages.join(known, left_on="doc_id", right_on="key", how="inner", maintain_order="left")
    by_url = pages.join(by_id, on="doc_id", how="anti", maintain_order="left").join(
        known, left_on="url", right_on="key", how="inner", maintain_order="left"
    )
    columns = ["doc_id", "url", pl.col("content").alias("text"), "code_related"]
    return pl.concat([by_id.select(columns), by_url.select(columns)])


def _categories(pages: pl.DataFrame) -> list[str | None]:
    """The site category of each page that does not mark code; null for the others, which need none."""
    return [
        None
        if row["explicit"]
        else categorize(row["url"], json.loads(row["structure"]), row["title"], row["content"] or "")[0]
        for row in pages.iter_rows(named=True)
    ]


def read_labels(path: Path) -> dict[str, bool]:
    """Gold labels from JSON Lines: `{"url": …, "code_related": true}`, or with "doc_id" in the place of "url".

    Raises:
        UsageError: names the line that is not such an object.
    """
    found: dict[str, bool] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the labels {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            key, label = value.get("doc_id") or value["url"], value["code_related"]
        except (ValueError, AttributeError, KeyError, TypeError):
            key, label = None, None
        if not isinstance(key, str) or not isinstance(label, bool):
            raise UsageError(f'{path}: line {number}: needs {{"url" or "doc_id": …, "code_related": true or false}}')
        found[key] = label
    if not found:
        raise UsageError(f"{path} has no label")
    return found
