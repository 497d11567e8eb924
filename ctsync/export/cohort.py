"""One row per trial, by the definitions of published studies. Does no I/O.

Days are counted between the registry's dates of versions (see export.cthist). A month or a year
counts as its first day, as in cthist.

anticipated_enrollment, actual_enrollment   the last estimated and the last actual count
enrollment_percentage   actual as a percentage of anticipated, to two decimals
first_target            the first estimated count
stop_date               date of the first version with status TERMINATED
start_date              start date in that version, else in the newest
trial_days              from start_date to stop_date
first_stop_date, first_stop_status   first version that is TERMINATED, WITHDRAWN or SUSPENDED
restart_date, restart_status         first later version with any other status
stopped_days            from that stop to that restart
stops                   how often the status changed from any other to one of the three
..._slip_days           how far a date moved from the first version that has it to the newest;
                        positive if later. If a month or a year is involved, the true figure may
                        differ by up to ..._slip_margin days either way
..._moves               how often the date moved
flags                   ids of the flags to show on the day flags_as_of, with semicolons between;
                        empty if there are none. Missing for a trial that is neither followed nor
                        named, and if its record cannot be read

Sources of the definitions: terminated-trials-study for enrollment and stop, ctcovidstop for stops
and restarts (both by Benjamin Gregory Carlisle and colleagues).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from ctsync.dates import PartialDate, Shift
from ctsync.export.cthist import version_date
from ctsync.model import KeyFields, State, Version
from ctsync.record.flags import Flag

STOPPED = ("TERMINATED", "WITHDRAWN", "SUSPENDED")
_TRACKS = {
    "start": "start_date",
    "primary_completion": "primary_completion_date",
    "completion": "completion_date",
}


def _track_columns() -> Iterator[str]:
    for name in _TRACKS:
        yield from (f"first_{name}_date", f"last_{name}_date", f"{name}_slip_days")
        yield from (f"{name}_slip_margin", f"{name}_moves")


COLUMNS = (
    "nct_id", "brief_title", "lead_sponsor", "phases", "overall_status", "why_stopped",
    "has_results", "versions", "first_version_date", "last_version_date",
    "start_date", "start_date_precision", "stop_date", "trial_days",
    "first_target", "anticipated_enrollment", "actual_enrollment", "enrollment_percentage",
    "first_stop_date", "first_stop_status", "restart_date", "restart_status", "stopped_days",
    "stops", *_track_columns(), "flags", "flags_as_of",
)  # fmt: skip

Dated = tuple[date, KeyFields]


def cohort_row(
    versions: Sequence[Version],
    stood_from: Sequence[date],
    *,
    flags: Sequence[Flag] | None = None,
    flagged_on: date | None = None,
) -> dict[str, Any] | None:
    """Return a row of COLUMNS from a trial's versions, oldest first; None if none has a record.

    `stood_from` holds the first day of each version. `flags` are those to show on the day
    `flagged_on`; None if they were not computed.
    """
    said = [
        (_day(version_date(version, day), day), version.key)
        for version, day in zip(versions, stood_from, strict=True)
        if version.state is State.PRESENT
    ]
    if not said:
        return None
    newest = said[-1][1]
    return {
        "nct_id": versions[0].nct_id,
        "brief_title": newest.brief_title,
        "lead_sponsor": newest.lead_sponsor,
        "phases": newest.phases,
        "overall_status": newest.status,
        "why_stopped": newest.why_stopped,
        "has_results": newest.has_results,
        "versions": len(said),
        "first_version_date": said[0][0],
        "last_version_date": said[-1][0],
        **_duration(said),
        **_enrollment([key for _, key in said]),
        **_stops(said),
        **dict(_slips([key for _, key in said])),
        "flags": None if flags is None else ";".join(flag.id for flag in flags),
        "flags_as_of": None if flags is None else flagged_on,
    }


def _day(text: str, otherwise: date) -> date:
    read = PartialDate.parse(text)
    return read.first if read else otherwise


def _duration(said: Sequence[Dated]) -> dict[str, Any]:
    ended = next(((day, key) for day, key in said if key.status == "TERMINATED"), None)
    stop = ended[0] if ended else None
    start = PartialDate.parse((ended or said[-1])[1].start_date)
    return {
        "start_date": start.first if start else None,
        "start_date_precision": start.precision.value if start else None,
        "stop_date": stop,
        "trial_days": (stop - start.first).days if stop and start else None,
    }


def _enrollment(keys: Sequence[KeyFields]) -> dict[str, Any]:
    counts = [(key.enrollment_type, key.enrollment) for key in keys if key.enrollment is not None]
    targets = [count for kind, count in counts if kind == "ESTIMATED"]
    actual = next((count for kind, count in reversed(counts) if kind == "ACTUAL"), None)
    target = targets[-1] if targets else None
    reached = round(actual / target * 100, 2) if target and actual is not None else None
    return {
        "first_target": targets[0] if targets else None,
        "anticipated_enrollment": target,
        "actual_enrollment": actual,
        "enrollment_percentage": reached,
    }


def _stops(said: Sequence[Dated]) -> dict[str, Any]:
    known = [(day, key.status) for day, key in said if key.status]
    first = next((n for n, (_, status) in enumerate(known) if status in STOPPED), len(known))
    stop = known[first] if first < len(known) else None
    restart = next((one for one in known[first:] if one[1] not in STOPPED), None)
    statuses = [None, *(status for _, status in known)]
    return {
        "first_stop_date": stop[0] if stop else None,
        "first_stop_status": stop[1] if stop else None,
        "restart_date": restart[0] if restart else None,
        "restart_status": restart[1] if restart else None,
        "stopped_days": (restart[0] - stop[0]).days if stop and restart else None,
        "stops": sum(new in STOPPED and old not in STOPPED for old, new in pairwise(statuses)),
    }


def _slips(keys: Sequence[KeyFields]) -> Iterator[tuple[str, Any]]:
    for name, field in _TRACKS.items():
        read = [PartialDate.parse(getattr(key, field)) for key in keys]
        dates = [one for one in read if one is not None]
        shift = dates[0].shift_to(dates[-1]) if dates else None
        yield f"first_{name}_date", dates[0].text if dates else None
        yield f"last_{name}_date", dates[-1].text if dates else None
        yield f"{name}_slip_days", shift.days if shift else None
        yield f"{name}_slip_margin", _margin(shift) if shift else None
        yield f"{name}_moves", sum(old != new for old, new in pairwise(dates)) if dates else None


def _margin(shift: Shift) -> int:
    # the same value again is not a move
    return shift.margin if shift.days else 0
