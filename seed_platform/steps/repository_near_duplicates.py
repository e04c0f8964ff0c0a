"""Near duplicates among repositories: forks, mirrors and copies, found by the contents that they have in common.

1. The contents of a batch's repositories are the SHA-256 of the files that the rules keep, each once.
2. Two repositories are a candidate pair if one comes among the first `_SEATS` that have a content of the other's. So a
   content that very many repositories have costs no square; copies of each other share many contents.
3. What a pair has in common is counted over those first ones, which is exact unless a content is that common
   ("crowded"). Where the crowded contents could make a copy of it, they are looked up for the pair.
4. `filters.repository_duplicates.copies` decides; whatever is kept gets the nearest kept one as its related repository.

Everything that there is one of for each file stays in DuckDB, under a memory limit, and spills. What belongs here:
moving data between these stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl
import pyarrow as pa

from seed_platform.batches import Batch
from seed_platform.filters.base import as_verdicts
from seed_platform.filters.repository_duplicates import VERSION, copies, overlap, ranked
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import FILES, REPOSITORIES, verdicts
from seed_platform.policy import RepositoryDuplicatesPolicy
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, stamp

__all__ = ["REQUIRES", "VERSION", "find_near_duplicates"]

REQUIRES = ("exact_duplicates",)
"""The filters over repositories whose verdict must be "keep" before this one looks at a repository."""

_NAME = "near_duplicates"
_SEATS = 64
_COLUMNS = ["ordinal", "doc_id", "repository", "stars", "forks", "commits", "committed_at", "bytes"]

_MINE = """
CREATE TEMP TABLE mine AS
SELECT r.rank AS mine, f.content_sha256 AS content, any_value(f.bytes) AS bytes, count(*) AS files
FROM files f JOIN passed p ON f.ordinal = p.ordinal AND p.keep JOIN ranks r ON r.ordinal = f.ordinal >> 32
GROUP BY r.rank, f.content_sha256
"""
_TOTALS = """
CREATE TEMP TABLE totals AS
SELECT mine, sum(bytes)::BIGINT AS bytes, count(*) AS contents, sum(files)::BIGINT AS files FROM mine GROUP BY mine
"""
_BEFORE = """
CREATE TEMP TABLE before AS
SELECT DISTINCT k.arrival, f.ordinal >> 32 AS other, f.content_sha256 AS content
FROM (SELECT * FROM earlier_files WHERE content_sha256 IN (SELECT content FROM mine)) f
JOIN earlier_passed p ON f.batch = p.batch AND f.ordinal = p.ordinal AND p.keep
JOIN earlier_kept k ON k.batch = f.batch AND k.ordinal = f.ordinal >> 32
"""
_EARLIER_KEPT = """
CREATE TEMP TABLE earlier_kept AS SELECT v.batch, b.arrival, v.ordinal, v.doc_id,
    json_extract(v.evidence, '$.bytes')::BIGINT AS bytes
FROM earlier_verdicts v JOIN earlier_batches b USING (batch) WHERE v.keep
"""
# Who has a content, in the order in which repositories are kept: by arrival, within this batch by rank.
_SEATED = """
CREATE TEMP TABLE seats AS
WITH entries AS (
    SELECT {arrival} AS arrival, mine AS other, content, bytes, files FROM mine
    UNION ALL SELECT arrival, other, content, NULL, NULL FROM before
)
SELECT *, row_number() OVER (PARTITION BY content ORDER BY arrival, other) AS seat FROM entries
QUALIFY count(*) OVER (PARTITION BY content) > 1
"""
_PAIRS = """
CREATE TEMP TABLE pairs AS
SELECT a.other AS mine, b.arrival, b.other,
    sum(a.bytes)::BIGINT AS shared_bytes, count(*) AS shared_contents, sum(a.files)::BIGINT AS shared_files
FROM seats a JOIN seats b ON a.content = b.content AND b.seat < a.seat
WHERE a.arrival = {arrival} AND b.seat <= {seats}
GROUP BY a.other, b.arrival, b.other
"""
_CROWDED = """
CREATE TEMP TABLE crowded AS
SELECT other AS mine, content, bytes, files FROM seats WHERE arrival = {arrival} AND seat > {seats} + 1
"""
# A little less than the policy's limits: rounding must not keep a pair from the exact decision.
_CLOSE = """
CREATE TEMP TABLE close AS
WITH uncounted AS (SELECT mine, sum(bytes) AS bytes, count(*) AS contents FROM crowded GROUP BY mine)
SELECT p.* FROM pairs p JOIN totals t USING (mine) LEFT JOIN uncounted u USING (mine)
WHERE p.shared_bytes + coalesce(u.bytes, 0) >= 0.999999 * $overlap * t.bytes
    AND p.shared_contents + coalesce(u.contents, 0) >= greatest($shared, 0.999999 * $contents * t.contents)
