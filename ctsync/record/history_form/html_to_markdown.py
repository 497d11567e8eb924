"""Conversion of the registry's HTML texts to the Markdown that API v2 writes.

In history bodies every string is HTML-escaped, and long texts are HTML. In v2 bodies long texts
are Markdown, and all others are plain. Only certain tags and references are read as such: an
angle bracket or ampersand that stands alone is text, and so is a tag that no registry text uses.
References are decoded once, so that "&lt;" typed by a sponsor stays "&lt;".

Does no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape, unescape
from html.entities import html5
from html.parser import HTMLParser

_BREAKS = frozenset((
    "blockquote", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre",
    "table", "tr",
))  # fmt: skip
_OTHERS = frozenset((
    "b", "br", "em", "i", "li", "mark", "ol", "span", "strong", "sub", "sup", "tbody", "td", "th",
    "thead", "u", "ul",
))  # fmt: skip
_TAG = re.compile(
    rf"(?!<!--[^<>]*-->|</?(?:{'|'.join(sorted(_BREAKS | _OTHERS))})"
    r"""(?:\s+[\w:-]+(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=`]+))?)*\s*/?>)<""",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"&(#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9]{0,31};)?")

_MARKS = re.compile(r"[\\`*_\[\]<>&^~|]")
_LOOKS_NUMBERED = re.compile(r"\A(\d{1,9})([.)])(?=\s|\Z)")
_LOOKS_LISTED = re.compile(r"\A(?=[-+](?:[\s-]|\Z)|#{1,6}(?:\s|\Z))")

BETWEEN_LISTS = "<!-- -->"
_DEEPEST = 40


def to_markdown(html: str, *, escaped: bool) -> str:
    """Convert an HTML text to the form that v2 writes.

    `escaped`: v2 writes this text as Markdown, with a backslash before each character that
    Markdown would interpret. Other texts are plain. Soft line wraps become spaces.
    """
    if "<" not in html and "\n" not in html:
        text = _REFERENCE.sub(_read, html) if "&" in html else html
        return _line(_MARKS.sub(r"\\\g<0>", text), escaped=True) if escaped else text
    reader = _Reader(escaped=escaped)
    # HTMLParser guesses at stray angle brackets and ampersands and loses text. After this every
    # bracket begins a known tag, and every ampersand a reference.
    reader.feed(_REFERENCE.sub(lambda found: escape(_read(found)), _TAG.sub("&lt;", html)))
    reader.close()
    return "\n".join(_written(reader.text()))


def _read(found: re.Match[str]) -> str:
    """Return the character of a reference, or the reference itself if it is not a known one."""
    name = found[1] or ""
    known = name.startswith("#") or name in html5
    return (unescape(found[0]) if known else "") or found[0]


# --- reading -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Item:
    """An item of a list; also the root of the text, which has no marker."""

    marker: str = ""
    blocks: list[str | _List] = field(default_factory=list)


@dataclass(slots=True)
class _List:
    """A list. `number` is the number of its next item, None for a bulleted list."""

    number: int | None = None
    items: list[_Item] = field(default_factory=list)

    def start_item(self) -> _Item:
        item = _Item("* " if self.number is None else f"{self.number}. ")
        if self.number is not None:
            self.number += 1
        self.items.append(item)
        return item


class _Reader(HTMLParser):
    """Reads HTML into paragraphs and lists. Tolerates tags left open or closed twice."""

    def __init__(self, *, escaped: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._escaped = escaped
        self._root = _Item()
        self._open: list[_Item | _List] = [self._root]
        self._pieces: list[str] = []
        self._too_deep = 0

    def text(self) -> _Item:
        """Return the root of everything read."""
        self._end_block()
        return self._root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self._end_block()
        elif tag in ("ul", "ol"):
            number = _number(attrs, "start")
            self._start_list(None if tag == "ul" else 1 if number is None else number)
        elif tag == "li":
            self._start_item(_number(attrs, "value"))
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in ("td", "th"):
            self._pieces.append(" | " if self._pieces else "")
        elif tag in ("sub", "sup"):
            self._pieces.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BREAKS:
            self._end_block()
        elif tag in ("ul", "ol"):
            self._end_list()
        elif tag == "li":
            self._end_block()
            self._close(_Item)
        elif tag in ("sub", "sup"):
            self._pieces.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        soft = data.replace("\n", " ")
        self._pieces.append(_MARKS.sub(r"\\\g<0>", soft) if self._escaped else soft)

    def _end_block(self) -> None:
        lines = "".join(self._pieces).split("\n")
        self._pieces.clear()
        lines = [_line(line, escaped=self._escaped) for line in lines]
        text = ("\\\n" if self._escaped else "\n").join(filter(None, lines))
        if text:
            inner = self._open[-1]
            (inner.start_item() if isinstance(inner, _List) else inner).blocks.append(text)

    def _start_list(self, number: int | None) -> None:
        self._end_block()
        if len(self._open) > 2 * _DEEPEST:
            self._too_deep += 1
            return
        inner = self._open[-1]
        item = inner.start_item() if isinstance(inner, _List) else inner
        listed = _List(number)
        item.blocks.append(listed)
        self._open.append(listed)

    def _end_list(self) -> None:
        self._end_block()
        if self._too_deep:
            self._too_deep -= 1
        else:
            self._close(_List)

    def _start_item(self, number: int | None) -> None:
        self._end_block()
        if isinstance(self._open[-1], _Item):
            self._close(_Item)
        if isinstance(self._open[-1], _Item):
            self._start_list(None)
        inner = self._open[-1]
        if isinstance(inner, _List):
            if number is not None and inner.number is not None:
                inner.number = number
            self._open.append(inner.start_item())

    def _close(self, kind: type) -> None:
        """Close the innermost list or item and everything open in it, but never the root."""
        for n in range(len(self._open) - 1, 0, -1):
            if isinstance(self._open[n], kind):
                del self._open[n:]
                return


def _number(attrs: list[tuple[str, str | None]], name: str) -> int | None:
    given = dict(attrs).get(name) or ""
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


# --- writing -------------------------------------------------------------------------------------


def _line(text: str, *, escaped: bool) -> str:
    """Join the words of a line; in Markdown, escape a beginning that looks like a list item."""
    line = " ".join(text.split())
    if not escaped:
        return line
    return _LOOKS_LISTED.sub(r"\\", _LOOKS_NUMBERED.sub(r"\1\\\2", line, 1), 1)


def _written(item: _Item) -> list[str]:
    """Return the lines of an item: blank lines between blocks, none between list items."""
    lines: list[str] = []
    for n, block in enumerate(item.blocks):
        if n:
            lines.append("")
            if isinstance(block, _List) and isinstance(item.blocks[n - 1], _List):
                lines += [BETWEEN_LISTS, ""]
        if isinstance(block, str):
            lines += block.split("\n")
        else:
            for inner in block.items:
                lines += _indented(inner.marker, _written(inner))
    return lines


def _indented(marker: str, lines: list[str]) -> list[str]:
    blanks = " " * len(marker)
    first, *rest = lines or [""]
    return [(marker + first).rstrip(), *(blanks + line if line else "" for line in rest)]
