"""Every table of the lake and its columns: the one place where they are written down.

What belongs here: names, columns and what they mean. What does not: how tables are read or written (`lake.py`).
Partition columns are listed in `Table.partition_by` and are not repeated in the Arrow schema of the data files.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table: `name` is its folder below the root, with '/' between levels."""

    name: str
    columns: pa.Schema
    partition_by: tuple[str, ...] = ("batch",)

    @property
    def full_schema(self) -> pa.Schema:
        """The columns with the partition columns in front."""
        partitions = [pa.field(name, pa.string(), nullable=False) for name in self.partition_by]
        return pa.schema([*partitions, *self.columns])


def _schema(*fields: tuple[str, pa.DataType, bool, str]) -> pa.Schema:
    return pa.schema(
        pa.field(name, dtype, nullable=nullable, metadata={"comment": comment})
        for name, dtype, nullable, comment in fields
    )


_REQUIRED, _OPTIONAL = False, True

BATCHES = Table(
    "batches",
    _schema(
        ("batch", pa.string(), _REQUIRED, "key of the batch, and of its Dagster partition"),
        ("arrival", pa.int64(), _REQUIRED, "1, 2, 3, … in order of arrival; earlier batches win in deduplication"),
        ("kind", pa.string(), _REQUIRED, "what arrived: repositories, a crawl, or references: a set to compare with"),
        ("fingerprint", pa.string(), _REQUIRED, "SHA-256 over the pinned sources: the same sources are the same batch"),
        ("sources", pa.string(), _REQUIRED, "JSON array of the pinned sources, with the metadata given for each"),
        ("created_at", pa.timestamp("us", tz="UTC"), _REQUIRED, "when it was added"),
    ),
    partition_by=(),
)

REPOSITORIES = Table(
    "repositories",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place of the source in the batch"),
        ("doc_id", pa.string(), _REQUIRED, "id of the repository document"),
        ("repository", pa.string(), _REQUIRED, "the name users know it by"),
        ("origin", pa.string(), _REQUIRED, "where it came from, independent of this machine"),
        ("revision", pa.string(), _REQUIRED, "commit, version or content digest"),
        ("source", pa.string(), _REQUIRED, "git, folder, archive, package or dataset"),
        ("spec", pa.string(), _REQUIRED, "what the user gave, credentials removed"),
        ("license_files", pa.list_(pa.string()), _REQUIRED, "paths of its licence files"),
        ("stars", pa.int64(), _OPTIONAL, "from the batch's metadata; null if unknown"),
        ("forks", pa.int64(), _OPTIONAL, "from the batch's metadata; null if unknown"),
        ("commits", pa.int64(), _OPTIONAL, "commits that the revision can reach, up to 1,000,000; null if unknown"),
        ("committed_at", pa.timestamp("us", tz="UTC"), _OPTIONAL, "when the revision was committed; null if unknown"),
        ("first_committed_at", pa.timestamp("us", tz="UTC"), _OPTIONAL, "when its first commit was; null if unknown"),
        ("metadata", pa.string(), _OPTIONAL, "JSON object: whatever else the batch's metadata says"),
        ("files", pa.int64(), _REQUIRED, "file documents read"),
        ("bytes", pa.int64(), _REQUIRED, "their bytes"),
        ("rejected", pa.int64(), _REQUIRED, "entries rejected by name; see the table rejections"),
    ),
)

FILES = Table(
    "files",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place in the batch: place of the source * 2^32 + place of the file in it"),
        ("doc_id", pa.string(), _REQUIRED, "id of the file document"),
        ("repository_id", pa.string(), _REQUIRED, "id of the repository document"),
        ("repository", pa.string(), _REQUIRED, "name of the repository"),
        ("revision", pa.string(), _REQUIRED, "revision of the repository"),
        ("path", pa.string(), _REQUIRED, "path in the repository"),
        ("language", pa.string(), _OPTIONAL, "one of the 89 languages; null if none"),
        ("bytes", pa.int64(), _REQUIRED, "size of the file as it arrived"),
        ("content_sha256", pa.string(), _REQUIRED, "SHA-256 of the bytes as they arrived, in hex"),
        ("encoding", pa.string(), _OPTIONAL, "how the text was encoded; 'binary', 'unknown', or null if not read"),
        ("content", pa.large_string(), _OPTIONAL, "the text; null if it is none or too large"),
    ),
)

