"""A value before and after, cut to a readable length; long texts word by word. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ctsync.record.compare.text_diff import Edit, Segment, token_diff
from ctsync.record.value_text import counted
from ctsync.report.report import TextMark, TextPiece
from ctsync.text import shorten

LONGEST = 400
"""Most characters of a value, or of one run of changed words."""
SHORT = 50
"""Texts shorter than this are shown in full before and after."""
AROUND = 8
"""Number of unchanged words shown on each side of a change."""
LONGEST_PASSAGE = 1200
"""Most characters shown of one text; further changes in it are counted."""
_ALIKE = 0.3
_MARKS = {Edit.DELETED: TextMark.REMOVED, Edit.INSERTED: TextMark.ADDED}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A change as a report shows it; `is_cut` if it shows only a part."""

    before: str
    after: str
    pieces: tuple[TextPiece, ...]
    is_cut: bool


def excerpt(before: str, after: str, *, values: tuple[Any, Any]) -> Excerpt:
    """Compare a value before and after; `before` and `after` are `values` in words.

    A text that changed in part is shown word by word, without most of its unchanged words. A
    value that is too long is cut, with a note of how much is missing.
    """
    is_cut = max(len(before), len(after)) > LONGEST
    whole = Excerpt(shorten(before, LONGEST), shorten(after, LONGEST), (), is_cut)
    if not all(isinstance(value, str) for value in values) or min(len(before), len(after)) < SHORT:
        return whole
    segments = token_diff(before, after)
    kept = sum(segment.words for segment in segments if segment.edit is Edit.KEPT)
    if kept < _ALIKE * sum(segment.words for segment in segments):
        return whole
    pieces = tuple(_bounded(list(_pieces(segments))))
    has_gap = any(piece.mark is TextMark.CUT for piece in pieces)
    is_long = any(len(segment.text) > LONGEST for segment in segments)
    return Excerpt(whole.before, whole.after, pieces, has_gap or is_long)


def in_full(before: str, after: str, *, values: tuple[Any, Any]) -> Excerpt:
    """Compare a value before and after without leaving anything out."""
    known = excerpt(before, after, values=values)
    if not known.pieces:
        return Excerpt(before, after, (), is_cut=False)
    pieces = (
        TextPiece(
            _MARKS.get(segment.edit, TextMark.KEPT), segment.text.strip(), is_glued(segment.text)
        )
        for segment in token_diff(before, after)
    )
    return Excerpt(before, after, tuple(pieces), is_cut=False)


def _pieces(segments: Sequence[Segment]) -> Iterator[TextPiece]:
    for n, (edit, text) in enumerate(segments):
        if edit is not Edit.KEPT:
            yield TextPiece(_MARKS[edit], shorten(text.strip(), LONGEST), is_glued(text))
            continue
        words = text.split()
        head = words[:AROUND] if n > 0 else []
        tail = words[-AROUND:] if n < len(segments) - 1 else []
        gap = len(words) - len(head) - len(tail)
        if gap <= AROUND:
            yield TextPiece(TextMark.KEPT, " ".join(words), is_glued(text))
            continue
        if head:
            yield TextPiece(TextMark.KEPT, " ".join(head))
        yield TextPiece(TextMark.CUT, f"{counted(gap, 'word')} as before")
        if tail:
            yield TextPiece(TextMark.KEPT, " ".join(tail), is_glued(text))


def is_glued(text: str) -> bool:
    """Whether a text ends without a blank."""
    return not text[-1:].isspace()


def _bounded(pieces: Sequence[TextPiece]) -> Iterator[TextPiece]:
    shown = 0
    for n, piece in enumerate(pieces):
        if shown > LONGEST_PASSAGE:
            more = sum(one.mark in _MARKS.values() for one in pieces[n:])
            yield TextPiece(TextMark.CUT, counted(more, "more changed passage"))
            return
        shown += len(piece.text)
        yield piece
