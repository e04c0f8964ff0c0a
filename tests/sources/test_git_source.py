from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sources_support import LIMITS, commit, contents, git, git_handler, pin, read, rejections, serving

from seed_platform.sources.base import SourceError


def write_tree(folder: Path, entries: list[tuple[str, bytes, str]]) -> str:
    """Store a tree object as given, which `git mktree` would refuse."""
    body = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    data = b"tree %d\0" % len(body) + body
    oid = hashlib.sha1(data).hexdigest()
    path = folder / ".git" / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(data))
    return oid


def use_tree(folder: Path, tree: str) -> None:
    git(folder, "update-ref", "HEAD", git(folder, "commit-tree", tree, "-m", "x"))


def loose(folder: Path, oid: str) -> Path:
    return folder / ".git" / "objects" / oid[:2] / oid[2:]


def reason_of(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(SourceError) as caught:
        call(*arguments)
    assert "\n" not in caught.value.detail
    return caught.value.reason


def test_a_checkout_is_read_at_its_commit_and_not_as_it_lies_on_the_disk(project: Path, cache: Path):
    (project / "README.md").write_text("changed and not committed")
    (project / "new.py").write_text("new")
    source = pin(project)
    assert (source.kind, source.repository, source.origin) == ("git", "project", "local/project")
    assert source.revision == git(project, "rev-parse", "HEAD")
    assert contents(read(source, cache)) == {b"README.md": b"# Project\n", b"src/app.py": b"print(1)\n"}


def test_checkout_bare_clone_file_url_and_http_url_give_the_same_document_ids(
    project: Path, tmp_path: Path, cache: Path
):
    served = tmp_path / "served"
    served.mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(project), "served/project.git")
    roads = [project, project / ".git", served / "project.git", project.as_uri(), (served / "project.git").as_uri()]
    pins = [pin(road) for road in roads]
    assert {source.doc_id for source in pins} == {pins[0].doc_id}
    assert {source.repository for source in pins} == {"project"}
    with serving(git_handler(served)) as base:
        url = f"{base}/project.git"
        git(project, "remote", "add", "origin", url)
        by_url = pin(url)
        assert by_url.origin == f"{base.removeprefix('http://')}/project"
        assert {pin(road).doc_id for road in roads} == {by_url.doc_id}
        assert contents(read(by_url, cache)) == contents(read(pins[0], cache))


def test_a_url_is_cloned_once_and_fetched_only_for_a_new_commit(project: Path, tmp_path: Path, cache: Path):
    with serving(git_handler(tmp_path)) as base:
        first = pin(f"{base}/project/.git")
        second_commit = commit(project, {"later.py": "2\n"})
        assert b"later.py" not in contents(read(first, cache))
        second = pin(f"{base}/project/.git")
        assert second.revision == second_commit
        assert b"later.py" in contents(read(second, cache))
        assert len([path for path in cache.iterdir() if path.is_dir()]) == 1
    assert contents(read(second, cache)), "the server is gone; the clone has the commit"
    assert b"later.py" not in contents(read(first, cache))


def test_a_damaged_clone_in_the_cache_is_made_anew(project: Path, tmp_path: Path, cache: Path):
    with serving(git_handler(tmp_path)) as base:
        source = pin(f"{base}/project/.git")
        before = contents(read(source, cache))
        clone = next(path for path in cache.iterdir() if path.is_dir())
        shutil.rmtree(clone / "refs")
        (clone / "HEAD").unlink()
        assert contents(read(source, cache)) == before


