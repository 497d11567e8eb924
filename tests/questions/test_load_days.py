"""The days with registry data, and the list of changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from ctsync.model import Kind, RegistryVersion
from ctsync.questions.changes.change_list import list_changes
from ctsync.questions.operation.load_days import load_days
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from tests.questions.answers import keep_all

LOAD = datetime(2026, 2, 10, 9, tzinfo=UTC)


def run_on(store: Store, load: datetime | None, **counts: Any) -> int:
    """Record a run that saw a load."""
    with store.unit() as unit:
        run = unit.runs.begin("sync", load or LOAD)
        if load is not None:
            unit.runs.set_load(run, RegistryVersion("2.0.5", load))
    return run


def test_days_are_listed_newest_first_with_the_newest_run_of_each(store: Store) -> None:
    run_on(store, LOAD)
    newest_of_first = run_on(store, LOAD)
    second = run_on(store, LOAD + timedelta(days=1))
    run_on(store, None)  # it saw no data

    days = load_days(store)

    assert [f"{day.day}" for day in days] == ["2026-02-11", "2026-02-10"]
    assert [day.run.id for day in days] == [second, newest_of_first]
    assert load_days(store, most=1) == days[:1]
    assert load_days(store, most=1)[0].load == LOAD + timedelta(days=1)


@pytest.mark.slow
def test_changes_are_listed_newest_day_first_each_trials_worst_first(store: Store) -> None:
    keep_all(store)
    found = list_changes(store, EventFilter())
    events = store.events.find(EventFilter())

    lines = [event for one in found for event in one.line.events]
    assert len(lines) == sum(one.event.kind is not Kind.FIRST_SEEN for one in events)
    assert [one.day for one in found] == sorted((one.day for one in found), reverse=True)
    for one, following in pairwise(found):
        if (one.day, one.nct_id) == (following.day, following.nct_id):
            here, there = one.line.stored.event.level, following.line.stored.event.level
            assert here.rank <= there.rank