REJECTIONS = Table(
    "rejections",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place of the source in the batch"),
        ("spec", pa.string(), _REQUIRED, "the source, as given"),
        ("repository", pa.string(), _OPTIONAL, "name of the repository, if it got that far"),
        ("path", pa.string(), _OPTIONAL, "the entry; null if the source as a whole was rejected"),
        ("reason", pa.string(), _REQUIRED, "stable name of the reason"),
        ("detail", pa.string(), _OPTIONAL, "one line for a person"),
    ),
)

COMMIT_WALKS = Table(
    "commit_walks",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place of the source in the batch"),
        ("doc_id", pa.string(), _REQUIRED, "id of the repository document"),
        ("repository", pa.string(), _REQUIRED, "the name users know it by"),
        ("origin", pa.string(), _REQUIRED, "where it came from, independent of this machine"),
        ("branch", pa.string(), _REQUIRED, "branch or revision as given; HEAD if none was"),
        ("tip", pa.string(), _REQUIRED, "the commit that the walk began at: the pinned revision"),
        ("seen", pa.list_(pa.string()), _REQUIRED, "tips of earlier walks of the same origin, where this one ended"),
        ("unknown", pa.list_(pa.string()), _REQUIRED, "those that the repository no longer has: a rewritten history"),
        ("missing", pa.list_(pa.string()), _REQUIRED, "parents that are not there: a shallow clone, or damage"),
        ("commits", pa.int64(), _REQUIRED, "new commits, which the table commits has"),
        ("reason", pa.string(), _OPTIONAL, "why it could not be walked; null if it was"),
        ("detail", pa.string(), _OPTIONAL, "one line for a person"),
    ),
)

COMMITS = Table(
    "commits",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place in the batch: place of the source * 2^32 + place in its walk"),
        ("doc_id", pa.string(), _REQUIRED, "id of the commit document"),
        ("repository_id", pa.string(), _REQUIRED, "id of the repository document"),
        ("repository", pa.string(), _REQUIRED, "name of the repository"),
        ("sha", pa.string(), _REQUIRED, "the commit"),
        ("parents", pa.list_(pa.string()), _REQUIRED, "its parents, in order"),
        ("merge", pa.bool_(), _REQUIRED, "whether it has more than one"),
        ("author", pa.string(), _REQUIRED, "hash of the author's address"),
        ("committer", pa.string(), _REQUIRED, "hash of the committer's address"),
        ("bot", pa.bool_(), _REQUIRED, "whether the author's name or address is one of a program"),
        ("authored_at", pa.timestamp("us", tz="UTC"), _OPTIONAL, "null if it is no date of the calendar"),
        ("committed_at", pa.timestamp("us", tz="UTC"), _OPTIONAL, "null if it is no date of the calendar"),
        ("message", pa.string(), _REQUIRED, "as decoded"),
        ("message_encoding", pa.string(), _REQUIRED, "what it was decoded from"),
        ("parent_tree", pa.string(), _OPTIONAL, "the snapshot before: tree of the first parent; null if there is none"),
        ("changed_paths", pa.int64(), _REQUIRED, "how many paths changed"),
        ("changes", pa.string(), _REQUIRED, "JSON array: path, kind and blobs before and after of each changed path"),
        ("added", pa.int64(), _REQUIRED, "lines added"),
        ("deleted", pa.int64(), _REQUIRED, "lines deleted"),
        ("bytes", pa.int64(), _REQUIRED, "size of the patch"),
        ("change_key", pa.string(), _OPTIONAL, "equal for the same change elsewhere; null without a patch"),
        ("omitted", pa.string(), _OPTIONAL, "why there is no patch; null if there is"),
        ("content", pa.large_string(), _OPTIONAL, "the patch, in git's unified format; null if omitted"),
    ),
)

CRAWL_FILES = Table(
    "web/crawl_files",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place of the source in the batch"),
        ("doc_id", pa.string(), _REQUIRED, "id of the crawl file"),
        ("name", pa.string(), _REQUIRED, "its name: of the WARC file, or of the folder of HTML"),
        ("origin", pa.string(), _REQUIRED, "where it came from, independent of this machine"),
        ("revision", pa.string(), _REQUIRED, "digest of its beginning and its size, or of the folder's contents"),
        ("source", pa.string(), _REQUIRED, "warc or html"),
        ("spec", pa.string(), _REQUIRED, "what the user gave, credentials removed"),
        ("pages", pa.int64(), _REQUIRED, "pages read"),
        ("bytes", pa.int64(), _REQUIRED, "bytes of their HTML"),
        ("rejected", pa.int64(), _REQUIRED, "records and files rejected by name; see the table rejections"),
    ),
)

