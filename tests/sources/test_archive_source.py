from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import random
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources_support import LIMITS, contents, pin, read, rejections

from seed_platform.sources.archive import read_archive
from seed_platform.sources.base import Limits, SourceError

FILES = {"top/a.py": b"print('a')\n" * 3, "top/sub/b.py": b"b\n", "top/empty": b""}


def tar_bytes(files: dict[str, bytes], **members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in members.values():
            archive.addfile(member)
    return buffer.getvalue()


def zip_bytes(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def items_of(data: bytes, limits: Limits = LIMITS, top_folder: str | None = None):
    return list(read_archive(io.BytesIO(data), limits, top_folder))


def reason_of(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(SourceError) as caught:
        items_of(data, limits)
    assert "\n" not in caught.value.detail
    return caught.value.reason


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".tar", bytes),
        (".tar.gz", gzip.compress),
        (".tgz", gzip.compress),
        (".tar.bz2", bz2.compress),
        (".tar.xz", lzma.compress),
        (".tar.zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ],
)
def test_every_compression_of_tar_gives_the_same_files(
    suffix: str, pack: Callable[..., bytes], tmp_path: Path, cache: Path
):
    path = tmp_path / f"demo-1.0{suffix}"
    path.write_bytes(pack(tar_bytes(FILES)))
    source = pin(path)
    assert (source.kind, source.repository, source.origin) == ("archive", "demo-1.0", f"local/demo-1.0{suffix}")
    assert contents(read(source, cache)) == {name.encode(): data for name, data in FILES.items()}


@pytest.mark.parametrize("suffix", [".zip", ".whl", ".jar"])
def test_zips_of_every_name_are_read(suffix: str, tmp_path: Path, cache: Path):
    path = tmp_path / f"demo{suffix}"
    path.write_bytes(zip_bytes(FILES | {"top/": b""}))
    assert contents(read(pin(path), cache)) == {name.encode(): data for name, data in FILES.items()}


def test_the_content_decides_the_format_and_not_the_name(tmp_path: Path, cache: Path):
    path = tmp_path / "really-a-zip.tar.gz"
    path.write_bytes(zip_bytes(FILES))
    assert len(contents(read(pin(path), cache))) == len(FILES)


def test_an_archive_that_changed_since_it_was_added_is_an_error(tmp_path: Path, cache: Path):
    path = tmp_path / "x.tar"
    path.write_bytes(tar_bytes(FILES))
    source = pin(path)
    path.write_bytes(tar_bytes(FILES | {"more": b""}))
    with pytest.raises(SourceError) as caught:
        read(source, cache)
    assert caught.value.reason == "changed_since_added"


UNSAFE = ["/etc/passwd", "../up.py", "a/../../up.py", "C:/x.py", "..\\up.py", "\\abs.py"]


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_unsafe_names_are_rejected_and_the_rest_is_read(pack: Callable[..., bytes]):
    items = items_of(pack(dict.fromkeys(UNSAFE, b"x") | {"ok.py": b"ok", "./dot.py": b"dot"}))
    assert contents(items) == {b"ok.py": b"ok", b"dot.py": b"dot"}
    assert [reason for _, reason in rejections(items)] == ["unsafe_path"] * len(UNSAFE)


def test_a_nul_in_a_zip_name_is_unsafe():
    data = zip_bytes({"good_evil.py": b"x"}).replace(b"good_evil.py", b"good\0evil.py")
    assert [reason for _, reason in rejections(items_of(data))] == ["unsafe_path"]


def test_links_and_special_files_of_a_tar_are_rejections():
    data = tar_bytes(
        {"real": b"x"},
        a=special("sym", tarfile.SYMTYPE, "/etc/passwd"),
        b=special("hard", tarfile.LNKTYPE, "real"),
        c=special("pipe", tarfile.FIFOTYPE),
        d=special("dev", tarfile.CHRTYPE),
        e=special("folder", tarfile.DIRTYPE),
        f=special("odd", b"Z"),
    )
    assert rejections(items_of(data)) == [
        ("sym", "symlink"),
        ("hard", "hardlink"),
        ("pipe", "special_file"),
        ("dev", "special_file"),
        ("odd", "special_file"),
    ]


def test_links_encryption_and_other_compressions_of_a_zip_are_rejections():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        fifo = zipfile.ZipInfo("pipe")
        fifo.external_attr = 0o010644 << 16
        archive.writestr(fifo, "")
        archive.writestr("squeezed", b"x" * 100, zipfile.ZIP_BZIP2)
        archive.writestr("locked", b"x")
        archive.writestr("plain", b"p")
    data = bytearray(buffer.getvalue())
    entry = data.rindex(b"locked") - 46
    data[entry + 8] |= 1
    items = items_of(bytes(data))
    assert contents(items) == {b"plain": b"p"}
    assert rejections(items) == [
        ("link", "symlink"),
        ("pipe", "special_file"),
        ("squeezed", "unsupported_compression"),
        ("locked", "encrypted"),
    ]


def test_the_first_of_two_members_with_one_name_wins():
    first, second = tar_bytes({"a": b"1"}), tar_bytes({"./a": b"2", "b": b"3"})
    items = items_of(first[:1024] + second)
    assert contents(items) == {b"a": b"1", b"b": b"3"}
    assert rejections(items) == [("a", "duplicate_path")]
    items = items_of(zip_bytes({"a": b"1", "x": b"2"}).replace(b"x", b"a"))
    assert (contents(items), rejections(items)) == ({b"a": b"1"}, [("a", "duplicate_path")])


def test_names_that_are_not_text_stay_the_bytes_they_are():
    name = b"caf\xe9\xff.py"
    member = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(member)
    assert list(contents(items_of(buffer.getvalue()))) == [name]
    raw_utf8 = zip_bytes({"cafXX.py": b""}).replace(b"cafXX.py", "café.py".encode())
    assert list(contents(items_of(raw_utf8))) == ["café.py".encode()]


def test_a_damaged_zip_member_costs_only_itself():
    data = zip_bytes({"a": b"aaaa", "b": b"bbbb", "c": b"cccc"}, zipfile.ZIP_STORED).replace(b"bbbb", b"bxbb", 1)
    items = items_of(data)
    assert contents(items) == {b"a": b"aaaa", b"c": b"cccc"}
    assert rejections(items) == [("b", "corrupt_member")]


def test_a_truncated_tar_keeps_what_was_read_before():
    noise = random.Random(1).randbytes(50_000)
    whole = tar_bytes({"a": b"a", "b": noise, "c": b"c"})
    packed = [pack(whole)[:20_000] for pack in (bytes, gzip.compress, lzma.compress)]
    for data in (*packed, whole[: 1024 + 300], whole[:1024]):
        items = items_of(data)
        assert contents(items) == {b"a": b"a"}
        assert rejections(items) == [("", "corrupt_archive")]


def test_a_damaged_tar_header_is_not_taken_for_the_end():
    data = bytearray(tar_bytes({"a": b"a", "b": b"b", "c": b"c"}))
    data[1024 + 10] ^= 0xFF
    items = items_of(bytes(data))
    assert (contents(items), rejections(items)) == ({b"a": b"a"}, [("", "corrupt_archive")])


def test_a_wrong_checksum_at_the_end_of_a_compressed_tar_is_noticed():
    data = bytearray(gzip.compress(tar_bytes(FILES)))
    data[-6] ^= 0xFF
    items = items_of(bytes(data))
    assert len(contents(items)) == len(FILES)
    assert rejections(items) == [("", "corrupt_archive")]


@pytest.mark.parametrize(
    "data", [b"", b"no archive", b"\0" * 100, b"\x1f\x8b broken", b"PK\x03\x04 broken", b"BZh9 broken", b"x" * 5000]
)
def test_what_is_no_archive_is_an_error(data: bytes):
    assert reason_of(data) == "corrupt_archive"


def test_archives_without_files_are_empty():
    assert items_of(tar_bytes({})) == items_of(zip_bytes({})) == []


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda d: pa.compress(d, "zstd", asbytes=True)]
)
def test_a_bomb_of_one_tar_member_is_stopped_while_it_is_read(pack: Callable[..., bytes]):
    data = pack(tar_bytes({"zeros": bytes(40 << 20)}))
    small = replace(LIMITS, max_content_bytes=1 << 16)
    tracemalloc.start()
    try:
        assert reason_of(data, small) == "archive_bomb"
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_of_one_zip_member_is_stopped_even_if_it_declares_a_small_size():
    honest = zip_bytes({"zeros": bytes(40 << 20)})
    assert reason_of(honest) == "archive_bomb"
    liar = honest.replace(struct.pack("<I", 40 << 20), struct.pack("<I", 10))
    items = items_of(liar)
    assert rejections(items) == [("zeros", "corrupt_member")]


