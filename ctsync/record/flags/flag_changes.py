"""The flags that differ between two days, or between two records of a trial. Pure, no I/O.

Only flags shown to people count: those that are true, and results due only if none are posted. So
a flag that turns from undecided or not known to true is a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ctsync.model import JsonObject
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import Flag, FlagId, flags_of, shown_flags
from ctsync.record.flags.record_values import StudyValues


@dataclass(frozen=True, slots=True)
class RecordOnDay:
    """A record as it stood on a day, and the earliest start date known of the trial."""

    body: JsonObject
    day: date
    first_start: str | None = None

    def flags(self, on: date | None = None) -> dict[FlagId, Flag]:
        """Return the flags shown to people on that day, or on another one."""
        start = {"startDateStruct": {"date": self.first_start}}
        first = {"protocolSection": {"statusModule": start}}
        found = shown_flags(flags_of(self.body, as_of=on or self.day, first=first))
        return {flag.id: flag for flag in found}


@dataclass(frozen=True, slots=True)
class FlagChange:
    """A flag that became true, or that is no longer true.

    `flag` is the true flag, of the newer or the older record. `why` says why it is no longer true.
    `by_edit` is False if the older record alone would have changed it on the newer day.
    """

    flag: Flag
    holds: bool
    by_edit: bool
    why: str = ""


def flag_changes(older: RecordOnDay, newer: RecordOnDay) -> Iterator[FlagChange]:
    """Yield the flags that differ, in the order of FlagId."""
    was, now, unedited = older.flags(), newer.flags(), older.flags(newer.day)
    for flag_id in FlagId:
        if flag_id in now and flag_id not in was:
            yield FlagChange(now[flag_id], holds=True, by_edit=flag_id not in unedited)
        elif flag_id in was and flag_id not in now:
            why = _why_cleared(flag_id, StudyValues(older.body), StudyValues(newer.body))
            yield FlagChange(was[flag_id], holds=False, by_edit=flag_id in unedited, why=why)


_OF_RESULTS = (FlagId.RESULTS_DUE, FlagId.RESULTS_OVERDUE)
_DATES = ("status", "primary completion", "completion")
_READ = {
    FlagId.RESULTS_DUE: ("start", *_DATES, "certificate of delay"),
    FlagId.RESULTS_OVERDUE: ("start", *_DATES, "certificate of delay"),
    FlagId.REPORTED_LATE: (*_DATES, "certificate of delay"),
    FlagId.LATE_CERTIFICATE: (*_DATES, "certificate of delay"),
    FlagId.VERIFICATION_STALE: ("verified", "status"),
    FlagId.OPEN_PAST_COMPLETION: _DATES,
    FlagId.RECRUITING_PAST_PRIMARY_COMPLETION: ("status", "primary completion"),
    FlagId.IMPLAUSIBLE_ENROLLMENT: ("enrollment",),
    FlagId.ZERO_ENROLLMENT: ("enrollment", "status"),
}
"""What a rule reads of a record; the others read the start alone."""


def _why_cleared(flag_id: FlagId, older: StudyValues, newer: StudyValues) -> str:
    """Return what the newer record says instead."""
    if flag_id in _OF_RESULTS and (reported := _reported(newer)):
        return reported
    before, after = _facts(older), _facts(newer)
    edited = [
        f"{name} {before[name] or 'none'} -> {after[name] or 'none'}"
        for name in _READ.get(flag_id, ("start",))
        if before[name] != after[name]
    ]
    if edited:
        return "; ".join(edited)
    completion = newer.completion
    return f"completion {completion.text} is past" if completion else "the record changed"


def _reported(study: StudyValues) -> str:
    posted, submitted = study.date("resultsFirstPostDateStruct"), study.submissions.first
    if study.has_results:
        return f"results posted on {posted.text}" if posted else "results are posted"
    if study.submissions.is_submitted or study.submissions.is_pending:
        return f"results submitted on {submitted}" if submitted else "results are submitted"
    return ""


def _facts(study: StudyValues) -> dict[str, str]:
    """Return the values that the rules read, by name, in words."""
    dates = {
        "start": study.start,
        "primary completion": study.primary_completion,
        "completion": study.completion,
        "verified": study.date("statusVerifiedDate"),
        "certificate of delay": study.date("dispFirstSubmitDate"),
    }
    count = study.protocol("designModule", "enrollmentInfo", "count")
    return {
        "status": enum_words(study.status or ""),
        **{name: found.text if found else "" for name, found in dates.items()},
        "enrollment": f"{count:,}" if isinstance(count, int) else "",
    }
