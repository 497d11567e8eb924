"""Query watches while the registry reloads, loses pages or drops trials: no false event.

Uses real HTTP, small pages and one database.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from ctsync.model import Kind, NctId, State, Verdict
from ctsync.query import read_query
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.registry.listing import Listing
from ctsync.route import Route
from ctsync.store.store import Store, open_store
from ctsync.sync.result import SyncResult
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.registry_fixtures import an_id, make_study, publish
from tests.replay import faults
from tests.replay.http_messages import Reply
from tests.replay.registry_server import ReplayRegistry
from tests.store.samples import engine_of

STUDIES = "/v2/studies"
STATUS = "protocolSection.statusModule.overallStatus"
ALIASES = "protocolSection.identificationModule.nctIdAliases"
RunOnce = Callable[..., SyncResult]


class SmallPages(RegistryApi):
    """Lists on pages of a few trials, and restarts a listing as often as configured."""

    size = 5
    most_restarts = 2

    def listing(self, params: Any, **more: Any) -> Listing:
        return super().listing(
            params, **{"page_size": self.size, "restarts": self.most_restarts, **more}
        )


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def run_once(store: Store, clock: StillClock, replay: ReplayRegistry) -> Iterator[RunOnce]:
    """Sync everything watched, as a cycle does."""
    transport = Transport(replay.url, clock=clock, requests_per_second=1e6, burst=1000)
    registry = SmallPages(transport, clock=clock, accept_load=True)

    def run(*, size: int = 5, restarts: int = 2, accept_gone: bool = False) -> SyncResult:
        registry.size, registry.most_restarts = size, restarts
        transport.reset()
        sync = TrialPass(store=store, registry=registry, clock=clock, accept_gone=accept_gone)
        ids = [*store.watched.ids(), *store.watched.moved_ids()]
        return sync.run(ids, with_queries=True)

    yield run
    transport.close()


def follow_open(store: Store, replay: ReplayRegistry, count: int) -> None:
    """Publish `count` recruiting trials and add a watch that matches them."""
    publish(replay, *map(an_id, range(1, count + 1)))
    with store.unit() as unit:
        unit.watches.add("open", query=read_query({"overallStatus": "RECRUITING"}).params)


def inside(store: Store) -> set[NctId]:
    (watch,) = store.watches.all()
    return {trial.nct_id for trial in watch.trials if trial.left_at is None}


def recruiting(replay: ReplayRegistry) -> set[NctId]:
    view = replay.catalogue.view()
    return {nct_id for nct_id in view.ids if status_of(view.study(nct_id)) == "RECRUITING"}


def status_of(study: Any) -> str:
    status: str = study["protocolSection"]["statusModule"]["overallStatus"]
    return status


def event_kinds(result: SyncResult) -> set[tuple[NctId, Kind]]:
    return {(stored.nct_id, stored.event.kind) for stored in result.events}


@pytest.mark.slow
def test_a_reload_at_any_page_stores_the_new_load_and_no_false_event(
    store: Store, replay: ReplayRegistry, run_once: RunOnce
) -> None:
    pages, exact, false = 20, 0, 0
    follow_open(store, replay, pages * 5)
    run_once()
    for page in range(2, pages + 2):
        new, closed = an_id(1000 + page), an_id(page)
        day = f"2026-04-{page:02d}"
        posted = {"date": day, "type": "ACTUAL"}
        study = make_study(closed, overallStatus="COMPLETED")
        replay.catalogue.publish(make_study(new, studyFirstPostDateStruct=posted), load=day)
        replay.catalogue.publish(study, load=day)
        replay.faults.add(faults.reload(day), path=STUDIES, page=page)
        result = run_once()
        assert replay.load.date().isoformat() == day
        assert result.verdict is Verdict.OK
        exact += inside(store) == recruiting(replay)
        truth = {(new, Kind.REGISTERED), (closed, Kind.STATUS), (closed, Kind.LEFT)}
        false += len(event_kinds(result) ^ truth)
    assert (exact, false) == (pages, 0)
    print(f"reload: at each of {pages} pages, {exact} final sets exact, {false} false events")


@pytest.mark.slow
@pytest.mark.parametrize("pages", [20, pytest.param(50, marks=pytest.mark.soak)])
def test_a_lost_page_marks_no_trial_as_left_or_gone(
    store: Store, replay: ReplayRegistry, run_once: RunOnce, pages: int
) -> None:
    partial = 0
    follow_open(store, replay, pages)
    run_once()
    before = store.counts()["events"], inside(store)
    for page in range(1, pages + 1):
        replay.catalogue.advance()
        replay.faults.add(faults.shifted(1), path=STUDIES, page=page, times=1)
        result = run_once(size=1, restarts=0)
        assert result.events == ()
        partial += result.verdict is Verdict.PARTIAL
    assert (store.counts()["events"], inside(store)) == before
    assert partial == pages
    assert run_once(size=1).verdict is Verdict.OK
    print(f"lost page: each of {pages}, {partial} runs partial, 0 false gone, 0 left, 0 entered")


def without(ids: set[NctId]) -> faults.Fault:
    """Leave these trials out of listings and counts; complete records do not change."""

    def drop(reply: Reply) -> Reply:
        listed = orjson.loads(reply.body)
        is_whole = any("statusModule" in s["protocolSection"] for s in listed["studies"])
        if is_whole:
            return reply
        kept = [s for s in listed["studies"]
                if s["protocolSection"]["identificationModule"]["nctId"] not in ids]  # fmt: skip
        if "totalCount" in listed:
            listed["totalCount"] -= len(ids)
        return Reply(reply.status, orjson.dumps(listed | {"studies": kept}), reply.headers)

    return faults.Fault(rewrite=drop)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trials", "shares"),
    [(150, (0, 50, 80)), pytest.param(2600, (0, 50, 99), marks=pytest.mark.soak)],
)
def test_many_vanished_trials_are_held_back_and_a_few_are_accepted(
    trials: int,
    shares: tuple[int, ...],
    store: Store,
    replay: ReplayRegistry,
    run_once: RunOnce,
) -> None:
    follow_open(store, replay, trials)
    run_once(size=1000)
    held_left = held_gone = 0
    for percent in shares:
        lost = {an_id(n) for n in range(1, trials - trials * percent // 100 + 1)}

        # the listing lacks them, but their records exist unchanged
        replay.catalogue.advance()
        replay.faults.add(without(lost), path=STUDIES, times=faults.EVERY_TIME)
        result = run_once(size=1000)
        assert (result.events, result.verdict) == ((), Verdict.PARTIAL)
        held_left += "--accept-gone" in "".join(result.held)
        replay.faults.clear()

        # the registry lacks them: two loads show it, and each trial was requested alone
        kept = {n: replay.catalogue.view().study(n) for n in lost}
        for _ in range(2):
            replay.catalogue.advance()
            for nct_id in lost & set(replay.catalogue.view().ids):
                replay.catalogue.withdraw(nct_id)
            replay.forget_requests()
            result = run_once(size=1000)
            assert (result.events, result.verdict) == ((), Verdict.PARTIAL)
            singly = {e.path.rpartition("/")[2] for e in replay.requests if e.status == 404}
            assert singly == lost
        held_gone += "--accept-gone" in "".join(result.held)
        assert len(result.missing) == len(lost)

        # the trials are back
        for study in kept.values():
            assert study is not None
            replay.catalogue.publish(study)
        replay.catalogue.advance()
        result = run_once(size=1000)
        assert (result.events, result.verdict) == ((), Verdict.OK)
    assert (held_left, held_gone) == (3, 3)
    print(f"mass disappearance: {trials} trials, kept {shares} %: {held_gone} of 3 held, 0 gone; "
          f"of a listing: {held_left} of 3 held, 0 left")  # fmt: skip

    removed = {an_id(n) for n in range(1, 6)}
    for _ in range(2):
        replay.catalogue.advance()
        for nct_id in removed & set(replay.catalogue.view().ids):
            replay.catalogue.withdraw(nct_id)
        result = run_once(size=1000)
    assert event_kinds(result) == {(nct_id, Kind.GONE) for nct_id in removed}
    assert result.verdict is Verdict.OK
    print(f"real removals: {len(removed)} of 5 reported")


def test_trials_missing_for_the_first_time_count_for_the_guard_against_mass_disappearance(
    store: Store, replay: ReplayRegistry, run_once: RunOnce
) -> None:
    ids = [an_id(n) for n in range(1, 61)]
    publish(replay, *ids)
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(ids), replay.load)
    run_once()
    for some in (ids[:20], ids[20:40]):
        replay.catalogue.advance()
        for nct_id in some:
            replay.catalogue.withdraw(nct_id)
        result = run_once()
    # neither the 20 confirmed nor the 20 new ones alone are too many; together they are
    assert (result.events, len(result.missing), result.tally.gone) == ((), 40, 0)
    assert result.held[0].startswith(
        "the registry lacks 40 of 60 trials at once, probably by mistake; 20 of them were not"
    )
    print("mass disappearance: 20 confirmed and 20 new of 60: 0 gone, 20 held")


@pytest.mark.slow
def test_held_trials_are_accepted_with_accept_gone(
    store: Store, replay: ReplayRegistry, run_once: RunOnce
) -> None:
    follow_open(store, replay, 40)
    run_once()
    for _ in range(2):
        replay.catalogue.advance()
        for nct_id in set(map(an_id, range(1, 31))) & set(replay.catalogue.view().ids):
            replay.catalogue.withdraw(nct_id)
        result = run_once()
    assert result.held
    assert result.events == ()
    result = run_once(accept_gone=True)
    assert (len(event_kinds(result)), result.held) == (30, ())
    assert {kind for _, kind in event_kinds(result)} == {Kind.GONE}


def test_an_empty_listing_is_accepted_only_if_the_records_explain_it(
    store: Store, replay: ReplayRegistry, run_once: RunOnce
) -> None:
    follow_open(store, replay, 3)
    run_once()
    everything = {an_id(n) for n in (1, 2, 3)}
    replay.catalogue.advance()
    replay.faults.add(without(everything), path=STUDIES, times=faults.EVERY_TIME)
    result = run_once()
    assert (result.events, result.verdict) == ((), Verdict.PARTIAL)
    replay.faults.clear()
    for nct_id in everything:
        replay.catalogue.edit(nct_id, {STATUS: "COMPLETED"})
    result = run_once()
    assert {(n, Kind.LEFT) for n in everything} <= event_kinds(result)
    assert result.verdict is Verdict.OK


@pytest.mark.slow
def test_merged_trials_keep_both_histories_and_chains_do_not_loop(
    store: Store, replay: ReplayRegistry, run_once: RunOnce
) -> None:
    """60 trials merged into another, and 20 chains of three: 100 merged ids."""
    pairs = [(an_id(n), an_id(100 + n)) for n in range(1, 61)]
    chains = [(an_id(200 + n), an_id(300 + n), an_id(400 + n)) for n in range(20)]
    for ids in (*pairs, *chains):
        publish(replay, *ids)
    old = [one for one, _ in pairs] + [n for one, two, _ in chains for n in (one, two)]
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(old), replay.load)
    run_once()
    replay.catalogue.advance()
    for one, two, *_ in (*pairs, *chains):
        replay.catalogue.merge(one, two)
    run_once()
    replay.catalogue.advance()
    for _, two, three in chains:
        replay.catalogue.merge(two, three)
    run_once()
    replay.catalogue.advance()
    result = run_once()
    assert (result.events, result.verdict) == ((), Verdict.OK)

    assert set(store.watched.ids()) == {two for _, two in pairs} | {c for *_, c in chains}
    lost = 0
    for nct_id in old:
        states = [version.state for version in store.versions.of(nct_id)]
        lost += states[0] is not State.PRESENT or states[-1] is not State.MOVED
        head = store.trials.heads([nct_id])[nct_id]
        assert head.moved_to in store.watched.ids()
    assert lost == 0
    requests = len(replay.requests)
    print(f"merged: {len(old)} ids, 20 chains of three: {lost} lost histories, 0 loops "
          f"({requests} requests)")  # fmt: skip


def test_a_study_other_than_the_one_requested_is_never_stored(
    store: Store, replay: ReplayRegistry, run_once: RunOnce
) -> None:
    ids = [an_id(n) for n in range(1, 21)]
    for nct_id in ids:
        other = an_id(int(nct_id[3:]) + 500)
        replay.faults.add(
            faults.body(orjson.dumps(make_study(other))),
            path=f"/v2/studies/{nct_id}",
            times=faults.EVERY_TIME,
        )
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(ids), replay.load)
    result = run_once()
    assert {failed.nct_id for failed in result.failed} == set(ids)
    assert all("nothing was stored" in str(failed.error) for failed in result.failed)
    assert store.counts()["snapshots"] == 0
    print(f"identity: {len(ids)} answers of another trial, 0 stored, {len(ids)} quarantined")


ReportedState = tuple[set[tuple[str, str, str]], list[tuple[str, str, str]], list[tuple[str, bool]]]


def reported_state(store: Store) -> ReportedState:
    """Events, deliveries and members; duplicates appear as often as they are stored."""
    events = {s.event_id: s for s in store.events.find()}
    rows = [
        (row.recipient, events[row.event_id].nct_id, events[row.event_id].event.path)
        for row in store.outbox.deliveries()
    ]
    (watch,) = store.watches.all()
    return (
        {(s.nct_id, s.event.kind.value, s.event.path) for s in events.values()},
        sorted(rows),
        [(trial.nct_id, trial.left_at is None) for trial in watch.trials],
    )


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "first"), [("refused", 1), ("lost", 2)])
def test_a_run_interrupted_at_any_commit_and_repeated_reports_each_event_once(
    answer: str,
    first: int,
    store: Store,
    clock: StillClock,
    replay: ReplayRegistry,
    run_once: RunOnce,
    migrated_sqlite_url: str,
    tmp_path: Path,
) -> None:
    follow_open(store, replay, 4)
    replay.catalogue.publish(make_study(an_id(5), overallStatus="SUSPENDED"))
    run_once()
    replay.catalogue.advance()
    replay.catalogue.edit(an_id(1), {STATUS: "COMPLETED"})
    replay.catalogue.edit(an_id(5), {STATUS: "RECRUITING"})
    posted = {"date": "2026-02-03", "type": "ACTUAL"}
    replay.catalogue.publish(make_study(an_id(6), studyFirstPostDateStruct=posted))
    store.close()
    whole: ReportedState | None = None
    failures = torn = 0
    file = Path(migrated_sqlite_url.removeprefix("sqlite:///"))
    for number in itertools.count(first, 2):
        copy = shutil.copy(file, tmp_path / f"{number}.db")
        with open_store(f"sqlite:///{copy}", clock=clock) as opened:
            with commits_failing(opened, number, answer) as met:
                cut_off = run_to_end(opened, replay, clock)
            if met and not cut_off:
                raise AssertionError("a failed commit ended no run")
            run_to_end(opened, replay, clock)
            found = reported_state(opened)
        if whole is None:
            with open_store(f"sqlite:///{shutil.copy(file, tmp_path / 'whole.db')}",
                            clock=clock) as opened:  # fmt: skip
                assert not run_to_end(opened, replay, clock)
                whole = reported_state(opened)
        torn += found != whole
        failures += bool(met)
        if not met:
            break
    assert torn == 0
    assert failures > 8
    assert {kind for _, kind, _ in (whole or [set()])[0]} >= {"left", "entered", "registered"}
    print(
        f"interrupted: {failures} commits failed ({answer}), {torn} torn, 0 reported twice, 0 lost"
    )


def run_to_end(store: Store, replay: ReplayRegistry, clock: StillClock) -> bool:
    """Sync everything for one recipient; return whether the run was interrupted."""
    transport = Transport(replay.url, clock=clock, requests_per_second=1e6, burst=1000)
    route = Route("mail", "open@example.org", watches=("open",))
    registry = RegistryApi(transport, clock=clock)
    try:
        sync = TrialPass(store=store, registry=registry, clock=clock, routes=[route])
        sync.run(store.watched.ids(), with_queries=True)
    except OperationalError:
        return True
    finally:
        transport.close()
    return False


@contextmanager
def commits_failing(store: Store, number: int, answer: str) -> Iterator[list[int]]:
    """Fail every commit from the n-th on; the n-th is refused, or done but its answer is lost."""
    calls, met = itertools.count(1), list[int]()

    def fail(connection: Connection) -> None:
        call = next(calls)
        if call >= number:
            if call == number and answer == "lost":
                connection.connection.driver_connection.commit()  # type: ignore[union-attr]  # it is connected
            met.append(call)
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("connection lost"))

    engine = engine_of(store)
    event.listen(engine, "commit", fail)
    try:
        yield met
    finally:
        event.remove(engine, "commit", fail)
