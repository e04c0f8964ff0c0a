"""Why a document is in a corpus or not: where it came from and what every filter said of it.

A document is named by its id, by REPOSITORY:PATH, or by REPOSITORY@REVISION:PATH. Where several match, the one that
arrived last is told, and how many there are.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import duckdb

from seed_platform.documents import DOC_ID_LENGTH
from seed_platform.errors import UsageError
from seed_platform.lake.query import fetch_rows
from seed_platform.policy import FileLevelPolicy

_DOC_ID = re.compile(rf"[0-9a-f]{{{DOC_ID_LENGTH}}}")
_SHOWN = 5

_FILE = """
SELECT f.batch, f.ordinal, f.doc_id, f.repository_id, f.repository, f.revision, f.path, f.language, f.bytes,
    f.content_sha256, f.encoding, b.arrival
FROM files f JOIN batches b USING (batch) WHERE {condition} ORDER BY b.arrival DESC, f.ordinal
"""


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one document.

    Attributes:
        doc_id: its id; None for an entry that was rejected before it became a document.
        kept: whether the corpus holds it; None while a filter has not judged it.
        document: where it came from and what it is.
        repository: the repository it belongs to, if it is a file.
        verdicts: what each filter said, in the policy's order; `related` names the document compared with.
        duplicates: documents that were dropped because of this one: (how many, some of them).
        matches: how many documents the given name matches.
    """

    doc_id: str | None
    kept: bool | None
    document: dict[str, Any]
    repository: dict[str, Any] | None
    verdicts: list[dict[str, Any]]
    duplicates: tuple[int, list[str]]
    matches: int = 1

    def to_json(self) -> dict[str, Any]:
        """As printed by `seed why --json`: every key is stable."""
        return {
            "doc_id": self.doc_id,
            "kept": self.kept,
            "document": self.document,
            "repository": self.repository,
            "verdicts": self.verdicts,
            "duplicates": {"count": self.duplicates[0], "examples": self.duplicates[1]},
            "matches": self.matches,
        }


def why(connection: duckdb.DuckDBPyConnection, target: str, policy: FileLevelPolicy) -> Story:
    """The story of `target`; `connection` has the lake's views. Raises `UsageError` if nothing matches."""
    if _DOC_ID.fullmatch(target):
        found = fetch_rows(connection.execute(_FILE.format(condition="f.doc_id = $id"), {"id": target}))
        if found:
            return _file_story(connection, found, policy)
        repository = _repository(connection, target)
        if repository is not None:
            return Story(target, None, {"kind": "repository", **repository}, None, [], (0, []))
        raise UsageError(f"no document has the id {target}")
    name, separator, path = target.partition(":")
    if not separator or not path:
        raise UsageError(f"{target!r} is neither a doc_id ({DOC_ID_LENGTH} hex digits) nor REPOSITORY:PATH")
    repository_name, _, revision = name.partition("@")
    values = {"name": repository_name, "suffix": f"%/{_escaped(repository_name)}", "path": path, "revision": revision}
    named = r"({0}.repository = $name OR {0}.repository LIKE $suffix ESCAPE '\')"
    condition = named.format("f") + " AND f.path = $path AND ($revision = '' OR starts_with(f.revision, $revision))"
    found = fetch_rows(connection.execute(_FILE.format(condition=condition), values))
    if found:
        return _file_story(connection, found, policy)
    rejected = fetch_rows(
        connection.execute(
            f"SELECT r.* FROM rejections r JOIN batches b USING (batch) WHERE {named.format('r')} AND r.path = $path "
            "ORDER BY b.arrival DESC",
            {key: values[key] for key in ("name", "suffix", "path")},
        )
    )
    if rejected:
        return Story(
            None,
            kept=False,
            document={"kind": "rejection", **rejected[0]},
            repository=None,
            verdicts=[],
            duplicates=(0, []),
            matches=len(rejected),
        )
    raise UsageError(_nothing(connection, repository_name, path))


def _escaped(text: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", text)


def _nothing(connection: duckdb.DuckDBPyConnection, repository: str, path: str) -> str:
    names = [row[0] for row in connection.execute("SELECT DISTINCT repository FROM repositories ORDER BY 1").fetchall()]
    if any(name == repository or name.endswith(f"/{repository}") for name in names):
        tail = path.rsplit("/", 1)[-1]
        near = connection.execute(
            r"SELECT DISTINCT path FROM files WHERE (repository = $name OR repository LIKE $suffix ESCAPE '\') "
            "AND (path = $tail OR ends_with(path, '/' || $tail)) ORDER BY path LIMIT 3",
            {"name": repository, "suffix": f"%/{_escaped(repository)}", "tail": tail},
        ).fetchall()
        hint = f"; did you mean {', '.join(row[0] for row in near)}?" if near else ""
        return f"{repository} has no file {path}{hint}"
    return f"no repository is called {repository!r} (there are: {', '.join(names[:10]) or 'none yet'})"


def _file_story(connection: duckdb.DuckDBPyConnection, found: list[dict[str, Any]], policy: FileLevelPolicy) -> Story:
    document = found[0]
    verdicts = _verdicts(connection, document["batch"], document["ordinal"], policy)
    judged = {verdict["filter"]: verdict["keep"] for verdict in verdicts}
    wanted = [judged.get(name) for name in policy.filters]
    kept = False if False in wanted else (None if None in wanted else True)
    document.pop("ordinal")
    duplicates = connection.execute(
        "SELECT doc_id FROM verdicts WHERE related_doc_id = $id AND NOT keep ORDER BY batch, ordinal",
        {"id": document["doc_id"]},
    ).fetchall()
    some = [_place(connection, row[0]) or row[0] for row in duplicates[:_SHOWN]]
    return Story(
        doc_id=document["doc_id"],
        kept=kept,
        document={"kind": "file", **document},
        repository=_repository(connection, document["repository_id"]),
        verdicts=verdicts,
        duplicates=(len(duplicates), some),
        matches=len(found),
    )


def _verdicts(
    connection: duckdb.DuckDBPyConnection, batch: str, ordinal: int, policy: FileLevelPolicy
) -> list[dict[str, Any]]:
    rows = fetch_rows(
        connection.execute(
            "SELECT filter, keep, reason, score, related_doc_id, evidence, filter_version, run_id FROM verdicts "
            "WHERE kind = 'file' AND batch = $batch AND ordinal = $ordinal",
            {"batch": batch, "ordinal": ordinal},
        )
    )
    order: dict[str, int] = {name: place for place, name in enumerate(policy.filters)}
    rows.sort(key=lambda row: order.get(str(row["filter"]), len(order)))
    for row in rows:
        row["evidence"] = json.loads(str(row["evidence"])) if row["evidence"] is not None else None
        row["related"] = _place(connection, str(row["related_doc_id"])) if row["related_doc_id"] is not None else None
    return rows


def _place(connection: duckdb.DuckDBPyConnection, doc_id: str) -> str | None:
    """REPOSITORY@REVISION:PATH of a file document."""
    query = "SELECT repository, revision, path FROM files WHERE doc_id = $id"
    row = connection.execute(query, {"id": doc_id}).fetchone()
    return f"{row[0]}@{row[1][:12]}:{row[2]}" if row else None


def _repository(connection: duckdb.DuckDBPyConnection, doc_id: str) -> dict[str, Any] | None:
    rows = fetch_rows(
        connection.execute(
            "SELECT batch, doc_id, repository, origin, revision, source, spec, license_files, stars, forks, files, "
            "bytes, rejected FROM repositories WHERE doc_id = $id",
            {"id": doc_id},
        )
    )
    return rows[0] if rows else None
