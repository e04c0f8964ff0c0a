"""SQL over the lake: the views that others build on, and that nothing else can be reached through them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from support import edited, lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.lake.query import fetch_rows, open_views, scan
from seed_platform.lake.schemas import FILES
from seed_platform.steps.flow import VERDICT_TABLES

_TEXT = python_source(1, 60)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of two batches."""
    folder = tmp_path_factory.mktemp("query")
    make_repository(folder / "one", {"a.py": _TEXT, "bad.py": "def (:\n", "data.bin": b"\0\1"})
    make_repository(folder / "two", {"b.py": _TEXT, "c.py": edited(_TEXT, [5, 30]), "d.py": python_source(2, 40)})
    run_flow(str(folder / "lake"), [str(folder / "one")], name="first")
    run_flow(str(folder / "lake"), [str(folder / "two")], name="second")
    return str(folder / "lake")


def _columns(connection: duckdb.DuckDBPyConnection, view: str) -> list[str]:
    return [column[0] for column in connection.execute(f"SELECT * FROM {view} LIMIT 0").description or []]


def test_the_views_have_the_columns_that_others_build_on(root: str):
    with views(root) as connection:
        wanted = {"batch", "doc_id", "repository", "revision", "path", "language", "bytes", "content_sha256"}
        assert wanted <= set(_columns(connection, "files"))
        verdict = {"kind", "batch", "doc_id", "filter", "keep", "reason", "score", "related_doc_id"}
        assert verdict | {"filter_version", "run_id"} <= set(_columns(connection, "verdicts"))
        assert {"text", "language", "path", "revision", "policy_hash"} <= set(_columns(connection, "file_level"))
        for view in ("batches", "repositories", "rejections", "materializations"):
            assert _columns(connection, view)


def test_verdicts_of_all_filters_are_in_one_long_view(root: str):
    with views(root) as connection:
        rows = connection.execute(
            "SELECT f.path, v.filter, v.reason FROM verdicts v JOIN files f USING (batch, doc_id) "
            "WHERE NOT v.keep AND v.kind = 'file' ORDER BY ALL"
        ).fetchall()
    assert rows == [
        ("b.py", "exact_duplicates", "exact_duplicate"),
        ("bad.py", "syntax", "syntax_error"),
        ("c.py", "near_duplicates", "near_duplicate"),
        ("data.bin", "rules", "binary"),
    ]


def test_the_corpus_has_the_text_of_what_is_kept_and_of_nothing_else(root: str):
    with views(root) as connection:
        rows = connection.execute("SELECT batch, path, text FROM file_level ORDER BY ALL").fetchall()
    assert rows == [("first", "a.py", _TEXT), ("second", "d.py", python_source(2, 40))]


def test_a_scan_of_some_batches_sees_those_only(root: str):
    lake = lake_of(settings_of(root))
    assert set(scan(lake, FILES, ["second"]).to_table()["batch"].to_pylist()) == {"second"}
    assert scan(lake, FILES, ["none"]).to_table().num_rows == 0
    assert scan(lake, FILES).to_table().num_rows == 6


def test_a_lake_without_anything_has_empty_views(tmp_path: Path):
    with views(str(tmp_path / "empty")) as connection:
        for view in ("batches", "repositories", "files", "rejections", "verdicts", "materializations", "file_level"):
            assert connection.execute(f"SELECT count(*) FROM {view}").fetchone() == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{target}'",
        "COPY files TO '{target}' (FORMAT parquet)",
        "ATTACH '{target}' AS other",
        "EXPORT DATABASE '{target}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET threads = 64",
        "SET temp_directory = '{target}'",
        "RESET lock_configuration",
        "INSERT INTO batches VALUES (1)",
        "DELETE FROM files",
        "UPDATE files SET path = 'x'",
    ],
)
def test_what_reads_elsewhere_or_writes_or_changes_settings_is_refused(root: str, tmp_path: Path, statement: str):
    secret, target = tmp_path / "secret.csv", tmp_path / "target"
    secret.write_text("secret\n")
    before = sorted(path for path in Path(root).rglob("*.parquet"))
    with views(root) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.format(secret=secret, target=target)).fetchall()
    assert not target.exists()
    assert sorted(path for path in Path(root).rglob("*.parquet")) == before


def test_the_road_through_the_spill_folder_does_not_lead_out_of_it(root: str, tmp_path: Path):
    # DuckDB may use its spill folder, which holds no state; what lies above it must stay out of reach.
    spill = lake_of(settings_of(root)).storage.scratch("spill")
    (tmp_path / "secret.txt").write_text("secret\n")
    (spill.parent / "journal.txt").write_text("private\n")
    for path in (f"{spill}/../journal.txt", f"{spill}-other/x", f"{spill}/../../../../..{tmp_path}/secret.txt"):
        with views(root) as connection:
            for statement in (f"SELECT * FROM read_text('{path}')", f"COPY (SELECT 1) TO '{path}'"):
                with pytest.raises(duckdb.Error, match=r"(?i)permission|disabled"):
                    connection.execute(statement).fetchall()


def test_objects_of_the_calling_program_are_not_tables(root: str):
    bystander = scan(lake_of(settings_of(root)), FILES).to_table()
    assert bystander.num_rows
    with views(root) as connection, pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM bystander").fetchall()


def test_rows_are_dictionaries_by_column(root: str):
    with views(root) as connection:
        assert fetch_rows(connection.execute("SELECT 1 AS a, 'x' AS b")) == [{"a": 1, "b": "x"}]


def test_a_lake_whose_path_has_a_quote_can_be_asked(tmp_path: Path):
    settings = settings_of(str(tmp_path / "it's a lake"))
    connection = open_views(lake_of(settings), VERDICT_TABLES, memory_bytes=64 << 20, threads=1)
    assert connection.execute("SELECT count(*) FROM files").fetchone() == (0,)
    connection.close()
