"""Why a document is in a corpus or not: where it came from and what every filter said of it.

A file is named by its id, by REPOSITORY:PATH, or by REPOSITORY@REVISION:PATH; a repository by its id, by REPOSITORY, or
by REPOSITORY@REVISION; a commit by its id, its SHA or REPOSITORY@SHA; a page by its id or URL. Where several match, the
one that arrived last is told, and how many there are.
"""

from __future__ import annotations

import re
from typing import Any

import duckdb

from seed_platform.documents import DOC_ID_LENGTH
from seed_platform.errors import UsageError
from seed_platform.lake.query import fetch_rows
from seed_platform.lineage import repositories
from seed_platform.lineage.commits import SHA, commit_by_id, commit_by_sha
from seed_platform.lineage.judges import judged
from seed_platform.lineage.pages import no_such_page, page_story
from seed_platform.lineage.story import Story, is_kept, rejection_story, verdicts_on
from seed_platform.policy import FileLevelPolicy, Policy

_DOC_ID = re.compile(rf"[0-9a-f]{{{DOC_ID_LENGTH}}}")
_PAGE = re.compile(r"https?://", re.IGNORECASE)
_SHOWN = 5

_FILE = """
SELECT f.batch, f.ordinal, f.doc_id, f.repository_id, f.repository, f.revision, f.path, f.language, f.bytes,
    f.content_sha256, f.encoding, b.arrival, CASE WHEN b.kind = 'references' THEN f.batch END AS reference_set
FROM files f JOIN batches b USING (batch) WHERE {condition}
ORDER BY reference_set IS NOT NULL, b.arrival DESC, f.ordinal
"""


def why(connection: duckdb.DuckDBPyConnection, target: str, curation: Policy) -> Story:
    """The story of `target`; `connection` has the lake's views. Raises `UsageError` if nothing matches."""
    policy = curation.file_level
    if _PAGE.match(target):
        story = page_story(connection, target, curation.web)
        if story is None:
            raise no_such_page(connection, target)
        return story
    if _DOC_ID.fullmatch(target):
        return _by_id(connection, target, curation)
    name, separator, path = target.partition(":")
    repository, _, revision = name.partition("@")
    if not repository or (separator and not path):
        raise UsageError(
            f"{target!r} is neither a doc_id ({DOC_ID_LENGTH} hex digits) nor REPOSITORY:PATH nor REPOSITORY"
        )
    if not separator:
        return _named_repository(connection, repository, revision)
    values = {**repositories.naming(repository), "path": path}
    condition = repositories.named("f") + " AND f.path = $path AND starts_with(f.revision, $revision)"
    found = fetch_rows(connection.execute(_FILE.format(condition=condition), {**values, "revision": revision}))
    if found:
        return _file_story(connection, found, policy)
    rejected = rejection_story(connection, f"{repositories.named('r')} AND r.path = $path", values)
    if rejected is None and revision and not repositories.find(connection, repository, revision):
        return _named_repository(connection, repository, revision)  # which says what revisions there are
    return rejected or _no_such_file(connection, repository, path)


def _by_id(connection: duckdb.DuckDBPyConnection, target: str, curation: Policy) -> Story:
    found = fetch_rows(connection.execute(_FILE.format(condition="f.doc_id = $id"), {"id": target}))
    if found:
        return _file_story(connection, found, curation.file_level)
    facts = repositories.by_id(connection, target)
    if facts is not None:
        return _repository_story(connection, facts, 1)
    story = commit_by_id(connection, target) or page_story(connection, target, curation.web)
    story = story or commit_by_sha(connection, target)  # 32 of the 40 digits of a SHA
    if story is None:
        raise UsageError(f"no document has the id {target}")
    return story


