"""Daft's near-duplicate detection on the same documents; runs in the peers' environment.

    python benchmarks/peer_daft.py documented|lean PARQUET WORK --hashes 112 --rows 8

`documented`: as Daft's documentation does it, all in Daft: `normalize`, `minhash` over 5 words with xxhash, bands as
lists, grouped, and connected components by alternating large-star and small-star until nothing changes. `lean`: the
same signatures, then bands in NumPy and a union-find in Python, which is the fastest way we know to use Daft for it.
Both keep the first document of each component, verify nothing, and write the ids of the removed ones. What belongs
here: Daft.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import daft
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from daft import DataFrame, Expression, col
from daft.functions import chunk, minhash, monotonically_increasing_id, normalize, when
from measure import mark


def signatures(folder: Path, hashes: int) -> DataFrame:
    """The id and signature of each document, and a number in order."""
    text = normalize(col("text"), remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    return (
        daft.read_parquet(str(folder / "*.parquet"))
        .with_column("signature", minhash(text, num_hashes=hashes, ngram_size=5, seed=42, hash_function="xxhash"))
        .with_column("node", monotonically_increasing_id())
        .select("id", "node", "signature")
    )


@daft.func()  # type: ignore[untyped-decorator]
def numbers(bands: list[list[int]]) -> list[int]:
    """The place of each band."""
    return list(range(len(bands)))


def edges_of(nodes: DataFrame, bands: int, rows: int) -> DataFrame:
    """(u, v): v shares a band with u, the least node that has it."""
    return (
        nodes.with_column("band", chunk(col("signature"), rows))
        .with_column("place", numbers(col("band")))
        .select("node", "band", "place")
        .explode("band", "place")
        .where(col("place") < bands)
        .groupby("place", "band")
        .agg(col("node").list_agg().alias("v"))
        .where(col("v").list_count() > 1)
        .with_column("u", col("v").list_min())
        .explode("v")
        .where(col("u") != col("v"))
        .select("u", "v")
        .distinct()
        .collect()
    )


def smaller(one: Expression, other: Expression) -> Expression:
    """The lesser of two."""
    return when(one < other, one).otherwise(other)


def star(edges: DataFrame, *, large: bool) -> DataFrame:
    """One contraction: link neighbours of each node to the least of them, the larger ones or the smaller ones."""
    down = edges.select(col("v").alias("u"), col("u").alias("v"))
    around = edges.select("u", "v").union_all(down) if large else down
    least = around.groupby("u").agg(col("v").min().alias("least")).with_column("m", smaller(col("u"), col("least")))
    linked = around.join(least, on="u").select("u", "v", "m")
    if large:
        linked = linked.where(col("v") > col("u")).select(col("m").alias("u"), "v")
    else:
        both = linked.select(col("m").alias("u"), "v").union_all(
            linked.select(col("m").alias("u"), col("u").alias("v"))
        )
        linked = both
    return linked.where(col("u") != col("v")).distinct().collect()


def removed_by_stars(edges: DataFrame) -> list[int]:
    """The nodes that are not the least of their component."""

    def as_set(frame: DataFrame) -> set[tuple[int, int]]:
        values = frame.to_pydict()
        return set(zip(values["u"], values["v"], strict=True))

    known = as_set(edges)
    while True:
        edges = star(star(edges, large=True), large=False)
        found = as_set(edges)
        if found == known:
            return sorted({v for _, v in found})
        known = found


def removed_by_union_find(values: np.ndarray, rows: int) -> list[int]:
    """The rows of a signature matrix that are not the first of their component."""
    parent = list(range(len(values)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for start in range(0, values.shape[1] // rows * rows, rows):
        band = np.ascontiguousarray(values[:, start : start + rows])
        keys = band.view(np.dtype((np.void, band.dtype.itemsize * rows))).ravel()
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
        for left, right in zip(order[same].tolist(), order[same + 1].tolist(), strict=True):
            a, b = root(left), root(right)
            if a != b:
                parent[max(a, b)] = min(a, b)
    return [node for node in range(len(parent)) if root(node) != node]


def documented(given: argparse.Namespace) -> list[str]:
    """Ids of the removed documents."""
    nodes = signatures(given.documents, given.hashes).collect()
    mark("signatures", documents=len(nodes))
    edges = edges_of(nodes, given.hashes // given.rows, given.rows)
    mark("candidates", edges=len(edges))
    removed = daft.from_pydict({"node": removed_by_stars(edges)})
    return list(nodes.join(removed, on="node", how="semi").to_pydict()["id"])


def lean(given: argparse.Namespace) -> list[str]:
    """Ids of the removed documents."""
    table = signatures(given.documents, given.hashes).select("id", "signature").to_arrow()
    mark("signatures", documents=len(table))
    values = table.column("signature").combine_chunks().flatten().to_numpy().reshape(-1, given.hashes)
    removed = removed_by_union_find(values, given.rows)
    return list(table.column("id").take(pa.array(removed, pa.int64())).to_pylist())


def main() -> None:
    """Run one of the two."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("how", choices=("documented", "lean"))
    options.add_argument("documents", type=Path)
    options.add_argument("work", type=Path)
    options.add_argument("--hashes", type=int, default=112)
    options.add_argument("--rows", type=int, default=8)
    given = options.parse_args()
    given.work.mkdir(parents=True)
    mark("start")
    ids = documented(given) if given.how == "documented" else lean(given)
    pq.write_table(pa.table({"id": ids}), given.work / "removed.parquet")
    mark("components", removed=len(ids))


if __name__ == "__main__":
    main()
