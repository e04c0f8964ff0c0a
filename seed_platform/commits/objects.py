"""Commit objects as git stores them, parsed from their bytes.

What belongs here: a commit's header and message. What does not: its trees (`trees.py`) and how commits follow each
other (`walk.py`). The bytes are parsed here rather than by libgit2, which refuses a commit whose author line is
malformed and hides the parents at the edge of a shallow clone.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import pygit2
from pygit2.enums import ObjectType, Option

from seed_platform.sources.git_tree import GIT_ERRORS

_HEADER = re.compile(rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)")
_PERSON = re.compile(rb"([^<]*)(?:<([^>]*)>)?(?:.*>)?\s*(-?\d{1,19})?")
_CACHE_BYTES = 8 << 20

_FALLBACKS = ("utf-8", "latin-1")

_NOT_FOR_MESSAGES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
"""Python's codecs that no message is written in: they interpret escapes, or take time that grows with the square."""


class CommitError(Exception):
    """A commit that cannot be read. `reason` is "missing_object", "not_a_commit" or "corrupt_commit"."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote or committed; whatever the line lacks is empty, and `time` None. Seconds since 1970, UTC."""

    name: bytes
    address: bytes
    time: int | None


@dataclass(frozen=True, slots=True)
class CommitObject:
    """One commit. Ids are 20 bytes; `message` is raw, `encoding` as declared, None if it is not."""

    tree: bytes
    parents: tuple[bytes, ...]
    author: Person
    committer: Person
    encoding: bytes | None
    message: bytes


def bound_cache() -> None:
    """Keep libgit2 from holding up to 256 MB of objects that were read: histories are read once.

    The setting is the process's. It makes no difference to the time (measured on sqlalchemy, 0 to 256 MB).
    """
    pygit2.option(Option.SET_CACHE_MAX_SIZE, _CACHE_BYTES)


def read_raw(odb: pygit2.Odb, sha: bytes) -> bytes:
    """The bytes of the commit with the 20-byte id `sha`.

    Raises:
        CommitError: `missing_object` (or damaged) or `not_a_commit`.
    """
    try:
        kind, data = odb.read(pygit2.Oid(raw=sha))
    except GIT_ERRORS as error:
        raise CommitError("missing_object", f"{sha.hex()} is missing or damaged") from error
    if kind != ObjectType.COMMIT:
        raise CommitError("not_a_commit", f"{sha.hex()} is no commit")
    return data


def parents_of(data: bytes) -> bytes:
    """The ids of a commit's parents, packed; none if the commit is corrupt."""
    header = _HEADER.match(data)
    return b"" if header is None else _parents(header[2])


def tree_of(data: bytes) -> bytes:
    """The id of a commit's tree.

    Raises:
        CommitError: `corrupt_commit`.
    """
    header = _HEADER.match(data)
    if header is None:
        raise CommitError("corrupt_commit", "it does not begin with its tree and its parents")
    return bytes.fromhex(header[1].decode())


def _parents(lines: bytes) -> bytes:
    return bytes.fromhex(lines.replace(b"parent ", b"").decode())


def committed_at(data: bytes) -> int:
    """The committer's time in seconds since 1970; 0 if there is none."""
    start = data.find(b"\ncommitter ")
    if start < 0:
        return 0
    return _person(data[start + 11 : data.find(b"\n", start + 11)]).time or 0


def parse_commit(data: bytes) -> CommitObject:
    """A commit from its bytes.

    Raises:
        CommitError: `corrupt_commit`; only a missing tree is that, all else may be absent.
    """
    tree, parents = tree_of(data), parents_of(data)
    head, _, message = data.partition(b"\n\n")
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        # A line that continues the one before, as in a signature, begins with a space and so has no name.
        fields.setdefault(name, value)
    return CommitObject(
        tree=tree,
        parents=tuple(parents[start : start + 20] for start in range(0, len(parents), 20)),
        author=_person(fields.get(b"author", b"")),
        committer=_person(fields.get(b"committer", b"")),
        encoding=fields.get(b"encoding"),
        message=message,
    )


def _person(line: bytes) -> Person:
    match = _PERSON.match(line)
    name, address, time = match.groups() if match else (b"", None, None)
    return Person(name.strip(), (address or b"").strip(), None if time is None else int(time))


def decode_message(commit: CommitObject) -> tuple[str, str]:
    """The message as text, and the encoding that it is in.

    The encodings tried are the declared one, UTF-8 and Latin-1, which never fails. Text that UTF-8 cannot hold (a lone
    surrogate, which some encodings can express) counts as a failure.
    """
    for encoding in (*_declared(commit), *_FALLBACKS):
        try:
            text = commit.message.decode(encoding)
            text.encode()
        except (LookupError, ValueError):
            continue
        return text, encoding
    raise AssertionError("Latin-1 has a character for every byte")


def _declared(commit: CommitObject) -> tuple[str, ...]:
    """Python's name of the declared encoding, none if there is none or it is no encoding of text."""
    if commit.encoding is None:
        return ()
    try:
        encoding = codecs.lookup(commit.encoding.decode("ascii").strip()).name
    except (LookupError, ValueError):
        return ()
    return () if encoding in _NOT_FOR_MESSAGES else (encoding,)
