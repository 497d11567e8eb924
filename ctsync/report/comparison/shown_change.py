"""One field change in words, in full. Does no I/O.

Remote text is not changed: each format makes it safe for its own sink.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctsync.model import MISSING, FieldChange
from ctsync.record.compare.diff import is_order
from ctsync.record.compare.text_diff import Edit, Segment, token_diff, without_escapes
from ctsync.record.enum_words import is_enum, item_words
from ctsync.record.events.other import REMOVED_COUNTRY
from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import FIELDS, field_at, items_of
from ctsync.record.value_text import TITLES, plain
from ctsync.report.report import TextMark, TextPiece
from ctsync.report.words.excerpts import is_glued

_AROUND = 7
"""Number of unchanged words shown on each side of an edit."""
_SHORT = 30
"""Shorter texts are shown in full, before and after."""
_ALIKE = 0.25
"""The least share of unchanged words in a text that is shown word by word."""
_MARKS = {
    Edit.KEPT: TextMark.KEPT,
    Edit.DELETED: TextMark.REMOVED,
    Edit.INSERTED: TextMark.ADDED,
}
_POSITIONS = {path: position for position, path in enumerate(FIELDS)}
_GAP = TextPiece(TextMark.CUT, "…")


@dataclass(frozen=True, slots=True)
class ShownPart:
    """One field of an added or removed list item."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A field change: the label of the field, the list item it belongs to, and both values.

    `before` or `after` is None if there is no value; `verb` then says what happened. `pieces`
    shows an edited text word by word, with all its words. `title` and `parts` show an item that
    was added or removed: its name, and its other fields. If `is_order`, both values are the names
    of the same items in another order.
    """

    label: str
    of: str
    before: str | None
    after: str | None
    pieces: tuple[TextPiece, ...] = ()
    title: str = ""
    parts: tuple[ShownPart, ...] = ()
    verb: str = ""
    is_order: bool = False


def shown_change(change: FieldChange) -> ShownChange:
    """Return a field change in words."""
    field = field_at(change.field)
    label = field.label
    change = _readable(change)
    before, after = _side(change.before, change.field), _side(change.after, change.field)
    present = change.after if before is None else change.before
    is_one_sided = before is None or after is None
    item = present if is_one_sided and isinstance(present, dict) else {}
    named_by = next((key for key in TITLES if item.get(key)), None)
    verb = ("added" if before is None else "removed") if is_one_sided else ""
    if change.field == REMOVED_COUNTRY and verb:
        label, verb = f"Country {'removed' if verb == 'added' else 'no longer removed'}", ""
    return ShownChange(
        label=label,
        of=_owner(change),
        before=before,
        after=after,
        pieces=_pieces(change),
        title="" if named_by is None else plain(item[named_by]),
        parts=tuple(_parts({k: v for k, v in item.items() if k != named_by}, change.field)),
        verb=verb,
        is_order=is_order(change),
    )


def _readable(change: FieldChange) -> FieldChange:
    """Return a change of a Markdown text without escapes, unless only the escapes changed."""
    if field_at(change.field).shape is not Shape.MARKUP:
        return change
    before, after = (
        without_escapes(side) if isinstance(side, str) else side
        for side in (change.before, change.after)
    )
    return change if before == after else replace(change, before=before, after=after)


def _side(value: Any, field: str) -> str | None:
    return None if value is MISSING else plain(value, field=field)


def _owner(change: FieldChange) -> str:
    """Return the names of the list items that the value belongs to, outermost first.

    Without the item itself, and without a name that the change shows anyway.
    """
    names = list(items_of(change.path))
    if names and isinstance(change.steps[-1], int):
        names.pop()
    said = [item_words(name, field).replace(" | ", ", ") for field, name in names]
    if said and _is_shown(said[-1], change.before):
        said.pop()
    return " › ".join(said)


def _is_shown(name: str, before: Any) -> bool:
    """Return whether a value is the name of its list item; a long name ends with "…"."""
    if not isinstance(before, str):
        return False
    text = " ".join(before.split())
    return text == name or (name.endswith("…") and text.startswith(name[:-1].rstrip()))


def _pieces(change: FieldChange) -> tuple[TextPiece, ...]:
    """Return an edited text word by word; empty if it is not a text or few words are unchanged."""
    before, after = change.before, change.after
    if not (isinstance(before, str) and isinstance(after, str)) or is_enum(change.field):
        return ()
    if min(len(before), len(after)) < _SHORT:
        return ()
    segments = token_diff(before, after)
    kept = sum(segment.words for segment in segments if segment.edit is Edit.KEPT)
    is_mixed = len(segments) > 1 and any(s.edit is not Edit.KEPT for s in segments)
    if not is_mixed or kept < _ALIKE * sum(segment.words for segment in segments):
        return ()
    return tuple(map(_piece, segments))


def _piece(segment: Segment) -> TextPiece:
    return TextPiece(_MARKS[segment.edit], " ".join(segment.text.split()), is_glued(segment.text))


def shortened(pieces: Sequence[TextPiece]) -> Iterator[TextPiece]:
    """Yield the pieces with a "…" for the words that are far from every edit."""
    for n, piece in enumerate(pieces):
        words = piece.text.split()
        head = words[:_AROUND] if n > 0 else []
        tail = words[-_AROUND:] if n < len(pieces) - 1 else []
        if piece.mark is not TextMark.KEPT or len(words) <= len(head) + len(tail) + _AROUND:
            yield piece
            continue
        if head:
            yield TextPiece(TextMark.KEPT, " ".join(head))
        yield _GAP
        if tail:
            yield TextPiece(TextMark.KEPT, " ".join(tail), piece.is_glued)


def _parts(item: dict[str, Any], field: str) -> Iterator[ShownPart]:
    """Yield the fields of a list item with their labels."""
    above = field_at(field).label
    for key in sorted(item, key=lambda key: _POSITIONS.get(f"{field}.{key}", len(_POSITIONS))):
        value, below = item[key], f"{field}.{key}"
        declared = field_at(below)
        label = declared.label.removeprefix(above).strip() if declared.known else key
        yield ShownPart(label or declared.label, plain(value, field=below))
