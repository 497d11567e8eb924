"""Rates and the past of sponsors, counted in stored versions and events."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from ctsync.model import JsonObject, NctId
from ctsync.questions.portfolio.base_rates import (
    SavedCount,
    rates_in_use,
    saved_count,
    stored_rates,
)
from ctsync.record.context import RateId
from ctsync.record.context.sponsor_past import FEWEST_TRIALS, SponsorPast
from ctsync.store.store import Store
from tests.record.studies import dated, outcome, study
from tests.registry_fixtures import an_id
from tests.sync.histories import keep_history

TODAY = date(2026, 3, 13)


def version(number: int, posted: str, measure: str, **values: Any) -> JsonObject:
    return study(
        protocolSection__identificationModule__nctId=an_id(number),
        protocolSection__sponsorCollaboratorsModule__leadSponsor__name="Example Pharma",
        posted=posted,
        primary_outcomes=[outcome(measure)],
        **values,
    )


def keep_trials(store: Store) -> None:
    """Store trials of one sponsor that were terminated; the first also has history."""
    last = {"status": "TERMINATED", "primary": dated("2021-12", "ACTUAL")}
    first = [
        version(1, "2019-05-08", "Overall survival"),
        version(1, "2020-05-20", "Pain at rest"),
        version(1, "2021-01-01", "Pain at rest", **last),
    ]
    keep_history(store, first)
    for number in range(2, FEWEST_TRIALS + 1):
        keep_history(store, [version(number, "2021-01-01", "Pain", **last)], with_events=False)


def test_rates_are_counted_in_versions_and_events(store: Store) -> None:
    keep_trials(store)
    assert {stored.lead_sponsor for stored in store.events.find()} == {"Example Pharma"}
    found = stored_rates(store, today=TODAY)
    shares = {
        rate: (one.count, one.n)
        for rate, (one,) in found.rates.items()
        if rate.startswith(("primary", "first", "terminated_reopened"))
    }
    assert shares == {
        RateId.PRIMARY_OUTCOME_CHANGED_RECRUITING: (1, 1),
        RateId.PRIMARY_OUTCOME_CHANGED_COMPLETED: (0, 1),
        RateId.FIRST_SLIP: (1, 1),
        RateId.TERMINATED_REOPENED: (0, 1),
    }
    past = SponsorPast(10, terminated=10, withdrawn=0, dated=1, slipped=1)
    assert found.rates.sponsors == {"Example Pharma": past}
    assert found.trials == 10
    print(f"rates: {len(found.rates)} counted in {found.trials} trials")

    with store.unit() as unit:
        for key, value in found.marks(TODAY).items():
            unit.marks.set(key, value)
        unit.watches.add("two")
        added = datetime(2026, 3, 1, tzinfo=UTC)
        unit.watches.add_trials("two", dict.fromkeys(NctId(an_id(n)) for n in (1, 2)), added)
    used = rates_in_use(store)
    assert used.sponsors == found.rates.sponsors
    assert used.sponsors_window == "versions up to 2026-03"
    assert saved_count(store) == SavedCount(TODAY, 10)
    # one trial is too few to replace a published rate
    assert used[RateId.TERMINATED_REOPENED][0].n == 6216

    of_watch = stored_rates(store, today=TODAY, watch="two")
    assert (of_watch.trials, of_watch.rates.sponsors) == (2, {})
    assert of_watch.rates == found.rates