PAGES = Table(
    "web/pages",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place in the batch: place of the source * 2^32 + place of the page in it"),
        ("doc_id", pa.string(), _REQUIRED, "id of the page document"),
        ("url", pa.string(), _REQUIRED, "as captured"),
        ("url_key", pa.string(), _REQUIRED, "the URL in its normal form: equal for what is one page"),
        ("host", pa.string(), _REQUIRED, "of the URL, in lower case"),
        ("captured_at", pa.timestamp("us", tz="UTC"), _OPTIONAL, "when it was crawled; null if unknown"),
        ("crawl_file", pa.string(), _REQUIRED, "name of the WARC file or folder it came from"),
        ("record_id", pa.string(), _REQUIRED, "id of the WARC record, or the path in the folder"),
        ("offset", pa.int64(), _REQUIRED, "of the record in the file, in bytes"),
        ("length", pa.int64(), _REQUIRED, "of the record in the file, in bytes"),
        ("status", pa.int64(), _REQUIRED, "HTTP status"),
        ("bytes", pa.int64(), _REQUIRED, "size of the HTML"),
        ("encoding", pa.string(), _REQUIRED, "character set that it was decoded from"),
        ("title", pa.string(), _OPTIONAL, "of the page"),
        ("language", pa.string(), _OPTIONAL, "of its prose, two letters; null if there is too little"),
        ("explicit", pa.bool_(), _REQUIRED, "whether it marks code as code (PAPER §4): <pre>, <code> and their like"),
        ("code_blocks", pa.int64(), _REQUIRED, "fenced blocks in the text"),
        ("code_bytes", pa.int64(), _REQUIRED, "bytes of code in the text"),
        ("link_bytes", pa.int64(), _REQUIRED, "bytes of link text in the text"),
        ("structure", pa.string(), _REQUIRED, "JSON object: how many elements of each kind the page has"),
        ("extraction", pa.string(), _OPTIONAL, "why there is no text; null if there is"),
        ("text_bytes", pa.int64(), _REQUIRED, "bytes of the text"),
        ("content_sha256", pa.string(), _REQUIRED, "SHA-256 of the text, in hex"),
        ("content", pa.large_string(), _OPTIONAL, "the main content as Markdown; null if there is none"),
    ),
)

VERDICT_COLUMNS = _schema(
    ("ordinal", pa.int64(), _REQUIRED, "the document's place in its batch"),
    ("doc_id", pa.string(), _REQUIRED, "the document"),
    ("keep", pa.bool_(), _REQUIRED, "whether the filter keeps it"),
    ("reason", pa.string(), _OPTIONAL, "why it is dropped, or what a person should know although it is kept"),
    ("score", pa.float64(), _OPTIONAL, "the number the decision was a threshold on"),
    ("related_doc_id", pa.string(), _OPTIONAL, "what it was compared with; for a duplicate, the document kept"),
    ("evidence", pa.string(), _OPTIONAL, "JSON object with what else the filter saw"),
    ("filter_version", pa.string(), _REQUIRED, "version of the filter"),
    ("run_id", pa.string(), _REQUIRED, "the run that judged"),
)


def verdicts(kind: str, filter_name: str) -> Table:
    """The verdicts of one filter over documents of one kind ("files", "repositories", "commits", "pages")."""
    return Table(f"verdicts/{kind}/{filter_name}", VERDICT_COLUMNS)


_INDEX_COLUMNS = _schema(
    ("path", pa.string(), _REQUIRED, "an index file, relative to the lake's root"),
    ("kind", pa.string(), _REQUIRED, "segment: documents of a data file; run: postings of a range of keys"),
    ("place", pa.int64(), _REQUIRED, "which segment, or which of the ranges"),
    ("places", pa.int64(), _REQUIRED, "how many there are"),
    ("rows", pa.int64(), _REQUIRED, "documents or postings in it"),
)


def index(name: str) -> Table:
    """What index files there are of which batch, of one near-duplicate index."""
    return Table(f"indexes/{name}", _INDEX_COLUMNS)


NEAR_DUPLICATE_INDEX = index("near_duplicates")
COMMIT_INDEX = index("commit_near_duplicates")

