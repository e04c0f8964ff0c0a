"""Repositories of a few files, made commit by commit, for the tests of samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from seed_platform.commits.changes import CommitLimits, CommitRecord, read_commit
from seed_platform.commits.sample import CommitView
from seed_platform.commits.snapshot import TreeSnapshot

LIMITS = CommitLimits(max_patch_bytes=1 << 20, max_commit_paths=1000)
_WHO = pygit2.Signature("A", "a@example.org", 1_700_000_000, 0)

Content = bytes | tuple[int, bytes]
"""Of a regular file; or a mode and content, or of a submodule the id in hex."""


class World:
    """A bare repository. Each commit is given by all files it shall have."""

    def __init__(self, folder: Path) -> None:
        self.repository = pygit2.init_repository(folder, bare=True)
        self.last: list[pygit2.Oid] = []

    def tree(self, files: Mapping[str, Content]) -> str:
        index = pygit2.Index()
        for path, content in files.items():
            mode, data = content if isinstance(content, tuple) else (FileMode.BLOB, content)
            oid = pygit2.Oid(hex=data.decode()) if mode == FileMode.COMMIT else self.repository.create_blob(data)
            index.add(pygit2.IndexEntry(path, oid, FileMode(mode)))
        return str(index.write_tree(self.repository))

    def snapshot(self, files: Mapping[str, Content]) -> TreeSnapshot:
        return TreeSnapshot(self.repository, self.tree(files))

    def commit(self, files: Mapping[str, Content], message: str = "Change") -> CommitRecord:
        tree = pygit2.Oid(hex=self.tree(files))
        sha = self.repository.create_commit(None, _WHO, _WHO, message, tree, self.last)
        self.last = [sha]
        record = read_commit(self.repository, str(sha), LIMITS)
        assert isinstance(record, CommitRecord)
        return record

    def change(self, before: Mapping[str, Content], after: Mapping[str, Content], message: str = "Change"):
        """A commit from `before` to `after`: what a sample is built from, and the files before it."""
        self.last = []
        self.commit(before)
        record = self.commit(after, message)
        return view(record), TreeSnapshot(self.repository, record.parent_tree or "")


def view(record: CommitRecord) -> CommitView:
    return CommitView(record.message, record.changes, record.patch, record.omitted, record.parent_tree is not None)
