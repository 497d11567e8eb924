"""The order of changes: by day, then each trial's worst change first; what a limit keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import pytest

from ctsync.errors import UsageError
from ctsync.model import Category, Kind, Level, NctId, StoredEvent
from ctsync.questions.changes import changes
from ctsync.questions.changes.changes import day_of_change, find_changes, newest_changes
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from tests.store.samples import LOAD, TRIAL, add, add_events, event

OTHER = NctId("NCT02835040")
CONTACT = event("protocolSection.a", kind=Kind.CONTACT, level=Level.ADMINISTRATIVE,
                category=Category.CONTACTS, rule="R-ADM-01")  # fmt: skip
TITLE = event("protocolSection.b", kind=Kind.TEXT, level=Level.ROUTINE, rule="R-TXT-01")
DATE = event("protocolSection.y", kind=Kind.START_DATE, level=Level.NOTABLE, rule="R-DAT-02")
STATUS = event("protocolSection.z", level=Level.CRITICAL)
DAYS = 3


@pytest.fixture
def changed(store: Store) -> Store:
    """Two trials that changed on three days, each with changes of four levels by path."""
    with store.unit() as unit:
        before: dict[NctId, int | None] = {TRIAL: None, OTHER: None}
        for number in range(1, DAYS + 1):
            for nct_id in (TRIAL, OTHER):
                after, day = before[nct_id], LOAD + timedelta(days=number)
                before[nct_id] = add(unit, number, after, nct_id)
                add_events(unit, after, before[nct_id] or 0, CONTACT, TITLE, DATE, STATUS,
                           nct_id=nct_id, observed=day)  # fmt: skip
    return store


def levels(found: tuple[StoredEvent, ...]) -> list[str]:
    return [f"{stored.nct_id} {stored.event.level.value[0]}" for stored in found]


def test_a_trial_has_its_worst_change_of_a_day_first(changed: Store) -> None:
    found = find_changes(changed, EventFilter()).events
    days = [day_of_change(stored) for stored in found]
    groups = [list(g) for _, g in groupby(found, lambda s: (day_of_change(s), s.nct_id))]

    assert days == sorted(days)
    assert len(groups) == 2 * DAYS
    wrong = [g for g in groups if [s.event.level for s in g] != list(Level)]
    print(f"\n{len(groups)} trials on a day, {len(wrong)} not in the order of their levels")
    assert wrong == []


@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize("level", [None, Level.ROUTINE])
@pytest.mark.parametrize("own", [{}, {"slip_critical_days": 1}])
def test_pages_of_the_newest_changes_have_each_change_once(
    changed: Store, size: int, level: Level | None, own: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also for a watch with its own thresholds, whose changes are read in batches."""
    monkeypatch.setattr(changes, "EVENTS_AT_ONCE", 3)
    with changed.unit() as unit:
        unit.watches.add("mine", rules=own)
        unit.watches.add_trials("mine", {TRIAL: None, OTHER: None}, LOAD)
    wanted = EventFilter(watch="mine", minimum_level=level)
    paged: list[StoredEvent] = []
    while page := newest_changes(
        changed, wanted, after=paged[-1].event_id if paged else None, limit=size
    ):
        paged += page
        assert len(page) <= size
    every = sorted(find_changes(changed, wanted).events, key=lambda one: one.event_id)
    assert [(one.event_id, one.event.level) for one in paged] == [
        (one.event_id, one.event.level) for one in reversed(every)
    ]
    assert len(paged) == 2 * DAYS * (4 if level is None else 3)


def test_a_page_after_a_change_that_no_longer_exists_is_refused(changed: Store) -> None:
    with pytest.raises(UsageError, match="the change 12345 no longer exists; start without"):
        newest_changes(changed, EventFilter(), after=12345, limit=1)


def group(stored: StoredEvent) -> tuple[date, NctId]:
    return day_of_change(stored), stored.nct_id


def check_limit(complete: Sequence[StoredEvent], found: Sequence[StoredEvent]) -> None:
    """Assert that the newest days are kept, and of the trial that is cut its worst changes."""
    assert list(found) == [one for one in complete if one in found]
    left_out = [one for one in complete if one not in found]
    assert all(day_of_change(one) <= day_of_change(found[0]) for one in left_out)
    cut = [one for one in left_out if group(one) == group(found[0])]
    kept = [one for one in found if group(one) == group(found[0])]
    assert all(one.event.level.rank >= kept[-1].event.level.rank for one in cut)


def test_a_limit_keeps_the_newest_days_and_the_worst_changes(changed: Store) -> None:
    complete = find_changes(changed, EventFilter()).events
    for limit in range(1, len(complete) + 2):
        found = find_changes(changed, EventFilter(limit=limit))
        assert found.total == len(complete) == 4 * 2 * DAYS
        assert len(found.events) == min(limit, len(complete))
        check_limit(complete, found.events)


@pytest.mark.parametrize(
    ("narrowed", "words"),
    [
        ({"minimum_level": Level.NOTABLE}, ["c", "n"]),
        ({"categories": (Category.CONTACTS,)}, ["a"]),
        ({"since": LOAD + timedelta(days=3, hours=1)}, []),
    ],
)
def test_a_limit_never_adds_what_a_filter_leaves_out(
    changed: Store, narrowed: dict[str, Any], words: list[str]
) -> None:
    wanted = EventFilter(nct_ids=(TRIAL,), limit=2, **narrowed)

    found = find_changes(changed, wanted).events

    assert {one.event.level.value[0] for one in found} == set(words)
    assert levels(found) == levels(find_changes(changed, EventFilter(
        nct_ids=(TRIAL,), **narrowed)).events)[-2:]  # fmt: skip


def test_a_watch_with_thresholds_of_its_own_has_the_same_order(changed: Store) -> None:
    with changed.unit() as unit:
        unit.watches.add("own", rules={"slip_notable_days": 10.0})
        unit.watches.add_trials("own", dict.fromkeys((TRIAL, OTHER)), LOAD)
    complete = find_changes(changed, EventFilter(watch="own")).events
    assert [group(one) for one in complete] == sorted(group(one) for one in complete)
    for limit in (1, 2, 5, 24):
        found = find_changes(changed, EventFilter(watch="own", limit=limit))
        assert (len(found.events), found.total) == (limit, len(complete))
        check_limit(complete, found.events)
