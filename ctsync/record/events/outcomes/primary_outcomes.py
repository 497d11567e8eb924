"""Events of the primary outcomes, from the comparison of both records' outcomes.

One event is about one primary outcome, whichever of its fields changed: a detail that moved from
the measure to the time frame is no change. Does no I/O.
"""

from __future__ import annotations

from typing import Any

from ctsync.model import MISSING, Event, FieldChange
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.events.base import VersionStep, absent_as_none
from ctsync.record.events.edit_text import edit_summary, is_quoted_in_full
from ctsync.record.events.item_names import NAME_WIDTH
from ctsync.record.events.outcomes.judged_outcomes import JudgedOutcome
from ctsync.record.events.outcomes.outcome_event import (
    LISTS,
    PRIMARY,
    REWORDED,
    OutcomeLists,
    is_item,
    outcome_event,
)
from ctsync.record.events.outcomes.repeated_outcomes import measure_of
from ctsync.record.fields.table import field_at
from ctsync.record.outcomes import OutcomeLabel
from ctsync.record.value_text import quoted

_LABEL = field_at(PRIMARY).label
_FIELD = {rank: path for path, rank in LISTS.items()}
_NEW, _PROMOTED = OutcomeLabel.NEW_PRIMARY, OutcomeLabel.PRIMARY_FROM_SECONDARY
_OMITTED, _DEMOTED = OutcomeLabel.PRIMARY_OMITTED, OutcomeLabel.PRIMARY_TO_SECONDARY
_PARTS = (
    (_DEMOTED, "part demoted"),
    (_OMITTED, "part dropped"),
    (_PROMOTED, "part promoted"),
    (_NEW, "part added"),
)
_IN_SUBSTANCE = (
    ({OutcomeLabel.CHANGE_MEASUREMENT, OutcomeLabel.OMITTED_MEASUREMENT}, "measurement changed"),
    ({OutcomeLabel.CHANGE_AGGREGATION, OutcomeLabel.OMITTED_AGGREGATION}, "metric changed"),
    ({OutcomeLabel.CHANGE_TIMING, OutcomeLabel.OMITTED_TIMING}, "time frame changed"),
)
_DETAIL_ADDED, _UNRESOLVED = "detail added", "unresolved"
_TIMING = frozenset(label for label in OutcomeLabel if label.endswith("timing"))


def primary_event(judged: JudgedOutcome, step: VersionStep, lists: OutcomeLists) -> Event:
    """Return the event of a primary outcome."""
    what = _what(judged)
    if what in {"promoted", "demoted"}:
        return _moved(judged, what, step, lists)
    if _is_one_edit(judged) and what != "replaced" and not what.startswith("part "):
        return _edited(judged, what, step, lists)
    if judged.before is MISSING or judged.after is MISSING:
        return _come_or_gone(judged, what, step, lists)
    sides = judged.before, judged.after
    names = [lists.name(side, PRIMARY) for side in sides]
    is_renamed = measure_of(sides[0]) != measure_of(sides[1])
    verb = what if what == "replaced" or what.startswith("part ") else "edited"
    # of an exchange with another list, the names alone do not say where the outcomes are now
    is_said = what == "replaced" and not judged.labels & {_PROMOTED, _DEMOTED}
    tail = "" if is_said else f" ({judged.reason})"
    name = " -> ".join(names) if is_renamed or what == "replaced" else names[0]
    return _event(judged, what, step, f"{_LABEL} {verb}: {name}{tail}")


def _what(judged: JudgedOutcome) -> str:
    labels = judged.labels
    if judged.from_rank != "primary" or judged.to_rank != "primary":
        return _one_sided(judged)
    if labels & {_NEW, _PROMOTED} and labels & {_OMITTED, _DEMOTED}:
        return "replaced"
    kinds = [what for label, what in _PARTS if label in labels]
    kinds += [what for wanted, what in _IN_SUBSTANCE if wanted & labels]
    if kinds:
        return kinds[0]
    if labels:
        return _UNRESOLVED if OutcomeLabel.UNRESOLVED in labels else _DETAIL_ADDED
    sides = ((absent_as_none(c.before), absent_as_none(c.after)) for c in judged.changes)
    is_form = judged.is_aligned and all(is_cosmetic(*both) for both in sides)
    return "cosmetic" if is_form else REWORDED


