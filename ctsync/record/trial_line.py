"""The state of a trial in one line, for where there is no change yet to tell of; pure, no I/O."""

from __future__ import annotations

from ctsync.model import KeyFields
from ctsync.record.value_text import said, typed

_PHASES = {"NA": "Phase N/A", "EARLY_PHASE1": "Early Phase 1"}


def state_of(key: KeyFields) -> str:
    """Status, phase, enrollment, dates: "RECRUITING · Phase 3 · N 20 (estimated) · …"."""
    parts = [
        _status(key),
        phases_of(key),
        "" if key.enrollment is None else f"N {typed(said(key.enrollment), key.enrollment_type)}",
        _date("start", key.start_date, key.start_date_type),
        _date("PCD", key.primary_completion_date, key.primary_completion_date_type),
        _date("completion", key.completion_date, key.completion_date_type),
        f"last update posted {said(key.posted)}" if key.posted else "",
    ]
    return " · ".join(part for part in parts if part)


def _status(key: KeyFields) -> str:
    if not key.status:
        return ""
    known = f" (last known {said(key.last_known_status)})" if key.last_known_status else ""
    return said(key.status) + known


def phases_of(key: KeyFields) -> str:
    """The phases as people write them: "Phase 2/3"; empty where there are none."""
    parts = (key.phases or "").split("|")
    named = "/".join(_PHASES.get(part, part.replace("PHASE", "Phase ")) for part in parts)
    return said(named.replace("/Phase ", "/")) if key.phases else ""


def _date(name: str, text: str | None, kind: str | None) -> str:
    return f"{name} {typed(said(text), kind)}" if text else ""
