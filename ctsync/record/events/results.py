"""Events of results: first posted, vanished, updated, and quality control.

Before results are posted, the registry lists when the sponsor submitted them (release), withdrew
them (unrelease), and received them back with comments (reset).

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ctsync.model import MISSING, Category, Event, FieldChange
from ctsync.record.events.base import VersionStep, absent_as_none, make_event, with_type
from ctsync.record.events.other import plain_event
from ctsync.record.fields.table import field_at
from ctsync.record.value_text import said

SECTION = "resultsSection"
HAS_RESULTS = "hasResults"
POSTED = "protocolSection.statusModule.resultsFirstPostDateStruct"
UNPOSTED = "annotationSection.annotationModule.unpostedAnnotation.unpostedEvents"
SUBMISSIONS = "derivedSection.miscInfoModule.submissionTracking.submissionInfos"

QUALITY_CONTROL = "Results QC"
_STEPS = {
    "RELEASE": "results submitted for quality control",
    "UNRELEASE": "results submission taken back",
    "RESET": "results returned to the sponsor with comments",
}
_SUBMISSION_STEPS = {
    "releaseDate": "RELEASE",
    "unreleaseDate": "UNRELEASE",
    "resetDate": "RESET",
}


def results_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield one event per change of results that no summed list reports."""
    for group in with_type(changes):
        change = group[0]
        if change.field in {SECTION, HAS_RESULTS}:
            yield _presence(change, step)
        elif change.field.startswith(POSTED):
            yield _posted(group, step)
        elif change.field.startswith((UNPOSTED, SUBMISSIONS)):
            yield _quality_control(change, step)
        else:
            inputs = {"category": field_at(change.field).category.value}
            yield plain_event(group, step, inputs)


def _presence(change: FieldChange, step: VersionStep) -> Event:
    """Return the event of results added, removed or updated. `hasResults` repeats it."""
    had = bool(absent_as_none(change.before))
    has = bool(absent_as_none(change.after))
    what = "vanished" if had and not has else "posted" if has and not had else "updated"
    repeats = change.field == HAS_RESULTS and SECTION in step.changed
    summary = {
        "vanished": "Results are no longer in the record",
        "posted": "Results first posted",
        "updated": "Results updated",
    }[what]
    day = step.new.results_first_posted
    if what == "posted" and day:
        summary += f" ({said(day)})"
    return make_event(
        step,
        field_at(change.field),
        [change],
        summary,
        before=change.before,
        after=change.after,
        inputs={"step": what, "nature": "repeats" if repeats else "change"},
    )


def _posted(changes: list[FieldChange], step: VersionStep) -> Event:
    change = changes[0]
    event_inputs: dict[str, Any] = {"step": "date", "nature": "change"}
    is_date = change.field.endswith(".date")
    if {SECTION, HAS_RESULTS} & step.changed or (not is_date and f"{POSTED}.date" in step.changed):
        event_inputs["nature"] = "repeats"
    elif is_date and change.before is MISSING:
        event_inputs["step"] = "posted"
    elif is_date and change.after is MISSING:
        event_inputs["step"] = "vanished"
    return plain_event(changes, step, event_inputs)


def _quality_control(change: FieldChange, step: VersionStep) -> Event:
    """Return the event of a quality control step. Submission tracking repeats the annotation."""
    reported = field_at(change.field)
    repeats = change.field.startswith(SUBMISSIONS) and any(
        field.startswith(UNPOSTED) for field in step.changed
    )
    text = ", then ".join(_cycle(change)) or "results quality control"
    gone = " (no longer listed)" if change.after is MISSING else ""
    return make_event(
        step,
        reported,
        [change],
        f"{QUALITY_CONTROL}: {text}{gone}",
        before=change.before,
        after=change.after,
        label=QUALITY_CONTROL,
        inputs={
            "category": Category.RESULTS_QC.value,
            "nature": "repeats" if repeats else "change",
        },
    )


def _cycle(change: FieldChange) -> Iterator[str]:
    value = absent_as_none(change.after if change.after is not MISSING else change.before)
    leaf = change.field.rpartition(".")[2]
    if isinstance(value, dict) and change.field == UNPOSTED:
        yield _dated(value.get("type"), value.get("date"))
    elif isinstance(value, dict):
        for key, name in _SUBMISSION_STEPS.items():
            if value.get(key):
                yield _dated(name, value[key])
    elif leaf in _SUBMISSION_STEPS:
        yield _dated(_SUBMISSION_STEPS[leaf], value)
    else:
        yield f"{field_at(change.field).label}: {said(value, field=change.field)}"


def _dated(name: Any, day: Any) -> str:
    known = _STEPS.get(name) if isinstance(name, str) else None
    text = known or said(name).lower()
    return f"{text} on {said(day)}" if day else f"{text}, date unknown"
