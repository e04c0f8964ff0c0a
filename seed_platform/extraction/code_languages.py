"""The language of a block of code, from the classes and attributes that highlighters and authors mark it up with.

What belongs here: reading markup. What does not: guessing from the code itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

# In order of how much each tells; the first that matches gives the language.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"""\b(?:data-lang|data-language|data-code-lang|data-enlighter-language)="([\w+#.-]+)\"""",
        r"""\bclass="[^"]*?\b(?:language|lang|highlight-source|highlight-text|highlight-lang)-([\w+#.-]+)""",
        r"""\bclass="[^"]*?\bbrush:?\s*([\w+#-]+)""",
        r"""\bclass="(?:[^"]*\s)?(?:hljs|sourceCode|src src|codehilite|chroma|shiki)[ -]([a-z][\w+#.-]*)""",
        r"""\bclass="(?:[^"]*\s)?highlight(?:-|\s+)([a-z][\w+#.-]*)""",
        r"""\bclass="(?:rust|(?:[^"]*\s)?rust rust-example-rendered)[\s"]""",
    )
)
_RUST = len(_PATTERNS) - 1
# What stands where a language would, and is none.
_OTHER_WORDS = (
    "none text plain plaintext plain_text txt nohighlight no-highlight default notranslate wrapper table "
    "highlighter highlighter-rouge auto autonumber linenums line-numbers copy code block container toolbar unknown "
    "light dark basic undefined null hljs highlight doctest-requires numbers collapse expanded language lang "
    "tab-size"
)
_NO_LANGUAGE = frozenset(_OTHER_WORDS.split())
_LENGTH = 24


@lru_cache(maxsize=4096)
def _declared(encoded: bytes) -> str:
    attributes = encoded.decode("utf-8", "replace")
    for number, pattern in enumerate(_PATTERNS):
        for match in pattern.finditer(attributes):
            if number == _RUST:
                return "rust"
            language = match[1].lower().rstrip(".-")
            if language and language not in _NO_LANGUAGE and len(language) <= _LENGTH:
                return language
    return ""


def language_of(attributes: Iterable[bytes]) -> str:
    """The language that elements declare.

    Args:
        attributes: of the elements that are asked, the most telling first, each as it is in the page.

    Returns:
        A language as it is marked up, in lower case, "" if there is none.
    """
    for one in attributes:
        if b"=" in one:
            language = _declared(one)
            if language:
                return language
    return ""
