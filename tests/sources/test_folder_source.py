from __future__ import annotations

import os
import shutil
import socket
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from sources_support import LIMITS, contents, pin, read, rejections

from seed_platform.sources.base import SourceError
from seed_platform.sources.folder import FolderSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "stuff"
    (root / "a").mkdir(parents=True)
    (root / "a" / "b.py").write_text("b")
    (root / "a.txt").write_text("a")
    return root


def test_files_come_in_byte_order_of_their_paths(folder: Path, cache: Path):
    (folder / "a-").write_text("-")
    (folder / "Z").write_text("Z")
    paths = list(contents(read(pin(folder), cache)))
    assert paths == sorted(paths) == [b"Z", b"a-", b"a.txt", b"a/b.py"]


def test_a_copy_has_the_same_revision_and_any_change_another(folder: Path, tmp_path: Path):
    before = pin(folder)
    assert (before.kind, before.origin, before.repository) == ("folder", "local/stuff", "stuff")
    shutil.copytree(folder, tmp_path / "elsewhere" / "stuff")
    assert pin(tmp_path / "elsewhere" / "stuff").doc_id == before.doc_id
    (folder / "a.txt").rename(folder / "b.txt")
    renamed = pin(folder).revision
    (folder / "b.txt").write_text("b")
    assert len({before.revision, renamed, pin(folder).revision}) == 3


def test_a_folder_that_changed_since_it_was_added_is_an_error_at_the_end(folder: Path, cache: Path):
    source = pin(folder)
    (folder / "z.txt").write_text("late")
    with pytest.raises(SourceError) as caught:
        read(source, cache)
    assert caught.value.reason == "changed_since_added"


def test_symlinks_are_never_followed_so_loops_end(folder: Path, cache: Path):
    (folder / "self").symlink_to(".")
    (folder / "up").symlink_to("..")
    (folder / "gone").symlink_to("nowhere")
    (folder / "passwd").symlink_to("/etc/passwd")
    items = read(pin(folder), cache)
    assert set(contents(items)) == {b"a.txt", b"a/b.py"}
    assert set(rejections(items)) == {(name, "symlink") for name in ("self", "up", "gone", "passwd")}


def test_fifos_and_sockets_are_not_waited_for(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        items = read(pin(folder), cache)
    assert rejections(items) == [("pipe", "special_file"), ("sock", "special_file")]


def test_version_control_folders_are_one_rejection_at_any_depth(folder: Path, cache: Path):
    for name in (".git", "a/.hg", "a/.svn"):
        (folder / name).mkdir()
        (folder / name / "config").write_text("x")
    items = read(FolderSource().pin(str(folder), LIMITS), cache)
    assert set(contents(items)) == {b"a.txt", b"a/b.py"}
    assert rejections(items) == [(name, "version_control_folder") for name in (".git", "a/.hg", "a/.svn")]


def test_names_that_are_not_text_are_read(folder: Path, cache: Path):
    (folder / os.fsdecode(b"\xff\xfe.py")).write_bytes(b"raw")
    assert contents(read(pin(folder), cache))[b"\xff\xfe.py"] == b"raw"


def test_large_files_are_hashed_but_not_kept_and_huge_ones_not_even_read(folder: Path, cache: Path):
    (folder / "big").write_bytes(b"x" * 101)
    with (folder / "huge").open("wb") as file:
        file.truncate(300 << 20)
    items = read(pin(folder), cache, replace(LIMITS, max_content_bytes=100))
    assert contents(items)[b"big"] is None
    assert rejections(items) == [("huge", "too_large_to_read")]


def test_what_may_not_be_read_is_a_rejection_and_an_unreadable_root_an_error(cache: Path):
    root = Path(tempfile.mkdtemp())
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()
    before = os.geteuid()
    try:
        root.chmod(0o755)
        (root / "open.txt").write_text("x")
        (root / "secret.txt").write_text("x")
        (root / "closed").mkdir()
        (root / "secret.txt").chmod(0)
        (root / "closed").chmod(0)
        os.seteuid(nobody)
        items = read(pin(root), cache)
        assert set(contents(items)) == {b"open.txt"}
        assert rejections(items) == [("closed", "permission_denied"), ("secret.txt", "permission_denied")]
        with pytest.raises(SourceError) as caught:
            FolderSource().pin(str(root / "closed"), LIMITS)
        assert caught.value.reason == "permission_denied"
    finally:
        os.seteuid(before)
        (root / "closed").chmod(0o755)
        shutil.rmtree(root)


def test_a_file_that_vanishes_during_the_walk_is_named(folder: Path, cache: Path):
    source = pin(folder)
    items = FolderSource().read(source, LIMITS, str(cache))
    assert next(items).path == b"a.txt"
    (folder / "a" / "c.py").write_text("c")
    # The walk lists `a` when it comes to it, and then b.py is gone before it is opened.
    assert next(items).path == b"a/b.py"
    (folder / "a" / "c.py").unlink()
    assert next(items).reason == "vanished"


def test_a_path_too_long_for_the_system_does_not_end_the_walk(folder: Path, cache: Path):
    home = os.open(folder, os.O_RDONLY)
    current = home
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=current)
        current = os.open("d" * 200, os.O_RDONLY, dir_fd=current)
    items = read(pin(folder), cache)
    assert set(contents(items)) == {b"a.txt", b"a/b.py"}
    assert [reason for _, reason in rejections(items)] == ["unreadable"]


def test_a_missing_folder_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError) as caught:
        pin(tmp_path / "nowhere")
    assert caught.value.reason == "missing_path"
