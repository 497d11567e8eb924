"""The flags of the duty to report results: due, overdue, late. Pure, does no I/O.

The rules are those of the FDAAA TrialsTracker for 42 CFR 11.44. They read the record only, so
they do not see a certificate granted elsewhere, the sale of a product or an exemption.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from ctsync.dates import PartialDate
from ctsync.record.flags.flag import Flag, FlagId
from ctsync.record.flags.record_values import (
    StudyValues,
    date_words,
    days_after,
    years_after,
)

TRACKER_DAYS = 30
"""How much later than the rule the public tracker counts results as overdue."""

_RULE = "42 CFR 11.44"
_SOURCE = f"{_RULE}, as the FDAAA TrialsTracker applies it"
_FINAL_RULE = date(2017, 1, 18)
CERTIFIED_YEARS, CERTIFIED_DAYS = 3, 30
_PHASES = frozenset(
    frozenset(phases)
    for phases in (
        ("PHASE1", "PHASE2"),
        ("PHASE2",),
        ("PHASE2", "PHASE3"),
        ("PHASE3",),
        ("PHASE4",),
        ("NA",),
    )
)
FDA_FLAGS = ("isFdaRegulatedDrug", "isFdaRegulatedDevice")
UNITED_STATES = frozenset(
    {
        "United States",
        "American Samoa",
        "Guam",
        "Northern Mariana Islands",
        "Puerto Rico",
        "U.S. Virgin Islands",
        "Virgin Islands (U.S.)",
    }
)
PRODUCTS = frozenset(
    {
        "DRUG",
        "DEVICE",
        "BIOLOGICAL",
        "GENETIC",
        "RADIATION",
        "COMBINATION_PRODUCT",
        "DIAGNOSTIC_TEST",
    }
)


def trial_class(study: StudyValues) -> Literal["ACT", "pACT"] | None:
    """Return whether the trial is an applicable clinical trial (ACT), or probably one (pACT)."""
    start = study.start
    if start is None or not _is_in_scope(study):
        return None
    flags = [study.protocol("oversightModule", name) for name in FDA_FLAGS]
    is_regulated = any(flag is True for flag in flags)
    if start.last >= _FINAL_RULE:
        return "ACT" if is_regulated else None
    completion = available_completion(study)
    if completion is None or completion.last < _FINAL_RULE:
        return None
    is_probable = all(flag is None for flag in flags) and _is_us_product(study)
    return "pACT" if is_regulated or is_probable else None


def available_completion(study: StudyValues) -> PartialDate | None:
    """Return the primary completion date, else the completion date."""
    return study.primary_completion or study.completion


def due_date(study: StudyValues) -> date | None:
    """Return the day by which results are due, whatever the certificate; None if they are not."""
    completion = available_completion(study)
    if completion is None or trial_class(study) is None:
        return None
    due = years_after(completion.last, 1)
    return None if due == date.max else due


def due_from(completion: date, *, is_certified: bool) -> date:
    """Return the first day on which the results of an ACT or pACT are due after its completion."""
    due = _certified_due_date(completion) if is_certified else years_after(completion, 1)
    return days_after(due, 1)


def _certified_due_date(completion: date) -> date:
    return days_after(years_after(completion, CERTIFIED_YEARS), CERTIFIED_DAYS)


def certificate(study: StudyValues) -> str | None:
    """Return the date, as written, on which a certificate of delay was submitted."""
    return study.text("statusModule", "dispFirstSubmitDate")


def reporting_flags(study: StudyValues, as_of: date) -> Iterator[Flag]:
    """Yield the flags of the duty to report results."""
    yield from _late_certificate(study, as_of)
    due, completion = due_date(study), available_completion(study)
    if due is None or completion is None:
        return
    effective = _certified_due_date(completion.last) if certificate(study) else due
    facts: dict[str, str | int | bool | None] = {
        "class": trial_class(study),
        "completion_date": completion.text,
        "completion_counted_as": f"{completion.last}",
        "due": f"{effective}",
        "certificate": certificate(study),
    }
    if as_of > effective:
        yield from _due_flags(study, effective, facts)
    submitted = study.submissions.first
    if submitted and due < submitted <= as_of:
        yield Flag(
            FlagId.REPORTED_LATE,
            f"results first submitted {submitted}, {(submitted - due).days} days after {due}, "
            f"one year after completion {date_words(completion)}{_certified(study)}",
            {**facts, "due": f"{due}", "submitted": f"{submitted}", "days": (submitted - due).days},
            _SOURCE,
            submitted,
        )


def _late_certificate(study: StudyValues, as_of: date) -> Iterator[Flag]:
    """Yield the flag of a certificate; its rule does not ask for the class of the trial."""
    completion = available_completion(study)
    submitted = PartialDate.parse(certificate(study))
    if completion is None or submitted is None:
        return
    due = years_after(completion.last, 1)
    if due < submitted.first <= as_of:
        yield Flag(
            FlagId.LATE_CERTIFICATE,
            f"certificate of delay submitted {submitted.text}, after {due}, one year after "
            f"completion {date_words(completion)}",
            {
                "class": trial_class(study),
                "completion_date": completion.text,
                "completion_counted_as": f"{completion.last}",
                "due": f"{due}",
                "certificate": submitted.text,
            },
            _SOURCE,
            submitted.first,
        )


def _due_flags(
    study: StudyValues, due: date, facts: dict[str, str | int | bool | None]
) -> Iterator[Flag]:
    submissions, since = study.submissions, days_after(due, 1)
    tracker = days_after(due, TRACKER_DAYS)
    facts = {**facts, "due_by_tracker": f"{tracker}", "posted": study.has_results}
    by_rule = (
        f"due {due} by the rule of {_RULE} as the public tracker applies it{_certified(study)}"
    )
    yield Flag(
        FlagId.RESULTS_DUE,
        f"results {by_rule}; {_submitted(study)}",
        facts,
        _SOURCE,
        since,
    )
    if not submissions.is_submitted and not submissions.is_pending:
        yield Flag(
            FlagId.RESULTS_OVERDUE,
            f"no results posted or in review; {by_rule}; overdue for the tracker 30 days later, "
            f"after {tracker}",
            facts,
            _SOURCE,
            since,
        )


def _submitted(study: StudyValues) -> str:
    first = study.submissions.first
    if study.has_results:
        return "results are posted"
    if study.submissions.is_pending or study.submissions.is_submitted:
        return f"submitted {first}, not posted yet" if first else "submitted, not posted yet"
    return "none posted"


def _certified(study: StudyValues) -> str:
    day = certificate(study)
    return f"; certificate of delay submitted {_day(day)}" if day else ""


def _day(text: str) -> str:
    return text if PartialDate.parse(text) else "on a day that cannot be read"


def _is_in_scope(study: StudyValues) -> bool:
    phases = study.protocol("designModule", "phases")
    named = [one for one in phases if isinstance(one, str)] if isinstance(phases, list) else []
    return (
        study.text("designModule", "studyType") == "INTERVENTIONAL"
        and frozenset(named) in _PHASES
        and study.text("designModule", "designInfo", "primaryPurpose") != "DEVICE_FEASIBILITY"
        and study.status != "WITHDRAWN"
    )


def _is_us_product(study: StudyValues) -> bool:
    places = study.items("contactsLocationsModule", "locations")
    products = study.items("armsInterventionsModule", "interventions")
    return _any_of(places, "country", UNITED_STATES) and _any_of(products, "type", PRODUCTS)


def _any_of(items: list[dict[str, object]], key: str, wanted: frozenset[str]) -> bool:
    values = (one.get(key) for one in items)
    return any(isinstance(value, str) and value in wanted for value in values)
