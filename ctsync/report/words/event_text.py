"""One event in the words of a report, the same in every format. Does no I/O.

Remote text is not changed: each format makes it safe for its own sink.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import Event, Kind
from ctsync.record.enum_words import within_sentence
from ctsync.record.events.lists import SITES
from ctsync.record.events.overall_status import OVERALL
from ctsync.record.events.results import QUALITY_CONTROL
from ctsync.record.events.site_text import changes_of, short_site_summary
from ctsync.record.fields.table import field_of
from ctsync.record.value_text import (
    plain,
    short_signed_days,
    signed_days,
    signed_percent,
    typed,
    typed_date,
)
from ctsync.report.words.short_change import short_change

DATE_KINDS = (Kind.PRIMARY_COMPLETION_DATE, Kind.COMPLETION_DATE, Kind.START_DATE)
_MEASURED = frozenset((*DATE_KINDS, Kind.ENROLLMENT))
_SHORT_DATE = {
    Kind.PRIMARY_COMPLETION_DATE: "primary completion",
    Kind.COMPLETION_DATE: "completion",
    Kind.START_DATE: "start",
}
_SHORT = {
    Kind.GONE: "gone from the registry",
    Kind.RETURNED: "back in the registry",
    Kind.REGISTERED: "newly registered",
    Kind.MOVED: "moved to {}",
    Kind.ENTERED: "entered watch {}",
    Kind.LEFT: "left watch {}",
}
_ARRIVALS = frozenset({Kind.FIRST_SEEN, Kind.REGISTERED, Kind.RETURNED})
"""Events of a complete record, whose value is the overall status."""
_QC = f"{QUALITY_CONTROL}: "


def is_measured(event: Event) -> bool:
    """Whether the event is a change of a date or a count, not of its type."""
    return event.kind in _MEASURED and event.path.endswith(("date", "count"))


def is_type(event: Event) -> bool:
    """Whether the event is a change of such a type, as from ESTIMATED to ACTUAL."""
    return event.kind in _MEASURED and event.path.endswith("type")


def is_overall_status(event: Event) -> bool:
    """Whether the event is a change of the trial's status.

    Expanded access, delayed posting and the last known status have the same kind.
    """
    return event.kind is Kind.STATUS and event.path == OVERALL


def sentence(event: Event) -> str:
    """Return the summary of the event; for a trial's first version, after what happened.

    Such a summary is only the state of the trial: "Recruiting · Phase 3 · enrollment 20".
    """
    is_state = event.kind in {Kind.FIRST_SEEN, Kind.REGISTERED}
    return f"{event.label}: {event.summary}" if is_state else event.summary


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
    field = OVERALL if event.kind in _ARRIVALS else field_of(event.path)
    before, after = plain(event.before, field=field), plain(event.after, field=field)
    if is_type(event):
        return within_sentence(before), within_sentence(after)
    if event.kind in _SHORT_DATE and is_measured(event):
        return (
            typed_date(event.before, event.before_type),
            typed_date(event.after, event.after_type),
        )
    return typed(before, event.before_type), typed(after, event.after_type)


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
        return signed_days(event.days_since_first, margin_since_first(event))
    if event.percent_since_first is not None:
        return signed_percent(event.percent_since_first)
    return ""


def since_what(events: Iterable[Event]) -> str:
    """Return the start of the moves since the first version: "since registration".

    It is "since first seen" if the versions before the first sync are not stored. An event
    stored before ctsync recorded this counts from registration.
    """
    known = all(event.inputs.get("since_registration", True) for event in events)
    return "since registration" if known else "since first seen"


def short_since_first(event: Event) -> str:
    """The move since the first version for a table cell: "primary completion +2.2 years"."""
    days = event.days_since_first
    figure = (
        move_since_first(event)
        if days is None
        else short_signed_days(days, margin_since_first(event))
    )
    name = _SHORT_DATE.get(event.kind, "enrollment" if event.kind is Kind.ENROLLMENT else "")
    return f"{name} {figure}" if figure and name else ""


def short(event: Event) -> str:
    """The event in a few words, for a table cell or a subject line."""
    if is_overall_status(event):
        return f"status -> {plain(event.after, field=OVERALL)}"
    if event.kind is Kind.REGISTERED and not event.inputs.get("newly_registered", True):
        first = event.inputs.get("first_posted")
        return "newly seen by ctsync" + (f", first posted {plain(first)}" if first else "")
    if event.kind is Kind.FLAG:
        return within_sentence(event.label) + ("" if event.after else " no longer")
    if event.kind in _SHORT:
        return _SHORT[event.kind].format(
            plain(event.before if event.after is None else event.after)
        )
    if is_measured(event):
        return _short_date(event) if event.kind in _SHORT_DATE else _short_enrollment(event)
    return _short_sentence(event)


def _short_sentence(event: Event) -> str:
    if event.path == SITES:
        return short_site_summary(changes_of(event))
    if event.summary.startswith(_QC):
        return _short_quality_control(event)
    return short_change(event).phrase


def _short_quality_control(event: Event) -> str:
    """The last step of the quality control: "results submitted for quality control on …"."""
    return " ".join(event.summary.removeprefix(_QC).split()).rpartition(", then ")[2]


def _short_enrollment(event: Event) -> str:
    if _met_its_target(event):
        return f"{event.after} of {event.before} enrolled"
    return f"enrollment {_from_to(event)}"


def _short_date(event: Event) -> str:
    name = _SHORT_DATE[event.kind]
    if event.days:
        return f"{name} {short_signed_days(event.days, _margin(event))}"
    return f"{name} {_from_to(event)}"


def _from_to(event: Event) -> str:
    """The value before and after; says so if there is only one of them."""
    before, after = sides(event)
    if event.before is None and event.after is not None:
        return f"now given: {after}"
    if event.after is None and event.before is not None:
        return f"no longer given (was {before})"
    return f"{before} -> {after}"


def _met_its_target(event: Event) -> bool:
    types = (event.before_type, event.after_type)
    return types == ("ESTIMATED", "ACTUAL") and _is_number(event.before) and event.before > 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def margin_since_first(event: Event) -> int:
    """The slack in days of the move since the first version.

    An event stored before ctsync recorded it has the slack of its last move, which is smaller if
    only the first date was a month.
    """
    margin = event.inputs.get("margin_since_first")
    return margin if isinstance(margin, int) else _margin(event)


def _margin(event: Event) -> int:
    before, after = PartialDate.parse(event.before), PartialDate.parse(event.after)
    return before.shift_to(after).margin if before and after else 0
