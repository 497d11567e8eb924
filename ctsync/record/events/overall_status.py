"""Events of the overall status: stops, restarts, openings, and the registry's own UNKNOWN.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from ctsync.model import Event, FieldChange
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.enum_words import within_sentence
from ctsync.record.events.base import VersionStep, absent_as_none, make_event
from ctsync.record.fields.table import field_at
from ctsync.record.registry.unknown_status import ACTIVE, UNKNOWN, forecast, is_registry_flip
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
    lasted = spell(step)
    inputs = {
        "part": "overall status",
        "step": kind,
        "before": absent_as_none(change.before),
        "after": absent_as_none(change.after),
        "origin": origin,
        "registry_derived": derived,
        "spell_since": lasted.since.isoformat() if lasted.since else None,
        "spell_days": lasted.days,
        "spell_whole": lasted.is_complete,
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
    lasted = _lasted(step)
    match kind:
        case "stopped":
            why = step.new.why_stopped
            return f"why stopped: {quoted(why, 250)}" if why else "no reason given"
        case "restarted":
            return "restarted after a stop" + (f", {lasted}" if lasted else "")
        case "unknown":
            return _unknown(step, derived=inputs["registry_derived"])
        case "unusual":
            return "an unusual step" + (f", {lasted}" if lasted else "")
        case _:
            return lasted


def _unknown(step: VersionStep, *, derived: bool) -> str:
    known = step.new.last_known_status or step.old.status
    text = f"registry-derived, last known {within_sentence(_words(known))}"
    if derived and (since := step.new.submitted or step.new.posted):
        text += f", no sponsor update since {said(since)}"
    return text


def _lasted(step: VersionStep) -> str:
    """Return how long the previous status lasted: "suspended for 91 days".

    If a version may be missing, only a day is certain: "recorded as suspended on 2020-03-16".
    """
    found = spell(step)
    was = within_sentence(_words(step.old.status))
    if found.is_complete and found.days is not None:
        return f"{was} for {duration(found.days)}"
    return f"recorded as {was} on {found.since.isoformat()}" if found.since else ""


@dataclass(frozen=True, slots=True)
class StatusSpell:
    """A run of stored versions with one status, up to the version with the next status.

    `since` is the day of its first version, `days` the time to the next status; None if unknown.
    `is_complete` means that the registry had no other status in between: it has no other version
    from the one before the run to the one after it, and did not change the status by itself.
    """

    status: str | None
    since: date | None
    days: int | None
    is_complete: bool


def spell(step: VersionStep) -> StatusSpell:
    """Return the spell of the previous status."""
    past = step.past
    first = len(past) - 1
    while first > 0 and past[first - 1].status == past[-1].status:
        first -= 1
    return _spell(step, first, len(past))


def _spell(step: VersionStep, first: int, following: int) -> StatusSpell:
    status, since, until = step.past[first].status, step.days[first], step.days[following]
    if status == UNKNOWN and not (first and is_registry_flip(*step.past[first - 1 : first + 1])):
        since = None  # the registry set the status on a later day than the record's dates
    if since is not None and until is not None and until <= since:
        since = None
    days = (until - since).days if since and until else None
    starts = step.numbers[0] == 0 if first == 0 else step.is_unbroken(first - 1, first)
    is_complete = (
        days is not None
        and starts
        and step.is_unbroken(first, following)
        and not any(_was_unknown(step, place) for place in range(first, following))
    )
    return StatusSpell(status, since, days, is_complete)


def _was_unknown(step: VersionStep, place: int) -> bool:
    """Whether the registry's own rule changed this version to UNKNOWN before the next one."""
    until = step.days[place + 1]
    flip = forecast(step.past[place], until).on if until else None
    return until is None or (flip is not None and flip <= until)


def _earlier_stops(step: VersionStep) -> Iterator[dict[str, Any]]:
    """Yield the earlier stops of the trial: status, first day, and length if it is certain."""
    statuses = [*(key.status for key in step.past), step.new.status]
    starts = [i for i, status in enumerate(statuses) if not i or status != statuses[i - 1]]
    for first, following in pairwise(starts):
        if statuses[first] in STOPPED:
            found = _spell(step, first, following)
            yield {
                "status": found.status,
                "since": found.since.isoformat() if found.since else None,
                "days": found.days if found.is_complete else None,
            }


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
