"""One event in the words of a report, the same in every format. Does no I/O.

Remote text stays as it is: each format makes it safe for its own sink.
"""

from __future__ import annotations

from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import Event, Kind
from ctsync.record.value_text import plain, signed_days, signed_percent, typed

DATE_KINDS = (Kind.PRIMARY_COMPLETION_DATE, Kind.COMPLETION_DATE, Kind.START_DATE)
_MEASURED = frozenset((*DATE_KINDS, Kind.ENROLLMENT))
_SHORT_DATE = {
    Kind.PRIMARY_COMPLETION_DATE: "PCD",
    Kind.COMPLETION_DATE: "completion",
    Kind.START_DATE: "start",
}
_SHORT = {
    Kind.GONE: "gone from the registry",
    Kind.RETURNED: "back in the registry",
    Kind.REGISTERED: "newly registered",
    Kind.MOVED: "moved to {}",
    Kind.ENTERED: "entered {}",
    Kind.LEFT: "left {}",
}
_SHORTEST = 60
"""Longest summary, or part of it before a colon, for a table cell."""


def is_measured(event: Event) -> bool:
    """Whether the event is a change of a date or a count, not of its type."""
    return event.kind in _MEASURED and event.path.endswith(("date", "count"))


def is_type(event: Event) -> bool:
    """Whether the event is a change of such a type, as from ESTIMATED to ACTUAL."""
    return event.kind in _MEASURED and event.path.endswith("type")


def detail(event: Event) -> str:
    """The summary of the event without its label."""
    label = event.label
    for prefix in (label, label.removesuffix(" type"), event.kind.value.capitalize()):
        rest = event.summary.removeprefix(prefix)
        if prefix and rest != event.summary and rest[:1] in {" ", ":", ""}:
            return rest.lstrip(" :")
    return event.summary


def sides(event: Event) -> tuple[str, str]:
    """The value before and after, each with its type if it has one."""
    if is_type(event):
        return plain(event.before), plain(event.after)
    return (
        typed(plain(event.before), event.before_type),
        typed(plain(event.after), event.after_type),
    )


def move(event: Event) -> str:
    """How far the value moved in this version; empty if it is not a date or a count."""
    if event.days is not None:
        return signed_days(event.days, _margin(event))
    if event.percent is None:
        return ""
    if _is_number(event.before) and _is_number(event.after):
        return f"{event.after - event.before:+,}, {signed_percent(event.percent)}"
    return signed_percent(event.percent)


def move_since_first(event: Event) -> str:
    """How far the value has moved since the first known version; empty if unknown."""
    if event.days_since_first is not None:
        return signed_days(event.days_since_first)
    if event.percent_since_first is not None:
        return signed_percent(event.percent_since_first)
    return ""


def short_since_first(event: Event) -> str:
    """The move since the first version for a table cell: "PCD +820 d", "N -47 %"."""
    figure = move_since_first(event)
    name = _SHORT_DATE.get(event.kind, "N" if event.kind is Kind.ENROLLMENT else "")
    return f"{name} {figure}" if figure and name else ""


def short(event: Event) -> str:
    """The event in a few words, for a table cell or a subject line."""
    if event.kind is Kind.STATUS:
        return f"status -> {plain(event.after)}"
    if event.kind in _SHORT:
        return _SHORT[event.kind].format(
            plain(event.before if event.after is None else event.after)
        )
    if is_measured(event):
        return _short_date(event) if event.kind in _SHORT_DATE else _short_enrollment(event)
    told = " ".join(event.summary.split())
    head = told if len(told) <= _SHORTEST else told.partition(": ")[0]
    if head == event.label or not 0 < len(head) <= _SHORTEST:
        return f"{event.label} changed"
    return head


def _short_enrollment(event: Event) -> str:
    if _met_its_target(event):
        return f"{event.after} of {event.before} enrolled"
    return f"N {' -> '.join(sides(event))}"


def _short_date(event: Event) -> str:
    name = _SHORT_DATE[event.kind]
    if event.days:
        return f"{name} {signed_days(event.days)}"
    before, after = sides(event)
    return f"{name} {before} -> {after}"


def _met_its_target(event: Event) -> bool:
    types = (event.before_type, event.after_type)
    return types == ("ESTIMATED", "ACTUAL") and _is_number(event.before) and event.before > 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _margin(event: Event) -> int:
    before, after = PartialDate.parse(event.before), PartialDate.parse(event.after)
    return before.shift_to(after).margin if before and after else 0