def test_branches_tags_and_commits_of_a_url_can_be_pinned(project: Path, tmp_path: Path, cache: Path):
    first = git(project, "rev-parse", "HEAD")
    git(project, "tag", "-a", "v1", "-m", "one")
    git(project, "branch", "side")
    last = commit(project, {"late.py": "3\n"})
    with serving(git_handler(tmp_path)) as base:
        url = f"{base}/project/.git"
        assert {pin(f"{url}#{rev}").revision for rev in ("v1", "side", "refs/heads/side", first)} == {first}
        assert pin(url).revision == last
        assert reason_of(pin, f"{url}#nosuch") == "unknown_revision"
        gone = pin(f"{url}#{'1' * 40}")
        assert reason_of(read, gone, cache) == "unknown_revision"
    for revision in ("v1", "side", first, first[:10], "HEAD~1"):
        assert pin(f"{project}#{revision}").revision == first
    assert reason_of(pin, f"{project}#nosuch") == "unknown_revision"
    assert reason_of(pin, f"{project}#HEAD:README.md") == "unknown_revision"


def test_a_commit_that_no_branch_has_is_still_found_in_a_clone(project: Path, tmp_path: Path, cache: Path):
    with serving(git_handler(tmp_path)) as base:
        git(project, "checkout", "-q", "-b", "request")
        hidden = commit(project, {"request.py": "r\n"})
        git(project, "update-ref", "refs/pull/1/head", hidden)
        git(project, "checkout", "-q", "main")
        git(project, "branch", "-q", "-D", "request")
        source = pin(f"{base}/project/.git#refs/pull/1/head")
        assert source.revision == hidden
        assert b"request.py" in contents(read(source, cache))