"""
_NEAREST = """
CREATE TEMP TABLE nearest AS
SELECT * FROM pairs
WHERE mine NOT IN (SELECT mine FROM dropped) AND NOT (arrival = {arrival} AND other IN (SELECT mine FROM dropped))
QUALIFY row_number() OVER (PARTITION BY mine ORDER BY shared_bytes DESC, arrival, other) = 1
"""
# Where copies are many, the first of each content are mostly the same few, and hold nothing beyond the first seats.
_LATECOMERS = """
CREATE TEMP TABLE latecomers AS SELECT DISTINCT arrival, other FROM seats WHERE seat > {seats}
"""
# First what is to be looked up, as a table, so that no plan joins a crowded content's repositories with each other.
_ASKED = """
CREATE OR REPLACE TEMP TABLE asked AS
WITH askable AS (SELECT * FROM {pairs} SEMI JOIN latecomers USING (arrival, other))
SELECT p.mine, p.arrival, p.other, c.content, c.bytes, c.files FROM askable p JOIN crowded c USING (mine)
"""
_COUNTED = """
WITH late AS (
    SELECT a.mine, a.arrival, a.other,
        sum(a.bytes)::BIGINT AS bytes, count(*) AS contents, sum(a.files)::BIGINT AS files
    FROM asked a JOIN seats s ON s.content = a.content AND s.arrival = a.arrival AND s.other = a.other
    WHERE s.seat > {seats} GROUP BY a.mine, a.arrival, a.other
)
SELECT p.mine, p.arrival, p.other, t.bytes, t.contents,
    p.shared_bytes + coalesce(l.bytes, 0) AS shared_bytes,
    p.shared_contents + coalesce(l.contents, 0) AS shared_contents,
    p.shared_files + coalesce(l.files, 0) AS shared_files
FROM {pairs} p JOIN totals t USING (mine) LEFT JOIN late l USING (mine, arrival, other)
ORDER BY p.mine, p.arrival, p.other
"""
_NAMED = """
SELECT k.arrival, k.ordinal AS other, k.doc_id AS related_doc_id, k.bytes AS other_bytes
FROM earlier_kept k SEMI JOIN before b ON k.arrival = b.arrival AND k.ordinal = b.other
"""


def find_near_duplicates(context: Context, batch: Batch, earlier: Sequence[Batch]) -> Report:
    """Judge the repositories of one batch that are no exact duplicates, and publish the verdicts.

    Raises:
        WorkError: not every repository got a verdict; nothing is published.
    """
    lake, policy = context.lake, context.policy.repository_duplicates
    repositories = _looked_at(lake, batch, policy)
    with (
        track(f"repositories {batch.key}: overlaps", 1) as progress,
        connect(lake, memory_bytes=context.settings.query_memory_bytes, threads=context.settings.workers) as connection,
    ):
        _contents(connection, lake, batch, repositories)
        _contents_before(connection, lake, earlier)
        _pairs(connection, batch.arrival)
        compared = _decide(connection, batch.arrival, policy)
        judged = _verdicts(connection, batch.arrival, repositories, compared)
        progress.advance()
    table = verdicts("repositories", _NAME)
    report = Report(step=table.name, batch=batch.key)
    check_conservation(_NAME, repositories["ordinal"], judged)
    count(report, judged, repositories["bytes"])
    with lake.writer(table, batch=batch.key) as writer:
        writer.write(stamp(judged, VERSION, context.run_id))
    lake.publish(table, writer.parts, context.commit, batch=batch.key)
    return report


def _looked_at(lake: Lake, batch: Batch, policy: RepositoryDuplicatesPolicy) -> pl.DataFrame:
    """The repositories of the batch that are no exact duplicates, with their rank, in order of `ordinal`."""
    kept = lake.column(verdicts("repositories", REQUIRES[0]), ["ordinal", "keep"], batch=batch.key).filter("keep")
    repositories = lake.column(REPOSITORIES, _COLUMNS, batch=batch.key).join(kept, on="ordinal", how="semi")
    return ranked(repositories, policy.prefer).sort("ordinal")


def _contents(connection: duckdb.DuckDBPyConnection, lake: Lake, batch: Batch, repositories: pl.DataFrame) -> None:
    """The tables `mine`, what the batch's repositories hold, and `totals`, how much that is."""
    connection.register("files", scan(lake, FILES, [batch.key]))
    connection.register("passed", scan(lake, verdicts("files", "rules"), [batch.key]))
    connection.register("ranks", repositories.select("ordinal", "rank").to_arrow())
    connection.execute(_MINE)
    connection.execute(_TOTALS)


