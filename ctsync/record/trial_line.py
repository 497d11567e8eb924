"""The state of a trial in one line. Does no I/O."""

from __future__ import annotations

from datetime import date

from ctsync.dates import PartialDate
from ctsync.model import KeyFields
from ctsync.record.enum_words import enum_words, phase_words, within_sentence
from ctsync.record.value_text import duration, said, typed, typed_date

_NO_PHASE = "NA"


def state_of(key: KeyFields, *, on: date | None = None) -> str:
    """Status, phase, enrollment, dates: "Recruiting · Phase 3 · enrollment 20 (estimated) · …".

    With a day `on`, the only trial date is the primary completion, marked if that day lies
    after it, and a late registration is added.
    """
    start = _date("start", key.start_date, key.start_date_type)
    completion = _date("completion", key.completion_date, key.completion_date_type)
    parts = [
        _status(key),
        _phases(key),
        ""
        if key.enrollment is None
        else f"enrollment {typed(said(key.enrollment), key.enrollment_type)}",
        start if on is None else "",
        _primary_completion(key, on),
        completion if on is None else "",
        f"last update posted {said(key.posted)}" if key.posted else "",
        "" if on is None else _late_registration(key),
    ]
    return " · ".join(part for part in parts if part)


def _status(key: KeyFields) -> str:
    if not key.status:
        return ""
    known = key.last_known_status
    last = f" (last known {said(within_sentence(enum_words(known)))})" if known else ""
    return said(enum_words(key.status)) + last


def _phases(key: KeyFields) -> str:
    """The phases as people write them: "Phase 2/3"; empty if the record has none."""
    if not key.phases:
        return ""
    return "Phase N/A" if key.phases == _NO_PHASE else said(phase_words(key.phases))


def _primary_completion(key: KeyFields, on: date | None) -> str:
    text = _date(
        "primary completion", key.primary_completion_date, key.primary_completion_date_type
    )
    planned = PartialDate.parse(key.primary_completion_date)
    if on is None or planned is None or key.primary_completion_date_type == "ACTUAL":
        return text
    return f"{text} passed" if planned.last < on else text


def _late_registration(key: KeyFields) -> str:
    start, first = PartialDate.parse(key.start_date), PartialDate.parse(key.first_submitted)
    late = start.shift_to(first).days if start and first else 0
    return f"registered {duration(late)} after start" if late > 0 else ""


def _date(name: str, text: str | None, kind: str | None) -> str:
    return f"{name} {said(typed_date(text, kind))}" if text else ""
