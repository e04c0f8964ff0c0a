"""JavaScript and TypeScript: what a file imports, and which file of the repository that is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.dependencies.base import Edge
from seed_platform.dependencies.javascript import JavaScriptResolver
from seed_platform.dependencies.javascript_configuration import parse

RESOLVER = JavaScriptResolver()


def names(source: str, path: str = "a.ts") -> list[str]:
    language = "TypeScript" if "ts" in path.rpartition(".")[2] else "JavaScript"
    return [one.name for one in RESOLVER.facts(path, language, source.encode()).imports]


def dependencies(files: dict[str, str], user: str) -> list[str]:
    """What `user` depends on in a repository of these files."""
    facts = {}
    for path, source in files.items():
        extension = path.rpartition(".")[2]
        if extension in {"js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts"}:
            language = "TypeScript" if "ts" in extension else "JavaScript"
            facts[path] = RESOLVER.facts(path, language, source.encode())
    configurations = {
        path: text.encode() for path, text in files.items() if path.rpartition("/")[2] in RESOLVER.configurations
    }
    return [edge.dependency for edge in RESOLVER.edges(facts, configurations, frozenset(files)) if edge.user == user]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('import a from "./a";', ["./a"]),
        ("import './side.css'", ["./side.css"]),
        ('import * as a from "./a"; import { b, type C } from "./b"', ["./a", "./b"]),
        ('import type { T } from "./types"', ["./types"]),
        ('import x = require("./x")', ["./x"]),
        ('export * from "./a"; export { b } from "./b"; export type { C } from "./c"', ["./a", "./b", "./c"]),
        ('const a = require("./a"), { b } = require("./b").c', ["./a", "./b"]),
        ('function f() { if (x) return require("./late") }', ["./late"]),
        ('const a = await import("./a"); import(`./b`).then(f)', ["./a", "./b"]),
        ('type T = import("./t").T; let w: typeof import("./w")', ["./t", "./w"]),
        ('import data from "./data.json" with { type: "json" }', ["./data.json"]),
        ('/// <reference path="globals.d.ts" />\nlet x = 1', ["globals.d.ts"]),
        ('import a from "./a"; import { b } from "./a"', ["./a"]),
        ('declare module "x" { export * from "./a" }', ["./a"]),
        ('export namespace N { import b = require("./b") }', ["./b"]),
        ('import a from "./a"; const t = import /* later */ ("./b")', ["./a", "./b"]),
    ],
)
def test_every_form_of_import_is_found_once(source: str, expected: list[str]):
    assert names(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "const text = \"import a from './a'\"",
        '// import a from "./a"\n/* require("./b") */',
        "require(name); import(`./${name}`); require(`./${name}`)",
        'this.require("./a"); obj.import("./b"); requires("./c")',
        "export const a = 1; export default class {}",
        'require("./a\\u0062")',
        "import",
        "",
    ],
)
def test_what_is_no_import_of_a_literal_gives_nothing(source: str):
    assert names(source) == []


def test_markup_in_the_file_hides_no_import():
    source = 'import { A } from "./a";\nexport const B = () => <A x={1}>text</A>;\nconst c = require("./c");'
    assert names(source, "b.tsx") == names(source, "b.jsx") == ["./a", "./c"]


def test_broken_syntax_loses_only_what_is_broken():
    assert names('import a from "./a";\nfunction ( { [[\n') == ["./a"]


@given(st.binary(max_size=300))
def test_any_bytes_give_facts(noise: bytes):
    facts = RESOLVER.facts("a.ts", "TypeScript", noise + b' require("./a") ' + noise)
    assert (
        list(RESOLVER.edges({"a.ts": facts}, {"tsconfig.json": noise, "package.json": noise}, frozenset({"a.ts"})))
        == []
    )


@pytest.mark.parametrize(
    ("name", "there", "meant"),
    [
        ("./x", ["src/x.ts"], "src/x.ts"),
        ("./x", ["src/x.js"], "src/x.js"),
        ("./x", ["src/x.ts", "src/x.js"], "src/x.ts"),
        ("./x", ["src/x.d.ts"], "src/x.d.ts"),
        ("./x", ["src/x/index.tsx"], "src/x/index.tsx"),
        ("./x", ["src/x.ts", "src/x/index.ts"], "src/x.ts"),
        ("./x/", ["src/x/index.mjs"], "src/x/index.mjs"),
        ("./x.js", ["src/x.ts"], "src/x.ts"),
        ("./x.js", ["src/x.tsx"], "src/x.tsx"),
        ("./x.mjs", ["src/x.mts"], "src/x.mts"),
        ("./x.js", ["src/x.js.ts"], "src/x.js.ts"),
        ("./x.config", ["src/x.config.ts"], "src/x.config.ts"),
        ("./x.vue", ["src/x.vue"], "src/x.vue"),
        ("./data", ["src/data.json"], "src/data.json"),
        ("../lib/x", ["lib/x.cjs"], "lib/x.cjs"),
        ("..", ["index.ts"], "index.ts"),
        (".", ["src/index.js"], "src/index.js"),
        ("./x?raw", ["src/x.js"], "src/x.js"),
        ("raw!./x.txt", ["src/x.txt"], "src/x.txt"),
        ("../../out", ["out.ts"], None),
        ("/x", ["x.ts"], None),
        ("x", ["src/x.ts"], None),
        ("./a", ["src/b.ts"], None),
    ],
)
def test_a_path_means_the_file_that_is_there(name: str, there: list[str], meant: str | None):
    files = {"src/a.ts": f'import "{name}"', **dict.fromkeys(there, "")}
    assert dependencies(files, "src/a.ts") == ([meant] if meant else [])


def test_javascript_prefers_javascript_where_both_are_there():
    both = {"x.js": "", "x.d.ts": "", "y.js": "", "y.ts": ""}
    assert dependencies({"a.js": 'require("./x"); require("./y.js")', **both}, "a.js") == ["x.js", "y.js"]
    assert dependencies({"a.ts": 'import "./x"; import "./y.js"', **both}, "a.ts") == ["x.d.ts", "y.ts"]


def test_a_file_depends_on_another_once_and_never_on_itself():
    files = {"x/a.ts": 'import "./b"; import "./b.js"; import "../x/b"; import "./a"', "x/b.ts": ""}
    assert dependencies(files, "x/a.ts") == ["x/b.ts"]


def test_paths_of_the_nearest_configuration_hold_with_what_it_extends():
    files = {
        "tsconfig.base.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"~lib/*": ["wrong/*"]}}}',
        "tsconfig.json": """{
            // comments, and "strings // with marks"
            "extends": "./tsconfig.base",
            "compilerOptions": { "paths": {
                "~lib/*": ["missing/*", "lib/*/main",], /* the second exists */
                "~lib/special": ["lib/other.ts"],
                "exact": ["lib/exact"],
            } },
        }""",
        "app/tsconfig.json": '{"compilerOptions": {"baseUrl": "./src"}}',
        "lib/x/main.ts": "",
        "lib/other.ts": "",
        "lib/exact.ts": "",
        "a.ts": 'import "~lib/x"; import "~lib/special"; import "exact"; import "lib/other"; import "~lib/none"',
        "app/src/util/u.ts": "",
        "app/src/deep/b.ts": 'import "util/u"; import "~lib/x"',
    }
    assert dependencies(files, "a.ts") == ["lib/x/main.ts", "lib/other.ts", "lib/exact.ts"]
    assert dependencies(files, "app/src/deep/b.ts") == ["app/src/util/u.ts"]


def test_paths_without_base_url_are_of_the_file_that_says_them():
    files = {
        "config/tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["../src/*"]}}}',
        "tsconfig.json": '{"extends": ["./config/tsconfig.json"]}',
        "src/x.ts": "",
        "src/a.ts": 'import "@/x"; import "@/../../out"',
        "out.ts": "",
    }
    assert dependencies(files, "src/a.ts") == ["src/x.ts"]


def test_a_solution_is_mapped_by_its_parts():
    files = {
        "tsconfig.json": '{"references": [{"path": "tsconfig.node.json"}, {"path": "./tsconfig.app.json"}]}',
        "tsconfig.node.json": "{}",
        "tsconfig.app.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}',
        "src/x.ts": "",
        "src/a.tsx": 'import "@/x"',
    }
    assert dependencies(files, "src/a.tsx") == ["src/x.ts"]


@pytest.mark.parametrize(
    "configuration",
    [
        '{"extends": "./tsconfig.json"}',
        '{"extends": ["../../../etc/x", 3, null, "@none/config"], "compilerOptions": {"paths": 7, "baseUrl": []}}',
        '{"compilerOptions": {"baseUrl": "/", "paths": {"*/*": ["*"], "a": "x", "b": [1]}}, "references": {"a": 1}}',
        "[" * 100_000,
        "/*" * 100_000,
        '"\\' * 100_000,
        '{"references": [null, {"path": 1}], "extends": {}}',
    ],
)
def test_a_strange_configuration_leaves_relative_imports(configuration: str):
    files = {
        "tsconfig.json": configuration,
        "package.json": configuration,
        "a.ts": 'import "./b"; import "c"',
        "b.ts": "",
    }
    assert dependencies(files, "a.ts") == ["b.ts"]


def test_comments_and_trailing_commas_go_and_strings_stay():
    text = b'\xef\xbb\xbf{"a": "// no /* comment */ ,]", /* , */ "b": [1, 2, /* x */ ], // end\n "c": "\\"//",\n}'
    assert parse(text) == {"a": "// no /* comment */ ,]", "b": [1, 2], "c": '"//'}


def test_packages_of_the_repository_are_found_by_name():
    files = {
        "packages/core/package.json": '{"name": "@acme/core", "main": "dist/index.js", "types": "dist/index.d.ts"}',
        "packages/core/src/index.ts": "",
        "packages/core/src/deep/x.ts": "",
        "packages/core/package-info.js": "",
        "packages/plain/package.json": '{"name": "plain", "main": "./lib/entry"}',
        "packages/plain/lib/entry.js": "",
        "packages/app/a.ts": 'import "@acme/core"; import "@acme/core/dist/deep/x"; import "@acme/core/package-info"; '
        'import "plain"; import "@acme/none"; import "react"',
    }
    assert dependencies(files, "packages/app/a.ts") == [
        "packages/core/src/index.ts",
        "packages/core/src/deep/x.ts",
        "packages/core/package-info.js",
        "packages/plain/lib/entry.js",
    ]


def test_exports_of_a_package_say_where_its_modules_are():
    files = {
        "core/package.json": """{"name": "core", "main": "wrong.js", "exports": {
            ".": {"import": {"types": "./dist/main.d.mts", "default": "./dist/main.mjs"}, "require": "./dist/main.cjs"},
            "./features/*": {"default": "./src/parts/*.ts"},
            "./features/private/*": null
        }}""",
        "core/src/main.ts": "",
        "core/src/parts/one.ts": "",
        "app/a.ts": 'import "core"; import "core/features/one"; import "core/features/two"',
    }
    assert dependencies(files, "app/a.ts") == ["core/src/main.ts", "core/src/parts/one.ts"]


def test_a_package_may_name_its_own_modules_and_a_directory_its_entry():
    files = {
        "pkg/package.json": '{"name": "pkg", "imports": {"#util/*": "./src/util/*.js"}}',
        "pkg/src/util/x.js": "",
        "pkg/src/part/package.json": '{"main": "begin"}',
        "pkg/src/part/begin.js": "",
        "pkg/src/a.js": 'import "#util/x"; import "./part"; import "#none"',
    }
    assert dependencies(files, "pkg/src/a.js") == ["pkg/src/util/x.js", "pkg/src/part/begin.js"]


def test_copies_under_node_modules_are_not_the_packages_of_a_name():
    files = {
        "node_modules/core/package.json": '{"name": "core", "main": "index.js"}',
        "node_modules/core/index.js": "",
        "a.js": 'require("core")',
    }
    assert dependencies(files, "a.js") == []


def test_paths_of_ten_thousand_folders_are_resolved():
    deep = "/".join(["d"] * 10_000)
    files = {"tsconfig.json": '{"compilerOptions": {"baseUrl": "."}}', f"{deep}/a.ts": 'import "x"', "x.ts": ""}
    assert dependencies(files, f"{deep}/a.ts") == ["x.ts"]


def test_edges_come_in_the_order_of_files_and_imports():
    facts = {
        path: RESOLVER.facts(path, "JavaScript", source)
        for path, source in {"b.js": b'require("./c"); require("./a")', "a.js": b'require("./c")'}.items()
    }
    found = list(RESOLVER.edges(facts, {}, frozenset({"a.js", "b.js", "c.js"})))
    assert found == [Edge("b.js", "c.js"), Edge("b.js", "a.js"), Edge("a.js", "c.js")]
