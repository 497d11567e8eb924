"""Events: one per step and path, read back with their older and newer version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ctsync.model import Category, Event, Kind, Level
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from tests.store.samples import (
    FETCHED,
    LOAD,
    OTHER,
    STATUS,
    TRIAL,
    add,
    add_events,
    event,
    fill,
)


def test_an_event_is_read_back_unchanged(store: Store) -> None:
    given = Event(
        kind=Kind.ENROLLMENT, category=Category.ENROLLMENT, level=Level.NOTABLE, rule="R-ENR-02",
        path="protocolSection.designModule.enrollmentInfo.count", label="Enrollment",
        summary="Enrollment 263 -> 99", before=263, after=99, before_type="ESTIMATED",
        after_type="ACTUAL", days=-3, days_since_first=4000, percent=-62.4,
        percent_since_first=-62.4, inputs={"percent": -62.4, "started": True},
    )  # fmt: skip
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", FETCHED)
        first = add(unit, 0, None, registry_version=4)
        second = add(unit, 1, first, registry_version=5)
        add_events(unit, first, second, given, run_id=run_id)
    (stored,) = store.events.of_run(run_id)
    assert stored.event == given
    assert (stored.from_version, stored.to_version) == (1, 2)
    assert (stored.from_registry_version, stored.to_registry_version) == (4, 5)
    assert (stored.posted, stored.observed, stored.fetched) == ("2026-03-13", LOAD, FETCHED)


def test_events_of_the_first_version_have_no_from_version(store: Store) -> None:
    with store.unit() as unit:
        add_events(unit, None, add(unit, 0, None), event(kind=Kind.FIRST_SEEN))
    (stored,) = store.events.find()
    assert (stored.from_version, stored.to_version) == (None, 1)


def test_event_ids_follow_the_order_given_and_are_the_same_for_a_repeated_unit(
    store: Store,
) -> None:
    paths = [f"path.{n}" for n in (3, 1, 2)]
    with store.unit() as unit:
        first = add(unit, 0, None)
        ids = add_events(unit, None, first, *(event(path) for path in paths))
    with store.unit() as unit:
        again = add_events(unit, None, first, *(event(path) for path in reversed(paths)))
    assert again == ids[::-1]
    found = {stored.event_id: stored.event.path for stored in store.events.find()}
    assert [found[event_id] for event_id in ids] == paths


def test_the_same_path_changed_in_each_step_has_one_event_per_step(store: Store) -> None:
    fill(store, 3)
    steps = [e for e in store.events.find() if e.event.path == STATUS]
    assert [(e.from_version, e.to_version) for e in steps] == [(None, 1), (1, 2), (2, 3)]


def test_two_events_of_one_step_with_the_same_path_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="same path"), store.unit() as unit:
        add_events(unit, None, add(unit, 0, None), event(), event())
    assert store.counts()["snapshots"] == 0


def test_long_paths_that_differ_at_the_end_are_two_events(store: Store) -> None:
    long = "locations[" + "x" * 50_000
    with store.unit() as unit:
        step = (event(long + "1]"), event(long + "2]"))
        assert len(set(add_events(unit, None, add(unit, 0, None), *step))) == 2


@pytest.mark.slow
def test_three_thousand_events_of_one_step_are_stored_in_order(store: Store) -> None:
    step = [event(f"path.{n}") for n in range(3000)]
    with store.unit() as unit:
        ids = add_events(unit, None, add(unit, 0, None), *step)
    assert len(set(ids)) == 3000
    assert [stored.event.path for stored in store.events.find()] == [e.path for e in step]


def _numbered(store: Store) -> None:
    """Store one event of each level for a trial, a day apart, and one for a watched trial."""
    with store.unit() as unit:
        after: int | None = None
        for number, level in enumerate(Level):
            snapshot = add(unit, number, after)
            kind = Kind.STATUS if number % 2 else Kind.TEXT
            category = Category.STATUS if number % 2 else Category.DESCRIPTION
            numbered = event(f"path.{number}", level=level, kind=kind, category=category)
            add_events(unit, after, snapshot, numbered, observed=LOAD + timedelta(days=number))
            after = snapshot
        add_events(unit, None, add(unit, 0, None, OTHER), nct_id=OTHER)
        unit.watches.add_trials("mine", {OTHER: None}, FETCHED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        (EventFilter(nct_ids=[TRIAL]), [0, 1, 2, 3]),
        (EventFilter(nct_ids=[TRIAL], minimum_level=Level.NOTABLE), [0, 1]),
        (EventFilter(levels=[Level.ROUTINE, Level.ADMINISTRATIVE]), [2, 3]),
        (EventFilter(kinds=[Kind.TEXT]), [0, 2]),
        (EventFilter(nct_ids=[TRIAL], categories=[Category.STATUS]), [1, 3]),
        (EventFilter(since=LOAD + timedelta(days=2)), [2, 3]),
        (EventFilter(nct_ids=[TRIAL], until=LOAD + timedelta(days=2)), [0, 1]),
        (EventFilter(nct_ids=[TRIAL], limit=2), [2, 3]),
        (EventFilter(watch="none of that name"), []),
        (EventFilter(run_id=7), []),
    ],
)
def test_a_filter_finds_exactly_the_matching_events(
    store: Store, wanted: EventFilter, paths: list[int]
) -> None:
    _numbered(store)
    assert [stored.event.path for stored in store.events.find(wanted)] == [
        f"path.{n}" for n in paths
    ]
    if wanted.limit is None:
        assert store.events.count(wanted) == len(paths)


def test_a_watch_filter_finds_the_events_of_its_trials(store: Store) -> None:
    _numbered(store)
    assert [stored.nct_id for stored in store.events.find(EventFilter(watch="mine"))] == [OTHER]


def test_an_event_without_a_load_has_its_posting_date_or_its_fetch_time(store: Store) -> None:
    with store.unit() as unit:
        add_events(unit, None, add(unit, 0, None), posted="2019-07-16", observed=None)
        add_events(unit, None, add(unit, 0, None, OTHER), nct_id=OTHER, posted=None, observed=None)
    since, until = datetime(2019, 7, 16, tzinfo=UTC), datetime(2019, 7, 17, tzinfo=UTC)
    assert [e.nct_id for e in store.events.find(EventFilter(since=since, until=until))] == [TRIAL]
    assert [e.nct_id for e in store.events.find(EventFilter(since=until))] == [OTHER]
