"""Tree-sitter queries over one file: what resolvers of dependencies read imports with.

What belongs here: parsing with a grammar's one parser, and what a query captures. What does not: any query, or
which grammar reads which language (`seed_platform.filters.grammars`).
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import cast

from tree_sitter import Language, Node, Query, QueryCursor
from tree_sitter_language_pack import SupportedLanguage, get_language

from seed_platform.filters import grammars

_start = attrgetter("start_byte")


def captures(grammar: str, query: str, source: bytes) -> dict[str, list[Node]]:
    """The nodes that a query captures, by the capture's name (without "@"), each list in the order of where they begin.

    Broken syntax never raises: the tree holds what the parser could recover.

    Args:
        grammar: a name of tree-sitter-language-pack, as in `seed_platform.filters.grammars.GRAMMARS`.
        query: patterns in tree-sitter's query language; compiled once per process.
        source: UTF-8. Other bytes are parsed as errors.

    Raises:
        LookupError: there is no such grammar.
        tree_sitter.QueryError: the query is not one of this grammar.
    """
    found = QueryCursor(_compiled(grammar, query)).captures(root(grammar, source))
    # The cursor gives them in the order in which patterns are complete, hence nested ones in between.
    return {name: sorted(nodes, key=_start) for name, nodes in found.items()}


def root(grammar: str, source: bytes) -> Node:
    """The root of the file's syntax tree; nodes keep their tree alive."""
    return grammars.parser(grammar).parse(source).root_node


def text(node: Node) -> str:
    """The node's source. Bytes that are not UTF-8 become U+FFFD, so that such a name resolves to nothing."""
    return (node.text or b"").decode("utf-8", "replace")


@cache
def _language(grammar: str) -> Language:
    return get_language(cast("SupportedLanguage", grammar))


@cache
def _compiled(grammar: str, query: str) -> Query:
    return Query(_language(grammar), query)
