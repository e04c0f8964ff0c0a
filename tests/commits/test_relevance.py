"""Search over snapshots: terms, BM25 scores, and an index that follows a history."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_world import World

from seed_platform.commits.bm25 import Index
from seed_platform.commits.relevance import Relevance, SnapshotTooLargeError, TermCache
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.commits.snapshot import Files, SnapshotError, TreeSnapshot
from seed_platform.commits.terms import Terms, joined, terms_of

_IDENTIFIER = re.compile(rb"[A-Za-z0-9_\x80-\xff]+")
_SMALL = rb"[a-z\x80-\xff]"
_BOUNDARY = re.compile(rb"_+|(?<=[a-z0-9\x80-\xff])(?=[A-Z])|(?<=[A-Z])(?=[A-Z]" + _SMALL + rb")")


def plain_terms(text: bytes) -> list[bytes]:
    """The terms as the docstring of `terms` words them, slowly."""
    terms = []
    for identifier in _IDENTIFIER.findall(text):
        parts = [part for part in _BOUNDARY.split(identifier) if part]
        terms += [part.lower() for part in parts]
        if parts and parts != [identifier]:
            terms.append(identifier.lower())
    return terms


def plain_scores(documents: list[list[bytes]], query: list[bytes], k1: float, b: float) -> list[float]:
    """BM25 in Lucene's variant, by the formula."""
    counts = [Counter(document) for document in documents]
    mean = sum(map(len, documents)) / len(documents)
    scores = [0.0] * len(documents)
    for term in query:
        df = sum(term in count for count in counts)
        idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
        for at, count in enumerate(counts):
            if count[term]:
                scores[at] += idf * count[term] / (count[term] + k1 * (1 - b + b * len(documents[at]) / mean))
    return scores


class Watched(TreeSnapshot):
    """A snapshot that remembers what was read of it."""

    def __init__(self, repository: pygit2.Repository, tree: str) -> None:
        super().__init__(repository, tree)
        self.reads: list[str] = []

    def read(self, oid: str) -> bytes:
        self.reads.append(oid)
        return super().read(oid)


def as_dict(terms: Terms) -> dict[int, int]:
    return dict(zip(terms.hashes.tolist(), terms.counts.tolist(), strict=True))


texts = st.one_of(st.binary(max_size=60), st.text("aAbZ09_ .é", max_size=60).map(str.encode))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        (b"readFile", [b"read", b"file", b"readfile"]),
        (b"HTTPServer2Go", [b"http", b"server2", b"go", b"httpserver2go"]),
        (b"max_line__length", [b"max", b"line", b"length", b"max_line__length"]),
        (b"__init__ ___ x", [b"init", b"__init__", b"x"]),
        (b"Word word WORD", [b"word", b"word", b"word"]),
        ("größeMax".encode(), ["größe".encode(), b"max", "größemax".encode()]),
        (b"ABc aB", [b"a", b"bc", b"abc", b"a", b"b", b"ab"]),
        (b"", []),
    ],
)
def test_an_identifier_is_found_whole_and_by_its_parts(text: bytes, terms: list[bytes]) -> None:
    # A word of small letters has one term, itself, so each term can be hashed by itself.
    expected = Counter(int(terms_of(term).hashes[-1]) for term in terms if b"_" not in term)
    found = as_dict(terms_of(text))
    assert expected.items() <= found.items()
    assert terms_of(text).length == len(terms)
    assert Counter(plain_terms(text)) == Counter(terms)


@given(texts)
def test_terms_are_counted_as_by_the_plain_rules(text: bytes) -> None:
    plain = Counter(plain_terms(text))
    found = terms_of(text)
    assert found.length == plain.total()
    assert sorted(found.counts.tolist()) == sorted(plain.values())
    assert (np.diff(found.hashes.astype(object)) > 0).all()


@given(texts, texts)
def test_terms_of_two_texts_together_are_those_of_the_texts_one_after_the_other(a: bytes, b: bytes) -> None:
    together, whole = joined(terms_of(a), terms_of(b)), terms_of(a + b" " + b)
    assert as_dict(together) == as_dict(whole)
    assert together.length == whole.length


words = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]), max_size=30)


