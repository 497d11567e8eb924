"""Base rates counted from the stored versions, and those in use. Writes nothing.

`ctsync base-rates --save` stores the counts as marks of the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import orjson

from ctsync.model import Kind, NctId, State
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context.base_rates import (
    PUBLISHED_RATES,
    SPONSOR_RATES,
    BaseRate,
    BaseRates,
    RateId,
)
from ctsync.record.context.own_rates import (
    TrialCourse,
    count_rates,
    is_large,
    preferred,
    read_rates,
    sponsored_trial,
    stage_of_change,
)
from ctsync.record.context.sponsor_past import (
    SponsoredTrial,
    count_sponsors,
    read_sponsors,
    sponsor_rows,
)
from ctsync.record.events.base import is_since_registration
from ctsync.report.rows.row_json import dump
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store

SAVED_RATES = "base_rates"
"""The key of the mark that holds the saved rates, as a JSON array."""

SAVED_SPONSORS = "base_rates_sponsors"
"""The key of the mark that holds the counts of sponsors and their window, as JSON."""

SAVED_FROM = "base_rates_saved"
"""The key of the mark that holds the day of the count and its number of trials, as JSON."""


@dataclass(frozen=True, slots=True)
class BaseRateRow:
    """One base rate as your versions and as published data give it."""

    id: RateId
    """The name of the rate."""
    own: BaseRate | None
    """The rate in the stored versions; null if no trial counts for it."""
    published: tuple[BaseRate, ...]
    """The published rates, newest window first."""
    is_own_preferred: bool
    """True if the rate of your versions counts 400 trials or more, so that it is preferred."""


@dataclass(frozen=True, slots=True)
class CountedRates:
    """The rates in the stored versions, and the number of trials that were read."""

    rates: BaseRates
    trials: int

    @property
    def rows(self) -> tuple[BaseRateRow, ...]:
        """Each rate beside the published one."""
        own = self.rates
        return tuple(
            BaseRateRow(
                rate,
                own[rate][0] if rate in own else None,
                published=PUBLISHED_RATES.get(rate, ()),
                is_own_preferred=is_large(own.get(rate, ())),
            )
            for rate in RateId
            if rate not in SPONSOR_RATES
        )

    def marks(self, day: date) -> dict[str, str]:
        """The marks to store on this day, by their key."""
        rates = [found[0] for found in self.rates.values()]
        sponsors = {
            "window": self.rates.sponsors_window,
            "sponsors": sponsor_rows(self.rates.sponsors),
        }
        saved = {"day": day.isoformat(), "trials": self.trials}
        return {
            SAVED_RATES: dump(rates).decode(),
            SAVED_SPONSORS: dump(sponsors).decode(),
            SAVED_FROM: dump(saved).decode(),
        }


@dataclass(frozen=True, slots=True)
class SavedCount:
    """The day on which the saved rates were counted, and in how many trials."""

    day: date
    trials: int


def stored_rates(store: Store, *, today: date, watch: str | None = None) -> CountedRates:
    """Count each base rate in the stored versions of all trials, or of a watch.

    Reads every version and every outcome event once, and no record.
    """
    load = store.runs.newest_load()
    until = min(load.date(), today) if load else today
    sponsored: list[SponsoredTrial] = []
    trials = 0

    def counted() -> Iterator[TrialCourse]:
        nonlocal trials
        for course in _courses(store, watch):
            trials += 1
            found = sponsored_trial(course)
            if found is not None:
                sponsored.append(found)
            yield course

    rates = count_rates(counted(), until=until)
    window = f"versions up to {until:%Y-%m}"
    rates = replace(rates, sponsors=count_sponsors(sponsored), sponsors_window=window)
    return CountedRates(rates, trials)


def rates_in_use(store: Store) -> BaseRates:
    """Return the rates that reports show: saved ones if large enough, else published ones."""
    rows = _read_mark(store, SAVED_RATES)
    if rows is None:
        return PUBLISHED_RATES
    listed = rows if isinstance(rows, list) else []
    found = read_rates(row for row in listed if isinstance(row, dict))
    saved = _read_mark(store, SAVED_SPONSORS)
    if isinstance(saved, dict) and isinstance(saved.get("window"), str):
        sponsors = read_sponsors(saved.get("sponsors"))
        found = replace(found, sponsors=sponsors, sponsors_window=saved["window"])
    return preferred(found)


def saved_count(store: Store) -> SavedCount | None:
    """Return when the saved rates were counted; None if none are saved or it is not known."""
    saved = _read_mark(store, SAVED_FROM)
    try:
        return SavedCount(date.fromisoformat(saved["day"]), int(saved["trials"]))
    except (TypeError, KeyError, ValueError):
        return None


def _read_mark(store: Store, key: str) -> Any:
    """Return the value of a mark; None if it is not stored or damaged."""
    text = store.marks.get(key)
    try:
        return None if text is None else orjson.loads(text)
    except ValueError:
        return None


def _courses(store: Store, watch: str | None) -> Iterator[TrialCourse]:
    stages = _outcome_stages(store, watch)
    for versions in store.bulk.versions_by_trial(Selection(watch=watch)):
        days = stands_from(versions)
        there = [
            (day, version.key)
            for day, version in zip(days, versions, strict=True)
            if version.state is State.PRESENT
        ]
        if there:
            keys = [key for _, key in there]
            yield TrialCourse(
                [day for day, _ in there],
                keys,
                is_since_registration(keys),
                frozenset(stages.get(versions[0].nct_id, ())),
            )


def _outcome_stages(store: Store, watch: str | None) -> dict[NctId, set[str]]:
    """Return the stages at which a primary outcome changed, of each trial with such a change."""
    found: dict[NctId, set[str]] = {}
    wanted = EventFilter(kinds=(Kind.OUTCOME,), watch=watch)
    for nct_id, inputs in store.events.each_inputs(wanted):
        stage = stage_of_change(inputs)
        if stage is not None:
            found.setdefault(nct_id, set()).add(stage)
    return found


SCHEMAS = {"base_rate": BaseRateRow}
