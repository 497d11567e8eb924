"""Events are derived from versions: the derived events equal the stored ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from ctsync.model import Kind, Level, NctId
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.route import Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.database.types import pack_digest
from ctsync.store.store import Store
from ctsync.sync.history.rederive_events import EventDifference, rederive_events, rewrite
from ctsync.sync.repair import to_rewrite
from ctsync.sync.trial_pass import TrialPass
from tests.registry_fixtures import make_study

MakeSync = Callable[..., TrialPass]
ONE, TWO, OLD, LATE = map(NctId, ("NCT03389919", "NCT05935098", "NCT00000141", "NCT07000001"))
PROTOCOL = "protocolSection"
STATUS = f"{PROTOCOL}.statusModule"
OVERALL = f"{STATUS}.overallStatus"
PRIMARY = f"{STATUS}.primaryCompletionDateStruct.date"
COUNT = f"{PROTOCOL}.designModule.enrollmentInfo.count"
RULES = Thresholds()
ALL = Route("log", "log", takes_baselines=True)


def results(*measures: str) -> list[dict[str, str]]:
    return [{"measure": measure, "timeFrame": "12 months"} for measure in measures]


@pytest.fixture
def history(store: Store, replay: Any, make_sync: MakeSync) -> Store:
    """The history of four trials with every kind of change: gone, returned, moved, registered."""
    catalogue, followed = replay.catalogue, [ONE, TWO, OLD, LATE]

    def day(*changed: tuple[NctId, dict[str, Any]]) -> None:
        catalogue.advance()
        for nct_id, values in changed:
            catalogue.edit(nct_id, values)
        make_sync(routes=[ALL]).run(followed)

    for nct_id in (ONE, TWO, OLD):
        catalogue.publish(make_study(nct_id))
    make_sync(routes=[ALL]).run(followed)
    day((ONE, {OVERALL: "SUSPENDED"}), (TWO, {PRIMARY: "2028-09", COUNT: 60}))
    day((ONE, {OVERALL: "RECRUITING", f"{STATUS}.lastUpdatePostDateStruct.date": "2026-02-04"}))
    day((ONE, {f"{PROTOCOL}.outcomesModule.primaryOutcomes": results("Pain", "Gait")}))
    day(
        (ONE, {f"{PROTOCOL}.outcomesModule.primaryOutcomes": results("Pain at rest")}),
        (TWO, {PRIMARY: "2029-09", f"{PROTOCOL}.neverHeardOf": {"\u202ea\0b": "\x10d800"}}),
    )
    catalogue.publish(make_study(LATE))
    catalogue.withdraw(TWO)
    day()
    day()
    catalogue.publish(make_study(TWO, overallStatus="COMPLETED"))
    catalogue.merge(OLD, ONE)
    day((ONE, {OVERALL: "UNKNOWN", f"{STATUS}.lastKnownStatus": "RECRUITING"}))
    return store


def differences(
    store: Store, thresholds: Thresholds = RULES
) -> list[tuple[NctId, EventDifference]]:
    return [
        (one.nct_id, each) for one in rederive_events(store, thresholds) for each in one.differences
    ]


def alter(url: str, statement: str, **values: object) -> int:
    engine = create_engine(url)
    with engine.begin() as connection:
        changed = connection.execute(text(statement), values).rowcount
    engine.dispose()
    return changed


def repair(store: Store, thresholds: Thresholds = RULES) -> None:
    for found in list(rederive_events(store, thresholds)):
        with store.unit() as unit:
            rewrite(unit, found)


def stored_events(store: Store) -> list[Any]:
    return store.events.find()


@pytest.mark.slow
def test_the_history_has_every_kind_of_event(history: Store) -> None:
    kinds = {stored.event.kind for stored in history.events.find()}
    expected = {
        Kind.FIRST_SEEN, Kind.REGISTERED, Kind.GONE, Kind.RETURNED, Kind.MOVED, Kind.STATUS,
        Kind.PRIMARY_COMPLETION_DATE, Kind.ENROLLMENT, Kind.OUTCOME, Kind.OTHER, Kind.BOOKKEEPING,
    }  # fmt: skip
    assert expected <= kinds


@pytest.mark.slow
def test_derived_events_equal_the_stored_ones(history: Store) -> None:
    assert list(rederive_events(history, RULES)) == []


def test_an_empty_database_has_no_differences(store: Store) -> None:
    assert list(rederive_events(store, RULES)) == []


@pytest.mark.slow
def test_changed_thresholds_change_only_levels(history: Store) -> None:
    found = differences(history, Thresholds(slip_critical_days=500))
    assert {nct_id for nct_id, _ in found} == {TWO}
    assert all(one.is_level_only for _, one in found)
    assert "stored as critical (R-DAT-01), the current rules give notable (R-DAT-02)" in {
        one.says for _, one in found
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE events SET summary = 'x' WHERE kind = 'status'", "differs in summary: "),
        ("UPDATE events SET days = days + 1 WHERE days IS NOT NULL", "differs in days: "),
        ("UPDATE events SET inputs = '{}' WHERE kind = 'enrollment'", "differs in inputs"),
        ("UPDATE events SET after = 'null' WHERE kind = 'returned'", "differs in after"),
        ("UPDATE events SET level = 'routine' WHERE level = 'critical'", "stored as routine (R-"),
    ],
)
def test_an_altered_event_is_found_and_repaired_in_place(
    history: Store, migrated_url: str, damage: str, says: str
) -> None:
    before = stored_events(history)
    altered = alter(migrated_url, damage)
    found = differences(history)
    assert len(found) == altered > 0
    assert all(one.says.startswith(says) for _, one in found)
    repair(history)
    assert stored_events(history) == before
    assert list(rederive_events(history, RULES)) == []


@pytest.mark.slow
def test_a_missing_event_is_found_and_added_in_its_place(history: Store, migrated_url: str) -> None:
    before = stored_events(history)
    kinds = (Kind.GONE, Kind.MOVED, Kind.OUTCOME, Kind.FIRST_SEEN)
    lost = [s for s in before if s.event.kind in kinds]
    for stored in lost:
        alter(migrated_url, "DELETE FROM deliveries WHERE event_id = :id", id=stored.event_id)
        alter(migrated_url, "DELETE FROM events WHERE id = :id", id=stored.event_id)
    found = differences(history)
    assert len(found) == len(lost)
    assert {one.says.split(":")[0] for _, one in found} == {"not stored"}
    repair(history)

    def without_id(events: list[Any]) -> list[Any]:
        named = [(s.nct_id, s.to_version, s.event, s.observed, s.run_id, s.posted) for s in events]
        return sorted(named, key=lambda one: (one[0], one[1], one[2].path))

    assert without_id(stored_events(history)) == without_id(before)


@pytest.mark.slow
def test_a_changed_path_keeps_its_event_and_deliveries(history: Store, migrated_url: str) -> None:
    sent, *_ = [s for s in stored_events(history) if s.event.kind is Kind.ENROLLMENT]
    renamed = "UPDATE events SET path = 'old.path', path_key = :key WHERE id = :id"
    alter(migrated_url, renamed, key=b"0" * 16, id=sent.event_id)
    assert {one.says.split(":")[0] for _, one in differences(history)} == {
        "not stored", "cannot be derived from it",
    }  # fmt: skip
    repair(history)
    assert sent in stored_events(history)
    assert differences(history) == []


@pytest.mark.slow
def test_an_event_that_cannot_be_derived_is_dropped_and_its_deliveries_stay(
    history: Store, migrated_url: str
) -> None:
    stored, *_ = [s for s in stored_events(history) if s.event.kind is Kind.STATUS]
    deliveries = history.counts()["deliveries"]
    surplus = f"""
        INSERT INTO events ({", ".join(COPIED)}, path, path_key, kind)
        SELECT {", ".join(COPIED)}, 'made.up', :key, 'design' FROM events WHERE id = :id
    """
    alter(migrated_url, surplus, key=b"1" * 16, id=stored.event_id)
    (made_up,) = [s for s in stored_events(history) if s.event.path == "made.up"]
    point = "UPDATE deliveries SET event_id = :new WHERE event_id = :old"
    alter(migrated_url, point, new=made_up.event_id, old=stored.event_id)
    with history.unit() as unit:
        (sent, *_) = unit.outbox.untried_of([made_up.event_id])
    repair(history)
    assert [s for s in stored_events(history) if s.event.path == "made.up"] == []
    assert history.counts()["deliveries"] == deliveries
    (kept,) = [row for row in history.outbox.deliveries() if row.delivery_id == sent.delivery_id]
    assert (kept.state, kept.last_error) == (
        DeliveryState.DROPPED,
        "its event was removed when the events of its version were derived again",
    )  # fmt: skip
    (holder,) = history.events.find(EventFilter(event_ids=[kept.event_id]))
    assert holder.nct_id == stored.nct_id
    assert differences(history) == []


COPIED = (
    "nct_id", "from_snapshot_id", "to_snapshot_id", "category", "level", "rule", "label", "summary",
    "inputs", "fetched", "happened",
)  # fmt: skip


@pytest.mark.slow
def test_an_unreadable_trial_does_not_stop_the_others(history: Store, migrated_url: str) -> None:
    digest = history.versions.newest_digest(OLD)
    alter(
        migrated_url,
        "UPDATE bodies SET data = :data WHERE digest = :d",
        data=b"x",
        d=pack_digest(digest),
    )
    alter(migrated_url, "UPDATE events SET summary = 'x' WHERE nct_id = :one", one=ONE)
    found = {one.nct_id: one for one in rederive_events(history, RULES)}
    assert set(found) == {OLD, ONE}
    assert digest in found[OLD].unreadable
    assert (found[OLD].steps, bool(found[ONE].steps)) == ((), True)


@pytest.mark.slow
def test_rewritten_events_record_the_version_of_their_rules(
    history: Store, migrated_url: str
) -> None:
    alter(migrated_url, "UPDATE events SET rules_version = 0, level = 'routine'")
    repair(history)
    engine = create_engine(migrated_url)
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT DISTINCT rules_version FROM events")).scalars()
        assert list(versions) == [RULES_VERSION]
    engine.dispose()
    assert Level.CRITICAL in {stored.event.level for stored in history.events.find()}


@pytest.mark.slow
def test_an_event_with_the_wording_of_earlier_rules_is_not_damage_and_can_be_updated(
    history: Store, migrated_url: str
) -> None:
    before = stored_events(history)
    older = "UPDATE events SET summary = 'x', label = 'y', rules_version = :older"
    altered = alter(migrated_url, older, older=RULES_VERSION - 1)
    found = differences(history)
    assert len(found) == altered > 0
    assert all(one.is_wording_only for _, one in found)
    assert list(to_rewrite(history, RULES, relevel=False)) == []
    repair(history)
    assert stored_events(history) == before
