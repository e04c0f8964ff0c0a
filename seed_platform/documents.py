"""Documents: what every kind of document has in common, which is where it came from and the name derived from that.

A `doc_id` is content-free and stable: reading the same file of the same repository revision again gives the same id,
whatever the batch, the machine, or the road (checkout, bare clone, URL) it came by.
"""

from __future__ import annotations

import hashlib

DOC_ID_LENGTH = 32
"""Hex digits of a `doc_id`: 128 bits, so that 10^12 documents collide with a chance below 10^-14."""


def doc_id(kind: str, *provenance: str | bytes) -> str:
    """The id of the document of `kind` ("repository", "file", …) that came from `provenance`.

    Args:
        kind: the kind of document.
        provenance: what identifies its origin, outermost first: origin, revision, path. A path may be raw bytes,
            since git paths need not be text.

    Returns:
        `DOC_ID_LENGTH` lower-case hex digits.
    """
    digest = hashlib.blake2b(digest_size=DOC_ID_LENGTH // 2)
    for part in (kind, *provenance):
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        # Length-prefixed, so that ("a", "bc") and ("ab", "c") differ.
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()


def repository_id(origin: str, revision: str) -> str:
    """The id of a repository at a revision."""
    return doc_id("repository", origin, revision)


def commit_id(origin: str, sha: str) -> str:
    """The id of a commit of a repository, whatever revision the repository was read at."""
    return doc_id("commit", origin, sha)


def file_id(origin: str, revision: str, path: str | bytes) -> str:
    """The id of a file of a repository at a revision."""
    return doc_id("file", origin, revision, path)
