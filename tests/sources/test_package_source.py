from __future__ import annotations

import base64
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from sources_support import LIMITS, contents, files_handler, pin, read, serving

from seed_platform.sources.base import SourceError


def sdist(name: str, version: str, files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A package index: `demo-pkg` 1.0 and 1.1 as sources, `wheels-only` 2.0 as a wheel, `wrong` 1 with a wrong hash."""
    root = tmp_path / "index"
    marker = tmp_path / "executed"
    code = f"open({str(marker)!r}, 'w').write('ran')\n"
    files = {
        "setup.py": code,
        "src/demo/app.py": "print(1)\n",
        "pyproject.toml": "[build-system]\nrequires = ['nosuch']\n",
    }
    data = {
        "demo-pkg": {
            "demo_pkg-1.0.tar.gz": sdist("demo_pkg", "1.0", files),
            "demo_pkg-1.1.tar.gz": sdist("demo_pkg", "1.1", files),
            "demo_pkg-1.0-py3-none-any.whl": b"not a wheel",
        },
        "wheels-only": {"wheels_only-2.0-py3-none-any.whl": b"not a wheel"},
        "wrong": {"wrong-1.tar.gz": sdist("wrong", "1", files)},
    }
    for project, releases in data.items():
        page = root / "simple" / project
        page.mkdir(parents=True)
        links = []
        for filename, body in releases.items():
            (root / "files").mkdir(exist_ok=True)
            (root / "files" / filename).write_bytes(body)
            sha256 = hashlib.sha256(body if project != "wrong" else b"other").hexdigest()
            links.append(f'<a href="../../files/{filename}#sha256={sha256}">{filename}</a>')
        (page / "index.html").write_text("<!DOCTYPE html><html><body>" + "".join(links) + "</body></html>")
    return root


def error_of(spec: str, cache: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(pin(spec), cache)
    assert "\n" not in caught.value.detail
    assert "127.0.0.1" not in caught.value.detail
    assert not list(cache.iterdir())
    return caught.value


def test_a_release_is_read_from_its_source_distribution_without_running_it(
    index: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    with serving(files_handler(index)) as base:
        monkeypatch.setenv("PIP_INDEX_URL", f"{base}/simple")
        source = pin("pypi:Demo.Pkg==1.0")
        assert (source.kind, source.repository, source.origin) == ("package", "demo-pkg", "pypi/demo-pkg")
        assert (source.revision, source.doc_id) == ("1.0", pin("pypi:demo_pkg==1.0").doc_id)
        first = contents(read(source, cache))
    assert set(first) == {b"setup.py", b"src/demo/app.py", b"pyproject.toml"}
    assert not (tmp_path / "executed").exists()
    assert contents(read(source, cache)) == first, "the index is gone; the download is kept"


def test_a_damaged_download_is_fetched_again(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    with serving(files_handler(index)) as base:
        monkeypatch.setenv("PIP_INDEX_URL", f"{base}/simple")
        before = contents(read(pin("pypi:demo-pkg==1.0"), cache))
        next(cache.glob("*/*.tar.gz")).write_bytes(b"damaged")
        assert contents(read(pin("pypi:demo-pkg==1.0"), cache)) == before


def test_find_links_and_extra_indexes_of_the_configuration_count(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index / "files"))
    assert contents(read(pin("pypi:demo-pkg==1.1"), cache))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    config = tmp_path / "pip.conf"
    with serving(files_handler(index)) as base, serving(files_handler(tmp_path / "nothing")) as empty:
        config.write_text(f"[global]\nindex-url = {empty}/simple\nextra-index-url = {base}/simple\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
        assert contents(read(pin("pypi:demo-pkg==1.0"), cache))


def test_what_cannot_be_had_says_why(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    with serving(files_handler(index)) as base:
        monkeypatch.setenv("PIP_INDEX_URL", f"{base}/simple")
        assert error_of("pypi:nosuch==1", cache).reason == "package_not_found"
        assert error_of("pypi:demo-pkg==9", cache).reason == "package_not_found"
        assert error_of("pypi:wheels-only==2.0", cache).reason == "no_source_distribution"
        assert error_of("pypi:wrong==1", cache).reason == "hash_mismatch"
        (index / "files" / "demo_pkg-1.0.tar.gz").unlink()
        assert error_of("pypi:demo-pkg==1.0", cache).reason == "unreachable"
    monkeypatch.setenv("PIP_INDEX_URL", f"{base.replace('://', '://user:s3cret@')}/simple")
    error = error_of("pypi:demo-pkg==1.0", cache)
    assert error.reason == "unreachable"
    assert "s3cret" not in error.detail


def test_an_index_that_wants_a_password_gets_the_one_of_the_configuration(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    with serving(files_handler(index, "Basic " + base64.b64encode(b"user:s3cret").decode())) as base:
        monkeypatch.setenv("PIP_INDEX_URL", f"{base}/simple")
        error = error_of("pypi:demo-pkg==1.0", cache)
        assert error.reason == "unreachable"
        monkeypatch.setenv("PIP_INDEX_URL", f"{base.replace('://', '://user:s3cret@')}/simple")
        assert contents(read(pin("pypi:demo-pkg==1.0"), cache))


@pytest.mark.parametrize("spec", ["pypi:flask", "pypi:flask>=1", "pypi:flask==1.*", "pypi:flask==", "pypi:flask==1,<2"])
def test_an_exact_version_is_required(spec: str):
    with pytest.raises(SourceError) as caught:
        pin(spec)
    assert caught.value.reason in {"version_required", "unsupported_source"}
    assert "==version" in caught.value.detail


def test_the_platform_itself_never_imports_pip():
    code = "import sys, seed_platform.sources.kinds; sys.exit('pip' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_download_larger_than_an_archive_may_unpack_to_is_refused(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index / "files"))
    with pytest.raises(SourceError) as caught:
        read(pin("pypi:demo-pkg==1.1"), cache, replace(LIMITS, max_archive_bytes=10))
    assert caught.value.reason == "archive_bomb"
