"""Events of the three trial dates: start, primary completion, completion.

A date and its type are two leaves. If both change, they are two events: how far the date moved,
and that it became actual. If a date and its type are added or removed together, they are one
event.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ctsync.dates import PartialDate, Shift
from ctsync.model import Event, FieldChange, KeyFields, Kind
from ctsync.record.enum_words import within_sentence
from ctsync.record.events.base import (
    VersionStep,
    absent_as_none,
    is_since_registration,
    make_event,
    with_type,
)
from ctsync.record.events.other import plain_event
from ctsync.record.fields.field_types import Field
from ctsync.record.fields.table import field_at
from ctsync.record.flags.upkeep import OPEN
from ctsync.record.value_text import ordinal, said, shifted, signed_days, typed

_NAMES = {
    Kind.START_DATE: "start_date",
    Kind.PRIMARY_COMPLETION_DATE: "primary_completion_date",
    Kind.COMPLETION_DATE: "completion_date",
}


def date_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield the events of a trial date: of the date, of its type, or of both together."""
    for group in with_type(changes):
        match group[0].field.rpartition(".")[2]:
            case "date":
                yield _date_event(group, step)
            case "type":
                yield _type_event(group[0], step)
            case _:
                yield plain_event(group, step)


def _types(reported: Field, step: VersionStep) -> tuple[str | None, str | None]:
    name = f"{_NAMES[reported.kind]}_type"
    return getattr(step.old, name), getattr(step.new, name)


def _date_event(changes: list[FieldChange], step: VersionStep) -> Event:
    change = changes[0]
    reported = field_at(change.field)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    old, new = PartialDate.parse(before), PartialDate.parse(after)
    shift = old.shift_to(new) if old and new else None
    earlier = _values(step.past, _NAMES[reported.kind])
    first = earlier[0] if earlier else old
    from_first = first.shift_to(new) if first and new and shift else None
    since_first = from_first.days if from_first else None
    moves = count_moves([*earlier, new])
    before_type, after_type = _types(reported, step)
    inputs = {
        "part": "date",
        "nature": _date_nature(before, after, shift),
        "days": shift.days if shift else None,
        "moved_days": abs(shift.days) if shift else None,
        "margin": shift.margin if shift else None,
        "days_since_first": since_first,
        "margin_since_first": from_first.margin if from_first else None,
        "moves": moves,
        "slips": count_slips([*earlier, new]),
        "since_registration": step.has_every_version or is_since_registration(step.past),
        "has_every_version": step.has_every_version,
        "is_open": step.new.status in OPEN,
        "before_type": before_type,
        "after_type": after_type,
        "crosses_registration": _crosses_registration(reported.kind, old, new, step.new),
    }
    sides = typed(said(before), before_type), typed(said(after), after_type)
    summary = f"{reported.label} {' -> '.join(sides)}"
    remarks = ", ".join(_date_remarks(inputs, shift))
    return make_event(
        step,
        reported,
        changes,
        f"{summary}, {remarks}" if remarks else summary,
        before=before,
        after=after,
        inputs=inputs,
        before_type=before_type,
        after_type=after_type,
        days=inputs["days"],
        days_since_first=since_first,
    )


def _date_nature(before: Any, after: Any, shift: Shift | None) -> str:
    if shift is not None:
        return "precision" if shift.precision_only else "moved"
    if after is None:
        return "dropped"
    if PartialDate.parse(after) is None:
        return "unreadable"
    return "first given" if before is None else "readable"


def _date_remarks(inputs: dict[str, Any], shift: Shift | None) -> Iterator[str]:
    if inputs["nature"] == "unreadable":
        yield "an unreadable date"
    if inputs["nature"] == "readable":
        yield "the date before was unreadable"
    if inputs["nature"] == "dropped" and inputs["is_open"]:
        yield "removed from an open trial"
    if shift is None:
        return
    since, moves = inputs["days_since_first"], inputs["moves"]
    yield shifted(shift)
    if shift.margin and not shift.precision_only:
        yield "month precision" if shift.margin < 31 else "year precision"
    if inputs["crosses_registration"]:
        yield "moved across the date of registration"
    if moves > 1 and since is not None:
        margin = inputs["margin_since_first"]
        from_when = "registered" if inputs["since_registration"] else "seen"
        nth = ordinal(moves) if inputs["has_every_version"] else f"{ordinal(moves)} recorded"
        yield f"{signed_days(since, margin)} since first {from_when} ({nth} move)"


def _crosses_registration(
    kind: Kind, old: PartialDate | None, new: PartialDate | None, key: KeyFields
) -> bool | None:
    """Return whether a start moved across the first submission; None if that is not known."""
    registered = PartialDate.parse(key.first_submitted)
    if kind is not Kind.START_DATE or not (old and new and registered):
        return None
    return (old.last < registered.first) != (new.last < registered.first)


def _values(past: Sequence[KeyFields], name: str) -> list[PartialDate]:
    read = (PartialDate.parse(getattr(key, name)) for key in past)
    return [date for date in read if date is not None]


def count_moves(dates: Sequence[PartialDate | None]) -> int:
    """Count the steps in which a date moved. A change of precision alone is not a move."""
    known = [date for date in dates if date is not None]
    return sum(1 for old, new in pairwise(known) if old.shift_to(new).days)


def count_slips(dates: Sequence[PartialDate | None]) -> int:
    """Count the steps in which a date moved later."""
    known = [date for date in dates if date is not None]
    return sum(1 for old, new in pairwise(known) if old.shift_to(new).days > 0)


def _type_event(change: FieldChange, step: VersionStep) -> Event:
    reported = field_at(change.field)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    date = getattr(step.new, _NAMES[reported.kind])
    label = reported.label.removesuffix(" type")
    return make_event(
        step,
        reported,
        [change],
        f"{label} {type_words(before, change.field)} -> {type_words(after, change.field)}"
        + (f" ({said(date)})" if date else ""),
        before=before,
        after=after,
        inputs={"part": "type", "nature": type_nature(before, after),
                "before_type": before, "after_type": after},
        before_type=before if isinstance(before, str) else None,
        after_type=after if isinstance(after, str) else None,
    )  # fmt: skip


def type_words(value: Any, field: str) -> str:
    """Return the type of a date or count in words: "estimated"."""
    return within_sentence(said(value, field=field))


def type_nature(before: Any, after: Any) -> str:
    """Return what the change of a type means, such as "became actual"."""
    if after == "ACTUAL" and before is not None:
        return "became actual"
    if before == "ACTUAL" and after is not None:
        return "became estimated"
    return "typed" if before is None else "untyped" if after is None else "retyped"
