"""The long-context corpus of a lake with files, pages, sequences and commit samples: which, how much, whose text."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from crawl_world import EVERY_QUALITY, crawl_of, page, prose
from support import git, lake_of, make_repository, python_source, run_crawl, run_flow, settings_of, views

from seed_platform.batches import find_batch, list_batches
from seed_platform.corpora.export import export
from seed_platform.corpora.long_context import LONG_CONTEXT_CORPUS
from seed_platform.corpora.repository_level import documents as sequence_documents
from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import COMMIT_SAMPLES, FILE_LEVEL, FILES, LONG_CONTEXT, PAGES, WEB
from seed_platform.policy import Policy
from seed_platform.steps.base import Context, Report
from seed_platform.steps.lines import CRAWL_LINE, REPOSITORY_LINE
from seed_platform.steps.long_context import LONG_CONTEXT_CORPUS as CHOICE
from seed_platform.steps.long_context import choose_long_context
from seed_platform.steps.remove import remove_batch

_SHARES = {"files": 0.3, "pages": 0.2, "repositories": 0.3, "commits": 0.2}
_SECTIONS: dict[str, Any] = {
    "site_quality": {"categories": EVERY_QUALITY},
    "commit_gate": {"commits": 0, "active_days": 0},
    "commit_rules": {"max_root_paths": 0},
    "commit_samples": {"readme_tokens": 50, "tree_tokens": 50, "file_tokens": 150},
    "repository_level": {"sequence_tokens": 700},
    "long_context": {"min_tokens": 50, "steps": (200, 800), "shares": _SHARES},
}


def _policy(**changes: Any) -> Policy:  # noqa: ANN401 - values of a section
    """The tiny budgets of these tests, with `changes` of the section in question."""
    return Policy.model_validate({**_SECTIONS, "long_context": {**_SECTIONS["long_context"], **changes}})


POLICY = _policy()


def _context(root: str, policy: Policy = POLICY) -> Context:
    settings = settings_of(root, 1)
    return Context(lake_of(settings), LocalEngine(1), settings, policy, uuid.uuid4().hex)


def _choose(root: str, policy: Policy = POLICY) -> tuple[Report, pl.DataFrame]:
    """Choose; what the report says, and the rows."""
    context = _context(root, policy)
    report = CHOICE.bring_up_to_date(context)
    return report, _chosen(context.lake)


def _chosen(lake: Lake) -> pl.DataFrame:
    rows = lake.column(LONG_CONTEXT, LONG_CONTEXT.columns.names)
    return rows.sort("source", "batch", "ordinal")


def _remove(context: Context, name: str) -> None:
    batch = find_batch(list_batches(context.lake, kind=None), name)
    line = CRAWL_LINE if name == "crawl" else REPOSITORY_LINE
    remove_batch(context, line.steps, batch)


def _by_source(rows: pl.DataFrame) -> dict[str, int]:
    return dict(rows.group_by("source").agg(pl.col("tokens").sum()).iter_rows())


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of a repository with a history and of a crawl; nothing is chosen yet. Tests that write take a copy."""
    folder = tmp_path_factory.mktemp("long")
    project, root = folder / "project", str(folder / "lake")
    make_repository(project, {f"m{n}.py": python_source(n, 4 + 6 * n) for n in range(8)})
    for number in range(8):
        old = (project / f"m{number}.py").read_text()
        make_repository(project, {f"m{number}.py": f"{old}\nLIMIT = {number}  # of all that is planted\n"})
        git(project, "commit", "-q", "--amend", "-m", f"Say how much module {number} may hold")
    run_flow(root, [str(project)], policy=POLICY, name="code", workers=1, steps=REPOSITORY_LINE.steps)
    pages = {f"https://a.example/{n}": page(prose(n, 60 * n), python_source(90 + n, 5)) for n in range(1, 9)}
    run_crawl(root, [crawl_of(folder / "a.warc.gz", pages)], policy=POLICY, name="crawl", workers=1)
    return folder / "lake"


@pytest.fixture
def root(done: Path, tmp_path: Path) -> str:
    """A copy of that lake."""
    return str(shutil.copytree(done, tmp_path / "lake"))


def test_each_source_has_its_share_of_what_the_scarcest_one_allows(root: str):
    report, rows = _choose(root)
    taken, figures = _by_source(rows), report.figures
    available = {source: figures[f"tokens_available_of_{source}"] for source in _SHARES}
    whole = min(available[source] / share for source, share in _SHARES.items())
    scarcest = min(_SHARES, key=lambda source: available[source] / _SHARES[source])
    assert taken[scarcest] == available[scarcest], "the scarcest source is taken whole"
    for source, share in _SHARES.items():
        assert taken[source] == figures[f"tokens_of_{source}"] <= figures[f"quota_of_{source}"]
        assert figures[f"quota_of_{source}"] == pytest.approx(whole * share, abs=1)
        # A document that would be over the quota is not taken, and it has at most as many tokens as the last step.
        assert taken[source] > whole * share - 800
    assert report.kept.documents == rows.height == rows.select("source", "batch", "ordinal").n_unique()
    assert report.seen.documents == report.kept.documents + sum(each.documents for each in report.dropped.values())


