"""The section of the curation policy about commit samples.

What belongs here: what a sample shows and how much of it. What does not: which commits become samples (the rules and
the gate) and how a sample is written (`template.py`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from seed_platform.section import Section

QueryField = Literal["message", "readme"]
DocumentField = Literal["path", "content"]


class CommitSamplePolicy(Section):
    """A commit as change prediction (PAPER §3). The paper names the parts and the number of files; the rest is ours."""

    template: Literal[1] = 1
    """Version of the text form (`template.py`). A form that is not the same to the byte gets another number."""
    max_tokens: int = Field(32_768, gt=0)
    """Most tokens of a sample, by the estimate below. If message and change alone are more, there is no sample."""
    bytes_per_token: float = Field(3.5, gt=0)
    """Bytes of UTF-8 that a token is taken to have."""
    readme_tokens: int = Field(4_096, ge=0)
    """Most tokens of the README; beyond it the end is left out."""
    tree_tokens: int = Field(4_096, ge=0)
    """Most tokens of the directory tree; beyond it the deepest folders are left closed."""
    file_tokens: int = Field(16_384, ge=0)
    """Most tokens of one relevant file; beyond it the end is left out."""
    relevant_files: int = Field(5, ge=0)
    """Most files shown. Files without any term of the query are never shown, so there can be fewer."""
    show_modified: bool = True
    """Files that the commit changes may be among the relevant ones: they are what has to be read to change them, and
    they are there before the commit."""
    query: tuple[QueryField, ...] = ("message",)
    """What the files are compared with. The README is the same for every commit, so it draws attention from the
    message to what the repository is about."""
    document: tuple[DocumentField, ...] = ("path", "content")
    """What a file is found by; the terms of both count alike."""
    k1: float = Field(1.5, ge=0)
    """BM25: how soon more occurrences of a term stop counting. 0 counts presence only."""
    b: float = Field(0.75, ge=0, le=1)
    """BM25: how much a long file's occurrences count less; 0 not at all."""
    max_indexed_bytes: int = Field(1 << 18, gt=0)
    """Larger files are not searched. A sample holds about 112 KiB, so more of a file could never be shown."""
    max_snapshot_bytes: int = Field(1 << 28, gt=0)
    """Most bytes of searched files in one snapshot. It bounds the memory of the index: about as many bytes again in
    common repositories. A larger snapshot gives no sample."""

    @field_validator("query", "document")
    @classmethod
    def _some_each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("must name at least one field, and none twice")
        return value
