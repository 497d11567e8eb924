"""Events of the overall status: stops, restarts, openings, and the registry's own UNKNOWN.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ctsync.model import Event, FieldChange
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.enum_words import within_sentence
from ctsync.record.events.base import VersionStep, absent_as_none, make_event
from ctsync.record.fields.table import field_at
from ctsync.record.registry.unknown_status import ACTIVE, UNKNOWN, is_registry_flip
from ctsync.record.value_text import duration, quoted, said

MODULE = "protocolSection.statusModule"
OVERALL = f"{MODULE}.overallStatus"
LAST_KNOWN = f"{MODULE}.lastKnownStatus"
WHY = f"{MODULE}.whyStopped"

STOPPED = frozenset({"TERMINATED", "WITHDRAWN", "SUSPENDED"})
_RECRUITING = frozenset({"RECRUITING", "ENROLLING_BY_INVITATION"})
_UNDERWAY = _RECRUITING | {"ACTIVE_NOT_RECRUITING"}
_FORWARD = {
    "RECRUITING": "opened",
    "ENROLLING_BY_INVITATION": "opened",
    "ACTIVE_NOT_RECRUITING": "closed",
    "COMPLETED": "completed",
}


def status_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield one event per changed field of the status."""
    for change in changes:
        match change.field:
            case "protocolSection.statusModule.overallStatus":
                yield _overall(change, step)
            case "protocolSection.statusModule.whyStopped":
                yield _why(change, step)
            case _:
                yield _other(change, step)


def status_step(after: str | None, origin: str | None) -> str:
    """Return the kind of a status step; `origin` is the last status that the sponsor reported."""
    if after in STOPPED:
        return "stopped"
    if after == UNKNOWN:
        return "unknown"
    if after == origin:
        return "other"
    if origin in STOPPED and after in ACTIVE:
        return "restarted"
    return "unusual" if _is_unusual(origin, after) else _FORWARD.get(after or "", "other")


def _is_unusual(origin: str | None, after: str | None) -> bool:
    if origin == "COMPLETED":
        return True
    if origin in {"TERMINATED", "WITHDRAWN"}:
        return after == "COMPLETED"
    return after == "NOT_YET_RECRUITING" and origin in _UNDERWAY


def _overall(change: FieldChange, step: VersionStep) -> Event:
    origin = step.old.last_known_status if step.old.status == UNKNOWN else step.old.status
    kind = status_step(step.new.status, origin)
    derived = is_registry_flip(step.old, step.new)
    days, complete = spell(step)
    inputs = {
        "part": "overall status",
        "step": kind,
        "before": absent_as_none(change.before),
        "after": absent_as_none(change.after),
        "origin": origin,
        "registry_derived": derived,
        "spell_days": days,
        "spell_whole": complete,
        "why_stopped": step.new.why_stopped if kind == "stopped" else None,
        "stopped_before": list(_earlier_stops(step)) if kind == "stopped" else None,
    }
    summary = f"Status {_words(change.before)} -> {_words(change.after)}"
    remarks = _remarks(kind, step, inputs)
    return make_event(
        step,
        field_at(OVERALL),
        [change],
        summary + (f": {remarks}" if remarks else ""),
        before=change.before,
        after=change.after,
        inputs=inputs,
    )


def _words(status: Any) -> str:
    return said(absent_as_none(status), field=OVERALL)


def _remarks(kind: str, step: VersionStep, inputs: dict[str, Any]) -> str:
    length = _length(inputs["spell_days"], complete=inputs["spell_whole"])
    was = within_sentence(_words(step.old.status))
    match kind:
        case "stopped":
            why = step.new.why_stopped
            return f"why stopped: {quoted(why, 250)}" if why else "no reason given"
        case "restarted":
            since = f", {was} for {length}" if length else ""
            return f"restarted after a stop{since}"
        case "unknown":
            return _unknown(step, derived=inputs["registry_derived"])
        case "unusual":
            return "an unusual step" + (f", {was} for {length}" if length else "")
        case _:
            return f"{was} for {length}" if length else ""


def _unknown(step: VersionStep, *, derived: bool) -> str:
    known = step.new.last_known_status or step.old.status
    text = f"registry-derived, last known {within_sentence(_words(known))}"
    if derived and (since := step.new.submitted or step.new.posted):
        text += f", no sponsor update since {said(since)}"
    return text


def _length(days: int | None, *, complete: bool) -> str:
    if days is None:
        return ""
    return ("" if complete else "at least ") + duration(days)


def spell(step: VersionStep) -> tuple[int | None, bool]:
    """Return for how many days the previous status lasted, and whether its first day is known.

    The number is None if the first or last day is unknown. If the days come from the records
    alone, that includes every change that the registry made itself.
    """
    past = step.past
    first = len(past) - 1
    while first > 0 and past[first - 1].status == past[-1].status:
        first -= 1
    start, end = step.days[first], step.days[-1]
    if start is None or end is None or end <= start:
        return None, False
    at_registration = past[first].first_posted in {past[first].posted, None} and first == 0
    known = first > 0 or (at_registration and past[first].first_posted is not None)
    return (end - start).days, known


def _earlier_stops(step: VersionStep) -> Iterator[dict[str, Any]]:
    """Yield the earlier stops of the trial: status, first day and length, each None if unknown."""
    statuses = [*(key.status for key in step.past), step.new.status]
    starts = [i for i, status in enumerate(statuses) if not i or status != statuses[i - 1]]
    for first, following in pairwise(starts):
        if statuses[first] in STOPPED:
            since, until = step.days[first], step.days[following]
            days = (until - since).days if since and until and until > since else None
            started = since.isoformat() if since else None
            yield {"status": statuses[first], "since": started, "days": days}


def _why(change: FieldChange, step: VersionStep) -> Event:
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    nature = "reworded"
    if OVERALL in step.changed:
        nature = "repeats"
    elif is_cosmetic(before, after):
        nature = "cosmetic"
    return make_event(
        step,
        field_at(WHY),
        [change],
        f"Why stopped: {quoted(before)} -> {quoted(after)}" if before else
        f"Why stopped: {quoted(after)}",
        before=before,
        after=after,
        inputs={"nature": nature, "with_status": OVERALL in step.changed},
    )  # fmt: skip


def _other(change: FieldChange, step: VersionStep) -> Event:
    reported = field_at(change.field)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    repeats = change.field == LAST_KNOWN and OVERALL in step.changed
    return make_event(
        step,
        reported,
        [change],
        f"{reported.label}: {said(before, field=change.field)} -> "
        f"{said(after, field=change.field)}",
        before=before,
        after=after,
        inputs={"part": change.field.rpartition(".")[2], "nature": "repeats" if repeats else None},
    )
