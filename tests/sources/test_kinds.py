from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources_support import git, pin

from seed_platform.sources.base import SourceError
from seed_platform.sources.kinds import kind_of, source_of
from seed_platform.sources.licenses import license_files
from seed_platform.sources.locations import network_name, network_origin, split_revision, without_credentials
from seed_platform.sources.paths import normalized, unsafe_path


@pytest.mark.parametrize(
    "spec",
    [
        "https://host/a/b",
        "http://host/a/b.git#v1",
        "ssh://git@host/a/b",
        "git://host/a",
        "file:///a/b",
        "git@host:a/b.git",
        "HTTPS://host/a",
    ],
)
def test_urls_of_every_transport_are_git(spec: str):
    assert kind_of(spec) == "git"


def test_paths_are_told_apart_by_what_is_there(tmp_path: Path, project: Path):
    git(tmp_path, "clone", "-q", "--bare", str(project), "bare.git")
    (tmp_path / "x.TAR.GZ").write_bytes(b"")
    (tmp_path / "x.py").write_text("")
    kinds = {
        name: kind_of(str(tmp_path / name)) for name in ("project", "bare.git", "project/src", "x.TAR.GZ", "project#v1")
    }
    assert kinds == {
        "project": "git",
        "bare.git": "git",
        "project/src": "folder",
        "x.TAR.GZ": "archive",
        "project#v1": "git",
    }
    assert kind_of("pypi:flask==3.0") == "package"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("/nowhere/at/all", "missing_path"),
        ("", "missing_path"),
        ("#v1", "missing_path"),
        ("ftp://host/x", "unsupported_source"),
        ("ext::sh -c evil", "missing_path"),
        ("ext://sh", "unsupported_source"),
        ("https://", "unsupported_source"),
        ("https://host:port/x", "unsupported_source"),
        ("https://host/x?token=1", "unsupported_source"),
        ("file://other/x", "unsupported_source"),
        ("https://host/x#", "unknown_revision"),
        ("https://host/x#a b", "unknown_revision"),
        ("https://host/x#--upload-pack=evil", "unknown_revision"),
        ("bad\0path", "missing_path"),
        ("x" * 5000, "missing_path"),
        ("nowhere\nat all", "missing_path"),
    ],
)
def test_specs_that_name_nothing_usable_say_why(spec: str, reason: str):
    with pytest.raises(SourceError) as caught:
        pin(spec)
    assert caught.value.reason == reason
    assert "\n" not in caught.value.detail


def test_files_that_are_no_archives_and_revisions_of_folders_are_refused(tmp_path: Path):
    (tmp_path / "x.py").write_text("")
    for spec in (tmp_path / "x.py", f"{tmp_path}#v1", "/dev/null"):
        with pytest.raises(SourceError) as caught:
            kind_of(str(spec))
        assert caught.value.reason == "unsupported_source"
    with pytest.raises(SourceError):
        source_of("nosuch")


def test_a_path_with_a_hash_in_its_name_needs_no_escape(tmp_path: Path):
    (tmp_path / "c#").mkdir()
    assert split_revision(str(tmp_path / "c#")) == (str(tmp_path / "c#"), None)
    assert split_revision(f"{tmp_path}/c##v1") == (f"{tmp_path}/c#", "v1")
    assert split_revision("git@host:a/b.git#v@1") == ("git@host:a/b.git", "v@1")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/pallets/markupsafe",
        "https://user:token@GitHub.com/pallets/markupsafe.git/",
        "http://github.com:80//pallets/markupsafe/",
        "https://github.com:443/pallets/markupsafe.git",
        "git@github.com:pallets/markupsafe.git",
        "git@github.com:/pallets/markupsafe",
        "ssh://git@github.com:22/pallets/markupsafe.git",
        "git://github.com/pallets/markupsafe",
    ],
)
def test_every_way_to_write_a_repositorys_url_has_one_origin(url: str):
    origin = network_origin(url)
    assert origin == "github.com/pallets/markupsafe"
    assert network_name(origin) == "pallets/markupsafe"


def test_origins_keep_a_port_and_the_case_of_the_path_and_name_no_local_place():
    assert network_origin("https://host:8443/A/b") == "host:8443/A/b"
    assert [network_origin(url) for url in ("/a/b", "../b", "file:///a", "ftp://h/a", "https://h:x/a", "")] == [
        None
    ] * 6
    assert network_name("host/group/sub/project") == "sub/project"
    assert network_name("host/project") == "project"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://user:pw@host/x", "https://host/x"),
        ("https://token@host/x", "https://host/x"),
        ("https://a@b:pw@host/x#rev", "https://host/x#rev"),
        ("ssh://git:pw@host/x", "ssh://git@host/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("git@host:x", "git@host:x"),
        ("failed: 'https://u:p@h/x' and http://t@h", "failed: 'https://h/x' and http://h"),
        ("user:pw@host:x", "host:x"),
        ("https://host/a@b", "https://host/a@b"),
    ],
)
def test_credentials_are_removed_wherever_they_stand(text: str, clean: str):
    assert without_credentials(text) == clean


@given(st.binary(max_size=30))
def test_a_path_that_is_judged_safe_stays_inside_its_folder(raw: bytes):
    path = normalized(raw)
    assert normalized(path) == path
    if unsafe_path(path) is None:
        parts = path.replace(b"\\", b"/").split(b"/")
        assert parts[0]
        assert b".." not in parts
        assert b"\0" not in path


def test_license_files_are_found_at_the_root_only():
    licenses = [
        "COPYING",
        "COPYING.LESSER",
        "LICENCE.md",
        "LICENSE",
        "LICENSE-MIT",
        "NOTICE.txt",
        "UNLICENSE",
        "license.rst",
    ]
    others = [
        "src/LICENSE",
        "license.py",
        "licensing.md",
        "notices.json",
        "README.md",
        "license-checker.js",
        "LICENSEE",
    ]
    assert license_files([*others, *reversed(licenses)]) == licenses
