"""Git objects written byte by byte, so that tests can have what git itself would refuse to make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, ObjectType

from seed_platform.commits.changes import Change

PERSON = b"A B <a@b.c> 1700000000 +0000"
Content = bytes | tuple[int, bytes]
"""A file's bytes, or a mode and bytes; a submodule's bytes are the id."""


def empty_repository(path: Path) -> pygit2.Repository:
    """A bare repository without configuration of its own."""
    return pygit2.init_repository(str(path), bare=True)


def write_tree(repository: pygit2.Repository, files: Mapping[bytes, Content]) -> bytes:
    """The id of a tree of `files`; "/" in a path makes folders."""
    here: dict[bytes, tuple[int, bytes]] = {}
    folders: dict[bytes, dict[bytes, Content]] = {}
    for path, content in files.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            folders.setdefault(name, {})[rest] = content
            continue
        mode, data = content if isinstance(content, tuple) else (FileMode.BLOB, content)
        here[name] = (mode, data if mode == FileMode.COMMIT else repository.create_blob(data).raw)
    for name, below in folders.items():
        here[name] = (FileMode.TREE, write_tree(repository, below))
    return raw_tree(repository, [(mode, name, oid) for name, (mode, oid) in here.items()])


def raw_tree(repository: pygit2.Repository, entries: Sequence[tuple[int, bytes, bytes]]) -> bytes:
    """The id of a tree of (mode, name, id), in git's order."""
    ordered = sorted(entries, key=lambda entry: entry[1] + (b"/" if entry[0] == FileMode.TREE else b""))
    data = b"".join(b"%o %s\0%s" % entry for entry in ordered)
    return repository.odb.write(ObjectType.TREE, data).raw


def write_commit(
    repository: pygit2.Repository,
    files: Mapping[bytes, Content] | bytes,
    *parents: str,
    message: bytes = b"message\n",
    author: bytes = PERSON,
    committer: bytes = PERSON,
    headers: bytes = b"",
) -> str:
    """The id of a commit of `files`, or of the tree with that id; `headers` are whole lines."""
    tree = files if isinstance(files, bytes) else write_tree(repository, files)
    lines = b"".join(b"parent %s\n" % parent.encode() for parent in parents)
    people = b"author %s\ncommitter %s\n" % (author, committer)
    data = b"tree %s\n%s%s%s\n%s" % (tree.hex().encode(), lines, people, headers, message)
    return raw_object(repository, ObjectType.COMMIT, data)


def raw_object(repository: pygit2.Repository, kind: ObjectType, data: bytes) -> str:
    """The id of an object of any bytes."""
    return str(repository.odb.write(kind, data))


def loose_file(repository: pygit2.Repository, sha: str) -> Path:
    """Where a loose object lies."""
    return Path(repository.path) / "objects" / sha[:2] / sha[2:]


def remove(repository: pygit2.Repository, sha: str) -> pygit2.Repository:
    """Delete a loose object; the repository, opened anew."""
    loose_file(repository, sha).unlink()
    return pygit2.Repository(repository.path)


def only(changes: Sequence[Change]) -> Change:
    """The one element."""
    assert len(changes) == 1
    return changes[0]
