"""What a commit message says: how many words of its own, and whether it is one of the messages that say nothing.

What belongs here: expressions over a column of messages. What does not: which of them are dropped
(`filters/commit_rules.py`).
"""

from __future__ import annotations

import polars as pl

_READ = 4000
"""Characters of a message that are looked at; no threshold needs more words than stand in them."""

# A letter of a script without spaces is half a word: Chinese words have about two letters. Hangul has spaces.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_WORD = (
    r"[\p{L}_&&[^\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
    r"[\p{L}\p{M}\p{N}_'&&[^\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]*"
)

_TRAILERS = (
    r"(?im)^[ \t]*(?:(?:signed-off|(?:co-)?authored|co-developed|committed|reviewed|acked|tested|reported|suggested|"
    r"approved|pair|merged)-by|cc|change-id|git-svn-id|original-commit|source-link|differential revision|"
    r"(?:pull|merge) request|cr-[\w-]+|bug|issue|see-also|link|refs?|closes?|fixes)[ \t]*:.*$"
    r"|^[ \t]*\(?cherry[- ]picked from .*$|\[(?:skip ci|ci skip)\]|\(from rev .*$"
)
_REFERENCES = (
    r"(?i)\b(?:https?|ftp|git|svn)\S*://\S*|[\w.+-]+@[\w-]+\.[\w.-]+|(?:\bgh-?|#|!)\d+|\b(?-i:[A-Z]{2,10})-\d+\b"
    r"|\bv?\d+(?:[._-]\w+)*|\b[0-9a-f]{7,64}\b|^\w+(?:\([^)\n]*\))?!?:\s"
)
"""Addresses, issues, versions, ids of commits, and the "fix(parser): " that opens some subjects."""

# Words that fit any change, in a message that has no others.
_EMPTY_WORDS = (
    r"(?i)\b(?:wip|fix(?:e[sd]|ing)?|fixups?|squash|amend|updat(?:es?|ed|ing)|chang(?:es?|ed|ing)|bugs?|bugfix(?:es)?|"
    r"hotfix(?:es)?|issues?|problems?|errors?|minor|small|tiny|little|quick|trivial|simple|misc|miscellaneous|various|"
    r"several|some|more|many|few|stuff|things?|work(?:s|ing|ed)?|in|progress|commit(?:s|ted|ting)?|initial|first|"
    r"second|last|final|latest|new|old|version|code|files?|tmp|temp|temporary|test(?:s|ing)?|debug|try|trying|again|"
    r"another|oops|done|ok|okay|save|saving|checkpoint|backup|sync|push|modif(?:y|ied|ications?)|edit(?:s|ed)?|"
    r"improv(?:e|ed|es|ements?)|cleanups?|clean|up|tweak(?:s|ed)?|adjust(?:ed|ments?)?|refactor(?:ed|ing|s)?|"
    r"add(?:s|ed|ing)?|remov(?:e|ed|es|ing)|delet(?:e|ed|es)|the|an?|and|of|to|for|it|this|that|is|was|now|all|asdf+|"
    r"foo|bar|blah|empty|no|message|nothing|patch|via|upload|repo|repository|project)\b"
)
_EDITOR = r"(?i)\A\s*(?:update|create|delete|rename) [\w.@/-]+\s*\z"
"""What web editors propose where a person writes no message."""

_RELEASE_WORDS = (
    r"bump(?:ed|ing|s)?|releas(?:es?|ed|ing)|prepar(?:es?|ed|ing|ation)|for|the|a|version|versions|number|numbers|ver|to|"
    r"from|of|next|development|dev|iteration|cycle|new|tag(?:ged|ging)?|chore|build|publish(?:ed|ing)?|cut(?:ting)?|set|"
    r"updat(?:es?|ed|ing)|start(?:ed|ing)?|snapshot|final|back|is|and|in|at|pre|post|alpha|beta|rc|candidate|stable|up|"
    r"mark|increment(?:ed)?|change[ds]?|maven|gradle|plugin|package|json|py|setup|changelog|it|now|v"
)
_VERSION = r"v?\d+(?:[._-]?\w+)*"
_RELEASE = rf"(?i)\A\W*(?:(?:{_RELEASE_WORDS}|{_VERSION})\b\W*)+\z"
_NAMES_RELEASE = r"(?i)\b(?:v?\d+\.\d+|v\d+\b|(?:bump\w*|release|prepar\w+|increment\w*|new)\W.*\bversion|version bump|prepar\w+.*\brelease|next development)"  # noqa: E501
_UPGRADE = (
    r"(?i)\A\W*(?:\w+(?:\([^)]*\))?!?:\s*)?(?:bump|upgrade|update)(?:s|d|ing)?\s+(?:\S+\s+){1,5}?"
    r"(?:from\s+\S*\d\S*\s+)?to\s+v?\d+(?:\.[\w-]+)*(?:\s+in\s+\S+)?\W*(?:\(#\d+\))?\W*\z"
    r"|\A\w+:\s*[\w./@-]+@[~^]?v?\d[\w.-]*\s*(?:\(#\d+\))?\s*\z"
)

_REVERTED = (
    r"(?im)\A\W*(?:revert(?:ed|s|ing)?\b:?[ \t]*)+(?:\"[^\n]*\"|'[^\n]*')?"
    r"|\bthis (?:commit )?reverts (?:commits? )?[0-9a-f]{7,64}(?:,?\s+reversing\s+changes made to\s+[0-9a-f]{7,64})?"
)


def own_text(message: pl.Expr) -> pl.Expr:
    """The message without trailers, addresses, numbers and ids."""
    return message.str.head(_READ).str.replace_all(_TRAILERS, "").str.replace_all(_REFERENCES, " ")


def words(text: pl.Expr) -> pl.Expr:
    """How many words; a letter of a script without spaces is half of one."""
    return text.str.count_matches(_WORD) + text.str.count_matches(_UNSPACED) / 2


def empty_words(text: pl.Expr) -> pl.Expr:
    """How many words that fit any change."""
    return text.str.count_matches(_EMPTY_WORDS)


def is_proposed(message: pl.Expr) -> pl.Expr:
    """Whether it is what a web editor proposes: "Update" and a file's name."""
    return message.str.head(_READ).str.contains(_EDITOR)


def is_release(message: pl.Expr) -> pl.Expr:
    """Whether its one line, trailers aside, says only that there is a new version."""
    text = message.str.head(_READ).str.replace_all(_TRAILERS, "").str.strip_chars()
    return text.str.contains(_RELEASE) & text.str.contains(_NAMES_RELEASE) & ~text.str.contains("\n", literal=True)


def is_upgrade(message: pl.Expr) -> pl.Expr:
    """Whether its one line, trailers aside, says only that something is used in another version."""
    text = message.str.head(_READ).str.replace_all(_TRAILERS, "").str.strip_chars()
    return text.str.contains(_UPGRADE) & ~text.str.contains("\n", literal=True)


def is_revert(message: pl.Expr) -> pl.Expr:
    """Whether it says that a commit is taken back."""
    return message.str.head(_READ).str.contains(_REVERTED)


def without_revert(message: pl.Expr) -> pl.Expr:
    """The message without what git writes by itself when a commit is reverted."""
    return message.str.head(_READ).str.replace_all(_REVERTED, " ")
