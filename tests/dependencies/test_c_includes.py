"""Includes of C, C++ and CUDA as a compiler would find them, from the tree of files alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.dependencies.c_family import CResolver

RESOLVER = CResolver()


def edges(files: dict[str, str], language: str = "C") -> set[tuple[str, str]]:
    facts = {path: RESOLVER.facts(path, language, text.encode()) for path, text in files.items()}
    found = [(edge.user, edge.dependency) for edge in RESOLVER.edges(facts, {}, frozenset(files))]
    assert len(found) == len(set(found))
    return set(found)


def names(source: str | bytes, language: str = "C") -> list[tuple[str, str]]:
    text = source.encode() if isinstance(source, str) else source
    return [(found.name, found.form) for found in RESOLVER.facts("a.c", language, text).imports]


def test_includes_are_read_in_their_order_and_once():
    assert names('#include <b.h>\n # include "a.h"  // x\n#include "a.h"\n#import <c/d.h> /* y */\n') == [
        ("b.h", "angled"),
        ("a.h", "quoted"),
        ("c/d.h", "angled"),
    ]


def test_includes_in_comments_and_strings_do_not_count():
    assert names('/*\n#include "a.h"\n*/\n// #include "b.h"\nchar *x = "\\\n#include <c.h>";\n') == []


def test_includes_of_every_branch_count():
    assert names('#ifdef _WIN32\n#include "win.h"\n#else\n#include "unix.h"\n#endif\n') == [
        ("win.h", "quoted"),
        ("unix.h", "quoted"),
    ]


@pytest.mark.parametrize("language", ["C", "C++", "CUDA"])
@pytest.mark.parametrize(
    "around",
    [
        "int a[] = {{\n{}\n}};\n",
        "int a[] = {{ 1,\n{}\n2 }};\n",
        "enum e {{\n{}\n}};\n",
        "struct s {{\n{}\nint x;\n}};\n",
        "int f(void) {{\nswitch (x) {{\n{}\n}}\n}}\n",
    ],
)
def test_tables_are_included_wherever_they_stand(language: str, around: str):
    assert names(around.format('#include "table.inc"'), language) == [("table.inc", "quoted")]


def test_a_macro_is_followed_to_what_the_same_file_defines_it_as():
    source = '#ifndef ALLOCATOR\n#define ALLOCATOR "alloc.h"\n#endif\n#define OTHER "o.h"\n#include ALLOCATOR\n'
    assert names(source) == [("alloc.h", "quoted")]
    assert names("#include SOMETHING\n#define F(x) <x.h>\n#include F(y)\n") == []


def test_backslashes_of_windows_are_slashes():
    assert edges({"src/a.c": '#include "..\\inc\\a.h"\n', "inc/a.h": ""}) == {("src/a.c", "inc/a.h")}


def test_the_own_folder_comes_before_all_others():
    files = {"lib/x/a.c": '#include "util.h"\n', "lib/x/util.h": "", "util.h": "", "include/util.h": ""}
    assert edges(files) == {("lib/x/a.c", "lib/x/util.h")}


def test_folders_above_are_looked_in_nearest_first_with_their_include_folders():
    files = {"p/src/deep/a.c": "#include <x.h>\n", "p/include/x.h": "", "include/x.h": "", "p/other/x.h": ""}
    assert edges(files) == {("p/src/deep/a.c", "p/include/x.h")}


def test_a_folder_above_comes_before_one_below():
    files = {"src/a.c": '#include "x.h"\n', "src/compat/x.h": "", "x.h": ""}
    assert edges(files) == {("src/a.c", "x.h")}


def test_a_vendored_library_is_found_by_the_end_of_its_path():
    files = {
        "src/a.c": "#include <lua.h>\n#include <zstd/zstd.h>\n",
        "deps/lua/src/lua.h": "",
        "deps/z/zstd/zstd.h": "",
    }
    assert edges(files) == {("src/a.c", "deps/lua/src/lua.h"), ("src/a.c", "deps/z/zstd/zstd.h")}


def test_a_name_must_match_whole_parts_of_a_path():
    assert edges({"src/a.c": '#include "b.h"\n', "lib/ab.h": "", "x/B.h": ""}) == set()


def test_of_equally_near_files_none_is_taken():
    files = {"kernel/a.c": "#include <asm/io.h>\n", "arch/x86/asm/io.h": "", "arch/arm/asm/io.h": ""}
    assert edges(files) == set()


def test_the_one_in_the_same_part_of_the_tree_is_nearer():
    files = {"lib/a/src/a.c": '#include "io.h"\n', "lib/a/port/x/io.h": "", "lib/b/port/x/io.h": ""}
    assert edges(files) == {("lib/a/src/a.c", "lib/a/port/x/io.h")}


def test_a_standard_header_is_the_systems():
    files = {"src/a.c": '#include <string.h>\n#include <sys/time.h>\n#include "stdint.h"\n'}
    files |= {"src/string.h": "", "compat/stdint.h": "", "compat/sys/time.h": ""}
    assert edges(files) == set()


def test_a_quoted_standard_header_beside_the_file_is_meant():
    assert edges({"src/a.c": '#include "string.h"\n', "src/string.h": ""}) == {("src/a.c", "src/string.h")}


def test_a_c_library_includes_its_own_standard_headers():
    headers = {f"include/{name}.h": "" for name in ("stdio", "stdlib", "string", "math")}
    assert edges({"src/sin.c": "#include <math.h>\n", **headers}) == {("src/sin.c", "include/math.h")}


def test_a_header_that_wraps_one_of_its_name_means_the_next():
    files = {"lib/zlib.h": "#include <zlib.h>\n", "deps/zlib/zlib.h": ""}
    assert edges(files) == {("lib/zlib.h", "deps/zlib/zlib.h")}
    assert edges({"lib/zlib.h": "#include <zlib.h>\n"}) == set()


def test_a_file_does_not_depend_on_itself():
    assert edges({"a.h": '#include "a.h"\n', "b/a.h": ""}) == set()


def test_paths_up_are_found_below_another_include_folder():
    files = {"test/a.cc": '#include "../src/x.h"\n', "lib/src/x.h": ""}
    assert edges(files, "C++") == {("test/a.cc", "lib/src/x.h")}
    assert edges({"a.c": '#include "../../../../etc/x.h"\n', "etc/x.h": ""}) == {("a.c", "etc/x.h")}


def test_included_files_may_be_of_any_language():
    assert edges({"a.c": '#include "ops.def"\n#include "b.c"\n', "ops.def": "", "b.c": ""}) == {
        ("a.c", "ops.def"),
        ("a.c", "b.c"),
    }


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\xff\xfe#\x00i\x00n\x00c\x00l\x00u\x00d\x00e\x00",
        b'#include "\xff.h"\n#include "\x00"\n#include ""\n#include <>\n#include "open\n#include <open\n#include\n',
        b"#if 1\n" * 500,
        b"(" * 2000 + b'\n#include "a.h"\n',
        b"{" * 2000,
    ],
)
def test_broken_files_never_raise(source: bytes):
    facts = {"d/a.c": RESOLVER.facts("d/a.c", "C", source)}
    list(RESOLVER.edges(facts, {}, frozenset({"d/a.c", "a.h"})))


def test_a_byte_order_mark_does_not_hide_the_first_include():
    assert names(b'\xef\xbb\xbf#include "a.h"\r\n#include <b.h>\r\n') == [("a.h", "quoted"), ("b.h", "angled")]


PARTS = st.sampled_from(["a", "b", "include", "src", "x.h", ".."])


@settings(max_examples=40)
@given(
    st.lists(st.lists(PARTS.filter(lambda part: part != ".."), min_size=1, max_size=4).map("/".join), max_size=8),
    st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=4),
)
def test_edges_lead_to_files_that_end_as_written_whatever_the_tree(paths: list[str], written: list[str]):
    text = "".join(f'#include "{path}"\n' for path in written)
    files = dict.fromkeys(paths, text)
    for user, dependency in edges(files):
        assert dependency in files
        assert dependency != user
        assert any(dependency.endswith(path.rpartition("/")[2].lstrip(".")) for path in written)
    assert edges(files) == edges(dict(reversed(files.items())))