FILE_LEVEL = Table(
    "corpora/file_level",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "the document's place in its batch"),
        ("doc_id", pa.string(), _REQUIRED, "the document"),
        ("repository", pa.string(), _REQUIRED, "name of the repository"),
        ("path", pa.string(), _REQUIRED, "path in the repository"),
        ("language", pa.string(), _REQUIRED, "one of the 89 languages"),
        ("bytes", pa.int64(), _REQUIRED, "size of the file as it arrived"),
        ("content_sha256", pa.string(), _REQUIRED, "SHA-256 of the bytes as they arrived, in hex"),
        ("policy_hash", pa.string(), _REQUIRED, "the policy that selected it"),
    ),
)

REPOSITORY_LEVEL = Table(
    "corpora/repository_level",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "the repository's place in its batch"),
        ("doc_id", pa.string(), _REQUIRED, "id of the repository document"),
        ("repository", pa.string(), _REQUIRED, "the name users know it by"),
        ("revision", pa.string(), _REQUIRED, "commit, version or content digest"),
        ("files", pa.int64(), _REQUIRED, "its files that rules keep"),
        ("bytes", pa.int64(), _REQUIRED, "their bytes"),
        ("policy_hash", pa.string(), _REQUIRED, "the policy that selected it"),
    ),
)

COMMIT_SAMPLES = Table(
    "corpora/commits",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "the commit's place in its batch"),
        ("doc_id", pa.string(), _REQUIRED, "id of the commit document"),
        ("repository", pa.string(), _REQUIRED, "name of the repository"),
        ("sha", pa.string(), _REQUIRED, "the commit"),
        ("tokens", pa.int64(), _REQUIRED, "estimated tokens of the sample"),
        ("context_tokens", pa.int64(), _REQUIRED, "those before the target"),
        ("target_offset", pa.int64(), _REQUIRED, "characters before the target"),
        ("relevant", pa.list_(pa.string()), _REQUIRED, "paths of the relevant files shown, the most relevant first"),
        ("truncated", pa.list_(pa.string()), _REQUIRED, "parts that were shortened to fit the budget"),
        ("bytes", pa.int64(), _REQUIRED, "size of the sample"),
        ("policy_hash", pa.string(), _REQUIRED, "the policy that selected it"),
        ("content", pa.large_string(), _REQUIRED, "the sample: context, then target"),
    ),
)

DEPENDENCIES = Table(
    "dependencies",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place of the user among the files of its batch"),
        ("dependency", pa.int64(), _REQUIRED, "place of the file that it depends on"),
    ),
)

REPOSITORY_SEQUENCES = Table(
    "corpora/repository_sequences",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "place of the repository * 2^32 + place of the sequence in it"),
        ("doc_id", pa.string(), _REQUIRED, "id of the sequence"),
        ("repository_id", pa.string(), _REQUIRED, "id of the repository document"),
        ("repository", pa.string(), _REQUIRED, "name of the repository"),
        ("sequences", pa.int64(), _REQUIRED, "how many the repository was cut into"),
        ("files", pa.list_(pa.int64()), _REQUIRED, "places of its files in the batch, dependencies first"),
        ("starts", pa.list_(pa.int64()), _REQUIRED, "for each, the byte of its text at which its part begins"),
        ("stops", pa.list_(pa.int64()), _REQUIRED, "and the byte at which it ends"),
        ("bytes", pa.int64(), _REQUIRED, "size of the sequence, path headers included"),
        ("tokens", pa.int64(), _REQUIRED, "estimated tokens of it"),
        ("edges", pa.int64(), _REQUIRED, "dependencies of its files on files of the repository"),
        ("edges_inside", pa.int64(), _REQUIRED, "those on files of the same sequence"),
        ("edges_respected", pa.int64(), _REQUIRED, "those of which the dependency stands before the user"),
        ("policy_hash", pa.string(), _REQUIRED, "the policy that selected it"),
    ),
)

HIGH_QUALITY = Table(
    "corpora/high_quality",
    _schema(
        ("batch", pa.string(), _REQUIRED, "batch of the document"),
        ("ordinal", pa.int64(), _REQUIRED, "the document's place in its batch"),
        ("doc_id", pa.string(), _REQUIRED, "the document"),
        ("repository", pa.string(), _REQUIRED, "name of the repository"),
        ("path", pa.string(), _REQUIRED, "path in the repository"),
        ("language", pa.string(), _REQUIRED, "one of the 89 languages"),
        ("source", pa.string(), _REQUIRED, "notebooks, algorithms, application, major_languages or general"),
        ("round", pa.int64(), _REQUIRED, "the round that found it; 0 for a seed"),
        ("probability", pa.float64(), _OPTIONAL, "of that round's classifier; null for a seed"),
        ("score", pa.float64(), _REQUIRED, "of the scorer of files"),
        ("policy_hash", pa.string(), _REQUIRED, "the policy that selected it"),
    ),
    partition_by=(),
)

