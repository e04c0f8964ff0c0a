r"""Changes that need no thought: only the layout of the text, or only the numbers of versions.

Layout: after the change the same words stand in the same order, so lines may be wrapped anew. Where indentation has a
meaning (`_INDENTED`), lines must stay what they are, and only blank lines, line ends and the width of each level of
indentation may change; where whitespace is content (`_LITERAL`), nothing may. Precision goes before recall: a commit
is judged by the hunks that its patch shows. What belongs here: parsed patches in, yes or no out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from seed_platform.commits.patches import FilePatch, Hunk

_INDENTED = re.compile(
    r"(?i)\.(?:py|pyi|pyx|pxd|ya?ml|haml|pug|jade|sass|styl|slim|coffee|litcoffee|nim|l?hs|elm|fsx?|fsi|purs|idr|agda|"
    r"gd|rst|robot)$"
)
_LITERAL = re.compile(r"(?i)(?:(?:^|/)(?:GNU)?makefile[^/]*|\.(?:mk|mak|tsv|csv|patch|diff|snap|golden|expected|out))$")
_JOINT = re.compile(r"(?<=\W) | (?=\W)")
_QUOTED = re.compile(r"""\"(?:[^"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`\n]*`""")

_CHANGELOG = re.compile(
    r"(?i)(?:^|/)(?:change(?:s|logs?)|history|news|release[-_ ]?notes?|releases?|what'?s[-_ ]?new)[^/.]*"
    r"(?:\.(?:md|markdown|rst|txt|adoc|html))?$"
)
_MANIFEST = re.compile(
    r"(?i)(?:^|/)(?:[^/]*requirements(?:/[^/]*|[^/]*)\.(?:txt|in)|setup\.(?:py|cfg)|pyproject\.toml|tox\.ini|package\.json|"
    r"(?:bower|component|composer|manifest|lerna)\.json|cargo\.toml|pom\.xml|build\.gradle(?:\.kts)?|gradle\.properties|"
    r"[^/]*\.(?:gemspec|podspec|nuspec|csproj|cabal|rockspec|spec)|gemfile|go\.mod|configure\.(?:ac|in)|"
    r"_?_?version(?:__)?(?:\.\w+)?|\.pre-commit-config\.ya?ml|\.github/workflows/[^/]+\.ya?ml|meson\.build|mix\.exs|"
    r"pubspec\.yaml|project\.clj|build\.sbt|\.bumpversion\.cfg|\.travis\.yml|dockerfile)$"
)
_SAYS_VERSION = re.compile(r"(?i)version|releas|\bver\b|copyright|\(c\)|\u00a9|\bdate\b|updated")
_LONG_VERSION = re.compile(r"(?<![\w.])v?\d+\.\d+\.\d+(?:[-.+_]?(?:a|b|rc|alpha|beta|dev|pre|post|snapshot|final)[\d.]*)*(?![\w.]*\.\d)", re.IGNORECASE)  # fmt: skip  # noqa: E501
_ANY_VERSION = re.compile(r"\bv?\d+(?:[.\w+-]*\w)?|\b[0-9a-f]{40}\b", re.IGNORECASE)


def mechanical_change(files: Iterable[FilePatch], max_version_lines: int) -> Literal["versions", "layout"] | None:
    """What the change is only about, or None. No more files are taken than it needs to say so."""
    taken: list[FilePatch] = []
    for file in files:
        taken.append(file)
        decides = file.hunks and not _CHANGELOG.search(file.path)
        if decides and not only_versions([file], max_version_lines) and not only_layout([file]):
            return None
    if only_versions(taken, max_version_lines):
        return "versions"
    return "layout" if only_layout(taken) else None


def only_layout(files: Sequence[FilePatch]) -> bool:
    """Whether the files change lines, and no words. Renames and modes beside them do not count."""
    with_hunks = [file for file in files if file.hunks]
    return bool(with_hunks) and not any(file.binary for file in files) and all(map(_keeps_words, with_hunks))


def only_versions(files: Sequence[FilePatch], max_lines: int) -> bool:
    """Whether the changed lines, at most `max_lines`, differ in numbers of versions and dates only.

    In manifests and on lines that speak of a version any number with what hangs on it is one, elsewhere "1.2.3" is.
    Beside such a line, changelogs may change as they like.
    """
    if any(file.binary or file.kind in {"add", "delete", "submodule"} for file in files):
        return False
    with_hunks = [file for file in files if file.hunks]
    deciding = [file for file in with_hunks if not _CHANGELOG.search(file.path)] or with_hunks
    lines = 0
    for file in deciding:
        loose = bool(_MANIFEST.search(file.path) or _CHANGELOG.search(file.path))
        for hunk in file.hunks:
            removed = [line[1:] for line in hunk.lines if line[0] == "-"]
            added = [line[1:] for line in hunk.lines if line[0] == "+"]
            lines += len(removed) + len(added)
            if lines > max_lines or len(removed) != len(added):
                return False
            if not all(_another_version(*pair, loose=loose) for pair in zip(removed, added, strict=True)):
                return False
    return bool(deciding)


def _another_version(old: str, new: str, *, loose: bool) -> bool:
    """Whether two lines differ, and in versions only."""
    pattern = _ANY_VERSION if loose or _SAYS_VERSION.search(old) else _LONG_VERSION
    return old.rstrip() != new.rstrip() and pattern.sub("0", old).rstrip() == pattern.sub("0", new).rstrip()


def _keeps_words(file: FilePatch) -> bool:
    if file.kind in {"add", "delete", "submodule"} or _LITERAL.search(file.path):
        return False
    if _INDENTED.search(file.path):
        return _keeps_blocks(file.hunks)
    return all(_same_words(hunk) for hunk in file.hunks)


def _same_words(hunk: Hunk) -> bool:
    before = "".join(line[1:] for line in hunk.lines if line[0] != "+")
    after = "".join(line[1:] for line in hunk.lines if line[0] != "-")
    old, new = before.split(), after.split()
    if "".join(old) != "".join(new):
        return False
    # "not x" and "notx" differ, "f( x )" and "f(x)" do not; in quotes every space counts.
    if _QUOTED.findall(before) != _QUOTED.findall(after):
        return False
    return old == new or _JOINT.sub("", " ".join(old)) == _JOINT.sub("", " ".join(new))


def _keeps_blocks(hunks: Sequence[Hunk]) -> bool:
    """Whether the lines that are not blank stay, and a deeper one stays deeper.

    Each width of indentation must become one other, in the same order: that is a whole file indented by four instead
    of two, or by spaces instead of tabs, and never a line that moves to another block.
    """
    widths: dict[int, int] = {}
    for hunk in hunks:
        old = [line[1:].expandtabs() for line in hunk.lines if line[0] != "+" and not line[1:].isspace()]
        new = [line[1:].expandtabs() for line in hunk.lines if line[0] != "-" and not line[1:].isspace()]
        if len(old) != len(new):
            return False
        for before, after in zip(old, new, strict=True):
            text = before.lstrip()
            if text.rstrip() != after.strip():
                return False
            width = len(after) - len(after.lstrip())
            if widths.setdefault(len(before) - len(text), width) != width:
                return False
    return all(low[1] < high[1] for low, high in pairwise(sorted(widths.items())))
