"""Damage to a WARC file costs the records it touches and no other."""

from __future__ import annotations

import random

import pytest
from warc_files import COMPRESSIONS, captures, compress, http, page, pages, read, reasons, record, warc

from seed_platform.crawl.warc import Refusal


def _zero(data: bytes, at: int, size: int = 64) -> bytes:
    return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_damaged_member_costs_that_record_alone(compression: str):
    data, offsets = warc(pages(30), compression)
    items = read(_zero(data, (offsets[11] + offsets[12]) // 2))
    assert [item.html for item in captures(items)] == [page(i).decode() for i in range(30) if i != 11]
    (refusal,) = [item for item in items if isinstance(item, Refusal)]
    assert (refusal.reason, refusal.offset, refusal.length) == (
        "damaged_member",
        offsets[11],
        offsets[12] - offsets[11],
    )


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_whatever_is_damaged_in_one_member_every_other_record_comes_back_identical(compression: str):
    records = pages(30, 60)
    data, offsets = warc(records, compression)
    whole = {item.offset: item for item in captures(read(data))}
    rng = random.Random(5)
    for _ in range(150):
        victim = rng.randrange(30)
        begin, end = offsets[victim], offsets[victim + 1]
        damaged = bytearray(data)
        kind = rng.choice(["bytes", "zeros", "first", "last"])
        if kind == "zeros":
            at = rng.randrange(begin, max(begin + 1, end - 64))
            damaged[at : min(at + 64, end)] = bytes(min(64, end - at))
        else:
            places = {"bytes": range(begin, end), "first": range(begin, begin + 12), "last": range(end - 9, end)}[kind]
            for at in rng.choices(places, k=4):
                damaged[at] = rng.randrange(256)
        found = {item.offset: item for item in captures(read(bytes(damaged)))}
        for offset, item in whole.items():
            if offset != begin:
                assert found[offset].html == item.html
                assert found[offset].length == item.length or offset == offsets[victim - 1]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_file_cut_anywhere_gives_every_whole_record_and_never_a_part_of_one(compression: str):
    data, offsets = warc(pages(4, 40), compression)
    texts = [page(i, 40).decode() for i in range(4)]
    for cut in range(1, len(data), 13):
        items = read(data[:cut])
        whole = sum(end <= cut for end in offsets[1:])
        got = [item.html for item in captures(items)]
        # Plain records are whole before the line ends that follow them.
        assert got == texts[: len(got)]
        assert len(got) == whole or (compression == "plain" and cut >= offsets[whole + 1] - 4)
        if cut not in offsets and len(got) == whole:
            assert reasons(items)[-1] in {"truncated_record", "bad_header", "not_warc"}


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_bytes_missing_from_the_middle_of_a_member_cost_that_record_alone(compression: str):
    data, offsets = warc(pages(10), compression)
    at = (offsets[4] + offsets[5]) // 2
    items = read(data[:at] + data[at + 50 :])
    assert [item.html for item in captures(items)] == [page(i).decode() for i in range(10) if i != 4]
    assert reasons(items) == ["damaged_member"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_damaged_beginning_of_the_file_costs_the_first_record_alone(compression: str):
    data, _ = warc(pages(5), compression)
    items = read(_zero(data, 0, 20))
    assert [item.html for item in captures(items)] == [page(i).decode() for i in range(1, 5)]
    assert items[0].offset == 0


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_rubbish_between_records_is_refused_and_counted(compression: str):
    rubbish = random.Random(3).randbytes(5000)
    first, second = (compress(one, compression) for one in pages(2))
    items = read(first + rubbish + second)
    assert [item.html for item in captures(items)] == [page(i).decode() for i in range(2)]
    (refusal,) = [item for item in items if isinstance(item, Refusal)]
    assert (refusal.offset, refusal.length) == (len(first), len(rubbish))


def test_a_damaged_file_of_one_single_member_gives_the_records_before_the_damage():
    data, _ = warc([b"".join(pages(200))])
    items = read(_zero(data, len(data) // 2))
    texts = [item.html for item in captures(items)]
    assert 80 < len(texts) < 101
    assert texts == [page(i).decode() for i in range(len(texts))]
    assert reasons(items) == ["damaged_member"]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_crawled_warc_file_inside_a_record_is_not_taken_for_records(compression: str):
    inner, _ = warc(pages(5), "gzip")
    stored = record(http(inner, content_type="application/gzip"))
    items = read(warc([stored, *pages(2)], compression)[0])
    assert len(captures(items)) == 2
    assert reasons(items) == ["not_html"]


def test_two_neighbouring_damaged_members_are_refused_and_the_rest_comes_back():
    data, offsets = warc(pages(12))
    for victim in (5, 6):
        data = _zero(data, (offsets[victim] + offsets[victim + 1]) // 2)
    items = read(data)
    assert [item.html for item in captures(items)] == [page(i).decode() for i in range(12) if i not in {5, 6}]
    assert set(reasons(items)) == {"damaged_member"}
