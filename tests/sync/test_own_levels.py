"""Watches with their own thresholds: levels and recipients of reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ctsync.config.settings import WatchSettings
from ctsync.deliver.outbox import drain
from ctsync.model import Level, NctId
from ctsync.record.rules.presets import PRESETS, Preset
from ctsync.record.rules.relevel import relevel, thresholds_of
from ctsync.record.rules.rules import Thresholds
from ctsync.route import Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store
from ctsync.sync.trial_pass import TrialPass
from ctsync.sync.watches.resolve import join_file_watches, resolve_file_watches
from tests.deliver.desk import Recording
from tests.registry_fixtures import make_study

MakeSync = Callable[..., TrialPass]
ONE = NctId("NCT03389919")
COMPLETION = "protocolSection.statusModule.completionDateStruct.date"
STRICT = Route("mail", "strict@example.org", ("strict",), Level.NOTABLE)
USUAL = Route("mail", "usual@example.org", ("usual",), Level.NOTABLE)
ROUTES = (STRICT, USUAL)
OWN = "slip_notable_days"


@pytest.fixture
def slipped(store: Store, replay: Any, make_sync: MakeSync) -> Store:
    """A completion date that slipped by 62 days, in two watches with different thresholds."""
    replay.catalogue.publish(make_study(ONE))
    sync = make_sync(routes=ROUTES)
    watches = [
        WatchSettings(name="strict", trials=(ONE,), rules={"slip_notable_days": 30}),
        WatchSettings(name="usual", trials=(ONE,)),
    ]
    found = resolve_file_watches(store, sync.registry, watches, rules={"slip_critical_days": 60})
    join_file_watches(store, found)
    sync.run([ONE])
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {COMPLETION: "2028-02"})
    make_sync(routes=ROUTES).run([ONE])
    return store


def test_a_watch_uses_the_common_thresholds_that_it_does_not_set(slipped: Store) -> None:
    assert slipped.watches.own_thresholds() == {
        "strict": Thresholds(slip_notable_days=30, slip_critical_days=60)
    }


@pytest.mark.parametrize("preset", list(Preset))
def test_a_preset_sets_the_thresholds_that_the_watch_does_not_set(
    store: Store, make_sync: MakeSync, preset: Preset
) -> None:
    watch = WatchSettings(name="mine", trials=(ONE,), preset=preset.value, rules={})
    own = WatchSettings(name="own", trials=(ONE,), preset=preset.value, rules={OWN: 45})
    common = {"implausible_move_days": 1000, OWN: 7}
    found = resolve_file_watches(store, make_sync().registry, [watch, own], rules=common)
    join_file_watches(store, found)
    thresholds = store.watches.own_thresholds()
    expected = Thresholds().replace({**common, **PRESETS[preset]})
    assert thresholds == {"mine": expected, "own": expected.replace({OWN: 45})}


def test_a_delivery_uses_the_level_of_its_watch(slipped: Store, clock: Any) -> None:
    (stored,) = [s for s in slipped.events.find() if s.event.path == COMPLETION]
    assert (stored.event.level, stored.event.rule) == (Level.ROUTINE, "R-DAT-03")
    (row,) = slipped.outbox.deliveries(DeliveryState.PENDING)
    assert (row.recipient, row.event_id) == (STRICT.recipient, stored.event_id)
    channel = Recording.to(*ROUTES)
    drain(slipped, {"mail": channel}, clock=clock)
    (message,) = channel.sent
    (told,) = message.events
    assert (told.event.level, told.event.rule) == (Level.CRITICAL, "R-DAT-01")
    assert message.report().counts[Level.CRITICAL] == 1


def test_an_event_gets_its_level_under_other_thresholds_without_a_record(slipped: Store) -> None:
    (stored,) = [s for s in slipped.events.find() if s.event.path == COMPLETION]
    assert relevel(stored.event, Thresholds()) is stored.event
    again = relevel(stored.event, Thresholds(slip_notable_days=62))
    assert (again.level, again.rule) == (Level.NOTABLE, "R-DAT-02")
    assert (again.summary, again.inputs) == (stored.event.summary, stored.event.inputs)


def test_an_unknown_threshold_is_ignored() -> None:
    assert thresholds_of({}) is None
    assert thresholds_of({"of_tomorrow": 3}) is None
    assert thresholds_of({"of_tomorrow": 3, "slip_notable_days": 7}) == Thresholds(
        slip_notable_days=7
    )