LONG_CONTEXT = Table(
    "corpora/long_context",
    _schema(
        ("source", pa.string(), _REQUIRED, "files, pages, repositories or commits"),
        ("batch", pa.string(), _REQUIRED, "batch of the document"),
        ("ordinal", pa.int64(), _REQUIRED, "the document's place in its batch"),
        ("doc_id", pa.string(), _REQUIRED, "the document"),
        ("name", pa.string(), _REQUIRED, "what users call it"),
        ("tokens", pa.int64(), _REQUIRED, "estimated tokens"),
        ("step", pa.int64(), _REQUIRED, "the context length, in tokens, of the training step that it is for"),
        ("policy_hash", pa.string(), _REQUIRED, "the policy that selected it"),
    ),
    partition_by=(),
)

WEB = Table(
    "corpora/web",
    _schema(
        ("ordinal", pa.int64(), _REQUIRED, "the page's place in its batch"),
        ("doc_id", pa.string(), _REQUIRED, "the document"),
        ("url", pa.string(), _REQUIRED, "as captured"),
        ("host", pa.string(), _REQUIRED, "of the URL"),
        ("category", pa.string(), _OPTIONAL, "kind of site; null where the policy leaves out quality"),
        ("language", pa.string(), _OPTIONAL, "of its prose, two letters"),
        ("explicit", pa.bool_(), _REQUIRED, "whether it marks code as code"),
        ("quality", pa.float64(), _OPTIONAL, "score of the quality filter"),
        ("bytes", pa.int64(), _REQUIRED, "bytes of the text"),
        ("content_sha256", pa.string(), _REQUIRED, "SHA-256 of the text, in hex"),
        ("policy_hash", pa.string(), _REQUIRED, "the policy that selected it"),
    ),
)

MODELS = Table(
    "models",
    _schema(
        ("id", pa.string(), _REQUIRED, "digest of the model and of the threshold it is used with"),
        ("path", pa.string(), _OPTIONAL, "the model file, relative to the lake's root; null if none could be trained"),
        ("threshold", pa.float64(), _REQUIRED, "least score that keeps a document"),
        ("report", pa.string(), _REQUIRED, "JSON: what it was trained and measured on"),
        ("run_id", pa.string(), _REQUIRED, "the run that trained it"),
        ("trained_at", pa.timestamp("us", tz="UTC"), _REQUIRED, "when"),
    ),
    partition_by=("name",),
)

SCORE_HISTOGRAMS = Table(
    "score_histograms",
    _schema(
        ("language", pa.string(), _REQUIRED, "of the files; empty for all"),
        ("bin", pa.int64(), _REQUIRED, "score in hundredths"),
        ("files", pa.int64(), _REQUIRED, "files of the batch with this score"),
    ),
)

JUDGEMENTS = Table(
    "judgements",
    _schema(
        ("key", pa.string(), _REQUIRED, "hash of all that the judgement depends on"),
        ("rubric", pa.string(), _REQUIRED, "name and version"),
        ("content_sha256", pa.string(), _REQUIRED, "SHA-256 of the text as the judge was given it, in hex"),
        ("score", pa.float64(), _OPTIONAL, "0 to 10; null if there is none"),
        ("reason", pa.string(), _OPTIONAL, "why there is no score"),
        ("explanation", pa.string(), _REQUIRED, "the judge's words"),
        ("prompt_tokens", pa.int64(), _REQUIRED, "as the server counts them"),
        ("completion_tokens", pa.int64(), _REQUIRED, "as the server counts them"),
        ("truncated", pa.bool_(), _REQUIRED, "whether the judge saw only the beginning"),
        ("judged_at", pa.timestamp("us", tz="UTC"), _REQUIRED, "when"),
    ),
    partition_by=("judge", "chunk"),
)

MATERIALIZATIONS = Table(
    "materializations",
    _schema(
        ("fingerprint", pa.string(), _REQUIRED, "hash of all that the result depends on"),
        ("run_id", pa.string(), _REQUIRED, "the run that wrote it"),
        ("finished_at", pa.timestamp("us", tz="UTC"), _REQUIRED, "when"),
        ("report", pa.string(), _REQUIRED, "JSON: rows, kept, dropped by reason, bytes, seconds"),
    ),
    partition_by=("batch", "step"),
)