def test_overlapping_zip_members_are_counted_each_time():
    body = random.Random(1).randbytes(200_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", body)
        first = archive.infolist()[0]
        for n in range(500):
            twin = zipfile.ZipInfo("a")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(twin, field, getattr(first, field))
            twin.orig_filename = twin.filename = "a" if n == 0 else f"a{n}"
            archive.filelist.append(twin)
    items = items_of(buffer.getvalue())
    # The names differ from the one header they share, which the standard library notices, or they are duplicates.
    assert set(contents(items)) == {b"a"}
    assert {reason for _, reason in rejections(items)} == {"corrupt_member", "duplicate_path"}


def test_too_many_bytes_or_entries_are_a_bomb_and_a_small_repetitive_archive_is_not():
    assert reason_of(tar_bytes({"a": bytes(70 << 20)})) == "archive_bomb"
    many = {str(n): b"" for n in range(30)}
    for pack in (tar_bytes, zip_bytes):
        assert reason_of(pack(many), replace(LIMITS, max_archive_entries=29)) == "archive_bomb"
        assert len(items_of(pack(many), replace(LIMITS, max_archive_entries=30))) == 30
    assert len(items_of(gzip.compress(tar_bytes({"a": bytes(5_000_000)})))) == 1


def test_a_header_extension_is_bounded():
    member = tarfile.TarInfo("a")
    member.pax_headers = {"comment": "x" * 1_000_000}
    assert reason_of(tar_bytes({}, a=member)) == "archive_bomb"


def test_a_member_that_declares_an_absurd_size_neither_hangs_nor_crashes():
    for size in (1 << 60, -1, -(1 << 40)):
        for kind in (tarfile.REGTYPE, tarfile.SYMTYPE, b"Z"):
            member = special("huge", kind)
            member.size = size
            data = tar_bytes({"a": b"a"})[:1024] + member.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
            assert contents(items_of(data))[b"a"] == b"a"
            if kind != tarfile.SYMTYPE:
                assert ("", "corrupt_archive") in rejections(items_of(data))


def test_large_files_are_hashed_but_not_kept():
    for pack in (tar_bytes, zip_bytes):
        (item,) = items_of(pack({"a": b"x" * 101}), replace(LIMITS, max_content_bytes=100))
        assert (item.content, item.size) == (None, 101)


def test_the_folder_of_a_source_distribution_is_dropped_once():
    files = {"Flask_Demo-3.0/setup.py": b"s", "Flask_Demo-3.0/flask-demo-3.0/x.py": b"x", "flask-demo-9/y.py": b"y"}
    assert set(contents(items_of(tar_bytes(files), top_folder="flask-demo"))) == {
        b"setup.py",
        b"flask-demo-3.0/x.py",
        b"flask-demo-9/y.py",
    }
    assert set(contents(items_of(tar_bytes({"src/x.py": b""}), top_folder="flask-demo"))) == {b"src/x.py"}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_to_an_archive_does_more_than_a_rejection_or_an_error(data: st.DataObject):
    packs = [tar_bytes(FILES), gzip.compress(tar_bytes(FILES)), lzma.compress(tar_bytes(FILES)), zip_bytes(FILES)]
    whole = bytearray(data.draw(st.sampled_from(packs)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(SourceError):
        items_of(bytes(whole[:end]))


def test_nothing_is_written_while_an_archive_is_read(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.tar"
    path.write_bytes(tar_bytes({"../evil": b"x", "ok": b"x"}))
    monkeypatch.chdir(tmp_path)
    read(pin(path), cache)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.tar"]


def with_dictionary(packed: bytes, code: int) -> bytes:
    """An .xz stream whose first block declares the dictionary of size `code` (36 is 1 GiB)."""
    end = 12 + (packed[12] + 1) * 4
    header = bytearray(packed[12 : end - 4])
    assert header[2:4] == b"\x21\x01"
    header[4] = code
    return packed[:12] + bytes(header) + struct.pack("<I", zlib.crc32(header)) + packed[end:]


def test_an_xz_stream_that_declares_a_huge_dictionary_is_a_bomb():
    packed = lzma.compress(tar_bytes(FILES))
    assert contents(items_of(with_dictionary(packed, 28))) == {name.encode(): data for name, data in FILES.items()}
    assert reason_of(with_dictionary(packed, 36)) == "archive_bomb"


def test_a_zstd_frame_that_declares_a_huge_window_is_a_bomb():
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([(30 - 10) << 3]) + (1 | 100 << 3).to_bytes(3, "little") + b"a" * 100
    assert reason_of(frame) == "archive_bomb"


def test_the_streams_of_an_xz_file_are_one_and_a_cut_one_keeps_what_was_read():
    data = tar_bytes({"a.py": b"a\n", "b.bin": random.Random(1).randbytes(300_000)})
    packed = lzma.compress(data[:1000]) + b"\0" * 8 + lzma.compress(data[1000:]) + b"\0" * 4
    assert set(contents(items_of(packed))) == {b"a.py", b"b.bin"}
    cut = items_of(packed[:-100_000])
    assert (set(contents(cut)), rejections(cut)[-1]) == ({b"a.py"}, ("", "corrupt_archive"))


@pytest.mark.parametrize("declared", [0, 20, 60_000])
def test_a_zip_directory_is_judged_before_it_is_loaded(declared: int, monkeypatch: pytest.MonkeyPatch):
    data = bytearray(zip_bytes({f"{n}.py": b"" for n in range(20)}))
    data[-14:-10] = struct.pack("<HH", declared, declared)
    assert (
        len(items_of(bytes(data), LIMITS if declared < 10_000 else replace(LIMITS, max_archive_entries=60_000))) == 20
    )
    monkeypatch.setattr(zipfile, "ZipInfo", None)
    assert reason_of(bytes(data), replace(LIMITS, max_archive_entries=10)) == "archive_bomb"


def test_a_zip64_directory_and_one_that_declares_an_absurd_size_are_judged_as_well(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 5)
        data = bytearray(zip_bytes({f"{n}.py": b"" for n in range(20)}))
    assert data[-98:-94] == b"PK\x06\x06"
    assert len(items_of(bytes(data))) == 20
    assert reason_of(bytes(data), replace(LIMITS, max_archive_entries=19)) == "archive_bomb"
    data[-98 + 24 : -98 + 48] = struct.pack("<QQQ", 1, 1, 1 << 40)
    assert reason_of(bytes(data)) == "archive_bomb"