def test_a_password_in_a_url_is_neither_stored_nor_shown(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    basic = "Basic " + base64.b64encode(b"user:s3cret").decode()
    with serving(git_handler(tmp_path, basic)) as base:
        url = base.replace("://", "://user:s3cret@") + "/project/.git"
        with pytest.raises(SourceError) as caught:
            pin(url)
        assert caught.value.reason == "authentication_required"
        assert "s3cret" not in str(caught.value)
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login user password s3cret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        source = pin(url)
        assert "s3cret" not in repr(source)
        assert "user" not in source.spec + source.locator + source.origin
        assert len(contents(read(source, tmp_path / "cache"))) == 2


def test_a_server_without_the_repository_and_no_server_are_told_apart(tmp_path: Path):
    with serving(git_handler(tmp_path)) as base:
        assert reason_of(pin, f"{base}/nosuch.git") == "not_a_repository"
    assert reason_of(pin, f"{base}/nosuch.git") == "unreachable"


def test_symlinks_and_submodules_are_rejections_and_modes_do_not_matter(project: Path, tmp_path: Path, cache: Path):
    (project / "run.sh").write_text("echo hi\n")
    (project / "run.sh").chmod(0o755)
    (project / "link").symlink_to("../../etc/passwd")
    (project / "loop").symlink_to("loop")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    inner = commit(other, {"x": "x"})
    git(project, "submodule", "--quiet", "add", str(other), "sub")
    commit(project, {})
    items = read(pin(project), cache)
    assert contents(items)[b"run.sh"] == b"echo hi\n"
    assert {(r.path, r.reason, r.detail) for r in items if hasattr(r, "reason")} == {
        ("link", "symlink", "../../etc/passwd"),
        ("loop", "symlink", "loop"),
        ("sub", "submodule", inner),
    }
    assert contents(read(pin(project / "sub"), cache)) == {b"x": b"x"}, "a submodule's checkout has a .git file"


def test_a_worktree_is_read_at_its_own_commit(project: Path, tmp_path: Path, cache: Path):
    git(project, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    commit(tmp_path / "side", {"side.py": "s\n"})
    assert b"side.py" in contents(read(pin(tmp_path / "side"), cache))
    assert b"side.py" not in contents(read(pin(project), cache))


def test_missing_and_damaged_objects_cost_only_the_files_that_need_them(project: Path, cache: Path):
    commit(project, {"a.py": "a\n", "b.py": "b\n", "deep/c.py": "c\n", "keep.py": "k\n"})
    loose(project, git(project, "rev-parse", "HEAD:a.py")).unlink()
    damaged = loose(project, git(project, "rev-parse", "HEAD:b.py"))
    damaged.chmod(0o644)
    damaged.write_bytes(zlib.compress(b"blob 2\0X\n"))
    loose(project, git(project, "rev-parse", "HEAD:deep")).unlink()
    items = read(pin(project), cache)
    assert set(contents(items)) == {b"README.md", b"keep.py", b"src/app.py"}
    assert rejections(items) == [("a.py", "missing_object"), ("b.py", "missing_object"), ("deep", "missing_object")]


def test_names_that_are_not_text_are_kept_as_bytes_in_tree_order(project: Path, cache: Path):
    names = [b"\xff\xfe.py", b"caf\xc3\xa9.py", b"caf\xe9.py", b"new\nline.py", b"src.py", b"src-a.py"]
    for name in names:
        (project / os.fsdecode(name)).write_bytes(name)
    commit(project, {})
    found = contents(read(pin(project), cache))
    assert list(found) == sorted([*names, b"README.md", b"src/app.py"])
    assert all(found[name] == name for name in names)


def test_hostile_names_in_a_tree_are_rejected_and_the_rest_is_read(project: Path, cache: Path):
    blob = git(project, "hash-object", "-w", "--stdin", stdin=b"x")
    inner = write_tree(project, [("100644", b"..", blob), ("100644", b"ok.py", blob)])
    hostile = [b"..", b"..\\up.py", b"/abs.py", b"C:evil.py", b"a/b.py"]
    entries = [("100644", name, blob) for name in hostile]
    entries += [("100644", b"dup.py", blob), ("100644", b"dup.py", blob), ("40000", b"in", inner)]
    use_tree(project, write_tree(project, entries))
    items = read(pin(project), cache)
    assert set(contents(items)) == {b"dup.py", b"in/ok.py"}
    assert {path for path, reason in rejections(items) if reason == "unsafe_path"} == {
        *(name.decode() for name in hostile),
        "in/..",
    }
    assert ("dup.py", "duplicate_path") in rejections(items)


def test_a_tree_of_shared_subtrees_that_stands_for_billions_of_files_is_stopped(project: Path, cache: Path):
    oid, mode = git(project, "hash-object", "-w", "--stdin", stdin=b"x"), "100644"
    for _ in range(10):
        oid, mode = write_tree(project, [(mode, b"%02d" % n, oid) for n in range(10)]), "40000"
    use_tree(project, oid)
    assert reason_of(read, pin(project), cache) == "tree_bomb"


def test_large_files_are_hashed_but_not_kept_and_huge_ones_not_even_loaded(project: Path, cache: Path):
    data = b"0123456789abcdef" * 8
    commit(project, {"big.txt": data})
    small = replace(LIMITS, max_content_bytes=100)
    big = next(item for item in read(pin(project), cache, small) if item.path == b"big.txt")
    assert (big.content, big.size, big.sha256) == (None, 128, hashlib.sha256(data).hexdigest())
    # A loose object's header alone says how large it is; this one says 65 MiB and has nothing behind it.
    blob = hashlib.sha1(b"huge").hexdigest()
    loose(project, blob).parent.mkdir(exist_ok=True)
    loose(project, blob).write_bytes(zlib.compress(b"blob %d\0" % (65 << 20)))
    use_tree(project, write_tree(project, [("100644", b"huge.bin", blob)]))
    assert rejections(read(pin(project), cache)) == [("huge.bin", "too_large_to_read")]


def test_lfs_pointers_are_ordinary_files(project: Path, cache: Path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"
    commit(project, {".gitattributes": "*.bin filter=lfs\n", "model.txt": pointer})
    assert contents(read(pin(project), cache))[b"model.txt"] == pointer.encode()


def test_packed_objects_and_alternates_are_read(project: Path, tmp_path: Path, cache: Path):
    before = contents(read(pin(project), cache))
    git(project, "repack", "-q", "-a", "-d")
    git(tmp_path, "clone", "-q", "--shared", str(project), "sharing")
    assert contents(read(pin(project), cache)) == contents(read(pin(tmp_path / "sharing"), cache)) == before


def test_what_is_no_usable_repository_says_why(tmp_path: Path, project: Path, cache: Path):
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    assert reason_of(pin, empty) == "empty_repository"
    hollow = tmp_path / "hollow"
    (hollow / ".git").mkdir(parents=True)
    assert reason_of(pin, hollow) == "not_a_repository"
    new = tmp_path / "new"
    new.mkdir()
    git(new, "init", "-q", "--object-format=sha256")
    assert reason_of(pin, new) == "unsupported_source"
    git(project, "symbolic-ref", "HEAD", "refs/heads/unborn")
    assert reason_of(pin, project) == "unknown_revision"
    assert pin(f"{project}#main").repository == "project"


def test_a_broken_reference_a_lost_commit_and_a_lost_root_tree_are_errors_of_the_source(project: Path, cache: Path):
    source = pin(project)
    loose(project, git(project, "rev-parse", "HEAD^{tree}")).unlink()
    assert reason_of(read, source, cache) == "corrupt_repository"
    loose(project, source.revision).unlink()
    assert reason_of(read, source, cache) == "unknown_revision"
    assert reason_of(pin, project) == "corrupt_repository"
    (project / ".git" / "refs" / "heads" / "main").write_text("garbage\n")
    assert reason_of(pin, project) == "corrupt_repository"


def test_a_truncated_pack_never_crashes(project: Path, cache: Path):
    commit(project, {f"f{n}.py": f"{n}\n" * 50 for n in range(20)})
    git(project, "repack", "-q", "-a", "-d")
    source = pin(project)
    pack = next((project / ".git" / "objects" / "pack").glob("*.pack"))
    pack.chmod(0o644)
    data = pack.read_bytes()
    pack.write_bytes(data[: len(data) // 2] + struct.pack("<I", 0) * 4)
    with contextlib.suppress(SourceError):
        assert rejections(read(source, cache))


def test_hooks_and_configured_filters_do_not_run(project: Path, tmp_path: Path, cache: Path):
    marker = tmp_path / "ran"
    for hook in ("post-checkout", "reference-transaction", "fsmonitor"):
        script = project / ".git" / "hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {marker}\n")
        script.chmod(0o755)
    commit(project, {".gitattributes": "*.py filter=evil\n"})
    git(project, "config", "filter.evil.smudge", f"touch {marker}; cat")
    git(project, "config", "core.fsmonitor", str(project / ".git/hooks/fsmonitor"))
    marker.unlink(missing_ok=True)
    assert contents(read(pin(project), cache))[b"src/app.py"] == b"print(1)\n"
    assert not marker.exists()


def test_a_clone_or_fetch_beyond_the_limit_is_ended_and_leaves_nothing(project: Path, tmp_path: Path, cache: Path):
    small = replace(LIMITS, max_archive_bytes=100_000)
    with serving(git_handler(tmp_path)) as url:
        before = pin(f"{url}/project")
        read(before, cache, small)
        commit(project, {"big.bin": random.Random(1).randbytes(400_000)})
        after = pin(f"{url}/project")
        assert reason_of(read, after, cache, small) == "too_large"
        assert read(before, cache, small)
        assert reason_of(read, after, cache.with_name("other"), small) == "too_large"
    assert [path.suffix for path in cache.with_name("other").iterdir()] == [".busy"]


def test_what_a_killed_clone_or_fetch_left_in_the_cache_is_cleared(project: Path, tmp_path: Path, cache: Path):
    with serving(git_handler(tmp_path)) as url:
        source = pin(f"{url}/project")
        read(source, cache)
        clone = next(path for path in cache.iterdir() if path.is_dir())
        (clone / "refs" / "heads" / "main.lock").touch()
        partial, foreign = cache / f"{clone.name}.x.partial", cache / "other.x.partial"
        partial.mkdir()
        foreign.mkdir()
        assert len(contents(read(source, cache))) == 2
    assert not list(clone.rglob("*.lock"))
    assert (partial.exists(), foreign.exists()) == (False, True)