@settings(max_examples=30, deadline=None)
@given(st.lists(words, min_size=1, max_size=12), words, st.sampled_from([(1.5, 0.75), (0.0, 0.0), (0.9, 1.0)]))
def test_scores_are_those_of_the_formula_and_of_bm25s(
    documents: list[list[str]], query: list[str], parameters: tuple[float, float]
) -> None:
    documents = [["always", *document] for document in documents]
    k1, b = parameters
    index = Index()
    for document in documents:
        index.add(terms_of(" ".join(document).encode()))
    scores = index.scores(terms_of(" ".join(query).encode()), k1, b)
    plain = plain_scores([[w.encode() for w in d] for d in documents], [w.encode() for w in query], k1, b)
    assert scores.tolist() == pytest.approx(plain, rel=1e-12)
    if query and k1:
        peer = bm25s.BM25(method="lucene", k1=k1, b=b, dtype="float64")
        peer.index(documents, show_progress=False)
        known = [word for word in query if word in peer.vocab_dict]
        expected = peer.get_scores(known) if known else np.zeros(len(documents))
        assert scores.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_scores_are_the_same_to_the_last_bit_however_the_index_came_about() -> None:
    """Documents come and go often enough that the index is merged many times."""
    rng = np.random.default_rng(1)
    texts = [" ".join(f"w{n}" for n in rng.zipf(1.3, 400) if n < 5000).encode() for _ in range(600)]
    query = terms_of(b"w1 w2 w3 w17 w170 w1700 w4999 w2 other")
    index, slots, merges = Index(), {}, 0
    for number, text in enumerate(texts):
        slots[number] = index.add(terms_of(text))
        if number >= 100:
            index.remove(slots.pop(number - 100))
        if index.wants_merge():
            renumbered = index.merge()
            slots = {document: int(renumbered[slot]) for document, slot in slots.items()}
            merges += 1
    fresh = Index()
    for text in texts[-100:]:
        fresh.add(terms_of(text))
    assert merges > 1
    assert index.documents == 100
    scores = index.scores(query, 1.5, 0.75)
    assert [float(scores[slots[n]]) for n in range(500, 600)] == fresh.scores(query, 1.5, 0.75).tolist()
    # Documents that left take no room for long: 600 came, 100 are in.
    assert index.nbytes < 4 * fresh.nbytes


paths = st.sampled_from(["a.py", "b.py", "src/a.py", "src/deep/c.py", "src/deep/d.py", "docs/README.md", "z"])
contents = st.one_of(
    st.lists(st.sampled_from(["parse", "Parser", "parse_file", "cache", "walkTree", "tree"]), max_size=12).map(
        lambda found: " ".join(found).encode()
    ),
    st.just(b"\0binary parse"),
    st.just(b"latin \xe9 parse"),
)
versions = st.lists(st.dictionaries(paths, contents, max_size=7), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=versions, cache_bytes=st.sampled_from([0, 1500, 1 << 20]))
def test_following_a_history_finds_what_a_fresh_search_finds(
    world: World, history: list[dict[str, bytes]], cache_bytes: int
) -> None:
    policy = CommitSamplePolicy()
    following = Relevance(policy, cache_bytes)
    for files in history:
        snapshot = world.snapshot(files)
        fresh = Relevance(policy)
        following.move_to(snapshot)
        fresh.move_to(snapshot)
        assert following.files.paths() == tuple(sorted(path.encode() for path in files))
        assert following.rank("parse the file tree", 5) == fresh.rank("parse the file tree", 5)
        assert following.tree().fitting(1 << 20) == fresh.tree().fitting(1 << 20)
        text = {p: c for p, c in files.items() if b"\0" not in c and b"\xe9" not in c}
        if text:
            plain = plain_scores(
                [plain_terms(content) + plain_terms(path.encode()) for path, content in text.items()],
                plain_terms(b"parse the file tree"),
                policy.k1,
                policy.b,
            )
            best = sorted((-round(score, 9), path) for path, score in zip(text, plain, strict=True) if score > 0)[:5]
            found = following.rank("parse the file tree", 5)
            assert [(-round(ranked.score, 9), ranked.entry.path.decode()) for ranked in found] == best


def test_only_files_that_differ_are_read(world: World) -> None:
    files = {f"src/m{number}.py": b"parse %d" % number for number in range(30)}
    relevance = Relevance(CommitSamplePolicy())
    relevance.move_to(world.snapshot(files))
    later = world.snapshot({**files, "src/m3.py": b"parse again", "src/moved.py": files["src/m4.py"]})
    watched = Watched(world.repository, later.tree)
    relevance.move_to(watched)
    assert len(watched.reads) == 1
    assert [r.entry.path for r in relevance.rank("again", 5)] == [b"src/m3.py"]


