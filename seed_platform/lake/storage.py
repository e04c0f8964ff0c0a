"""Where the bytes of the lake are: a local folder or S3, through fsspec for files and `deltalake` for tables.

What belongs here: roots, paths and credentials (which come from the environment only). What does not: tables.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.fs as pafs

from seed_platform.errors import UsageError


class Storage:
    """The root of a lake. Cheap to make and to pickle: every worker process opens its own connections."""

    def __init__(self, root: str) -> None:
        self.is_s3 = root.startswith("s3://")
        if "://" in root and not self.is_s3:
            raise UsageError(f"a lake is a local folder or s3://bucket/prefix, not {root}")
        self.root = root.rstrip("/") if self.is_s3 else str(Path(root).absolute())

    def __reduce__(self) -> tuple[type[Storage], tuple[str]]:
        return Storage, (self.root,)

    def uri(self, relative: str) -> str:
        """The full address of something in the lake."""
        return f"{self.root}/{relative}"

    @property
    def filesystem(self) -> Any:  # noqa: ANN401 - fsspec is untyped
        """The fsspec file system. Instances are cached by fsspec, per process."""
        if not self.is_s3:
            return fsspec.filesystem("file")
        try:
            return fsspec.filesystem("s3")
        except ImportError as error:
            raise UsageError("a lake on S3 needs the extra s3: pip install 'seed-platform[s3]'") from error

    @property
    def arrow_filesystem(self) -> pafs.FileSystem:
        """The same file system for Arrow, which reads local files without going through Python."""
        return pafs.PyFileSystem(pafs.FSSpecHandler(self.filesystem)) if self.is_s3 else pafs.LocalFileSystem()

    def arrow_path(self, relative: str) -> str:
        """The address of something in the lake as `arrow_filesystem` wants it."""
        return self.uri(relative).removeprefix("s3://")

    @property
    def delta_options(self) -> dict[str, str]:
        """Options for `deltalake`; it reads credentials, region and endpoint from the AWS_* environment itself."""
        if self.is_s3 and os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
            return {"AWS_ALLOW_HTTP": "true"}
        return {}

    def open(self, relative: str, mode: str) -> Any:  # noqa: ANN401 - fsspec is untyped
        """Open a file of the lake. A local file's folder is made first."""
        if "w" in mode and not self.is_s3:
            Path(self.uri(relative)).parent.mkdir(parents=True, exist_ok=True)
        return self.filesystem.open(self.uri(relative), mode)

    def put(self, local: Path, relative: str) -> None:
        """Make a local file a file of the lake, whole or not at all."""
        if self.is_s3:
            self.filesystem.put_file(str(local), self.uri(relative))
            return
        target = Path(self.uri(relative))
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
        shutil.copyfile(local, partial)
        partial.replace(target)

    def local_copy(self, relative: str) -> Path:
        """A file of the lake as a file of this machine: itself, or from S3 a copy that is fetched once.

        Raises:
            FileNotFoundError: the lake has no such file.
        """
        if not self.is_s3:
            return Path(self.uri(relative))
        copy = self._copy_of(relative)
        if not copy.exists():
            partial = copy.with_suffix(f".{uuid.uuid4().hex}")
            self.filesystem.get_file(self.uri(relative), str(partial))
            partial.replace(copy)
        return copy

    def _copy_of(self, relative: str) -> Path:
        return self.scratch("copies") / hashlib.sha256(relative.encode()).hexdigest()

    def drop_copy(self, relative: str) -> bool:
        """Delete what `local_copy` fetched from S3; whether there was such a copy."""
        if not self.is_s3 or not self._copy_of(relative).exists():
            return False
        self._copy_of(relative).unlink(missing_ok=True)
        return True

    def remove(self, relative: str) -> None:
        """Delete a file of the lake, and what `local_copy` made of it, if there is one."""
        self.drop_copy(relative)
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.rm_file(self.uri(relative))

    def list(self, relative: str) -> list[str]:
        """The files in a folder of the lake, relative to the root; none if there is no such folder."""
        try:
            found = self.filesystem.ls(self.uri(relative), detail=False)
        except FileNotFoundError:
            return []
        return [f"{relative}/{name.rstrip('/').rsplit('/', 1)[1]}" for name in found]

    def scratch(self, name: str) -> Path:
        """A local folder for temporary files, made if it is not there: inside a local lake, else the system's own.

        The system's is shared with other users, who must be able neither to read nor to prepare what is in it.

        Nothing in it is state: it may be deleted whenever no run is using it.

        Raises:
            UsageError: the folder in the system's own is not this user's alone.
        """
        if self.is_s3:
            base = _private_folder() / hashlib.sha256(self.root.encode()).hexdigest()[:16]
        else:
            base = Path(self.root) / "_scratch"
        folder = base / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop_scratch(self, name: str) -> None:
        """Delete a scratch folder."""
        shutil.rmtree(self.scratch(name), ignore_errors=True)


def _private_folder() -> Path:
    """A folder of this user in the system's folder for temporary files, made if it is not there.

    Raises:
        UsageError: another user made it, can look into it, or it is no folder.
    """
    folder = Path(tempfile.gettempdir()) / f"seed-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise UsageError(f"{folder} must be a folder of yours that nobody else can enter; remove it, or set TMPDIR")
    return folder