def test_a_source_that_has_nothing_is_left_out_and_the_others_keep_their_shares(root: str):
    _remove(_context(root), "crawl")
    report, rows = _choose(root)
    assert "pages" not in _by_source(rows)
    quotas = {source: report.figures.get(f"quota_of_{source}", 0) for source in _SHARES}
    assert quotas["pages"] == 0
    assert quotas["files"] == pytest.approx(quotas["repositories"], abs=1)
    assert quotas["commits"] / quotas["files"] == pytest.approx(0.2 / 0.3, rel=0.01)


def test_a_source_without_a_share_is_left_out(root: str):
    _, rows = _choose(root, _policy(shares={"files": 0.5, "commits": 0.5}))
    assert set(rows["source"]) == {"files", "commits"}
    _, rows = _choose(root, _policy(shares={"pages": 1.0}))
    assert set(rows["source"]) == {"pages"}


def test_documents_belong_to_the_first_step_that_holds_them_and_others_are_left_out(root: str):
    _, rows = _choose(root, _policy(shares={"files": 1.0}, min_tokens=100))
    lake = lake_of(settings_of(root))
    sizes = lake.column(FILE_LEVEL, ["ordinal", "bytes"], batch="code")
    tokens = {ordinal: -(-size * 2 // 7) for ordinal, size in sizes.iter_rows()}  # 3.5 bytes a token, rounded up
    assert POLICY.file_level.bytes_per_token == 3.5
    expected = {(at, each, 200 if each <= 200 else 800) for at, each in tokens.items() if 100 <= each <= 800}
    assert set(rows.select("ordinal", "tokens", "step").iter_rows()) == expected
    assert min(tokens.values()) < 100, "one is too short"
    assert max(tokens.values()) > 800, "and one is too long"


def test_a_document_of_exactly_a_bound_is_within_it(root: str):
    sizes = sorted({tokens for (tokens,) in _choose(root, _policy(shares={"files": 1.0}))[1].select("tokens").rows()})
    least, middle, most = sizes[0], sizes[1], sizes[-1]
    _, rows = _choose(root, _policy(shares={"files": 1.0}, min_tokens=least, steps=(middle, most)))
    assert dict(rows.select("tokens", "step").iter_rows()) == {
        each: middle if each <= middle else most for each in sizes
    }


def test_the_choice_is_the_same_whoever_makes_it_and_another_with_another_seed(root: str):
    _, first = _choose(root)
    other = _policy(seed=2)
    _, second = _choose(root, other)
    assert second.drop("policy_hash").equals(first.drop("policy_hash")) is False
    assert _chosen(_context(root).lake).equals(second)
    _, again = _choose(root)
    assert again.equals(first)


def test_more_of_a_source_takes_nothing_away_from_what_was_chosen(root: str):
    """The others may give more as the scarcest source grows; nobody's document is swapped for another."""
    _, small = _choose(root, _policy(shares={"files": 0.2, "repositories": 0.4, "commits": 0.4}))
    _, large = _choose(root, _policy(shares={"files": 0.5, "repositories": 0.25, "commits": 0.25}))
    names = [set(rows.filter(pl.col("source") == "files")["doc_id"]) for rows in (small, large)]
    assert names[0] < names[1]


def test_it_is_outstanding_when_what_it_is_made_of_has_changed_and_only_then(root: str, tmp_path: Path):
    context = _context(root)
    lake = context.lake
    assert CHOICE.is_outstanding(lake, POLICY), "nothing was chosen yet"
    report = CHOICE.bring_up_to_date(context)
    assert not CHOICE.is_outstanding(lake, POLICY)
    version = lake.open(LONG_CONTEXT).version()  # type: ignore[union-attr]
    assert CHOICE.bring_up_to_date(context) == report
    assert lake.open(LONG_CONTEXT).version() == version, "what is up to date is not made again"  # type: ignore[union-attr]
    assert CHOICE.is_outstanding(lake, _policy(min_tokens=51))
    other = Policy.model_validate({**_SECTIONS, "commit_gate": {"commits": 1, "active_days": 0}})
    assert not CHOICE.is_outstanding(lake, other), "the corpora say what has changed, not the sections behind them"
    make_repository(tmp_path / "more", {"more.py": python_source(70, 40)})
    run_flow(root, [str(tmp_path / "more")], policy=POLICY, name="more", workers=1)
    assert CHOICE.is_outstanding(lake, POLICY), "there is more to choose from"
    CHOICE.bring_up_to_date(replace(context, run_id=uuid.uuid4().hex))
    assert not CHOICE.is_outstanding(lake, POLICY)
    _remove(context, "more")
    assert CHOICE.is_outstanding(lake, POLICY), "what was chosen may be gone"


def test_a_batch_that_is_removed_leaves_no_row_behind(root: str):
    _, before = _choose(root)
    context = _context(root)
    _remove(context, "crawl")
    after = _chosen(context.lake)
    assert after.equals(before.filter(pl.col("batch") == "code"))
    assert after.height < before.height


def test_a_choice_that_is_killed_before_it_is_recorded_is_not_taken_for_the_one_before(root: str):
    context = _context(root)
    CHOICE.bring_up_to_date(context)

    def killed(work: Context) -> Report:
        choose_long_context(work)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(CHOICE, choose=killed).bring_up_to_date(_context(root, _policy(min_tokens=100)))
    assert CHOICE.is_outstanding(context.lake, POLICY), "what is there now is of the other policy"


def test_the_same_sources_in_another_order_are_chosen_from_anew(lake_root: str, tmp_path: Path):
    specs = [str(tmp_path / name) for name in ("a", "b")]
    for number, spec in enumerate(specs):
        make_repository(Path(spec), {f"m{number}.py": python_source(20 + number, 40)})
    run_flow(lake_root, specs, policy=POLICY, name="one", workers=1)
    context = _context(lake_root)
    CHOICE.bring_up_to_date(context)
    _remove(context, "one")
    run_flow(lake_root, specs[::-1], policy=POLICY, name="one", workers=1)
    assert CHOICE.is_outstanding(context.lake, POLICY), "its documents have other places"
    CHOICE.bring_up_to_date(_context(lake_root))
    batches = list_batches(context.lake)
    texts = pl.concat(list(LONG_CONTEXT_CORPUS.documents(context.lake, batches)))
    contents = dict(context.lake.column(FILES, ["doc_id", "content"], batch="one").iter_rows())
    assert texts.height
    assert all(contents[doc_id] == text for doc_id, text in texts.select("doc_id", "text").iter_rows())


def test_a_lake_without_any_corpus_has_nothing_to_choose(lake_root: str):
    context = _context(lake_root)
    assert not CHOICE.is_outstanding(context.lake, POLICY)
    assert CHOICE.bring_up_to_date(context).seen.documents == 0
    assert not CHOICE.is_outstanding(context.lake, POLICY)


def test_the_export_has_the_text_of_every_document(root: str, tmp_path: Path):
    _, rows = _choose(root)
    lake = lake_of(settings_of(root))
    batches = list_batches(lake, kind=None)
    manifest = export(
        lake, batches, POLICY, tmp_path / "out", corpus=LONG_CONTEXT_CORPUS, file_format="parquet", overwrite=False
    )
    told = pl.read_parquet(tmp_path / "out" / "data" / "*.parquet")
    assert told.height == rows.height == manifest.documents
    assert set(told["doc_id"]) == set(rows["doc_id"])
    texts = {
        "files": dict(lake.column(FILES, ["doc_id", "content"], batch="code").iter_rows()),
        "pages": dict(lake.column(PAGES, ["doc_id", "content"], batch="crawl").iter_rows()),
        "commits": dict(lake.column(COMMIT_SAMPLES, ["doc_id", "content"], batch="code").iter_rows()),
        "repositories": dict(
            pl.concat(sequence_documents(lake, list_batches(lake))).select("doc_id", "text").iter_rows()
        ),
    }
    for source, doc_id, text in told.select("source", "doc_id", "text").iter_rows():
        assert text == texts[source][doc_id]
    assert set(told["source"]) == set(_SHARES)


def test_what_no_filter_keeps_is_not_chosen_and_the_view_tells_where_each_came_from(root: str):
    _choose(root, _policy(shares={"pages": 0.5, "files": 0.5}))
    with views(root) as connection:
        for source, table in (("files", FILE_LEVEL), ("pages", WEB)):
            kept = connection.execute(
                "SELECT count(*), count(k.doc_id) FROM long_context l LEFT JOIN "
                f"{'file_level' if table is FILE_LEVEL else 'web'} k USING (batch, ordinal, doc_id) WHERE l.source = ?",
                [source],
            ).fetchone()
            assert kept is not None
            assert kept[0] == kept[1] > 0
        names = connection.execute("SELECT DISTINCT name FROM long_context WHERE source = 'files'").fetchall()
    assert all(name.startswith("project:m") for (name,) in names)
