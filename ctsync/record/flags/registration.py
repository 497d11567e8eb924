"""The flags of the day of registration against the start of the trial. Pure, does no I/O.

A start without a day may lie before or after the registration. If both are possible, the flag
is undecided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from ctsync.dates import PartialDate
from ctsync.record.flags.flag import Flag, FlagId, FlagState
from ctsync.record.flags.record_values import StudyValues, days_after

_ALLOWED_DAYS = 21
_FIRST_DUTY = date(2008, 9, 27)
"""An earlier start counts from this day."""
_LATE_SOURCE = "42 CFR 11.24: 21 days after the start; a start before 2008-09-27 from that day"
_RETROSPECTIVE_SOURCE = "ICMJE: registration before the first participant"
_HOLST = "Holst and Carlisle, Trials 2024;25:189"


def registration_flags(
    study: StudyValues, as_of: date, *, first: StudyValues | None
) -> Iterator[Flag]:
    """Yield the flags of registration; `first` is the earliest version known."""
    start, registered = study.start, study.registered
    if start is None or registered is None or registered.first > as_of:
        return
    yield from _late(start, registered)
    yield from _retrospective(start, registered)
    yield from _retroactively_prospective(start, registered, first)


def _late(start: PartialDate, registered: PartialDate) -> Iterator[Flag]:
    earliest, latest = (
        days_after(max(day, _FIRST_DUTY), _ALLOWED_DAYS) for day in (start.first, start.last)
    )
    if registered.first > latest:
        state = FlagState.TRUE
    elif registered.last > earliest:
        state = FlagState.UNDECIDED
    else:
        return
    found = _flag(FlagId.REGISTERED_LATE, state, start=start, registered=registered)
    counted = f"; the 21 days count from {_FIRST_DUTY}" if start.last < _FIRST_DUTY else ""
    yield replace(found, words=found.words + counted, source=_LATE_SOURCE)


def _retrospective(start: PartialDate, registered: PartialDate) -> Iterator[Flag]:
    state = _is_before(start, registered)
    if state is not None:
        yield _flag(FlagId.RETROSPECTIVE, state, start=start, registered=registered)


def _retroactively_prospective(
    start: PartialDate, registered: PartialDate, first: StudyValues | None
) -> Iterator[Flag]:
    """Yield the flag; the day of the edit stands in no single record, so `since` is None."""
    facts: dict[str, str | int | bool | None] = {
        "start_date": start.text,
        "first_start_date": first.start.text if first and first.start else None,
        "registered": registered.text,
    }
    if first is None or first.start is None:
        state = FlagState.NOT_KNOWN
        words = (
            f"start {start.text}, registered {registered.text}; the start that was registered "
            "first is not known"
        )
    else:
        found = _moved_across(first.start, start, registered)
        if found is None:
            return
        state = found
        words = (
            f"registered {registered.text}; the earliest version known gave the start "
            f"{first.start.text}, this one gives {start.text}{_straddles(state)}"
        )
    yield Flag(FlagId.RETROACTIVELY_PROSPECTIVE, words, facts, _HOLST, None, state)


def _moved_across(
    first: PartialDate, start: PartialDate, registered: PartialDate
) -> FlagState | None:
    """Return whether the start moved from before the registration to it or later."""
    before, after = _is_before(first, registered), _is_before(start, registered)
    if before is None or after is FlagState.TRUE or first.text == start.text:
        return None
    return FlagState.TRUE if before is FlagState.TRUE and after is None else FlagState.UNDECIDED


def _is_before(start: PartialDate, registered: PartialDate) -> FlagState | None:
    """Return whether the start lies before the registration; None if it does not."""
    if start.last < registered.first:
        return FlagState.TRUE
    return FlagState.UNDECIDED if start.first < registered.last else None


def _flag(
    flag_id: FlagId, state: FlagState, *, start: PartialDate, registered: PartialDate
) -> Flag:
    is_true = state is FlagState.TRUE
    words = f"registered {registered.text}, {_apart(start, registered)}{_straddles(state)}"
    facts: dict[str, str | int | bool | None] = {
        "start_date": start.text,
        "registered": registered.text,
        "days": (registered.first - start.last).days if is_true else None,
    }
    since = registered.first if is_true else None
    return Flag(flag_id, words, facts, _RETROSPECTIVE_SOURCE, since, state)


def _apart(start: PartialDate, registered: PartialDate) -> str:
    fewest, most = (registered.first - start.last).days, (registered.last - start.first).days
    if fewest == most:
        return f"{fewest} days after the start {start.text}"
    if fewest > 0:
        return f"at least {fewest} days after the start {start.text}"
    return f"at most {most} days after the start {start.text}"


def _straddles(state: FlagState) -> str:
    return "; undecided: the start has no day" if state is FlagState.UNDECIDED else ""