def _one_sided(judged: JudgedOutcome) -> str:
    labels, is_gone = judged.labels, judged.from_rank == "primary"
    if OutcomeLabel.UNRESOLVED in labels:
        return _UNRESOLVED
    if labels & {_PROMOTED, _DEMOTED}:
        return "demoted" if is_gone else "promoted"
    if labels:
        return "dropped" if is_gone else "added"
    return "merged" if is_gone else "split"


def _is_one_edit(judged: JudgedOutcome) -> bool:
    return judged.is_aligned and len(judged.changes) == 1


def _event(judged: JudgedOutcome, what: str, step: VersionStep, summary: str, **more: Any) -> Event:
    first = judged.changes[0]
    return outcome_event(
        step,
        judged.changes,
        what=what,
        summary=summary,
        field=PRIMARY,
        path=first.path if is_item(first) else first.path.rpartition(".")[0],
        before=judged.before,
        after=judged.after,
        **_verdict(judged),
        **more,
    )


def _verdict(judged: JudgedOutcome) -> dict[str, Any]:
    labels = sorted(label.value for label in judged.labels)
    return {"labels": labels, "reason": judged.reason, "score": judged.score}


def _moved(judged: JudgedOutcome, what: str, step: VersionStep, lists: OutcomeLists) -> Event:
    old, new = judged.from_rank, judged.to_rank
    measures = measure_of(judged.before), measure_of(judged.after)
    is_renamed = measures[0] != measures[1] and not is_cosmetic(*measures)
    name = lists.name(judged.before, _FIELD[old], _FIELD[new])
    new_name = f", now {quoted(measures[1])}" if is_renamed else ""
    summary = f"{new.capitalize()} outcome {name}: {what} from {old} to {new}{new_name}"
    return _event(judged, what, step, summary, from_rank=old, to_rank=new)


def _come_or_gone(
    judged: JudgedOutcome, what: str, step: VersionStep, lists: OutcomeLists
) -> Event:
    is_gone = judged.after is MISSING
    name = lists.name(judged.before if is_gone else judged.after, PRIMARY)
    verb = what if what in {"dropped", "added"} else "no longer listed" if is_gone else "added"
    if what == "dropped":
        tail = lists.remaining(judged.before, PRIMARY)
    else:
        tail = "" if what == "added" else f" ({judged.reason})"
    return _event(judged, what, step, f"{_LABEL} {verb}: {name}{tail}")


def _edited(judged: JudgedOutcome, what: str, step: VersionStep, lists: OutcomeLists) -> Event:
    """Return the event of a single field that changed: the field's path, label and texts."""
    (change,) = judged.changes
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    name = _edited_name(change, judged.before, lists)
    text, counts = edit_summary(before, after)
    is_said = what == "cosmetic" or (
        change.field.endswith(".timeFrame") and bool(judged.labels) and judged.labels <= _TIMING
    )
    label = field_at(change.field).label
    return outcome_event(
        step,
        [change],
        what=what,
        summary=f"{label}{f' of {name}' if name else ''}{text}"
        + ("" if is_said else f" ({judged.reason})"),
        before=before,
        after=after,
        **_verdict(judged),
        **counts,
    )


def _edited_name(change: FieldChange, outcome: Any, lists: OutcomeLists) -> str:
    """Return the name of the outcome that was edited; empty if the edit itself shows it."""
    leaf = change.field.rpartition(".")[2]
    if leaf == "timeFrame":
        return quoted(measure_of(outcome), NAME_WIDTH)
    if leaf != "measure":
        return lists.name(outcome, PRIMARY, width=NAME_WIDTH)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    is_text = isinstance(before, str) and isinstance(after, str)
    is_shown = not is_text or is_quoted_in_full(before, after)
    return "" if is_shown else quoted(before, NAME_WIDTH)
