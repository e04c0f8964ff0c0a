"""Deployment settings: where the lake is, how many processes work on it, how much memory each may use.

What belongs here: facts of the machine or the deployment. What does not: what is worth learning from; that is
`policy.py`. The limits of what is read at all are here, since they protect the machine; they are part of what a batch's
files depend on. Values come from keyword arguments, the environment (`SEED_*`), `seed.toml` in the
working directory, and the defaults below, in that order.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

MIB = 1 << 20


def _available_cores() -> int:
    """The cores this process may run on, which under a container quota or `taskset` is fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


class Settings(BaseSettings):
    """Settings of one deployment. Sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="SEED_", toml_file="seed.toml", extra="forbid", frozen=True)

    lake: str = Field("lake", description="Root of the lake: a local folder or s3://bucket/prefix.")
    policy: Path | None = Field(None, description="Curation policy (YAML); the built-in defaults if not given.")
    workers: int = Field(default_factory=_available_cores, ge=1, description="Worker processes of the local engine.")
    row_group_bytes: int = Field(
        16 * MIB, ge=MIB, description="Text per record batch read or written; a worker's memory is a few times this."
    )
    part_bytes: int = Field(64 * MIB, ge=MIB, description="Text per data file, and so per task of a filter.")
    max_content_bytes: int = Field(
        16 * MIB, ge=1, description="Largest file whose text is stored; larger ones are recorded without their text."
    )
    max_page_bytes: int = Field(
        16 * MIB, ge=1, description="Largest body of a crawled page; the record of a larger one is rejected."
    )
    max_patch_bytes: int = Field(
        MIB, ge=1024, description="Largest patch of a commit that is stored; a larger commit is recorded without it."
    )
    max_commit_paths: int = Field(
        1000, ge=1, description="Most changed paths of a commit that are stored; one with more has no patch either."
    )
    person_key: SecretStr = Field(
        SecretStr(""), description="Key of the hashes of commit authors' addresses; without one they can be guessed."
    )
    snapshot_cache_bytes: int = Field(
        64 * MIB, ge=MIB, description="What a worker may remember of files it has searched for commit samples."
    )
    max_archive_bytes: int = Field(8 << 30, ge=MIB, description="Most bytes one archive may unpack to.")
    max_archive_ratio: float = Field(200.0, gt=1, description="Most times its packed size an archive may unpack to.")
    max_archive_entries: int = Field(1_000_000, ge=1, description="Most entries one archive may have.")
    connect_timeout: float = Field(20.0, gt=0, description="Seconds to wait for a git server or a package index.")
    common_crawl: str = Field(
        "https://data.commoncrawl.org", description="Where Common Crawl is read: this, s3://commoncrawl, or a mirror."
    )
    crawl_inbox: str | None = Field(
        None, description="Folder or s3:// prefix whose complete segments become crawl batches by themselves."
    )
    judge_url: str | None = Field(
        None, description="Base URL of an OpenAI-compatible server, as `vllm serve` is, with its version: http://…/v1."
    )
    judge_model: str | None = Field(None, description="Name of the judge's model on that server.")
    judge_key: SecretStr = Field(SecretStr(""), description="Key for that server.")
    judge_mode: Literal["rating", "schema", "expected", "yes_no"] = Field(
        "rating", description="How a rating is got: words, JSON, probabilities of digits, or of Yes and No."
    )
    judge_concurrency: int = Field(64, ge=1, description="Most requests in flight.")
    query_memory_bytes: int = Field(256 * MIB, ge=64 * MIB, description="Memory of one DuckDB query before it spills.")

    def digest_of(self, names: tuple[str, ...]) -> str:
        """Hash of some settings, such as the limits that decide whether a source can be read."""
        values = [getattr(self, name) for name in names]
        plain = [each.get_secret_value() if isinstance(each, SecretStr) else each for each in values]
        return hashlib.sha256(repr(plain).encode()).hexdigest()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then `seed.toml`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
