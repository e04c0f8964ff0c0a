"""One page: its HTML in, Markdown and facts out.

The page is parsed by resiliparse, whose serialization is read back by compiled code as a flat tree; the main content
is chosen there and written. Limits are counts of bytes, nodes and depth, never of time, so that the same page has the
same outcome on any machine. What belongs here: the order of the stages, and the outcome. What does not: each stage.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from resiliparse.parse.html import HTMLTree

from seed_platform.extraction import guard, markdown, tree, writer
from seed_platform.extraction.boilerplate import prune
from seed_platform.extraction.code_blocks import find_listings
from seed_platform.extraction.code_languages import language_of
from seed_platform.extraction.main_content import find_root
from seed_platform.extraction.names import ID, NAMES
from seed_platform.extraction.scanning import Bytes

TOO_MANY_BYTES = "too_many_bytes"
TOO_MANY_NODES = "too_many_nodes"
TOO_DEEP = "too_deep"
FRAMESET = "frameset"
SCRIPT_ONLY = "script_only"
EMPTY_PAGE = "empty_page"
NO_CONTENT = "no_content"

# Elements whose number is a fact of the page.
_COUNTED_NAMES = (
    "p h1 h2 h3 h4 h5 h6 li table pre code samp kbd a form input button textarea select img article section nav "
    "aside main time blockquote dl details iframe script video audio svg frame"
)
COUNTED: tuple[str, ...] = tuple(_COUNTED_NAMES.split())
_CODE = tuple(ID[name] for name in ("pre", "code", "tt", "samp", "kbd"))
_COUNTED = tuple((name, ID[name]) for name in COUNTED)
_LANGUAGE = re.compile(rb"""\s(?:xml:)?lang="\s*([A-Za-z]{2})(?:[-_][^"]*)?\s*\"""")
_WHITE_SPACE = re.compile(r"\s+")
_TITLE_LENGTH = 1000
_LITTLE_TEXT = 50
_ATTRIBUTES_LENGTH = 500
_FORMATTING = 256
_SPARE = 4096


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """How much work a page may be.

    Attributes:
        max_bytes: of its HTML as UTF-8.
        max_nodes: elements, with those that a parser opens anew because they were never closed.
        max_depth: elements within each other.
    """

    max_bytes: int = 16 << 20
    max_nodes: int = 500_000
    max_depth: int = 1_000


@dataclass(frozen=True, slots=True)
class Extraction:
    """What is in a page.

    Attributes:
        title: from its head, one line.
        text: the main content as Markdown; "" if there is none.
        reason: why there is no text; one of the constants of this module, None if there is text.
        explicit: whether markup says that there is code: <code>, <pre>, <samp>, <kbd> or a highlighter's, with text.
        code_blocks: fenced blocks in `text`.
        code_bytes: UTF-8 bytes of code in `text`, in blocks and inline, without fences and backticks.
        link_bytes: UTF-8 bytes of link text in `text`.
        counts: how many of each of `COUNTED` the whole page has.
        language: the declared language, two letters.
    """

    title: str | None = None
    text: str = ""
    reason: str | None = None
    explicit: bool = False
    code_blocks: int = 0
    code_bytes: int = 0
    link_bytes: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    language: str | None = None


DEFAULT_LIMITS = ExtractionLimits()


def extract(html: str, limits: ExtractionLimits = DEFAULT_LIMITS) -> Extraction:
    """Extract the main content of a page. Never raises for what is in a page.

    Args:
        html: the page.
        limits: see there.
    """
    if len(html) > limits.max_bytes:
        return Extraction(reason=TOO_MANY_BYTES)
    try:
        encoded = html.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        encoded = html.encode("utf-8", "replace")
        html = encoded.decode()
    if len(encoded) > limits.max_bytes:
        return Extraction(reason=TOO_MANY_BYTES)
    reason = _refusal(np.frombuffer(encoded, dtype=np.uint8), limits)
    if reason is not None:
        return Extraction(reason=reason)
    document = HTMLTree.parse(html).document
    return _Page(document.html.encode() if document else b"", limits).extraction()


def _refusal(text: Bytes, limits: ExtractionLimits) -> str | None:
    """Why a page is not parsed."""
    stack = np.empty(limits.max_depth, dtype=np.int64)
    opened = np.zeros(guard.SCRATCH, dtype=np.int64)
    active = np.empty((_FORMATTING, 2), dtype=np.int64)
    depth, elements = guard.cost(text, stack, opened, active)
    if depth >= limits.max_depth:
        return TOO_DEEP
    return TOO_MANY_NODES if elements > limits.max_nodes else None


class _Page:
    """A page that was parsed."""

    def __init__(self, serialized: bytes, limits: ExtractionLimits) -> None:
        self._bytes = serialized
        self._text = np.frombuffer(serialized, dtype=np.uint8)
        self._nodes = np.empty((2 * serialized.count(b"<") + 1, tree.COLUMNS), dtype=np.int32)
        # Deeper than the limit, since a parser adds elements of its own.
        self._stack = np.empty((4 * limits.max_depth + 64, 2), dtype=np.int32)
        self._counts = np.zeros(len(NAMES), dtype=np.int64)
        self._facts = np.empty(tree.FACTS, dtype=np.int64)
        self._rows = tree.build(self._text, self._nodes, self._stack, self._counts, self._facts)

    def extraction(self) -> Extraction:
        if self._rows < 0:
            return Extraction(reason=TOO_DEEP)
        body = int(self._facts[tree.BODY])
        counts = self._counts.tolist()
        text, state = ("", writer.new_state()) if body < 0 else self._markdown(body)
        return Extraction(
            title=self._title(),
            text=text,
            reason=None if text else self._reason(body),
            explicit=bool(self._facts[tree.EXPLICIT] > 0),
            code_blocks=int(state[writer.CODE_BLOCKS]) if text else 0,
            code_bytes=int(state[writer.CODE_BYTES]) if text else 0,
            link_bytes=int(state[writer.LINK_BYTES]) if text else 0,
            counts={name: counts[number] for name, number in _COUNTED},
            language=self._language(),
        )

    def _markdown(self, body: int) -> tuple[str, npt.NDArray[np.int64]]:
        nodes = self._nodes
        root = find_root(nodes, body)
        prune(nodes, root, self._text)
        rows = np.empty(sum(self._counts[number] for number in _CODE) + 64, dtype=np.int32)
        rows = rows[: find_listings(nodes, root, self._text, rows)]
        informations = [self._information(int(row)) for row in rows]
        bounds = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in informations], out=bounds[1:])
        joined = np.frombuffer(b"".join(informations) or b" ", dtype=np.uint8)
        room = 2 * len(self._bytes) + _SPARE
        while True:
            state = writer.new_state()
            out = np.empty(room, dtype=np.uint8)
            if markdown.write(self._text, nodes, root, joined, bounds, state, out, self._stack):
                return out[: state[writer.POSITION]].tobytes().decode("utf-8", "replace"), state
            room *= 2

    def _attributes(self, row: int) -> bytes:
        start, end = int(self._nodes[row, tree.START]), int(self._nodes[row, tree.END])
        return self._bytes[start : min(end, start + _ATTRIBUTES_LENGTH)]

    def _information(self, row: int) -> bytes:
        """The language of a block of code: of the elements it begins with, itself, then those around it."""
        nodes = self._nodes
        asked = []
        inner = row + 1
        last = min(int(nodes[row, tree.LAST]), row + 3)
        while inner < last:
            if nodes[inner, tree.TAG] in (ID["code"], ID["script"]):
                asked.append(inner)
            inner += 1
        asked.append(row)
        size = int(nodes[row, tree.SIZE])
        above = int(nodes[row, tree.PARENT])
        for _ in range(6):
            if above < 0 or nodes[above, tree.SIZE] > 2 * size + 64:
                break
            asked.append(above)
            above = int(nodes[above, tree.PARENT])
        return language_of(self._attributes(one) for one in asked).encode()

    def _title(self) -> str | None:
        start, end = self._facts[tree.TITLE_START], self._facts[tree.TITLE_END]
        if end <= start:
            return None
        raw = self._bytes[start : min(end, start + 4 * _TITLE_LENGTH)].decode("utf-8", "ignore")
        title = _WHITE_SPACE.sub(" ", entities.unescape(raw)).strip()[:_TITLE_LENGTH]
        return title or None

    def _language(self) -> str | None:
        start, end = self._facts[tree.ROOT_START], self._facts[tree.ROOT_END]
        found = _LANGUAGE.search(self._bytes[max(0, start) : max(0, end)])
        return found[1].decode().lower() if found else None

    def _reason(self, body: int) -> str:
        if self._counts[ID["frameset"]] > 0:
            return FRAMESET
        if body >= 0 and self._nodes[body, tree.SIZE] >= _LITTLE_TEXT:
            return NO_CONTENT
        if self._counts[ID["script"]] > 0:
            return SCRIPT_ONLY
        return NO_CONTENT if body >= 0 and self._nodes[body, tree.SIZE] else EMPTY_PAGE
