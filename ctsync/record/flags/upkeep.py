"""The flags of a record that nobody updated: stale, open past its own dates. Pure, does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ctsync.record.enum_words import enum_words
from ctsync.record.flags.flag import Flag, FlagId
from ctsync.record.flags.record_values import (
    StudyValues,
    date_words,
    days_after,
    months_after,
    years_after,
)

RECRUITING = frozenset({"RECRUITING", "NOT_YET_RECRUITING", "ENROLLING_BY_INVITATION"})
OPEN = RECRUITING | {"ACTIVE_NOT_RECRUITING", "SUSPENDED", "UNKNOWN"}

STALE_MONTHS = 13
"""Months from the verification to the first month in which it is stale."""
_STALE_SOURCE = "DeVito and Goldacre, JAMA Intern Med 2021; 42 CFR 11.64"
_OWN_DATES = "the status and the dates of the record"


def upkeep_flags(study: StudyValues, as_of: date) -> Iterator[Flag]:
    """Yield the flags of verification and of a status that the dates contradict."""
    yield from _stale(study, as_of)
    yield from _open_past_completion(study, as_of)
    yield from _recruiting_past_primary_completion(study, as_of)


def _stale(study: StudyValues, as_of: date) -> Iterator[Flag]:
    posted, verified = study.date("studyFirstPostDateStruct"), study.date("statusVerifiedDate")
    if posted is None or verified is None or study.submissions.is_pending:
        return
    if study.has_results and study.completion and study.completion.last < as_of:
        return
    since = max(years_after(posted.last, 1), months_after(verified.first, STALE_MONTHS))
    if as_of >= since:
        yield Flag(
            FlagId.VERIFICATION_STALE,
            f"last verified {verified.text}; not verified for more than 12 months",
            {"verified": verified.text, "first_posted": posted.text},
            _STALE_SOURCE,
            since,
        )


def _open_past_completion(study: StudyValues, as_of: date) -> Iterator[Flag]:
    completion, primary = study.completion, study.primary_completion
    if study.status not in OPEN or completion is None:
        return
    last = max(completion.last, primary.last) if primary else completion.last
    if as_of > last:
        yield Flag(
            FlagId.OPEN_PAST_COMPLETION,
            f"status {enum_words(study.status or '')}, completion {date_words(completion)} is past",
            {
                "status": study.status,
                "completion_date": completion.text,
                "primary_completion_date": primary.text if primary else None,
            },
            _OWN_DATES,
            days_after(last, 1),
        )


def _recruiting_past_primary_completion(study: StudyValues, as_of: date) -> Iterator[Flag]:
    primary = study.primary_completion
    if study.status in RECRUITING and primary and as_of > primary.last:
        yield Flag(
            FlagId.RECRUITING_PAST_PRIMARY_COMPLETION,
            f"status {enum_words(study.status or '')}, primary completion {date_words(primary)} "
            "is past",
            {"status": study.status, "primary_completion_date": primary.text},
            _OWN_DATES,
            days_after(primary.last, 1),
        )
