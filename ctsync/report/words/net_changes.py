"""The net change of each field over a window, worst first, and its words. Does no I/O.

A window may hold several changes of one field. The status, the enrollment and each date are
reported from their value at the start of the window to their value at its end. A change that was
reversed, or that a milder one followed, is named, because it may have given the trial its level.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import Event, Kind, Level, StoredEvent
from ctsync.record.events.enrollment import percent_change
from ctsync.record.value_text import short_signed_days, typed
from ctsync.report.report_filter import ReportFilter
from ctsync.report.words.event_text import (
    DATE_KINDS,
    is_measured,
    is_overall_status,
    is_type,
    short,
    short_since_first,
    sides,
)

_KIND_ORDER = {kind: position for position, kind in enumerate(Kind)}
_RECORD_KINDS = frozenset({Kind.GONE, Kind.RETURNED, Kind.MOVED})
_FIGURE_ORDER = (
    Kind.PRIMARY_COMPLETION_DATE,
    Kind.ENROLLMENT,
    Kind.COMPLETION_DATE,
    Kind.START_DATE,
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_GROUPS = {Kind.OUTCOME: 2, Kind.SITE: 4}
"""The place of a kind among changes of one level, after the status, the enrollment and dates."""
_MONTHS_FROM = 61
"""Days from which a move is given in months."""
_MOST_STEPS = 3
"""Most changes of one field that a phrase lists one by one."""


@dataclass(frozen=True, slots=True)
class NetChange:
    """All changes of one field in a window.

    `event` goes from the value before the first of `steps` to the value after the last, with
    their types and the move between them; its level is the worst of the steps. `steps` are
    oldest first; `versions` counts the versions that they led to.
    """

    event: Event
    steps: tuple[Event, ...]
    versions: int

    @property
    def level(self) -> Level:
        """The worst level of the steps."""
        return self.event.level

    @property
    def worst(self) -> Event:
        """The step with the worst level; among several, the largest, then the newest.

        If the field was reversed, a step away from its value.
        """
        away = [step for step in self.steps if step.after != self.event.after]
        steps = away if away and self.is_reversed else self.steps
        return _worst(steps)

    @property
    def is_headline(self) -> bool:
        """Whether it concerns the entire record, its status, the enrollment or a date."""
        event = self.event
        return _is_of_state(event) or is_measured(event) or is_type(event)

    @property
    def has_values(self) -> bool:
        """Whether `event` holds the value of the status, the enrollment or a date on each side."""
        return is_overall_status(self.event) or is_measured(self.event)

    @property
    def is_reversed(self) -> bool:
        """Whether the field has the same value after the window as before it."""
        first, last = self.steps[0], self.steps[-1]
        if len(self.steps) == 1 or first.kind in _RECORD_KINDS:
            return False
        if any(isinstance(side, list) for step in self.steps for side in (step.before, step.after)):
            # the sides of a list are the items removed and added, not its values
            swapped = (first.before, first.after) == (last.after, last.before)
            return len(self.steps) == 2 and swapped
        net = self.event
        is_same = (net.before, net.before_type) == (net.after, net.after_type)
        return is_same and any(step.before != step.after for step in self.steps)

    @property
    def values(self) -> tuple[Event, ...]:
        """The steps that changed a value, not only its type."""
        return tuple(step for step in self.steps if not is_type(step))


def net_changes(events: Iterable[StoredEvent], *, administrative: bool = False) -> list[NetChange]:
    """The net changes of one trial, by level, then by size, largest first.

    Administrative events count only as steps of a field that has other events as well, unless
    `administrative` asks for them.
    """
    changes = (_net_change(found) for found in _by_field(events))
    shown = (one for one in changes if administrative or one.level is not Level.ADMINISTRATIVE)
    return sorted(shown, key=_order)


def selected_events(events: Iterable[StoredEvent], selection: ReportFilter) -> list[StoredEvent]:
    """The events of one trial whose field has a net change that is selected.

    All events of such a field are kept, so that its net change stays the same.
    """
    fields = (f for f in _by_field(events) if selection.accepts(_net_change(f).event))
    return [stored for found in fields for stored in found]


def _by_field(events: Iterable[StoredEvent]) -> Iterable[list[StoredEvent]]:
    by_field: dict[str, list[StoredEvent]] = defaultdict(list)
    for stored in sorted(events, key=lambda stored: (stored.to_version, stored.event.path)):
        by_field[_field(stored.event)].append(stored)
    return by_field.values()


def _field(event: Event) -> str:
    """A date or count and its type are one field; so are all events that end or resume a record."""
    if is_measured(event) or is_type(event):
        return event.kind
    return f"record {event.path}" if event.kind in _RECORD_KINDS else f"{event.kind} {event.path}"


def _net_change(found: Sequence[StoredEvent]) -> NetChange:
    if len(found) == 1:  # usual: the copies below would take half the time of a report
        return NetChange(found[0].event, (found[0].event,), 1)
    level = min((stored.event.level for stored in found), key=lambda level: level.rank)
    first = found[0].event
    if not (is_overall_status(first) or is_measured(first) or is_type(first)):
        found = [one for one in found if one.event.level is not Level.ADMINISTRATIVE] or found
    steps = tuple(stored.event for stored in found)
    versions = len({stored.to_version for stored in found})
    return NetChange(replace(_net_event(steps), level=level), steps, versions)


def _net_event(steps: Sequence[Event]) -> Event:
    """The last change of the value, or of the type if no value changed, from the first value."""
    values = [step for step in steps if not is_type(step)] or steps
    first, last = values[0], values[-1]
    if not (is_overall_status(last) or is_measured(last)):
        return replace(last, before=first.before, before_type=first.before_type)
    old, new = PartialDate.parse(first.before), PartialDate.parse(last.after)
    percent = percent_change(_count(first.before), _count(last.after))
    return replace(
        last,
        before=first.before,
        after=last.after,
        before_type=steps[0].before_type,
        after_type=steps[-1].after_type,
        days=old.shift_to(new).days if old and new else None,
        percent=percent if last.kind is Kind.ENROLLMENT else None,
    )


def _is_of_state(event: Event) -> bool:
    return is_overall_status(event) or event.kind in _RECORD_KINDS


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


# --- the order --------------------------------------------------------------------------------


def _order(change: NetChange) -> tuple[int, int, float, int, str]:
    event = change.event
    group = 0 if _is_of_state(event) else 1 if change.is_headline else _GROUPS.get(event.kind, 3)
    size = _as_read(max(map(_size, (event, *change.steps))))
    return event.level.rank, group, -size, _KIND_ORDER[event.kind], event.path


def _worst(steps: Sequence[Event]) -> Event:
    return min(reversed(steps), key=lambda step: (step.level.rank, -_size(step)))


def _size(event: Event) -> float:
    """A year weighs as much as the complete enrollment."""
    return max(abs(event.days or 0) / 365, abs(event.percent or 0) / 100)


def _as_read(size: float) -> float:
    """The size as words give it, to a tenth of a year or to a month: +730 and +731 days are equal.

    Dates that moved equally far keep the order of the record: primary completion, completion.
    """
    if size >= 1:
        return round(size, 1)
    return round(size * 12) / 12 if size * 365 >= _MONTHS_FROM else size


# --- the words --------------------------------------------------------------------------------


def phrase(change: NetChange) -> str:
    """The change in a few words, for a table cell."""
    return "".join(_head_and_tail(change))


def subject_phrase(change: NetChange, *, has_date: bool = True) -> str:
    """Return the change for a subject: "Terminated", "primary completion +2.0 years, to Apr 2029".

    `has_date=False` leaves out the new date. A type that both counts have is left out.
    """
    event = change.event
    head, tail = _head_and_tail(change)
    if is_overall_status(event):
        head = head.removeprefix("status -> ")
        head = "status unknown" if head == "Unknown" else head
    if event.kind is Kind.ENROLLMENT and event.before_type == event.after_type:
        head = head.replace(typed("0", event.after_type).removeprefix("0"), "")
    if has_date and event.kind in DATE_KINDS and event.days and not change.is_reversed:
        head += f", to {_month(event.after)}"
    return head + tail


def _month(day: Any) -> str:
    """A date without its day: "Apr 2029"; a year alone stays one."""
    text = str(day)
    number = text[5:7]
    return f"{_MONTHS[int(number) - 1]} {text[:4]}" if number else text


def since_registration(changes: Iterable[NetChange]) -> str:
    """How far each date and the enrollment has moved since registration; empty if none has."""
    found = sorted(
        (one.event for one in changes if one.event.kind in _FIGURE_ORDER),
        key=lambda event: _FIGURE_ORDER.index(event.kind),
    )
    return ", ".join(filter(None, map(short_since_first, found)))


def _head_and_tail(change: NetChange) -> tuple[str, str]:
    """The words of a change, and those of the steps that it hides."""
    event, last = change.event, change.steps[-1]
    if len(change.steps) == 1:
        return short(event), ""
    if is_overall_status(event):
        return _status(change)
    if change.is_reversed:
        to = "removed again" if event.after is None else f"back to {sides(event)[1]}"
        back = to if change.is_headline else "changed back"
        return short(change.worst), f", then {back}"
    if is_measured(event) and event.kind is Kind.ENROLLMENT:
        return _enrollment(change), ""
    if is_measured(event):
        return short(event), _date_steps(change) + _new_type(change)
    worst, newest = short(change.worst), short(last)
    is_hidden = change.level is not last.level and worst != newest
    return (worst, f", then {newest}") if is_hidden else (newest, "")


def _status(change: NetChange) -> tuple[str, str]:
    """The newest status, after each critical one and each one that a milder change followed."""
    last = change.steps[-1]
    passed = [
        step
        for step in change.steps[:-1]
        if step.after != last.after
        and (step.level is Level.CRITICAL or step.level.rank < last.level.rank)
    ]
    if change.is_reversed:
        passed = passed or [change.worst]
    if not passed:
        return short(last), ""
    back = "back to " if change.is_reversed else ""
    then = [sides(step)[1] for step in passed[1:]] + [back + sides(last)[1]]
    return short(passed[0]), "".join(f", then {status}" for status in then)


def _date_steps(change: NetChange) -> str:
    """The moves of a date, if they differ in direction: the net move hides them."""
    steps = [step for step in change.values if step.days != 0]
    days = [step.days or 0 for step in steps]
    if len(steps) < 2 or min(days) > 0 or max(days) < 0:
        return ""
    # a date that was given or removed has a colon or brackets already
    is_move = None not in {change.event.before, change.event.after}
    if len(steps) > _MOST_STEPS:
        lead = ": " if is_move else ", after "
        return f"{lead}{len(steps)} changes, one of {_step(_worst(steps))}"
    return f"{': ' if is_move else ', first '}{', then '.join(map(_step, steps))}"


def _step(event: Event) -> str:
    if event.days is not None:
        return short_signed_days(event.days)
    return "removed" if event.after is None else f"given as {sides(event)[1]}"


def _new_type(change: NetChange) -> str:
    """The new type of a date, if the type gave the change its level and not the move."""
    event = change.event
    by_value = min(step.level.rank for step in change.values)
    if not event.days or not event.after_type or event.before_type == event.after_type:
        return ""  # without a move, the words show both values with their types
    return "" if by_value == change.level.rank else f", now {event.after_type.lower()}"


def _enrollment(change: NetChange) -> str:
    """The first and last count, and counts between that lie beyond both."""
    event = change.event
    if change.versions == 1:
        return short(event)
    first, last = sides(event)
    ends = sorted(_count(side) or 0 for side in (event.before, event.after))
    beyond = [
        step for step in change.values[:-1] if not ends[0] <= (_count(step.after) or 0) <= ends[1]
    ]
    if len(beyond) >= _MOST_STEPS:
        beyond = [_worst(beyond)]
    if None in {event.before, event.after}:
        passed = " -> ".join(sides(step)[1] for step in beyond)
        return short(event) + (f", after {passed}" if passed else "")
    return f"enrollment {' -> '.join([first, *(sides(step)[1] for step in beyond), last])}"
