"""Facts about a record on a day, by published rules. Pure, does no I/O.

A flag states what the record says, such as results that are due by a public rule and not posted.
It does not judge. No record makes a rule fail: a value that cannot be read counts as absent.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from ctsync.model import JsonObject
from ctsync.record.flags.coming import BY_TIME, flags_after
from ctsync.record.flags.enrollment_size import enrollment_flags
from ctsync.record.flags.flag import FLAG_LABELS, Flag, FlagId, FlagState
from ctsync.record.flags.record_values import StudyValues
from ctsync.record.flags.registration import registration_flags
from ctsync.record.flags.results_reporting import (
    due_date,
    due_from,
    reporting_flags,
    trial_class,
)
from ctsync.record.flags.upkeep import upkeep_flags

__all__ = [
    "BY_TIME",
    "FLAG_LABELS",
    "Flag",
    "FlagId",
    "FlagState",
    "applicable",
    "coming_flags",
    "due_from",
    "flags_of",
    "results_due_date",
    "shown_flags",
    "true_ids",
]

_ORDER = {flag: number for number, flag in enumerate(FlagId)}


def flags_of(body: JsonObject, *, as_of: date, first: JsonObject | None = None) -> tuple[Flag, ...]:
    """Return the flags of a record on a day, in the order of FlagId.

    `first` is the body of the earliest version known; without it, `retroactively_prospective` is
    not known. The tuple holds every flag that is not false, so look at `state`: only the flags
    with the state "true" count, and `true_ids` returns their ids. A true flag with a `since` has
    been true on each day from it up to `as_of`, as this record shows it.
    """
    day = as_of.date() if isinstance(as_of, datetime) else as_of
    study = StudyValues(body)
    earliest = None if first is None else StudyValues(first)
    found = (
        *reporting_flags(study, day),
        *upkeep_flags(study, day),
        *registration_flags(study, day, first=earliest),
        *enrollment_flags(study),
    )
    return tuple(sorted(found, key=lambda flag: _ORDER[flag.id]))


def true_ids(flags: tuple[Flag, ...]) -> frozenset[FlagId]:
    """Return the ids of the flags that are true: those undecided or not known do not count."""
    return frozenset(flag.id for flag in flags if flag.is_true)


def shown_flags(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    """Return the flags to show to people: the true ones, and results due only if none are posted.

    `results_due` stays true after results are posted.
    """
    return tuple(
        flag
        for flag in flags
        if flag.is_true and not (flag.id is FlagId.RESULTS_DUE and flag.inputs["posted"])
    )


def applicable(body: JsonObject) -> Literal["ACT", "pACT"] | None:
    """Return the class of the trial for 42 CFR 11.44: ACT, pACT (probably one), or None."""
    return trial_class(StudyValues(body))


def coming_flags(body: JsonObject, *, after: date) -> tuple[Flag, ...]:
    """Return the flags that become true after a day by time alone, soonest first.

    Each is as `flags_of` gives it for its first day, which is its `since`. Results due are left
    out if results are posted.
    """
    return flags_after(StudyValues(body), after, lambda day: shown_flags(flags_of(body, as_of=day)))


def results_due_date(body: JsonObject) -> date | None:
    """Return the completion date plus one year, whatever the certificate.

    None if the trial is neither ACT nor pACT, or has no completion date.
    """
    return due_date(StudyValues(body))
