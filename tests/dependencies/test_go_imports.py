"""Imports of Go by modules and folders, and what files of one package use of each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.dependencies.go import MOST_FILES, GoResolver
from seed_platform.dependencies.go_modules import read_module

RESOLVER = GoResolver()


def edges(files: dict[str, str]) -> set[tuple[str, str]]:
    facts = {path: RESOLVER.facts(path, "Go", text.encode()) for path, text in files.items() if path.endswith(".go")}
    configurations = {path: text.encode() for path, text in files.items() if path.rpartition("/")[2] == "go.mod"}
    found = [(edge.user, edge.dependency) for edge in RESOLVER.edges(facts, configurations, frozenset(files))]
    assert len(found) == len(set(found))
    return set(found)


def importing(*paths: str, package: str = "main") -> str:
    return f"package {package}\nimport (\n" + "".join(f'\t"{path}"\n' for path in paths) + ")\n"


def test_an_import_leads_to_each_file_of_the_package_that_is_no_test():
    files = {
        "go.mod": "module example.org/x // mine\n\ngo 1.21\n",
        "main.go": importing("fmt", "example.org/x/lib"),
        "lib/a.go": "package lib",
        "lib/b_windows.go": "//go:build windows\npackage lib",
        "lib/a_test.go": "package lib",
        "lib/x_test.go": "package lib_test",
        "lib/sub/c.go": "package sub",
    }
    assert edges(files) == {("main.go", "lib/a.go"), ("main.go", "lib/b_windows.go")}


def test_all_forms_of_import_count():
    files = {"go.mod": "module m\n", "a/a.go": "package a", "b/b.go": "package b", "c/c.go": "package c", "d/d.go": ""}
    files["d/d.go"] = "package d"
    files["x.go"] = 'package x\nimport A "m/a"\nimport . "m/b"\nimport (\n_ "m/c"\n`m/d`\n)'
    assert {dependency for _, dependency in edges(files)} == {"a/a.go", "b/b.go", "c/c.go", "d/d.go"}


def test_programs_and_documentation_beside_a_package_are_not_imported():
    files = {
        "go.mod": "module m",
        "x.go": importing("m/lib"),
        "lib/a.go": "package lib",
        "lib/b.go": "package lib",
        "lib/gen.go": "//go:build ignore\npackage main",
        "lib/doc.go": "package documentation",
        "lib/_old.go": "package lib",
    }
    assert {dependency for _, dependency in edges(files)} == {"lib/a.go", "lib/b.go"}


def large_package(user: str, files: int = MOST_FILES + 1) -> list[str]:
    """What of a package of many files, each declaring one function and one type, `user` depends on."""
    package = {f"lib/f{n:03}.go": f"package pb\nfunc F{n}() {{}}\ntype T{n} int\n" for n in range(files)}
    tests = {"lib/f_test.go": "package pb\nfunc F1() {}\n"}
    return sorted(
        used for who, used in edges({"go.mod": "module m", "x.go": user, **package, **tests}) if who == "x.go"
    )


@pytest.mark.parametrize(
    ("spec", "qualifier"), [('"m/lib"', "pb."), ('api "m/lib"', "api."), ('. "m/lib"', "")], ids=["own", "given", "dot"]
)
def test_an_import_of_a_large_package_leads_to_the_files_that_declare_what_is_used(spec: str, qualifier: str):
    body = f"func f(x *{qualifier}T7) {{ {qualifier}F1(); other.F2(); var y {qualifier}T9 }}"
    user = f"package x\nimport {spec}\n{body}\n"
    assert large_package(user) == ["lib/f001.go", "lib/f007.go", "lib/f009.go"]
    assert len(large_package(user, MOST_FILES)) == MOST_FILES


@pytest.mark.parametrize("body", ["", "func f() { pb.Unknown() }", "func f() { other.F1() }"])
def test_an_import_of_a_large_package_of_which_no_declaration_is_used_leads_to_its_first_files(body: str):
    first = [f"lib/f{n:03}.go" for n in range(MOST_FILES)]
    assert large_package(f'package x\nimport "m/lib"\n{body}\n') == first


def test_users_of_a_large_package_are_not_linked_to_all_of_it():
    package = {f"lib/f{n:04}.go": f"package lib\nfunc F{n}() {{}}\n" for n in range(500)}
    users = {f"u{n:04}/u.go": f'package u\nimport "m/lib"\nfunc g() {{ lib.F{n}() }}\n' for n in range(500)}
    found = edges({"go.mod": "module m", **package, **users})
    assert found == {(f"u{n:04}/u.go", f"lib/f{n:04}.go") for n in range(500)}


def test_files_of_a_package_depend_on_those_that_declare_what_they_use():
    files = {
        "p/a.go": "package p\nfunc A(x T) int { return limit + helper(x) }\n",
        "p/t.go": "package p\ntype (\n\tT struct { next *T }\n\tU = T\n)\n",
        "p/c.go": "package p\nconst (\n\tlimit = 1\n)\nvar (\n\tother, more int\n)\n",
        "p/h.go": "package p\nfunc helper(x T) int { return 0 }\n",
        "p/unused.go": "package p\nfunc Unused() {}\n",
        "q/t.go": "package q\ntype T int\n",
    }
    assert edges(files) == {("p/a.go", "p/t.go"), ("p/a.go", "p/c.go"), ("p/a.go", "p/h.go"), ("p/h.go", "p/t.go")}


def test_names_that_a_file_declares_itself_even_locally_are_not_those_of_others():
    body = "func f(size int, more ...int) { count := 1; var old int; for key := range m { _ = key + count + old } }"
    others = "var size, more, count, old, key, field, label int\nfunc string() {}\nfunc init() {}\nfunc main() {}\n"
    text = f"package p\n{body}\nvar m map[string]int\nvar z = a.field\nfunc g[count any]() {{ init(); main() }}"
    assert edges({"p/a.go": text, "p/b.go": f"package p\n{others}"}) == set()


def test_tests_use_the_package_and_other_tests_but_nothing_uses_tests():
    files = {
        "p/a.go": "package p\nfunc A() { helper() }\n",
        "p/a_test.go": "package p\nfunc TestA() { A(); helper() }\n",
        "p/h_test.go": "package p\nfunc helper() {}\n",
    }
    assert edges(files) == {("p/a_test.go", "p/a.go"), ("p/a_test.go", "p/h_test.go")}


def test_an_external_test_imports_the_package_it_tests():
    files = {
        "go.mod": "module m",
        "p/a.go": "package p\nfunc A() {}",
        "p/a_test.go": importing("m/p", package="p_test"),
    }
    assert edges(files) == {("p/a_test.go", "p/a.go")}


def test_variants_for_several_systems_are_all_depended_on():
    files = {
        "p/a.go": "package p\nfunc A() { open() }",
        "p/open_linux.go": "package p\nfunc open() {}",
        "p/open_windows.go": "package p\nfunc open() {}",
    }
    assert edges(files) == {("p/a.go", "p/open_linux.go"), ("p/a.go", "p/open_windows.go")}


def test_nested_modules_import_each_other():
    files = {
        "go.mod": "module example.org/x/v2",
        "tools/go.mod": "module example.org/x/tools",
        "a.go": importing("example.org/x/tools/gen"),
        "lib/l.go": "package lib",
        "tools/gen/g.go": importing("example.org/x/v2/lib", "example.org/x/lib", package="gen"),
    }
    assert edges(files) == {("a.go", "tools/gen/g.go"), ("tools/gen/g.go", "lib/l.go")}


def test_replace_by_a_local_folder_holds_in_its_own_module_only():
    files = {
        "app/go.mod": "module app\nrequire other.org/lib v1\nreplace (\n\tother.org/lib v1 => ../forks/lib\n)\n",
        "app/a.go": importing("other.org/lib/sub", "other.org/lib"),
        "forks/lib/l.go": "package lib",
        "forks/lib/sub/s.go": "package sub",
        "tool/go.mod": "module tool\n",
        "tool/t.go": importing("other.org/lib"),
    }
    assert edges(files) == {("app/a.go", "forks/lib/l.go"), ("app/a.go", "forks/lib/sub/s.go")}


def test_vendored_packages_are_found_nearest_first():
    files = {
        "go.mod": "module m",
        "a.go": importing("other.org/lib"),
        "cmd/x/x.go": importing("other.org/lib"),
        "vendor/other.org/lib/l.go": "package lib",
        "cmd/vendor/other.org/lib/l.go": "package lib",
    }
    assert edges(files) == {
        ("a.go", "vendor/other.org/lib/l.go"),
        ("cmd/x/x.go", "cmd/vendor/other.org/lib/l.go"),
    }


def test_without_modules_the_own_path_is_the_one_whose_folders_exist():
    files = {
        "main.go": importing("github.com/o/r/api", "github.com/o/r/store/sql", "github.com/pkg/errors"),
        "api/a.go": "package api",
        "store/sql/s.go": importing("github.com/o/r/api", "github.com/other/lib/errors", package="sql"),
        "errors/e.go": "package errors",
    }
    assert edges(files) == {
        ("main.go", "api/a.go"),
        ("main.go", "store/sql/s.go"),
        ("store/sql/s.go", "api/a.go"),
    }


def test_a_workspace_of_sources_resolves_paths_below_src():
    files = {"src/example.org/a/a.go": importing("example.org/b"), "src/example.org/b/b.go": "package b"}
    assert edges(files) == {("src/example.org/a/a.go", "src/example.org/b/b.go")}


def test_the_standard_library_imports_itself_without_a_prefix():
    files = {
        "src/go.mod": "module std",
        "src/fmt/print.go": importing("os", "golang.org/x/text", package="fmt"),
        "src/os/os.go": "package os",
        "src/vendor/golang.org/x/text/t.go": "package text",
    }
    assert edges(files) == {
        ("src/fmt/print.go", "src/os/os.go"),
        ("src/fmt/print.go", "src/vendor/golang.org/x/text/t.go"),
    }


def test_relative_imports_are_of_the_importing_folder():
    assert edges({"cmd/x/a.go": importing("../../lib"), "lib/l.go": "package lib"}) == {("cmd/x/a.go", "lib/l.go")}


def test_a_module_file_is_read_with_comments_quotes_and_blocks():
    text = (
        b'// module no\nmodule "a.b/c" // here\nexclude x v1\nreplace p => q v1\nreplace r v2 => ./r // x\n'
        b"replace (\n  s => ../t\n  // u => ./u\n)\nmodulex y\n"
    )
    module = read_module("m/go.mod", text)
    assert (module.folder, module.path, module.replaced) == ("m", "a.b/c", {"r": "m/r", "s": "t"})


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\xff\xfe\x00package p",
        b'package p\nimport "\xff/\x00"\nimport ""\nimport "\nfunc (',
        b"package p\nfunc f() {" + b"{" * 1000,
        b"package p\nvar x = " + b"(" * 1000 + b"y",
        b"import (\n",
    ],
)
def test_broken_files_never_raise(source: bytes):
    facts = {"p/a.go": RESOLVER.facts("p/a.go", "Go", source), "p/b.go": RESOLVER.facts("p/b.go", "Go", b"package p")}
    broken = {"go.mod": b"module \xff\nreplace => ./x\nreplace ( \n => \n", "p/go.mod": b""}
    list(RESOLVER.edges(facts, broken, frozenset(facts)))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_module_file(text: bytes):
    assert read_module("go.mod", b"module m\n" + text).folder == ""
