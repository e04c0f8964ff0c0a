"""A commit as a row of the table `commits`, and what a row says of the paths that it changed.

What belongs here: the two directions. What does not: reading commits (`changes.py`), and tables.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from seed_platform.commits.changes import Change, CommitRecord
from seed_platform.commits.mentions import without_people
from seed_platform.commits.patches import change_key
from seed_platform.documents import commit_id

_LEFT_OUT: tuple[object, ...] = (None, False, 0)
_NUMBERS = ("old_mode", "new_mode", "old_bytes", "new_bytes", "added", "deleted")
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(field.name for field in fields(Change)),
    **dict.fromkeys(_NUMBERS, 0),
    "binary": False,
}


def row_of(record: CommitRecord, ordinal: int, origin: str, key: bytes = b"") -> dict[str, Any]:
    """The columns of a commit that come from the commit itself; `key` is that of the hashes of people."""
    return {
        "ordinal": ordinal,
        "doc_id": commit_id(origin, record.sha),
        "sha": record.sha,
        "parents": list(record.parents),
        "merge": record.merge,
        "author": record.author,
        "committer": record.committer,
        "bot": record.bot,
        "authored_at": record.authored_at,
        "committed_at": record.committed_at,
        "message": without_people(record.message, key),
        "message_encoding": record.message_encoding,
        "parent_tree": record.parent_tree,
        "changed_paths": record.changed_paths,
        "changes": changes_to_json(record.changes),
        "added": sum(change.added for change in record.changes),
        "deleted": sum(change.deleted for change in record.changes),
        "bytes": len(record.patch.encode()) if record.patch is not None else 0,
        "change_key": change_key(record.patch) if record.patch is not None else None,
        "omitted": record.omitted,
        "content": record.patch,
    }


def unreadable_row(sha: str, ordinal: int, origin: str) -> dict[str, Any]:
    """The row of a commit of which nothing can be read but its name."""
    texts = dict.fromkeys(("author", "committer", "message", "message_encoding"), "")
    numbers = dict.fromkeys(("changed_paths", "added", "deleted", "bytes"), 0)
    unknown = dict.fromkeys(("authored_at", "committed_at", "parent_tree", "change_key", "content"))
    flags = {"merge": False, "bot": False}
    named = {"ordinal": ordinal, "doc_id": commit_id(origin, sha), "sha": sha, "parents": [], "changes": "[]"}
    return {**named, **texts, **numbers, **unknown, **flags, "omitted": "unreadable"}


def changes_to_json(changes: Sequence[Change]) -> str:
    """A JSON array of the changed paths; what is None, False or 0 is left out."""
    told = [{name: value for name, value in asdict(each).items() if value not in _LEFT_OUT} for each in changes]
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def changes_from_json(text: str) -> list[Change]:
    """What `changes_to_json` wrote."""
    return [Change(**{**_DEFAULTS, **told}) for told in json.loads(text)]
