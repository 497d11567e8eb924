"""The sync cycle: notifications of the monitor, and messages that wait after a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ctsync.deliver.message import Message
from ctsync.deliver.routes import routes_from
from ctsync.errors import RegistryError
from ctsync.model import NctId, Verdict
from ctsync.questions.changes.coverage import coverage_of
from ctsync.questions.operation.health import OVERDUE_AFTER, HealthState, assess
from ctsync.questions.operation.health_state import health_facts
from ctsync.registry.api import RegistryApi
from ctsync.registry.archive_download import ArchiveDownload
from ctsync.registry.http.transport import Transport
from ctsync.route import Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store, open_store
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.watches.resolve import resolve_file_watches
from tests.conftest import StillClock
from tests.deliver.mailserver import running
from tests.deliver.webserver import web
from tests.given_settings import given_settings
from tests.registry_fixtures import an_id, archive_of, publish
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

ONE, TWO = NctId("NCT03389919"), NctId("NCT05935098")
STATUS = "protocolSection.statusModule.overallStatus"
MakeCycle = Callable[..., SyncCycle]


@pytest.fixture
def make_cycle(
    store: Store,
    clock: StillClock,
    replay: ReplayRegistry,
    make_sync: Callable[..., Any],
    migrated_url: str,
) -> MakeCycle:
    """Return a function that makes a cycle over two trials, with settings given as in a file."""
    publish(replay, ONE, TWO)
    with store.unit() as unit:
        unit.watches.add("two")
        unit.watches.add_trials("two", dict.fromkeys([ONE, TWO]), clock.now())

    def make(**sections: Any) -> SyncCycle:
        given = {"database": {"url": migrated_url}, "log": {"events": "off"}} | sections
        settings = given_settings(given)
        registry = make_sync().registry
        return SyncCycle(settings=settings, store=store, registry=registry, clock=clock)

    return make


@pytest.mark.slow
def test_the_monitor_is_notified_of_complete_incomplete_and_failed_cycles(
    make_cycle: MakeCycle, replay: ReplayRegistry
) -> None:
    with web() as server:
        work = make_cycle(monitor={"ping_url": f"{server.url}/uuid"})
        work.run(holder="test")
        replay.faults.add(faults.status(500), path="/v2/studies", times=faults.EVERY_TIME)
        replay.catalogue.advance()
        assert not work.run(holder="test").is_whole
        replay.faults.add(faults.status(503), path="/v2/version", times=faults.EVERY_TIME)
        with pytest.raises(RegistryError):
            work.run(holder="test")

    pings = [(got.path, got.body.decode()) for got in server.received]
    assert [path for path, _ in pings] == [
        "/uuid/start", "/uuid", "/uuid/start", "/uuid/fail", "/uuid/start", "/uuid/fail",
    ]  # fmt: skip
    assert pings[1][1] == "checked 2 of 2; messages: 0 sent, 0 waiting, 0 parked"
    assert pings[3][1].startswith("checked 0 of 2")
    assert pings[5][1].startswith("RegistryBusy: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "since"), [({}, "2026-01-28"), ({"overlap_days": 9}, "2026-01-24")]
)
def test_a_mirror_looks_back_as_many_days_as_the_settings_say(
    make_cycle: MakeCycle,
    replay: ReplayRegistry,
    tmp_path: Path,
    given: dict[str, Any],
    since: str,
) -> None:
    work = make_cycle(mirror={"processes": 0, **given})
    assert isinstance(work.registry, RegistryApi)
    bulk = ArchiveDownload(work.registry.transport)
    for _ in range(2):
        work.mirror(bulk, folder=tmp_path, holder="test")
        replay.catalogue.advance()
    bulk.close()
    (window,) = {q for one in replay.requests if (q := one.params.get("filter.advanced"))}
    assert f"RANGE[{since},MAX]" in window


REFUSING = "http://127.0.0.1:1/api"  # nothing listens there
ORG_IDS = {"watches": [{"name": "own", "org_ids": ["ORG-001", "ORG-002"]}]}


def test_a_mirror_from_a_file_asks_a_registry_that_refuses_connections_once(
    make_cycle: MakeCycle, replay: ReplayRegistry, store: Store, tmp_path: Path, clock: StillClock
) -> None:
    """Looking up study ids for the settings comes before the load, and took all retries."""
    publish(replay, *map(an_id, range(1, 11)))
    file = archive_of(replay, tmp_path / "bulk.zip")
    transport = Transport(REFUSING, clock=clock)
    bulk = ArchiveDownload(transport)
    work = make_cycle(mirror={"processes": 0}, **ORG_IDS)
    work = replace(work, registry=RegistryApi(transport, clock=clock))
    result, synced = work.mirror(bulk, folder=tmp_path, archive=file, holder="test")
    bulk.close()
    transport.close()
    print(f"mirror from a file, study ids unknown: {clock.elapsed:.0f} s of waiting, 1 request")
    assert (clock.elapsed, transport.counts.requests, transport.counts.retries) == (0, 1, 0)
    assert (result.verdict, result.is_online, synced) == (Verdict.PARTIAL, False, None)
    assert set(map(an_id, range(1, 11))) <= set(store.trials.stored_ids())
    assert "this number is unverified" in result.said[0]
    assert [line.split(":")[1] for line in result.said if line.startswith("watch own")] == [
        " the study id 'ORG-001' could not be looked up",
        " the study id 'ORG-002' could not be looked up",
    ]


def test_a_mirror_names_the_unknown_study_ids_of_the_only_watch(
    make_cycle: MakeCycle, store: Store, tmp_path: Path
) -> None:
    with store.unit() as unit:
        unit.watches.remove("two")
    work = make_cycle(mirror={"processes": 0}, watches=[{"name": "own", "org_ids": ["no such id"]}])
    assert isinstance(work.registry, RegistryApi)
    bulk = ArchiveDownload(work.registry.transport)
    result, synced = work.mirror(bulk, folder=tmp_path, holder="test")
    bulk.close()
    assert (result.verdict, synced) == (Verdict.PARTIAL, None)
    assert "watch own: no trial has the study id 'no such id'" in result.said[-1]


def test_a_mirror_lists_the_query_of_the_only_watch(
    make_cycle: MakeCycle, store: Store, tmp_path: Path
) -> None:
    with store.unit() as unit:
        unit.watches.remove("two")
        unit.watches.add("open", query={"filter.overallStatus": "RECRUITING"})
    work = make_cycle(mirror={"processes": 0})
    assert isinstance(work.registry, RegistryApi)
    bulk = ArchiveDownload(work.registry.transport)
    _, synced = work.mirror(bulk, folder=tmp_path, holder="test")
    bulk.close()
    assert synced is not None
    assert set(store.watched.ids()) == {ONE, TWO}


def test_a_trial_given_by_its_url_needs_no_registry(make_cycle: MakeCycle, store: Store) -> None:
    named = {"name": "named", "trials": [f"https://clinicaltrials.gov/study/{ONE}"]}
    work = make_cycle(watches=[*ORG_IDS["watches"], named])
    transport = Transport(REFUSING, clock=work.clock)
    found = resolve_file_watches(
        store, RegistryApi(transport, clock=work.clock), work.settings.watches, retry=False
    )
    transport.close()
    assert [list(watch.trials) for watch in found.watches] == [[], [ONE]]
    assert [lost.term for lost in found.unresolved] == ORG_IDS["watches"][0]["org_ids"]


def test_an_unreachable_monitor_does_not_fail_the_cycle(make_cycle: MakeCycle) -> None:
    with web() as server:
        url = server.url
    assert make_cycle(monitor={"ping_url": url}).run(holder="test").is_well


@pytest.mark.slow
def test_due_messages_are_sent_although_the_registry_is_unreachable(
    make_cycle: MakeCycle, replay: ReplayRegistry, store: Store, clock: StillClock
) -> None:
    with web(503) as server:
        work = make_cycle(channels=[{"name": "team", "url": server.url}])
        work.run(holder="test")
        replay.catalogue.advance()
        replay.catalogue.edit(ONE, {STATUS: "TERMINATED"})
        assert work.run(holder="test").delivered.waiting == 1
        clock.sleep(3600)
        server.status = 200
        replay.faults.add(faults.status(503), times=faults.EVERY_TIME)
        with pytest.raises(RegistryError):
            work.run(holder="test")
    assert [row.state for row in store.outbox.deliveries()] == [DeliveryState.SENT]
    assert [run.delivered for run in store.runs.latest()] == [1, 0, 0]


@pytest.mark.slow
def test_the_cycle_that_finds_a_quiet_week_sends_the_heartbeat(
    make_cycle: MakeCycle, store: Store, clock: StillClock
) -> None:
    with running() as server:
        work = make_cycle(
            smtp={
                "host": "127.0.0.1",
                "port": server.port,
                "security": "none",
                "sender": "c@example.org",
            },
            recipients=[{"email": "anna@example.org", "heartbeat": True}],
        )
        work.run(holder="test")
        clock.sleep(15 * 24 * 3600)
        server.mails.clear()
        for _ in range(2):
            work.run(holder="test")
    (quiet,) = server.mails
    assert quiet["Subject"].startswith("quiet: 0 of 2 trials changed")


@pytest.mark.slow
def test_the_writer_lock_is_free_while_messages_are_sent(
    make_cycle: MakeCycle,
    replay: ReplayRegistry,
    store: Store,
    clock: StillClock,
    migrated_url: str,
) -> None:
    """A second cycle syncs while the first one waits for a channel, and overtakes no message."""
    work = make_cycle()
    work.run(holder="test")
    taken: list[str] = []

    @dataclass
    class Slow:
        routes: Mapping[str, Route]

        def send(self, message: Message) -> None:
            taken.append(", ".join(sorted(stored.nct_id for stored in message.events)))
            if len(taken) == 1:
                publish_change(TWO)
                with open_store(migrated_url, clock=clock) as another:
                    second = replace(work, store=another).run(holder="second")
                taken.append(f"second sync {second.sync.verdict}, {second.delivered.messages} sent")

        def close(self) -> None:
            """Do nothing."""

    def publish_change(nct_id: NctId) -> None:
        replay.catalogue.advance()
        replay.catalogue.edit(nct_id, {STATUS: "TERMINATED"})

    route = Route("webhook:team", "team")
    work = make_cycle(channels=[{"name": "team", "url": "https://hooks.example.org"}])
    with patch(
        "ctsync.sync.cycle.channels_from", lambda _: {"webhook:team": Slow({"team": route})}
    ):
        publish_change(ONE)
        result = work.run(holder="first")

    print(f"deliveries beside the lock: {taken}")
    assert taken == [ONE, "second sync ok, 0 sent", TWO]
    assert result.delivered.messages == 2
    assert {row.state for row in store.outbox.deliveries()} == {DeliveryState.SENT}


def test_report_denominators_come_from_the_newest_sync_not_from_later_runs(
    make_cycle: MakeCycle, store: Store, clock: StillClock
) -> None:
    run_id = make_cycle().run(holder="test").sync.run_id
    for kind in ("backfill", "heartbeat 0123", "mirror"):
        with store.unit() as unit:
            unit.runs.begin(kind, clock.now())
    coverage = coverage_of(store, TrialSelection([ONE, TWO]))
    assert coverage is not None
    assert (coverage.run_ids, coverage.checked) == ((run_id,), 2)


@pytest.mark.slow
def test_a_weekly_mail_is_overdue_only_if_it_keeps_failing_after_its_hour(
    make_cycle: MakeCycle, store: Store, clock: StillClock, replay: ReplayRegistry
) -> None:
    """The clock starts on a Friday; the mail is due on Monday at eight, and no server listens."""
    work = make_cycle(
        smtp={"host": "127.0.0.1", "port": 1, "security": "none", "sender": "c@example.org"},
        recipients=[{"email": "anna@example.org", "cadence": "weekly"}],
    )
    work.run(holder="test")
    for row in store.outbox.deliveries():
        with store.unit() as unit:
            unit.outbox.drop([row.delivery_id])
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "TERMINATED"})
    conditions = []
    for _ in range(6):
        work.run(holder="test")
        facts = health_facts(store, routes_from(work.settings), now=clock.now())
        late = assess(facts, clock.now()).condition is HealthState.OVERDUE
        conditions.append((f"{clock.now():%a}", late))
        clock.sleep(24 * 3600)
    assert timedelta(days=1) == OVERDUE_AFTER
    assert conditions == [
        ("Fri", False), ("Sat", False), ("Sun", False), ("Mon", False), ("Tue", True),
        ("Wed", True),
    ]  # fmt: skip


def test_the_next_cycle_is_due_by_the_start_of_the_last_completed_cycle(
    make_cycle: MakeCycle, replay: ReplayRegistry, store: Store
) -> None:
    work = make_cycle()
    replay.faults.add(faults.status(503), path="/v2/version", times=faults.EVERY_TIME)
    with pytest.raises(RegistryError):
        work.run(holder="test")
    replay.faults.clear()
    asked: list[object] = []

    def is_due(began: datetime | None) -> bool:
        asked.append(began)
        return began is None

    assert work.run_if_due(is_due, holder="test") is not None
    assert work.run_if_due(is_due, holder="test") is None
    assert asked == [None, store.runs.latest()[0].started]
    assert len(store.runs.latest()) == 2
