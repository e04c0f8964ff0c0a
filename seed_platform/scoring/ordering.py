"""The ordering test: good library code must score above spoiled copies of itself.

What belongs here: modules of the running Python's standard library, copies of them made worse by code, and how often a
scorer puts the module above a copy. What does not: training on any of it; nothing here may become a training example.
It needs no label, so that it can tell whether any scorer, at any place, is of use.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import io
import keyword
import random
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seed_platform.scoring.metrics import area_under_curve

if TYPE_CHECKING:
    from seed_platform.scoring.scorer import Scorer

MODULES: tuple[str, ...] = (
    "abc", "bisect", "calendar", "cmd", "code", "configparser", "contextlib", "copy", "csv", "dataclasses", "difflib",
    "fnmatch", "fractions", "functools", "gettext", "glob", "graphlib", "heapq", "json.decoder", "json.encoder",
    "linecache", "pprint", "queue", "reprlib", "sched", "selectors", "shelve", "shlex", "shutil", "statistics",
    "string", "tempfile", "textwrap", "timeit", "tokenize", "urllib.robotparser", "weakref", "zipapp",
)  # fmt: skip
"""Written by hand, documented, of some substance; those that a Python lacks are left out."""

_KEPT_NAMES = frozenset({*keyword.kwlist, *dir(builtins), "self", "cls"})
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_LAYOUT = frozenset({tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER})


def minified(source: str) -> str:
    """`source` without comments, docstrings, blank lines and unneeded blanks, its names cut to one or two letters."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    short: dict[str, str] = {}
    pieces: list[str] = []
    depth, before = 0, ""
    for token in _tokens(ast.unparse(tree)):
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if token.type == tokenize.INDENT else -1
        elif token.type in (tokenize.NEWLINE, tokenize.NL):
            pieces.append("\n")
            before = ""
        elif token.string:
            word = token.string
            if token.type == tokenize.NAME and word not in _KEPT_NAMES and not word.startswith("__"):
                word = short.setdefault(word, _short_name(len(short)))
            pieces += [" " * depth if not before else " " if _is_word(before[-1:]) and _is_word(word[:1]) else "", word]
            before = word
    return re.sub(r"\n+", "\n", "".join(pieces)).lstrip()


def generated(source: str) -> str:
    """A table as a parser generator writes it, over the words of `source`; every second one says what it is."""
    rng = _random(source)
    rows = [
        f"    {word!r}: ({[rng.randrange(400) for _ in range(12)]}, {[-rng.randrange(90) for _ in range(12)]}),\n"
        for word in _words(source)[:150]
    ]
    notice = "# This file is generated. Do not edit.\n" if rng.random() < 0.5 else ""
    return f"{notice}_version = '3.10'\n_items = {{\n{''.join(rows)}}}\n"


def data_like(source: str) -> str:
    """Records of literals, made of the words of `source`."""
    rng = _random(source)
    words = _words(source)
    rows = [
        f'    {{"name": "{word}", "id": {number}, "value": {rng.random():.4f}, "tag": "{rng.choice(words)}"}},\n'
        for number, word in enumerate(words[:250])
    ]
    return f"RECORDS = [\n{''.join(rows)}]\n"


def shuffled(source: str) -> str:
    """The tokens of `source` in a random order, laid out as before."""
    lines = source.splitlines(keepends=True)
    places = [token for token in _tokens(source) if token.type not in _LAYOUT and token.start[0] == token.end[0]]
    words = [token.string for token in places]
    _random(source).shuffle(words)
    for token, word in reversed(list(zip(places, words, strict=True))):
        row, (start, end) = token.start[0] - 1, (token.start[1], token.end[1])
        lines[row] = lines[row][:start] + word + lines[row][end:]
    return "".join(lines)


def cut(source: str) -> str:
    """`source` with every line cut off at a random place."""
    rng = _random(source)
    return "".join(f"{line[: rng.randint(0, len(line))]}\n" for line in source.splitlines())


SPOILERS: dict[str, Callable[[str], str]] = {
    "minified": minified, "generated": generated, "data_like": data_like, "shuffled": shuffled, "cut": cut,
}  # fmt: skip
"""Each way to spoil a module; the same module gives the same copy."""


@cache
def good_modules() -> dict[str, str]:
    """The sources of `MODULES`, by name, as far as the running Python has them."""
    found = {}
    for name in MODULES:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            continue
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            found[name] = Path(spec.origin).read_text(encoding="utf-8")
    return found


@cache
def spoiled_modules() -> dict[str, list[str]]:
    """Of each way to spoil, the copies of all `good_modules`."""
    return {kind: [spoil(source) for source in good_modules().values()] for kind, spoil in SPOILERS.items()}


def ordering_report(scorer: Scorer) -> dict[str, Any]:
    """How well `scorer` puts good modules above spoiled ones.

    Returns:
        `modules`: how many; `auc`: the share of pairs of a module and a copy of any module in which the module scores
        higher (equal scores count half), 0.5 for a coin; `auc_by_kind`: the same of each way to spoil; `good_mean` and
        `spoiled_mean`: mean scores.
    """
    modules = good_modules()
    good = scorer.score(list(modules.values()), ["Python"] * len(modules))
    spoiled = {kind: scorer.score(copies, ["Python"] * len(copies)) for kind, copies in spoiled_modules().items()}
    pooled = np.concatenate(list(spoiled.values()))
    return {
        "modules": len(modules),
        "auc": area_under_curve(good, pooled),
        "auc_by_kind": {kind: area_under_curve(good, scores) for kind, scores in spoiled.items()},
        "good_mean": float(good.mean()),
        "spoiled_mean": {kind: float(scores.mean()) for kind, scores in spoiled.items()},
    }


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _words(source: str) -> list[str]:
    return sorted(set(re.findall(r"[A-Za-z_]\w+", source)))


def _random(source: str) -> random.Random:
    return random.Random(source)  # noqa: S311 - not for secrets


def _short_name(number: int) -> str:
    """a, b, …, z, aa, ab, …, for 0, 1, …."""
    name = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        name = chr(ord("a") + digit) + name
    return name if name not in _KEPT_NAMES else f"{name}_"
