"""Backfills of the index or of some modules only, and what completes them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ctsync.errors import Stopped
from ctsync.model import JsonObject, NctId, State
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import HistoryTransport, RegistryHistory
from ctsync.store.admin.check import check
from ctsync.store.database.tables import METADATA
from ctsync.store.store import Store, open_store
from ctsync.sync.history.backfill import Backfill, BackfillResult
from ctsync.sync.history.fetch_scope import EVERY_VERSION, INDEX_ONLY, FetchScope
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.history.trial_fetch import NOT_ASKED
from ctsync.sync.result import RunCallbacks
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.registry_fixtures import an_id
from tests.replay import faults
from tests.replay.faults import EVERY_TIME
from tests.replay.registry_server import ReplayRegistry
from tests.sync.test_backfill import (
    FIRST,
    LIFE,
    NEWEST,
    TRIAL,
    MakeBackfill,
    a_day,
    dated,
    make_backfill,
    shown,
    tell_history,
)

__all__ = ["make_backfill"]

OTHERS = tuple(an_id(n) for n in range(1, 4))
DESIGN = FetchScope(("Study Design",))
OVERSIGHT = FetchScope(("Oversight", "Outcome Measures"))
OWN = {"id", "run_id", "fetched", "last_seen_run_id", "history_asked"}
"""The columns of one run and of our clock."""


def life_of(number: int) -> list[JsonObject]:
    """Return seven versions, of which the index names different modules."""
    days = [f"20{17 + number}-{month:02}-15" for month in range(1, 8)]
    versions = [a_day(day, count=80, nct_id=OTHERS[number]) for day in days]
    for at, version in enumerate(versions):
        protocol = version["protocolSection"]
        protocol["designModule"]["enrollmentInfo"]["count"] = 80 + 10 * (at // 3)
        protocol["statusModule"]["overallStatus"] = (
            "NOT_YET_RECRUITING" if at < 2 else "RECRUITING" if at < 5 else "COMPLETED"
        )
        protocol["statusModule"]["primaryCompletionDateStruct"] = dated(f"202{7 + at % 2}-06")
        protocol["oversightModule"] = {"oversightHasDmc": 2 <= at < 5}
    return versions


def rows_of(store: Store) -> dict[str, list[str]]:
    """Return the stored rows without row numbers, runs and times of our clock."""
    found: dict[str, list[str]] = {}
    with store.view() as connection:
        for name in ("trials", "snapshots", "events", "listed_versions"):
            table = METADATA.tables[name]
            columns = [
                column
                for column in table.columns
                if column.name not in OWN
                and column.name != "position"
                and not column.name.endswith("snapshot_id")
            ]
            rows = connection.execute(table.select().with_only_columns(*columns))
            found[name] = sorted(map(repr, rows))
    found["bodies"] = sorted(
        f"{store.bodies.read(version.digest)!r}"
        for nct_id in store.trials.stored_ids()
        for version in store.versions.of(nct_id)
        if version.digest is not None
    )
    return found


class Site:
    """One database, with backfills from the registry of the test."""

    def __init__(self, folder: Path, replay: ReplayRegistry, clock: StillClock) -> None:
        self.url = f"sqlite:///{folder}"
        self.clock = clock
        self.store = open_store(self.url, clock=clock)
        self.transport = Transport(
            replay.url, clock=clock, requests_per_second=1000, retry_seconds=0
        )
        self.history = RegistryHistory(self.transport, way=HistoryTransport.REQUESTS)

    def run(
        self, scope: FetchScope | None, *, stop_after: int | None = None
    ) -> BackfillResult | None:
        """Run a backfill of all trials; None if it was stopped after some checks."""
        checks = 0

        def stop() -> None:
            nonlocal checks
            checks += 1
            if stop_after is not None and checks > stop_after:
                raise Stopped("SIGTERM")

        backfill = Backfill(
            store=self.store,
            history=self.history,
            clock=self.clock,
            watcher=RunCallbacks(check=stop),
            scope=scope,
        )
        try:
            return backfill.run(OTHERS)
        except Stopped:
            return None

    def close(self) -> None:
        self.store.close()
        self.history.close()
        self.transport.close()


@pytest.fixture
def make_site(tmp_path: Path, replay: ReplayRegistry, clock: StillClock) -> Iterator[Any]:
    for number, nct_id in enumerate(OTHERS):
        tell_history(replay, *life_of(number), nct_id=nct_id)
    sites: list[Site] = []

    def make() -> Site:
        sites.append(Site(tmp_path / f"{len(sites)}.db", replay, clock))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


WAYS: dict[str, Sequence[tuple[FetchScope | None, int | None]]] = {
    "index": [(INDEX_ONLY, None)],
    "labels": [(OVERSIGHT, None)],
    "index, then labels, then others": [(INDEX_ONLY, None), (DESIGN, None), (OVERSIGHT, None)],
    "labels, stopped and resumed": [(DESIGN, 5), (None, None)],
    "stopped at everything": [(DESIGN, 4), (EVERY_VERSION, 9), (INDEX_ONLY, 1)],
}


@pytest.mark.slow
def test_a_partial_backfill_completed_later_equals_one_made_at_once(
    make_site: Callable[[], Site],
) -> None:
    whole = make_site()
    whole.run(EVERY_VERSION)
    expected = rows_of(whole.store)
    assert len(expected["snapshots"]) == 21
    assert expected["events"]
    assert expected["listed_versions"] == []
    for name, steps in WAYS.items():
        site = make_site()
        for scope, stop_after in steps:
            site.run(scope, stop_after=stop_after)
        between = rows_of(site.store)
        assert between["snapshots"] != expected["snapshots"], name
        assert between["listed_versions"], name
        assert not check(site.url), name
        assert list(rederive_events(site.store, Thresholds())) == [], name
        site.run(EVERY_VERSION)
        found = rows_of(site.store)
        for table, rows in expected.items():
            assert found[table] == rows, (name, table)
        assert not check(site.url)
        print(
            f"partial backfill ({name}): {len(between['snapshots'])} of 21 versions, then "
            f"{len(found['snapshots'])} versions and {len(found['events'])} events, all equal"
        )


# --- the index alone -----------------------------------------------------------------------------


def test_the_index_costs_one_request_and_stores_no_version(
    store: Store, replay: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    tell_history(replay, *LIFE)
    result = make_backfill(scope=INDEX_ONLY).run([TRIAL])
    (trial,) = result.trials
    assert (trial.state, trial.listed, trial.unfetched, result.requests) == ("listed", 4, 4, 1)
    assert trial.is_settled
    assert store.versions.of(TRIAL) == []
    assert store.trials.stored_ids() == ()
    assert store.histories.due(StillClock().now(), limit=9) == ()
    listed = store.listed.unfetched(TRIAL)
    assert [(one.number, one.status) for one in listed] == [
        (0, "NOT_YET_RECRUITING"),
        (1, "RECRUITING"),
        (2, "RECRUITING"),
        (3, "RECRUITING"),
    ]
    assert listed[0].modules == frozenset()
    assert {"Study Status", "Study Design"} <= listed[2].modules


def test_a_version_seen_live_is_not_counted_as_not_fetched(
    store: Store,
    replay: ReplayRegistry,
    make_sync: Callable[..., TrialPass],
    make_backfill: MakeBackfill,
) -> None:
    replay.catalogue.publish(NEWEST)
    tell_history(replay, *LIFE)
    make_sync().run([TRIAL])
    (trial,) = make_backfill(scope=INDEX_ONLY).run([TRIAL]).trials
    assert (trial.listed, trial.unfetched) == (4, 3)
    assert [one.number for one in store.listed.unfetched(TRIAL)] == [0, 1, 2]
    assert store.listed.unfetched_counts([TRIAL]) == {TRIAL: 3}
    assert store.listed.count_unfetched() == (3, 1)
    assert store.listed.count_unfetched(watch="none") == (0, 0)


def test_a_sync_after_an_index_stores_a_baseline_and_not_a_change(
    store: Store,
    replay: ReplayRegistry,
    make_sync: Callable[..., TrialPass],
    make_backfill: MakeBackfill,
) -> None:
    replay.catalogue.publish(NEWEST)
    tell_history(replay, *LIFE)
    make_backfill(scope=INDEX_ONLY).run([TRIAL])
    tally = make_sync().run([TRIAL]).tally
    assert (tally.new, tally.changed) == (1, 0)
    (version,) = store.versions.of(TRIAL)
    assert (version.version, version.registry_version, version.state) == (1, None, State.PRESENT)


def test_the_index_of_a_complete_history_leaves_it_complete(
    store: Store, replay: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    tell_history(replay, *LIFE)
    make_backfill().run([TRIAL])
    (trial,) = make_backfill(scope=INDEX_ONLY).run([TRIAL]).trials
    assert (trial.state, trial.unfetched) == ("complete", 0)
    assert store.listed.unfetched(TRIAL) == []


# --- some modules --------------------------------------------------------------------------------


def test_labels_fetch_the_first_the_newest_and_the_versions_that_changed_these_modules(
    store: Store, replay: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    still = [copy.deepcopy(FIRST) for _ in range(5)]
    for number, study in enumerate(still):
        study["protocolSection"]["oversightModule"] = {"oversightHasDmc": number % 2 == 0}
    still[2]["protocolSection"]["designModule"]["enrollmentInfo"]["count"] = 150
    still[3]["protocolSection"]["designModule"]["enrollmentInfo"]["count"] = 150
    still[4]["protocolSection"]["designModule"]["enrollmentInfo"]["count"] = 150
    tell_history(replay, *still)
    (trial,) = make_backfill(scope=DESIGN).run([TRIAL]).trials
    assert (trial.state, trial.listed, trial.stored, trial.unfetched) == ("listed", 5, 3, 2)
    assert [number for number, _, _ in shown(store)] == [0, 2, 4]
    assert [one.number for one in store.listed.unfetched(TRIAL)] == [1, 3]


def test_an_interrupted_backfill_of_labels_resumes_with_its_own_labels(
    make_site: Callable[[], Site],
) -> None:
    site = make_site()
    assert site.run(DESIGN, stop_after=3) is None
    now = site.clock.now()
    (first,) = site.store.histories.due(now, limit=9)
    assert site.store.histories.unfinished(first).labels == ("Study Design",)
    resumed = site.run(None)
    assert resumed is not None
    (trial,) = (one for one in resumed.trials if one.nct_id == first)
    assert trial.state == "listed"
    assert trial.unfetched == 4
    assert site.store.histories.due(now, limit=9) == ()


def test_trials_that_were_not_requested_are_queued_with_the_same_labels(
    make_site: Callable[[], Site], replay: ReplayRegistry
) -> None:
    site = make_site()
    replay.faults.add(faults.edge_refusal(), path="/int/.*", times=EVERY_TIME)
    ids = [*OTHERS, an_id(8)]
    backfill = Backfill(store=site.store, history=site.history, clock=site.clock, scope=INDEX_ONLY)
    result = backfill.run(ids)
    assert [trial.state for trial in result.trials][-1] == NOT_ASKED
    assert site.store.histories.due(site.clock.now(), limit=9) == (ids[-1],)
    assert {site.store.histories.unfinished(one).labels for one in ids} == {()}


def test_versions_that_the_registry_refuses_are_named_as_not_fetched(
    store: Store, replay: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    tell_history(replay, *LIFE)
    refusal = faults.edge_refusal()
    replay.faults.add(refusal, path=f"/int/studies/{TRIAL}/history/1", times=EVERY_TIME)
    (trial,) = make_backfill().run([TRIAL]).trials
    assert trial.state == "partial (403)"
    assert [one.number for one in store.listed.unfetched(TRIAL)] == [1]


def test_a_trial_without_a_history_lists_nothing(store: Store, make_backfill: MakeBackfill) -> None:
    nothing = NctId("NCT09999999")
    (trial,) = make_backfill(scope=INDEX_ONLY).run([nothing]).trials
    assert (trial.state, trial.listed) == ("none", 0)
    assert store.listed.unfetched(nothing) == []