def test_the_cache_keeps_within_its_bytes_and_forgets_what_was_not_used_longest(world: World) -> None:
    files = {f"f{number}": b"word%d common" % number for number in range(50)}
    snapshot = world.snapshot(files)
    entries = {entry.path: entry.oid for entry in snapshot.entries()}
    cache = TermCache(6000)
    first = entries[b"f0"]
    for oid in entries.values():
        cache.terms(snapshot, oid)
        cache.terms(snapshot, first)
        assert cache.nbytes <= 6000
    watched = Watched(world.repository, snapshot.tree)
    cache.terms(watched, first)
    assert watched.reads == []
    cache.terms(watched, entries[b"f1"])
    assert watched.reads == [entries[b"f1"]]


def test_links_submodules_large_and_missing_files_are_listed_but_not_searched(world: World) -> None:
    files = {"a.py": b"parse", "large": b"parse " * 100, "link": (0o120000, b"parse"), "sub": (0o160000, b"1" * 40)}
    snapshot = world.snapshot(files)
    gone = next(entry.oid for entry in snapshot.entries() if entry.path == b"a.py")
    relevance = Relevance(CommitSamplePolicy(max_indexed_bytes=100))
    relevance.move_to(snapshot)
    assert [entry.size for entry in snapshot.entries()] == [5, 600, None, None]
    assert [ranked.entry.path for ranked in relevance.rank("parse sub link large", 5)] == [b"a.py"]
    assert relevance.tree().fitting(1000) == ("a.py\nlarge\nlink\nsub\n", False)
    world.repository.free()
    (Path(world.repository.path) / "objects" / gone[:2] / gone[2:]).unlink()
    damaged = TreeSnapshot(type(world.repository)(world.repository.path), snapshot.tree)
    late = Relevance(CommitSamplePolicy())
    late.move_to(damaged)
    assert [ranked.entry.path for ranked in late.rank("parse", 5)] == [b"large"]


def test_a_missing_tree_is_told_and_leaves_the_search_where_it_was(world: World) -> None:
    relevance = Relevance(CommitSamplePolicy())
    relevance.move_to(world.snapshot({"kept.py": b"parse"}))
    for tree in ("0" * 39 + "1", str(world.repository.create_blob(b"no tree"))):
        with pytest.raises(SnapshotError):
            relevance.move_to(TreeSnapshot(world.repository, tree))
    assert [ranked.entry.path for ranked in relevance.rank("parse", 5)] == [b"kept.py"]
    relevance.move_to(world.snapshot({"other.py": b"parse"}))
    assert [ranked.entry.path for ranked in relevance.rank("parse", 5)] == [b"other.py"]


def test_a_snapshot_over_the_limit_is_told_and_a_smaller_one_later_is_searched_whole(world: World) -> None:
    relevance = Relevance(CommitSamplePolicy(max_snapshot_bytes=100))
    small = {"a.py": b"parse", "b.py": b"walk"}
    relevance.move_to(world.snapshot(small))
    for text in (b"parse " * 20, b"walk " * 30):
        with pytest.raises(SnapshotTooLargeError):
            relevance.move_to(world.snapshot({**small, "c.py": text}))
        assert relevance.rank("parse walk", 5) == []
    relevance.move_to(world.snapshot(small))
    assert {ranked.entry.path for ranked in relevance.rank("parse walk", 5)} == {b"a.py", b"b.py"}


def test_equal_files_come_by_path_and_files_without_a_term_do_not_come(world: World) -> None:
    relevance = Relevance(CommitSamplePolicy(document=("content",)))
    relevance.move_to(world.snapshot({"b": b"parse", "a": b"parse", "c": b"parse", "other": b"walk"}))
    assert [ranked.entry.path for ranked in relevance.rank("parse", 2)] == [b"a", b"b"]
    assert [ranked.entry.path for ranked in relevance.rank("parse", 2, {b"a"})] == [b"b", b"c"]
    assert [ranked.entry.path for ranked in relevance.rank("parse", 9)] == [b"a", b"b", b"c"]
    assert relevance.rank("nothing of it", 5) == []
    assert relevance.rank("parse", 0) == []


def test_files_know_when_only_contents_change(world: World) -> None:
    files = Files()
    files.move_to(world.snapshot({"a": b"1", "b/c": b"2"}))
    paths = files.paths()
    files.move_to(world.snapshot({"a": b"3", "b/c": b"2"}))
    assert files.paths() is paths
    files.move_to(world.snapshot({"a/d": b"3", "b": b"2"}))
    assert files.paths() == (b"a/d", b"b")
