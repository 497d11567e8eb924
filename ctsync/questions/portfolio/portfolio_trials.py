"""The followed trials as a portfolio filters and sorts them. Reads no record that has facts.

Everything that a filter or a sort needs is read for all trials at once; what only a shown row
needs is read for the rows of a page.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import orjson

from ctsync.dates import PartialDate
from ctsync.errors import CorruptBody
from ctsync.model import NctId
from ctsync.record.flags import FlagId, true_ids
from ctsync.record.flags.record_values import StudyValues
from ctsync.record.flags.registration import registration_flags
from ctsync.record.portfolio_facts import FORM, PortfolioFacts, facts_from_json, portfolio_facts
from ctsync.store.derived.portfolio_heads import LastChange, PortfolioHead
from ctsync.store.store import Store

_ACTUAL = "ACTUAL"


class Milestone(StrEnum):
    """What a trial reaches next."""

    START = "start"
    PRIMARY_COMPLETION = "primary_completion"
    COMPLETION = "completion"
    RESULTS_DUE = "results_due"
    UNKNOWN = "unknown"
    """The registry sets the status UNKNOWN, if nobody updates the record."""


class PortfolioTrial(NamedTuple):
    """One followed trial; `milestone` is the next one after the day of the data, with its day.

    Days are ISO texts, which sort as days do.
    """

    nct_id: NctId
    head: PortfolioHead
    facts: PortfolioFacts
    flags: tuple[FlagId, ...]
    milestone: Milestone | None
    milestone_on: str | None
    slip_days: int | None
    watches: tuple[str, ...]
    change: LastChange | None


def read_portfolio(store: Store, *, as_of: date) -> list[PortfolioTrial]:
    """Read the followed trials that have a stored record, in order of their ids."""
    heads = store.portfolio.heads(FORM)
    watches = store.portfolio.watches(are_moved=any(head.moved_to for head in heads))
    changes = store.portfolio.last_changes()
    day = f"{as_of}"
    texts: dict[str, str] = {}
    found = []
    for head in heads:
        nct_id = head.nct_id
        if nct_id not in watches:  # another trial of each of its watches took it over
            continue
        facts = _facts(store, head)
        found.append(
            PortfolioTrial(
                nct_id,
                _compact(head, texts),
                facts,
                _flags(head, facts, as_of=as_of),
                *_next_milestone(head, facts, day),
                _days_between(head.first_primary_completion_date, head.primary_completion_date),
                watches[nct_id],
                changes.get(nct_id),
            )
        )
    return found


def last_day(text: str | None) -> str | None:
    """Return the last day that a registry date may mean; None for any other text."""
    return None if text is None else _last_day(text)


def _compact(head: PortfolioHead, texts: dict[str, str]) -> PortfolioHead:
    """Return a head in less memory: its equal texts are those of other trials, and no facts."""
    values = (texts.setdefault(one, one) if type(one) is str else one for one in head[:-1])
    return PortfolioHead._make([*values, None])


def _facts(store: Store, head: PortfolioHead) -> PortfolioFacts:
    """Return the stored facts; if there are none for this record, derive them from it."""
    if head.facts is not None:
        try:
            return facts_from_json(orjson.loads(head.facts))
        except (ValueError, TypeError):
            pass  # an escaped surrogate, or a row that another program wrote
    try:
        return portfolio_facts(
            orjson.loads(store.bodies.read(store.versions.newest_digest(head.nct_id)))
        )
    except (CorruptBody, ValueError):  # a damaged body must not prevent the other rows
        return PortfolioFacts()


def _flags(head: PortfolioHead, facts: PortfolioFacts, *, as_of: date) -> tuple[FlagId, ...]:
    found = facts.flags_on(f"{as_of}") if facts.flags else ()
    if head.first_start_date == head.start_date:
        return found
    # the one flag that reads two versions; both their values are key fields
    moved = registration_flags(
        _dates(head, head.start_date), as_of, first=_dates(head, head.first_start_date)
    )
    if FlagId.RETROACTIVELY_PROSPECTIVE not in true_ids(tuple(moved)):
        return found
    every = {*found, FlagId.RETROACTIVELY_PROSPECTIVE}
    return tuple(flag for flag in FlagId if flag in every)


def _dates(head: PortfolioHead, start: str | None) -> StudyValues:
    status = {"startDateStruct": {"date": start}, "studyFirstSubmitDate": head.first_submitted}
    return StudyValues({"protocolSection": {"statusModule": status}})


def _next_milestone(
    head: PortfolioHead, facts: PortfolioFacts, day: str
) -> tuple[Milestone | None, str | None]:
    """Return the first milestone on the day of the data or later; the first named of one day."""
    name: Milestone | None = None
    on: str | None = None
    for milestone, text, kind in (
        (Milestone.START, head.start_date, head.start_date_type),
        (
            Milestone.PRIMARY_COMPLETION,
            head.primary_completion_date,
            head.primary_completion_date_type,
        ),
        (Milestone.COMPLETION, head.completion_date, head.completion_date_type),
        (Milestone.RESULTS_DUE, facts.results_due, None),
        (Milestone.UNKNOWN, facts.unknown_on, None),
    ):
        if text is None or kind == _ACTUAL:
            continue
        reached = _last_day(text)
        if reached is not None and reached >= day and (on is None or reached < on):
            name, on = milestone, reached
    return name, on


# Trials share few dates: 10,000 of them have about 3,000. Without these caches, parsing takes half
# of the time of a portfolio.


@lru_cache(maxsize=8192)
def _last_day(text: str) -> str | None:
    found = PartialDate.parse(text)
    return None if found is None else f"{found.last}"


@lru_cache(maxsize=8192)
def _days_between(first: str | None, now: str | None) -> int | None:
    before, after = PartialDate.parse(first), PartialDate.parse(now)
    return before.shift_to(after).days if before and after else None
