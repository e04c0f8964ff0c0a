"""Which files names of Java mean, in trees as repositories have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.dependencies.base import Facts, Import
from seed_platform.dependencies.java import JavaResolver

RESOLVER = JavaResolver()


def facts(source: str | bytes, path: str = "A.java") -> Facts:
    return RESOLVER.facts(path, "Java", source if isinstance(source, bytes) else source.encode())


def edges(files: dict[str, str]) -> list[tuple[str, str]]:
    said = {path: facts(source, path) for path, source in files.items()}
    return [(edge.user, edge.dependency) for edge in RESOLVER.edges(said, {}, frozenset(files))]


def used(files: dict[str, str], user: str) -> list[str]:
    return [dependency for one, dependency in edges(files) if one == user]


def test_package_imports_and_types_are_read() -> None:
    said = facts("""
        package org.example . util;
        import a.B; import a.*; import static a.B.c; import static a.B.*;
        import /* why */ a.Outer.Inner;
        @interface Note {} enum Kind {} class Last {}
        record Pair(int x) { interface In { class Deep {} } class Second {} }
    """)
    assert said.package == "org.example.util"
    assert said.imports == (
        Import("a.B"),
        Import("a", ("*",)),
        Import("a.B", ("c",), form="static"),
        Import("a.B", ("*",), form="static"),
        Import("a.Outer.Inner"),
    )
    assert said.provides == ("Note", "Kind", "Last", "Pair", "Pair.In", "Pair.In.Deep", "Pair.Second")


def test_types_are_seen_wherever_code_names_them() -> None:
    source = """
        @Mark class A<T extends Bound> extends Base implements Face<Argument> {
            static final Field[] f = Maker.make(Const.VALUE, Method::ref, Lit.class);
            @a.b.Full(Attribute.X) Result m(Param p, Var... v) throws Thrown {
                try { var x = (Cast) new Made<>(); } catch (First | Second e) { }
                if (p instanceof Tested t) { local.Variable.x(); lower.field.call(); x.y.Qualified.go(); }
                Map.Entry<K, V> e; p.q.Deep d; "InText".length(); /* InComment */ return null;
            }
        }
    """
    expected = """Argument Attribute Base Bound Cast Const Face Field First K Lit Made Maker Map Mark Method Param
        Result Second T Tested Thrown V Var a.b.Full local.Variable p.q.Deep x.y.Qualified"""
    assert set(expected.split()) <= set(facts(source).uses)
    assert not {"A", "Entry", "InText", "InComment", "lower", "e", "VALUE"} & set(facts(source).uses)


def test_imports_mean_files_whatever_the_folders() -> None:
    files = {
        "src/main/java/a/A.java": "package a; import b.B; import b.Outer.Inner; import static b.S.f; class A {}",
        "module/src/main/java/b/B.java": "package b; class B {}",
        "flat/Outer.java": "package b; class Outer { class Inner {} }",
        "src/test/java/b/S.java": "package b; import java.util.List; import b.Missing; class S {}",
    }
    assert used(files, "src/main/java/a/A.java") == [
        "module/src/main/java/b/B.java",
        "flat/Outer.java",
        "src/test/java/b/S.java",
    ]
    assert used(files, "src/test/java/b/S.java") == []


def test_types_of_the_same_package_need_no_import() -> None:
    files = {
        "src/main/java/a/A.java": "package a; class A { B b; Other c; }",
        "src/main/java/a/B.java": "package a; class B {}",
        "src/test/java/a/ATest.java": "package a; class ATest { A a = new A(); }",
        "src/main/java/c/Other.java": "package c; class Other {}",
    }
    assert edges(files) == [
        ("src/main/java/a/A.java", "src/main/java/a/B.java"),
        ("src/test/java/a/ATest.java", "src/main/java/a/A.java"),
    ]


def test_imports_on_demand_mean_only_what_is_named() -> None:
    files = {
        "A.java": "package a; import b.*; import static c.Outer.*; class A { B x; Inner y; }",
        "B.java": "package b; class B {}",
        "Unused.java": "package b; class Unused {}",
        "Outer.java": "package c; class Outer { static class Inner {} }",
    }
    assert used(files, "A.java") == ["Outer.java", "B.java"]


def test_nearer_scopes_hide_others() -> None:
    files = {
        "A.java": "package a; import java.util.List; import b.*; class A { List l; Same s; Own o; class Own {} }",
        "List.java": "package a; class List {}",
        "Same.java": "package a; class Same {}",
        "Own.java": "package a; class Own {}",
        "b/Same.java": "package b; class Same {}",
    }
    assert used(files, "A.java") == ["Same.java"]


def test_a_nested_type_hides_another_only_inside_the_type_around_it() -> None:
    files = {
        "Made.java": "package a; class Made implements Builder<Made> { static class Builder {} Builder b; }",
        "Builder.java": "package a; interface Builder<T> {}",
        "B.java": "package a; class B { static class Builder {} Builder b; }",
    }
    assert edges(files) == [("Made.java", "Builder.java")]


def test_types_named_with_their_package_need_no_import() -> None:
    files = {
        "A.java": "package a; class A { b.c.B x; Object y = b.d.C.make(new b.c.Outer.Inner()); @b.Mark int z; }",
        "B.java": "package b.c; class B {}",
        "C.java": "package b.d; class C {}",
        "Outer.java": "package b.c; class Outer { class Inner {} }",
        "Mark.java": "package b; @interface Mark {}",
    }
    assert sorted(used(files, "A.java")) == ["B.java", "C.java", "Mark.java", "Outer.java"]


def test_a_file_may_hold_several_types_under_any_name() -> None:
    files = {"x.java": "package a; class One {} class Two {}", "User.java": "package a; class User { Two t; One o; }"}
    assert edges(files) == [("User.java", "x.java")]


def test_types_without_a_package_are_seen_in_the_same_folder_only() -> None:
    files = {
        "one/Solution.java": "class Solution { TreeNode t; }",
        "one/TreeNode.java": "class TreeNode {}",
        "two/Solution.java": "class Solution { TreeNode t; }",
        "three/User.java": "package a; import two.Solution; class User { TreeNode t; }",
        "m/src/main/java/Main.java": "class Main {}",
        "m/src/test/java/MainTest.java": "class MainTest { Main m; }",
    }
    assert edges(files) == [
        ("one/Solution.java", "one/TreeNode.java"),
        ("m/src/test/java/MainTest.java", "m/src/main/java/Main.java"),
    ]


def test_of_several_types_of_one_name_the_nearest_is_meant() -> None:
    files = {
        f"{module}/src/{part}/java/a/{name}.java": f"package a; class {name} {{ Base b; }}"
        for module in ("one", "two")
        for part, name in (("main", "Base"), ("test", "User"))
    }
    assert edges(files) == [
        ("one/src/test/java/a/User.java", "one/src/main/java/a/Base.java"),
        ("two/src/test/java/a/User.java", "two/src/main/java/a/Base.java"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"import",
        b"import ;",
        b"import a.",
        b"import static a;",
        b"import *;",
        b"package ; class {}",
        b"class",
        b"\xff\xfe class A { \xe9 B; }",
        b"\x00\x00",
        "class Ä { Ö ü; }".encode("utf-16"),
        b"\xef\xbb\xbfpackage a; class A {}",
        b"class A { " * 2_000,
        b"class A { " * 5_000 + b"}" * 5_000,
        b"class A { Object x = " + b"a." * 5_000 + b"B; }",
        b"class A { int x = " + b"(" * 20_000,
        b"import " + b"a." * 20_000 + b"A;",
        b"@" * 5_000,
    ],
)
def test_odd_files_are_read_without_error(source: bytes) -> None:
    said = {"A.java": facts(source), "B.java": facts("class B { A a; }")}
    assert all(edge.user != edge.dependency for edge in RESOLVER.edges(said, {}, frozenset(said)))


def test_broken_code_still_gives_what_it_names() -> None:
    said = facts("package a; import b.B; class A { void f( { C c = new D(; } class E {} }")
    assert said.package == "a"
    assert said.imports == (Import("b.B"),)
    assert {"C", "D"} <= set(said.uses)


@given(
    st.lists(
        st.sampled_from(
            [
                "import ",
                "package ",
                "static ",
                "class ",
                "a",
                "B",
                "C",
                ".",
                "*",
                ";",
                "{",
                "}",
                "<",
                "@",
                "é",
                "\0",
                '"',
            ]
        )
    )
)
def test_no_sequence_of_words_raises(words: list[str]) -> None:
    files = {"A.java": "".join(words), "a/B.java": "package a; class B {}", "C.java": "class C { B b; }"}
    assert all(user != dependency and dependency in files for user, dependency in edges(files))


def test_edges_come_in_the_order_of_the_files_and_once() -> None:
    files = {
        "B.java": "package a; import a.A; class B { A one; a.A two; }",
        "A.java": "package a; class A { B b; A a; }",
    }
    assert edges(files) == [("B.java", "A.java"), ("A.java", "B.java")]