def _named_repository(connection: duckdb.DuckDBPyConnection, name: str, revision: str) -> Story:
    found = repositories.find(connection, name, revision)
    if found:
        return _repository_story(connection, found[0], len(found))
    commit = _commit(connection, name, revision)
    if commit is not None:
        return commit
    whole = rf"r.path IS NULL AND ({repositories.named('r')} OR r.spec = $name OR r.spec LIKE $suffix ESCAPE '\')"
    rejected = None if revision else rejection_story(connection, whole, repositories.naming(name))
    if rejected is not None:
        return rejected
    others = repositories.find(connection, name, "")
    if others:
        known = ", ".join(dict.fromkeys(facts["revision"][:12] for facts in others[:_SHOWN]))
        raise UsageError(f"{name} has no revision {revision} here (there are: {known})")
    raise UsageError(repositories.unknown(connection, name))


def _commit(connection: duckdb.DuckDBPyConnection, name: str, revision: str) -> Story | None:
    """The commit that SHA or REPOSITORY@SHA names, if there is one."""
    if revision:
        return commit_by_sha(connection, revision.lower(), name) if SHA.fullmatch(revision.lower()) else None
    return commit_by_sha(connection, name.lower()) if SHA.fullmatch(name.lower()) else None


def _repository_story(connection: duckdb.DuckDBPyConnection, facts: dict[str, Any], matches: int) -> Story:
    document = {"kind": "repository", **repositories.judged(connection, facts)}
    kept, verdicts = document.pop("kept"), document.pop("verdicts")
    duplicates = repositories.dropped_for(connection, facts["doc_id"], _SHOWN)
    return Story(facts["doc_id"], kept, document, None, verdicts, duplicates, matches)


def _no_such_file(connection: duckdb.DuckDBPyConnection, repository: str, path: str) -> Story:
    """Never a story: says what there is instead."""
    if not repositories.find(connection, repository, ""):
        raise UsageError(repositories.unknown(connection, repository))
    tail = path.rsplit("/", 1)[-1]
    near = connection.execute(
        f"SELECT DISTINCT path FROM files f WHERE {repositories.named('f')} "
        "AND (path = $tail OR ends_with(path, '/' || $tail)) ORDER BY path LIMIT 3",
        {**repositories.naming(repository), "tail": tail},
    ).fetchall()
    hint = f"; did you mean {', '.join(row[0] for row in near)}?" if near else ""
    raise UsageError(f"{repository} has no file {path}{hint}")


def _file_story(connection: duckdb.DuckDBPyConnection, found: list[dict[str, Any]], policy: FileLevelPolicy) -> Story:
    document = found[0]
    verdicts = verdicts_on(connection, "file", document, policy.filters, lambda each: _place(connection, each))
    kept = is_kept(verdicts, policy.filters)
    if kept and document["reference_set"]:
        kept = None
    document.pop("ordinal")
    document["judged"] = judged(connection, document["content_sha256"])
    duplicates = connection.execute(
        "SELECT doc_id FROM verdicts WHERE kind = 'file' AND NOT keep AND (related_doc_id = $id "
        "OR (filter = 'repository_duplicates' AND contains(evidence, $id))) ORDER BY batch, ordinal",
        {"id": document["doc_id"]},
    ).fetchall()
    some = [_place(connection, row[0]) or row[0] for row in duplicates[:_SHOWN]]
    facts = repositories.by_id(connection, document["repository_id"])
    return Story(
        doc_id=document["doc_id"],
        kept=kept,
        document={"kind": "file", **document},
        repository=repositories.judged(connection, facts) if facts else None,
        verdicts=verdicts,
        duplicates=(len(duplicates), some),
        matches=len(found),
    )


def _place(connection: duckdb.DuckDBPyConnection, doc_id: str) -> str | None:
    """REPOSITORY@REVISION:PATH of a file document, REPOSITORY@REVISION of a repository."""
    query = "SELECT repository, revision, path FROM files WHERE doc_id = $id"
    row = connection.execute(query, {"id": doc_id}).fetchone()
    if row:
        return f"{row[0]}@{row[1][:12]}:{row[2]}"
    facts = repositories.by_id(connection, doc_id)
    return repositories.title(facts) if facts else None