def _contents_before(connection: duckdb.DuckDBPyConnection, lake: Lake, earlier: Sequence[Batch]) -> None:
    """The table `before`: which kept repositories of earlier batches have a content of `mine`; and `earlier_kept`.

    It looks at the hash of every file of every earlier batch, the only thing here whose cost follows the lake.
    """
    keys = [each.key for each in earlier]
    batches = pa.table({"batch": pa.array(keys, pa.string()), "arrival": [each.arrival for each in earlier]})
    connection.register("earlier_batches", batches.cast(pa.schema([("batch", pa.string()), ("arrival", pa.int64())])))
    connection.register("earlier_verdicts", scan(lake, verdicts("repositories", _NAME), keys))
    connection.register("earlier_files", scan(lake, FILES, keys))
    connection.register("earlier_passed", scan(lake, verdicts("files", "rules"), keys))
    connection.execute(_EARLIER_KEPT)
    connection.execute(_BEFORE)


def _pairs(connection: duckdb.DuckDBPyConnection, arrival: int) -> None:
    """The tables `pairs`, with what was counted of them over the first seats, and `crowded`, what was not.

    Also `latecomers`: the repositories with which anything crowded can be shared.
    """
    for query in (_SEATED, _PAIRS, _CROWDED, _LATECOMERS):
        connection.execute(query.format(arrival=arrival, seats=_SEATS))


def _decide(connection: duckdb.DuckDBPyConnection, arrival: int, policy: RepositoryDuplicatesPolicy) -> pl.DataFrame:
    """For each repository that was compared with a kept one: the pair, what is in common, and whether it is dropped."""
    limits = {"overlap": policy.overlap, "contents": policy.contents_overlap, "shared": policy.shared_contents}
    connection.execute(_CLOSE, limits)
    dropped = copies(_counted(connection, "close"), arrival, policy)
    connection.register("dropped", dropped.select("mine").to_arrow())
    connection.execute(_NEAREST.format(arrival=arrival))
    kept = _counted(connection, "nearest")
    return pl.concat([dropped.with_columns(keep=pl.lit(value=False)), kept.with_columns(keep=pl.lit(value=True))])


def _counted(connection: duckdb.DuckDBPyConnection, pairs: str) -> pl.DataFrame:
    """The pairs of a table with exactly what they have in common."""
    connection.execute(_ASKED.format(pairs=pairs))
    return pl.DataFrame(connection.sql(_COUNTED.format(pairs=pairs, seats=_SEATS)).to_arrow_table())


def _verdicts(
    connection: duckdb.DuckDBPyConnection, arrival: int, repositories: pl.DataFrame, compared: pl.DataFrame
) -> pl.DataFrame:
    """A verdict for each of `repositories`, row for row."""
    totals = pl.DataFrame(connection.sql("SELECT * FROM totals").to_arrow_table()).rename({"mine": "rank"})
    here = repositories.join(totals.select("rank", "bytes"), on="rank", suffix="_kept").select(
        pl.lit(arrival, pl.Int64).alias("arrival"),
        pl.col("rank").alias("other"),
        pl.col("doc_id").alias("related_doc_id"),
        pl.col("bytes_kept").alias("other_bytes"),
    )
    before = pl.DataFrame(connection.sql(_NAMED).to_arrow_table())
    named = compared.drop("bytes", "contents").join(pl.concat([here, before]), on=["arrival", "other"], how="left")
    judged = (
        repositories.select("ordinal", "doc_id", "rank")
        .join(totals, on="rank", how="left", maintain_order="left")
        .join(named, left_on="rank", right_on="mine", how="left", maintain_order="left")
    )
    own_files = pl.col("files") - pl.col("shared_files")
    jaccard = pl.col("shared_bytes") / (pl.col("bytes") + pl.col("other_bytes") - pl.col("shared_bytes"))
    size, shared = ("files", "contents", "bytes"), ("shared_files", "shared_contents", "shared_bytes")
    return as_verdicts(
        judged.with_columns(
            keep=pl.col("keep").fill_null(value=True),
            reason=pl.when(~pl.col("keep"))
            .then(pl.lit("near_duplicate"))
            .when(pl.col("files").is_null())
            .then(pl.lit("no_kept_files")),
            score=overlap(),
            evidence=pl.when(pl.col("related_doc_id").is_not_null())
            .then(pl.struct(*size, *shared, own_files=own_files, jaccard=jaccard).struct.json_encode())
            .when(pl.col("files").is_not_null())
            .then(pl.struct(*size).struct.json_encode()),
        )
    )
