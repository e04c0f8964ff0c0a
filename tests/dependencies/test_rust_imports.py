"""Modules, `use` declarations and paths of Rust, inside a crate and between the crates of a workspace."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.dependencies.rust import RustResolver
from seed_platform.dependencies.rust_crates import Crates

RESOLVER = RustResolver()
PACKAGE = '[package]\nname = "{}"\n'


def edges(files: dict[str, str]) -> set[tuple[str, str]]:
    facts = {path: RESOLVER.facts(path, "Rust", text.encode()) for path, text in files.items() if path.endswith(".rs")}
    configurations = {path: text.encode() for path, text in files.items() if path.endswith("Cargo.toml")}
    found = [(edge.user, edge.dependency) for edge in RESOLVER.edges(facts, configurations, frozenset(files))]
    assert len(found) == len(set(found))
    return set(found)


def crate(**files: str) -> dict[str, str]:
    """A package whose files are named by their modules, "a__b" for `a/b.rs`."""
    return {"Cargo.toml": PACKAGE.format("it")} | {
        f"src/{name.replace('__', '/')}.rs": text for name, text in files.items()
    }


def of_crate(**files: str) -> set[tuple[str, str]]:
    return {tuple(path[4:-3] for path in edge) for edge in edges(crate(**files))}


def test_a_parent_depends_on_the_modules_that_it_declares():
    files = {"lib": "mod a; pub(crate) mod b;", "a": "mod c;", "b__mod": "mod d;", "a__c": "", "b__d": "", "orphan": ""}
    assert of_crate(**files) == {("lib", "a"), ("lib", "b/mod"), ("a", "a/c"), ("b/mod", "b/d")}


def test_a_parent_does_not_depend_on_its_tests_though_they_do_on_it():
    files = {
        "lib": "#[cfg(test)]\nmod tests;\n#[cfg(all(test, unix))]\nmod more;\n",
        "tests": "use super::*;",
        "more": "",
    }
    assert of_crate(**files) == {("tests", "lib")}


def test_attributes_say_where_a_module_is():
    files = {
        "lib": '#[cfg(unix)]\n#[path = "unix.rs"]\nmod sys;\n#[cfg(windows)]\n#[path = "win/imp.rs"]\nmod sys;\n',
        "unix": "mod inner; use crate::sys::inner::X;",
        "win__imp": "",
        "inner": "pub struct X;",
        "sys": "",
    }
    assert of_crate(**files) == {("lib", "unix"), ("lib", "win/imp"), ("unix", "inner")}


def test_a_module_declared_inside_another_is_in_its_folder():
    assert of_crate(lib="mod a { mod b { mod c; } }", a__b__c="use super::super::super::X;") == {
        ("lib", "a/b/c"),
    } | {("a/b/c", "lib")}


def test_a_use_leads_to_the_module_that_defines_the_name():
    files = {
        "lib": "mod a; mod b; mod c;",
        "a": "use crate::{b::{self, inner::{Deep as Other, deeper}}, c::*};",
        "b__mod": "pub mod inner;",
        "b__inner": "pub struct Deep; pub fn deeper() {}",
        "c": "",
    }
    assert {edge for edge in of_crate(**files) if edge[0] == "a"} == {("a", "b/mod"), ("a", "b/inner"), ("a", "c")}


def test_paths_in_code_count_without_a_use():
    files = {
        "lib": "mod a; mod b;",
        "a__mod": "mod x; fn f(v: crate::b::T) -> self::x::X { super::b::g::<u8>() }",
        "a__x": "pub struct X; fn h() { super::super::b::g() }",
        "b": "pub struct T; pub fn g() {}",
    }
    assert of_crate(**files) == {("lib", "a/mod"), ("lib", "b"), ("a/mod", "a/x"), ("a/mod", "b"), ("a/x", "b")}


def test_names_are_followed_through_reexports_and_globs():
    files = {
        "lib": "mod errors; mod prelude; mod user; pub use errors::Error as E; pub use crate::prelude::*;",
        "errors": "pub enum Error { A }",
        "prelude": "pub use crate::types::*; use super::errors::Error;",
        "types__mod": "mod inner; pub use self::inner::Thing;",
        "types__inner": "pub struct Thing;",
        "user": "use crate::{E, Thing};",
    }
    assert {edge for edge in of_crate(**files) if edge[0] == "user"} == {("user", "errors"), ("user", "types/inner")}


def test_what_cannot_be_followed_leads_to_the_last_module_on_the_way():
    assert of_crate(lib="mod a;", a="use crate::made_by_a_macro;") == {("lib", "a"), ("a", "lib")}


def test_circles_of_reexports_end():
    files = {
        "lib": "pub use a::*; mod a; mod b;",
        "a": "pub use crate::b::*;",
        "b": "pub use crate::a::*; use crate::X;",
    }
    assert ("b", "lib") in of_crate(**files)
    assert ("a", "a") not in of_crate(lib="mod a;", a="use self::x as y; use self::y as x; fn f() { self::x() }")


def test_many_ways_round_a_circle_of_reexports_cost_little():
    circle = "".join(
        f"pub use crate::{place}x as y; pub use crate::{place}y as x;\n" for place in ("", "a::", "self::")
    )
    files = {"lib": f"mod a; pub use a::*; {circle}", "a": f"pub use crate::*; {circle}", "b": "use crate::x;"}
    chain = "".join(f"pub use self::n{number} as n{number + 1};\n" for number in range(2000))
    assert ("b", "lib") in of_crate(**files)
    assert ("c", "lib") in of_crate(lib=chain, c="use crate::n2000;")


def test_a_module_inside_a_file_sees_its_file_as_parent():
    files = {
        "lib": "mod a; mod b;",
        "a": "mod tests { use super::*; use super::super::b::X; use crate::b::Y; fn f() { super::g() } } fn g() {}",
        "b": "pub struct X; pub struct Y;",
    }
    assert of_crate(**files) == {("lib", "a"), ("lib", "b"), ("a", "b")}


def test_modules_that_a_macro_declares_are_found_by_their_place():
    files = {"lib": "cfg_unix! { mod a; } mod b;", "a": "use crate::b::X;", "b": "use crate::a::Y;"}
    assert of_crate(**files) == {("lib", "b"), ("a", "b"), ("b", "a")}


def test_files_without_a_manifest_have_the_crate_of_their_place():
    assert edges({"x/lib.rs": "mod a;\nmod b;", "x/a.rs": "use crate::b::T;", "x/b.rs": ""}) == {
        ("x/lib.rs", "x/a.rs"),
        ("x/lib.rs", "x/b.rs"),
        ("x/a.rs", "x/b.rs"),
    }


def test_paths_of_the_first_edition_begin_at_the_root():
    assert ("a", "b") in of_crate(lib="mod a; mod b;", a="use b::T;", b="pub struct T;")


def test_included_files_are_depended_on():
    assert of_crate(lib='include!("tables.rs"); const X: &str = include_str!("a.rs");', tables="", a="") == {
        ("lib", "tables")
    }


WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["*"]\n[workspace.dependencies]\nshared-core = { path = "core" }\n',
    "core/Cargo.toml": PACKAGE.format("shared-core") + '[lib]\npath = "source/root.rs"\n',
    "core/source/root.rs": "pub mod util; pub use util::Tool;",
    "core/source/util.rs": "pub struct Tool;",
    "app/Cargo.toml": PACKAGE.format("my-app")
    + "[dependencies]\nshared-core.workspace = true\n[dev-dependencies]\n"
    + 'help = { package = "test-help", path = "../help" }\n',
    "help/Cargo.toml": PACKAGE.format("test-help"),
    "help/src/lib.rs": "",
}


def test_crates_of_a_workspace_are_known_by_their_names_in_code():
    files = WORKSPACE | {
        "app/src/lib.rs": "use shared_core::Tool;",
        "app/src/main.rs": "fn main() { my_app::run(); shared_core::util::f(); }",
        "app/tests/it.rs": "mod common; extern crate help; use my_app::x;",
        "app/tests/common/mod.rs": "use ::shared_core::util;",
        "app/examples/e/main.rs": "use other::thing;",
    }
    assert {edge for edge in edges(files) if edge[0].startswith("app")} == {
        ("app/src/lib.rs", "core/source/util.rs"),
        ("app/src/main.rs", "app/src/lib.rs"),
        ("app/src/main.rs", "core/source/root.rs"),
        ("app/tests/it.rs", "app/tests/common/mod.rs"),
        ("app/tests/it.rs", "help/src/lib.rs"),
        ("app/tests/it.rs", "app/src/lib.rs"),
        ("app/tests/common/mod.rs", "core/source/util.rs"),
    }


def test_a_name_that_two_crates_have_means_the_declared_one_or_none():
    files = {
        "a/Cargo.toml": PACKAGE.format("same"),
        "a/src/lib.rs": "",
        "b/Cargo.toml": PACKAGE.format("same"),
        "b/src/lib.rs": "",
        "c/Cargo.toml": PACKAGE.format("c") + '[target."cfg(unix)".dependencies]\nsame = { path = "../b" }\n',
        "c/src/lib.rs": "use same::X;",
        "d/Cargo.toml": PACKAGE.format("d"),
        "d/src/lib.rs": "use same::X;",
    }
    assert edges(files) == {("c/src/lib.rs", "b/src/lib.rs")}


def test_roots_are_the_conventional_and_the_named_targets():
    paths = ["src/lib.rs", "src/a.rs", "src/bin/x.rs", "src/bin/y/main.rs", "src/bin/y/z.rs", "build.rs", "odd/tool.rs"]
    manifest = PACKAGE.format("p") + '[[bin]]\nname = "tool"\npath = "odd/tool.rs"\n'
    crates = Crates({"Cargo.toml": manifest.encode()}, frozenset(paths))
    assert set(crates.roots(paths)) == set(paths) - {"src/a.rs", "src/bin/y/z.rs"}


@pytest.mark.parametrize(
    "manifest",
    [
        b"\xff\xfe",
        b"[package",
        b"package = 1\nlib = []\nbin = 3\ndependencies = 4\n",
        b'[package]\nname = "x"\n[lib]\npath = 3\nname = {}\n[[bin]]\npath = 1\n',
        b'[package]\nname = "x"\n[dependencies]\na = {workspace = true}\nb = {path = 2}\nc = 1\n',
        b'[package]\nname = "x"\n[target]\nx = 3\n[workspace]\ndependencies = 1\n',
        b"a = " + b"[" * 5000,
    ],
)
def test_broken_manifests_never_raise(manifest: bytes):
    facts = {"src/lib.rs": RESOLVER.facts("src/lib.rs", "Rust", b"mod a; use b::c;")}
    assert list(RESOLVER.edges(facts, {"Cargo.toml": manifest}, frozenset({"src/lib.rs"}))) == []


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\xff\xfe\x00m\x00o",
        b'use {*}; use ; use a::; use {{{a}}}; mod ; mod r#a; #[path = "\xff"] mod x; #[path = "../../.."] mod y;',
        b"use super::super::super::super::x; use crate; use self; use super; use ::x; use ::*; fn f() { super::f() }",
        b"use a::{" * 500,
        b"mod a { use super::x;" * 200,
        b"fn f() { a" + b"::b" * 3000 + b" }",
        b"#[cfg(" * 500 + b"mod x;",
    ],
)
def test_broken_files_never_raise(source: bytes):
    facts = {path: RESOLVER.facts(path, "Rust", source) for path in ("src/lib.rs", "src/x.rs", "src/x/y.rs", "main.rs")}
    list(RESOLVER.edges(facts, {}, frozenset(facts)))


WORDS = st.sampled_from(["crate", "self", "super", "a", "b", "X", "*"])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["use", "pub use"]), st.lists(WORDS, min_size=1, max_size=4)), max_size=6))
def test_any_imports_lead_to_other_files_of_the_crate_and_end(imports: list[tuple[str, list[str]]]):
    text = "".join(f"{keyword} {'::'.join(path)};\n" for keyword, path in imports)
    files = crate(lib="mod a; mod b;" + text, a__mod=text, a__b="pub struct X;" + text, b=text)
    for user, dependency in edges(files):
        assert dependency in files
        assert user != dependency
