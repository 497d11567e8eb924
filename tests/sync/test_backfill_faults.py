"""Backfills that are interrupted, refused or contradicted: the store stays consistent."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest

from ctsync.errors import LockHeld, Stopped
from ctsync.model import JsonObject, NctId, Verdict
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.record_history import HistoryTransport, Index
from ctsync.store.admin.check import check
from ctsync.store.store import Store, open_store
from ctsync.sync.history.trial_fetch import History
from ctsync.sync.result import RunCallbacks
from tests.conftest import StillClock
from tests.replay import faults
from tests.replay.faults import EVERY_TIME
from tests.replay.registry_server import ReplayRegistry
from tests.sync.test_backfill import (
    FOUR_KNOWN,
    LATER,
    LIFE,
    OTHER,
    TRIAL,
    MakeBackfill,
    MakeSync,
    assert_events_follow,
    events_of,
    lived,
    make_backfill,
    shown,
    tell_history,
)

__all__ = ["lived", "make_backfill"]

T = TypeVar("T")
HISTORY = "/int/studies/NCT[0-9]+/history"


def dump(store: Store) -> Any:
    """All stored rows of the trial, without row numbers, times and run ids, which differ."""
    versions = store.versions.of(TRIAL)
    return (
        [(v.version, v.registry_version, v.source, v.digest, v.submitted, v.key) for v in versions],
        [store.bodies.read(v.digest) for v in versions if v.digest],
        sorted(
            (e.to_version, e.from_version, e.event.path, e.event, e.posted, e.observed)
            for e in events_of(store)
        ),
        [(one.state, one.listed, one.retry) for one in store.histories.states([TRIAL]).values()],
    )


class Interrupted:
    """A history that raises KeyboardInterrupt at its n-th request, before or after the answer."""

    def __init__(self, history: History, at: int, *, is_late: bool) -> None:
        self.history, self.at, self.is_late = history, at, is_late
        self.sent = 0

    @property
    def counts(self) -> RequestCounts:
        return self.history.counts

    @property
    def answered(self) -> HistoryTransport | None:
        return self.history.answered

    def reset(self, first: HistoryTransport | None = None) -> None:
        self.history.reset(first)

    def index(self, nct_id: NctId) -> Index | None:
        return self._cut(lambda: self.history.index(nct_id))

    def version(self, nct_id: NctId, number: int) -> JsonObject:
        return self._cut(lambda: self.history.version(nct_id, number))

    def _cut(self, ask: Callable[[], T]) -> T:
        self.sent += 1
        if self.sent == self.at and not self.is_late:
            raise KeyboardInterrupt
        answer = ask()
        if self.sent == self.at:
            raise KeyboardInterrupt
        return answer


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    """An empty store; other tests cover the differences between databases."""
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def fresh_store(
    tmp_path: Path, migrated_file: Path, clock: StillClock
) -> Iterator[Callable[[], Store]]:
    """A factory of empty stores."""
    opened: list[Store] = []

    def make() -> Store:
        file = tmp_path / f"{len(opened)}.db"
        shutil.copy(migrated_file, file)
        opened.append(open_store(f"sqlite:///{file}", clock=clock))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.mark.slow
@pytest.mark.parametrize("answered", [False, True], ids=["before the answer", "after the answer"])
@pytest.mark.parametrize("is_followed", [True, False], ids=["followed", "not followed"])
def test_a_backfill_interrupted_at_any_request_resumes_there(
    lived: ReplayRegistry,
    make_sync: MakeSync,
    make_backfill: MakeBackfill,
    fresh_store: Callable[[], Store],
    answered: bool,
    is_followed: bool,
) -> None:
    def start() -> Store:
        store = fresh_store()
        if is_followed:
            replace(make_sync(), store=store).run([TRIAL])
        lived.forget_requests()
        return store

    store = start()
    replace(make_backfill(), store=store).run([TRIAL])
    whole, wanted = dump(store), len(lived.requests)
    assert wanted == 6  # the index, four versions, the index
    repeated = []
    for at in range(1, wanted + 1):
        store = start()
        cut_off = Interrupted(make_backfill().history, at, is_late=answered)
        with pytest.raises(KeyboardInterrupt):
            replace(make_backfill(), store=store, history=cut_off).run([TRIAL])
        assert_events_follow(store)
        replace(make_backfill(), store=store).run([TRIAL])
        repeated.append(len(lived.requests) - wanted)
        assert dump(store) == whole
        assert check(f"sqlite:///{store.name.removeprefix('sqlite:///')}") == []
    print(f"interrupted at each of {wanted} requests: repeated {repeated}, 0 lost, 0 torn")
    assert max(repeated) == int(answered)


def test_a_stopped_backfill_ends_between_two_requests(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    asked = []

    def stop_at_the_third() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Stopped("told to stop")

    with pytest.raises(Stopped):
        make_backfill(watcher=RunCallbacks(check=stop_at_the_third)).run([TRIAL])
    assert [run.verdict for run in store.runs.latest(kind="backfill")] == [Verdict.STOPPED]
    assert store.histories.due(make_backfill().clock.now(), limit=9) == (TRIAL,)
    make_backfill().run([TRIAL])
    assert len(shown(store)) == 4


# --- failed requests -----------------------------------------------------------------------------


def test_an_edge_refusal_changes_no_trial(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync().run([TRIAL])
    before = (shown(store), events_of(store))
    lived.forget_requests()
    lived.faults.add(faults.edge_refusal(), path="/int/.*", times=EVERY_TIME)
    result = make_backfill().run([TRIAL, OTHER])
    assert result.verdict is Verdict.PARTIAL
    assert {one.path for one in lived.requests} == {
        f"/int/studies/{TRIAL}/history",
        f"/int/studies/{OTHER}/history",
    }
    assert [one.state for one in result.trials] == ["unavailable (403)"] * 2
    assert (shown(store), events_of(store)) == before
    states = store.histories.states()
    assert {one.state for one in states.values()} == {"unavailable (403)"}
    now = make_backfill().clock.now()
    assert {one.retry for one in states.values()} == {now + timedelta(hours=1)}
    assert make_sync().run([TRIAL]).verdict is Verdict.OK  # the sync still works


def test_failed_histories_are_retried_at_growing_intervals(
    store: Store, clock: StillClock, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    lived.faults.add(faults.edge_refusal(), path="/int/.*", times=EVERY_TIME)
    waits = []
    for _ in range(12):
        make_backfill().run([TRIAL])
        retry = store.histories.states([TRIAL])[TRIAL].retry
        assert retry is not None
        waits.append((retry - clock.now()).total_seconds() / 3600)
        assert store.histories.due(clock.now(), limit=9) == ()
        clock.elapsed += (retry - clock.now()).total_seconds()
        assert store.histories.due(clock.now(), limit=9) == (TRIAL,)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168, 168]
    lived.faults.clear()
    make_backfill().run([TRIAL])
    assert (
        store.histories.states([TRIAL])[TRIAL].state,
        store.histories.due(clock.now(), limit=9),
    ) == (
        "complete",
        (),
    )


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (faults.status(404), "unavailable (unreachable)"),
        (faults.html_page(), "unavailable (bad answer)"),
        (faults.status(503), "unavailable (busy)"),
        (faults.reset(), "unavailable (unreachable)"),
        (faults.status(404, f"No study {TRIAL} history summary"), "none"),
    ],
)
def test_each_kind_of_failure_has_its_own_state(
    store: Store,
    lived: ReplayRegistry,
    make_backfill: MakeBackfill,
    fault: faults.Fault,
    state: str,
) -> None:
    lived.faults.add(fault, path=HISTORY, times=EVERY_TIME)
    make_backfill().run([TRIAL])
    assert store.histories.states([TRIAL])[TRIAL].state == state
    assert shown(store) == []


def test_a_complete_history_stays_complete_if_the_registry_is_unreachable(
    store: Store, clock: StillClock, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    make_backfill().run([TRIAL])
    (whole,) = store.histories.states().values()
    clock.elapsed += 3600
    lived.faults.add(faults.edge_refusal(), path="/int/.*", times=EVERY_TIME)
    make_backfill().run([TRIAL])
    (now,) = store.histories.states().values()
    assert (now.state, now.asked, now.listed) == ("complete", whole.asked, 4)
    assert now.retry is not None


def test_a_broken_history_does_not_stop_the_other_trials(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    lived.faults.add(faults.html_page(), path=f"/int/studies/{TRIAL}/.*", times=EVERY_TIME)
    other = copy.deepcopy(LIFE)
    for study in other:
        study["protocolSection"]["identificationModule"]["nctId"] = OTHER
    tell_history(lived, *other, nct_id=OTHER)
    result = make_backfill().run([TRIAL, OTHER])
    assert [one.is_settled for one in result.trials] == [False, True]
    assert len(shown(store, OTHER)) == 4


def test_an_unusable_version_leaves_a_reported_gap_that_is_filled_later(
    store: Store,
    clock: StillClock,
    lived: ReplayRegistry,
    make_sync: MakeSync,
    make_backfill: MakeBackfill,
) -> None:
    make_sync().run([TRIAL])
    lived.faults.add(faults.body(b"{}"), path=f"{HISTORY}/1", times=EVERY_TIME)
    (trial,) = make_backfill().run([TRIAL]).trials
    assert (trial.state, trial.stored) == ("partial (bad answer)", 2)
    assert "versions that cannot be used: 1" in trial.error
    assert [number for number, _, _ in shown(store)] == [0, 2, 3]
    assert_events_follow(store)
    lived.faults.clear()
    make_backfill().run([TRIAL])
    assert shown(store) == FOUR_KNOWN
    assert_events_follow(store)


# --- an index that changes -----------------------------------------------------------------------


@pytest.mark.parametrize("at", range(5))
def test_an_index_that_grows_meanwhile_is_fetched_to_its_end(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill, at: int
) -> None:
    path = f"{HISTORY}/{at}" if at < 4 else HISTORY
    lived.faults.add(faults.reload("2026-02-03"), path=path, skip=int(at == 4))
    (trial,) = make_backfill().run([TRIAL]).trials
    assert (trial.state, trial.listed, trial.stored) == ("complete", 5, 5)
    assert [number for number, _, _ in shown(store)] == [0, 1, 2, 3, 4]


def test_an_index_that_keeps_changing_is_given_up_as_incomplete(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    number = iter(range(1000))

    def restless(reply: Any) -> Any:
        index = orjson.loads(reply.body)
        index["changes"][0]["moduleLabels"] = [f"label {next(number)}"]
        return type(reply)(reply.status, orjson.dumps(index), reply.headers)

    lived.faults.add(faults.Fault(rewrite=restless), path=HISTORY, times=EVERY_TIME)
    (trial,) = make_backfill().run([TRIAL]).trials
    assert (trial.state, trial.stored) == ("partial (changing)", 4)
    assert store.histories.states([TRIAL])[TRIAL].retry is not None


@pytest.mark.parametrize("shift", ["fewer", "other dates"])
def test_an_index_that_contradicts_stored_versions_changes_nothing(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill, shift: str
) -> None:
    make_backfill().run([TRIAL])
    before = dump(store)[:3]
    tell_history(lived, *(LIFE[:2] if shift == "fewer" else [*LIFE[1:], LATER]))
    (trial,) = make_backfill().run([TRIAL]).trials
    assert "contradicts" in trial.error
    assert dump(store)[:3] == before


# --- the lock ------------------------------------------------------------------------------------


def test_the_lock_is_released_between_trials_and_no_lock_means_no_request(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    held: list[str] = []

    @contextmanager
    def lock() -> Iterator[None]:
        held.append("taken")
        yield
        held.append("let go")

    make_backfill(lock=lock).run([TRIAL, OTHER])
    assert held == ["taken", "let go"] * 3

    @contextmanager
    def refused() -> Iterator[None]:
        raise LockHeld("another writer")
        yield

    lived.forget_requests()
    runs = len(store.runs.latest())
    with pytest.raises(LockHeld):
        make_backfill(lock=refused).run([TRIAL])
    assert (lived.requests, len(store.runs.latest())) == ([], runs)
