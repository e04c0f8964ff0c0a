"""Which files imports of Python mean, in trees as repositories have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.dependencies.base import Facts, Import
from seed_platform.dependencies.python import PythonResolver

RESOLVER = PythonResolver()


def facts(source: str | bytes, path: str = "a.py") -> Facts:
    return RESOLVER.facts(path, "Python", source if isinstance(source, bytes) else source.encode())


def edges(files: dict[str, str], *others: str) -> list[tuple[str, str]]:
    said = {path: facts(source, path) for path, source in files.items()}
    return [(edge.user, edge.dependency) for edge in RESOLVER.edges(said, {}, frozenset([*files, *others]))]


def used(files: dict[str, str], user: str, *others: str) -> list[str]:
    return [dependency for one, dependency in edges(files, *others) if one == user]


def test_imports_are_read_in_every_form_and_place() -> None:
    source = """
import a.b as c, d
from __future__ import annotations
from e import (f as g,
    h,  # why
)
from . import i
from ...j.k import *
if TYPE_CHECKING:
    from l import m
try:
    import n
except ImportError:
    n = None
def function():
    import o; from p import q
import a.b
"""
    assert facts(source).imports == (
        Import("a.b"),
        Import("d"),
        Import("e", ("f", "h")),
        Import("", ("i",), 1),
        Import("j.k", ("*",), 3),
        Import("l", ("m",)),
        Import("n"),
        Import("o"),
        Import("p", ("q",)),
    )


def test_text_and_comments_are_no_imports() -> None:
    assert facts('"""\nimport a\n"""\n# import b\nx = "import c"\n').imports == ()


def test_names_over_several_lines_are_one_name() -> None:
    assert facts("import a . \\\n  b\n").imports == (Import("a.b"),)


def test_python_2_and_broken_files_give_what_stands_there() -> None:
    assert facts("import a\nprint 'x'\nexec 'y' in z\nimport b\n").imports == (Import("a"), Import("b"))
    assert Import("a") in facts("import a\ndef f(:\n  x = (\nimport b\n").imports


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"import",
        b"from import",
        b"from . import",
        b"import a.",
        b"from a import (",
        b"import \xff\xfe",
        b"\x00import a\x00",
        b"\xef\xbb\xbfimport a",
        "import Ä.ß".encode("utf-16"),
        b"import " + b"a." * 20_000 + b"a",
        b"(" * 20_000 + b"import a",
        b"".join(b" " * depth + b"if x:\n" for depth in range(400)) + b" " * 400 + b"import a\n",
    ],
)
def test_odd_files_are_read_without_error(source: bytes) -> None:
    said = facts(source)
    assert list(RESOLVER.edges({"a.py": said, "b.py": facts("import a")}, {}, frozenset({"a.py", "b.py"})))


@given(
    st.lists(st.sampled_from(["import ", "from ", ".", "a", "b", ",", "*", "(", ")", "\n", " as ", "\\\n", "é", "\0"]))
)
def test_no_sequence_of_words_raises(words: list[str]) -> None:
    files = {"a/__init__.py": "".join(words), "a/b.py": "".join(words), "b.py": ""}
    assert all(user != dependency and dependency in files for user, dependency in edges(files))


def test_a_submodule_is_meant_rather_than_its_package() -> None:
    files = {
        "p/__init__.py": "",
        "p/m.py": "",
        "p/q/__init__.py": "x = 1",
        "p/q/n.py": "",
        "main.py": "from p import m\nfrom p.q import x, n\nimport p.q.n",
    }
    assert used(files, "main.py") == ["p/m.py", "p/q/__init__.py", "p/q/n.py"]


def test_import_of_an_attribute_by_dots_means_the_module_around_it() -> None:
    files = {"p/__init__.py": "", "p/m.py": "", "a.py": "import p.m.attribute", "b.py": "import p.m.too.deep"}
    assert edges(files) == [("a.py", "p/m.py")]


def test_relative_imports_count_from_the_own_package() -> None:
    files = {
        "p/__init__.py": "from . import m\nfrom .q import *",
        "p/m.py": "from . import constant\nfrom .q.n import x",
        "p/q/__init__.py": "from .n import y",
        "p/q/n.py": "from .. import m\nfrom ..m import z\nfrom . import n\nfrom ....outside import w",
    }
    assert edges(files) == [
        ("p/__init__.py", "p/m.py"),
        ("p/__init__.py", "p/q/__init__.py"),
        ("p/m.py", "p/__init__.py"),
        ("p/m.py", "p/q/n.py"),
        ("p/q/__init__.py", "p/q/n.py"),
        ("p/q/n.py", "p/m.py"),
    ]


def test_names_that_a_package_takes_from_elsewhere_mean_the_package() -> None:
    files = {"p/__init__.py": "from p.m import f", "p/m.py": "f = 1", "a.py": "from p import f"}
    assert used(files, "a.py") == ["p/__init__.py"]


@pytest.mark.parametrize("root", ["", "src/", "lib/", "python/", "one/two/src/"])
def test_packages_are_found_under_any_source_root(root: str) -> None:
    files = {
        f"{root}p/__init__.py": "",
        f"{root}p/m.py": "from p.n import x",
        f"{root}p/n.py": "",
        "tests/test_m.py": "from p import m",
        "tests/inner/__init__.py": "import p.n",
    }
    assert edges(files) == [
        (f"{root}p/m.py", f"{root}p/n.py"),
        ("tests/test_m.py", f"{root}p/m.py"),
        ("tests/inner/__init__.py", f"{root}p/n.py"),
    ]


def test_namespace_packages_have_no_init() -> None:
    files = {
        "one/src/space/a/__init__.py": "from space.b import m\nfrom space import b, nothing\nimport space",
        "two/src/space/b/__init__.py": "",
        "two/src/space/b/m.py": "from space.a import x",
    }
    assert edges(files) == [
        ("one/src/space/a/__init__.py", "two/src/space/b/m.py"),
        ("one/src/space/a/__init__.py", "two/src/space/b/__init__.py"),
        ("two/src/space/b/m.py", "one/src/space/a/__init__.py"),
    ]


def test_scripts_import_their_neighbours() -> None:
    files = {"tools/run.py": "import helper, types", "tools/helper.py": "", "tools/types.py": "", "other/helper.py": ""}
    assert used(files, "tools/run.py") == ["tools/helper.py", "tools/types.py"]
    assert used({**files, "p.py": "import helper"}, "p.py") == []


def test_python_3_packages_do_not_import_neighbours_by_their_bare_name() -> None:
    assert edges({"p/__init__.py": "", "p/redis.py": "", "p/cache.py": "import redis"}) == []


def test_names_of_the_standard_library_mean_it() -> None:
    files = {"p/__init__.py": "", "p/m.py": "import logging, json", "src/logging.py": "", "x/src/json/__init__.py": ""}
    assert edges(files) == []


def test_the_source_of_the_standard_library_imports_itself() -> None:
    files = {
        "Lib/json/__init__.py": "import re",
        "Lib/re.py": "",
        "Lib/test/__init__.py": "",
        "Lib/test/t.py": "import re",
    }
    assert edges(files) == [("Lib/json/__init__.py", "Lib/re.py"), ("Lib/test/t.py", "Lib/re.py")]


def test_packages_among_test_data_are_not_what_the_library_means() -> None:
    files = {
        "p/__init__.py": "import requests",
        "tests/data/requests/__init__.py": "",
        "tests/test_p.py": "import requests",
    }
    assert edges(files) == [("tests/test_p.py", "tests/data/requests/__init__.py")]


def test_of_several_packages_of_one_name_the_nearest_is_meant() -> None:
    files = {
        "v1/src/p/__init__.py": "",
        "v1/src/p/m.py": "",
        "v1/test_p.py": "from p import m",
        "v2/src/p/__init__.py": "",
        "v2/src/p/m.py": "from p import other",
        "v2/test_p.py": "from p import m",
        "v3/src/p/other.py": "",
    }
    assert edges(files) == [
        ("v1/test_p.py", "v1/src/p/m.py"),
        ("v2/src/p/m.py", "v2/src/p/__init__.py"),
        ("v2/test_p.py", "v2/src/p/m.py"),
    ]


def test_modules_beside_the_setup_are_importable_and_scripts_elsewhere_are_not() -> None:
    files = {"one/single.py": "", "two/script.py": "", "three/main.py": "import single, script"}
    assert used(files, "three/main.py", "one/pyproject.toml") == ["one/single.py"]


def test_stubs_stand_for_a_module_only_without_its_source() -> None:
    files = {
        "p/__init__.py": "",
        "p/a.py": "from p import b, c",
        "p/a.pyi": "from p import b, d",
        "p/b.py": "",
        "p/b.pyi": "",
        "p/c.pyi": "",
        "p/d.py": "",
    }
    assert edges(files) == [("p/a.py", "p/b.py"), ("p/a.py", "p/c.pyi"), ("p/a.pyi", "p/b.pyi"), ("p/a.pyi", "p/d.py")]


def test_a_package_goes_before_a_module_of_its_name() -> None:
    assert edges({"x.py": "import p", "p.py": "", "p/__init__.py": ""}) == [("x.py", "p/__init__.py")]


def test_files_that_were_left_out_are_no_dependencies_but_still_mark_packages() -> None:
    files = {"src/p/m.py": "from p import n, x", "src/p/n.py": ""}
    assert edges(files, "src/p/__init__.py") == [("src/p/m.py", "src/p/n.py")]


def test_edges_come_in_the_order_of_the_files_and_once() -> None:
    files = {"b.py": "import a\nfrom a import *\nimport a as c", "a.py": "import b, a"}
    assert edges(files) == [("b.py", "a.py"), ("a.py", "b.py")]
