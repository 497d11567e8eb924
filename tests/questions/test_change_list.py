"""The list of changes, placed before it is read: same order, and no trial's day is cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ctsync.model import Kind, Level, NctId
from ctsync.questions.changes.change_list import list_changes, place_changes, placed_changes
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from tests.store.samples import LOAD, TRIAL, add, add_events, event

OTHER = NctId("NCT02835040")
SLIP = event("protocolSection.a", kind=Kind.START_DATE, level=Level.NOTABLE, days=20)
STATUS = event("protocolSection.b", level=Level.CRITICAL)
BASELINE = event("", kind=Kind.FIRST_SEEN, level=Level.ROUTINE)
PER_DAY = 2


@pytest.fixture
def changed(store: Store) -> Store:
    """Two trials with a baseline and two changes on each of the three next days."""
    with store.unit() as unit:
        unit.watches.add("own", rules={"slip_notable_days": 365.0})
        unit.watches.add_trials("own", {TRIAL: None}, LOAD)
        for nct_id in (TRIAL, OTHER):
            before: int | None = None
            for number in range(4):
                after = add(unit, number, before, nct_id)
                found = (SLIP, STATUS) if number else (BASELINE,)
                add_events(unit, before, after, *found, nct_id=nct_id,
                           observed=LOAD + timedelta(days=number))  # fmt: skip
                before = after
    return store


def test_the_changes_of_all_places_are_the_list_in_its_order(changed: Store) -> None:
    places = place_changes(changed, EventFilter())
    listed = list_changes(changed, EventFilter())
    assert len(listed) == 2 * 3 * PER_DAY
    assert [(one.place.happened.date(), one.nct_id) for one in places] == [
        (one.day, one.nct_id) for one in listed
    ]
    assert placed_changes(changed, places) == listed
    assert placed_changes(changed, places[2:6]) == listed[2:6]


@pytest.mark.parametrize("limit", range(1, 13))
def test_a_limit_keeps_all_changes_of_the_last_trial_on_its_day(changed: Store, limit: int) -> None:
    places = place_changes(changed, EventFilter(limit=limit))
    assert len(places) == limit + limit % PER_DAY
    newest = placed_changes(changed, places)
    assert sorted(newest, key=str) == sorted(list_changes(changed, EventFilter(limit=len(places))),
                                             key=str)  # fmt: skip


def test_a_watch_with_own_thresholds_has_its_own_levels(changed: Store) -> None:
    wanted = EventFilter(watch="own")
    places = place_changes(changed, wanted, with_texts=True)
    assert {one.nct_id for one in places} == {TRIAL}
    assert placed_changes(changed, places, watch="own") == list_changes(changed, wanted)
    worst = replace(wanted, minimum_level=Level.NOTABLE)
    assert len(place_changes(changed, worst)) == len(list_changes(changed, worst))


def test_the_events_before_a_place_are_those_that_follow_it(changed: Store) -> None:
    heads = changed.events.heads(EventFilter())
    assert [one.place for one in heads] == sorted((h.place for h in heads), reverse=True)
    for number, head in enumerate(heads):
        older = changed.events.heads(EventFilter(before=head.place))
        assert older == heads[number + 1 :]
        assert changed.events.place(head.place.event_id) == head.place
    assert changed.events.place(0) is None


def test_texts_are_read_only_if_they_are_asked_for(changed: Store) -> None:
    heads = changed.events.heads(EventFilter(), with_texts=True)
    assert {one.texts.label for one in heads if one.texts} == {SLIP.label, BASELINE.label}
    assert {one.texts for one in changed.events.heads(EventFilter())} == {None}
