"""Lines of text with styles, wrapped to a width. Does no I/O.

A style is a name. The command line turns it into colours on a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from ctsync.text import for_terminal

_BLANKS = re.compile(r"(\s+)")


class Style(StrEnum):
    """The role of a piece of a line."""

    PLAIN = "plain"
    HEADING = "heading"
    LABEL = "label"
    CRITICAL = "critical"
    NOTABLE = "notable"
    SOFT = "soft"
    REMOVED = "removed"
    ADDED = "added"


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]


def wrap_spans(
    spans: Iterable[Span], width: int, *, first: str = "", rest: str = ""
) -> Iterator[Line]:
    """Break spans into lines at their blanks, with the indents `first` and `rest`.

    Consecutive blanks become one. A word that is longer than a line is not broken.
    """
    line: list[Span] = [Span(first)] if first else []
    used, is_fresh = len(first), True
    for word in _words(spans):
        size = sum(len(span.text) for span in word)
        if not is_fresh and used + 1 + size > width:
            yield tuple(line)
            line, used, is_fresh = ([Span(rest)] if rest else []), len(rest), True
        if not is_fresh:
            line.append(_blank(line[-1], word[0]))
            used += 1
        line += word
        used, is_fresh = used + size, False
    yield tuple(line)


def _words(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Yield the runs without a blank; a run may hold pieces of several spans."""
    word: list[Span] = []
    for text, style in spans:
        for part in _BLANKS.split(text):
            if part.isspace():
                if word:
                    yield word
                word = []
            elif part:
                word.append(Span(for_terminal(part), style))
    if word:
        yield word


def _blank(before: Span, after: Span) -> Span:
    return Span(" ", before.style if before.style == after.style else Style.PLAIN)


def as_text(line: Line) -> str:
    """Return a line without its styles."""
    return "".join(span.text for span in line).rstrip()
