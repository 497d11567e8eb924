"""Base rates counted from the stored versions, and those in use. Writes nothing.

`ctsync base-rates --save` stores the counted rates as a mark of the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import orjson

from ctsync.model import State
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context.base_rates import PUBLISHED_RATES, BaseRate, BaseRates, RateId
from ctsync.record.context.own_rates import (
    TrialCourse,
    count_rates,
    is_large,
    preferred,
    read_rates,
)
from ctsync.record.events.base import is_since_registration
from ctsync.store.store import Store

SAVED_RATES = "base_rates"
"""The key of the mark that holds the saved rates, as a JSON array."""


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


def base_rates(store: Store, *, today: date) -> tuple[BaseRateRow, ...]:
    """Count each base rate in all stored versions. Reads every version once."""
    load = store.runs.newest_load()
    until = min(load.date(), today) if load else today
    own = count_rates(_courses(store), until=until)
    return tuple(
        BaseRateRow(
            rate,
            own[rate][0] if rate in own else None,
            published=PUBLISHED_RATES.get(rate, ()),
            is_own_preferred=is_large(own.get(rate, ())),
        )
        for rate in RateId
    )


def rates_in_use(store: Store) -> BaseRates:
    """Return the rates that reports show: saved ones if large enough, else published ones."""
    saved = store.marks.get(SAVED_RATES)
    if saved is None:
        return PUBLISHED_RATES
    try:
        rows = orjson.loads(saved)
    except ValueError:
        return PUBLISHED_RATES
    listed = rows if isinstance(rows, list) else []
    return preferred(read_rates(row for row in listed if isinstance(row, dict)))


def _courses(store: Store) -> Iterator[TrialCourse]:
    for versions in store.bulk.versions_by_trial():
        days = stands_from(versions)
        there = [
            (day, version.key)
            for day, version in zip(days, versions, strict=True)
            if version.state is State.PRESENT
        ]
        if there:
            keys = [key for _, key in there]
            yield TrialCourse([day for day, _ in there], keys, is_since_registration(keys))


SCHEMAS = {"base_rate": BaseRateRow}
