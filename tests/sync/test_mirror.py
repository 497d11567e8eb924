"""The registry mirror: first load, daily runs, sweeps and interrupted runs."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.errors import BadArchive, StaleRegistry, Stopped
from ctsync.model import Kind, State, Verdict
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import RegistryApi
from ctsync.registry.archive_download import ArchiveDownload
from ctsync.registry.http.transport import Transport
from ctsync.store.bodies import codec
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.mirror import archive_load, scan
from ctsync.sync.mirror.archive_load import BULK
from ctsync.sync.mirror.mirror import Mirror
from ctsync.sync.mirror.result import OVERLAP
from ctsync.sync.mirror.workers import WorkerPool
from tests.conftest import StillClock
from tests.registry.lying_archives import MEMBER_LIES, lie_of_a_member
from tests.registry_fixtures import an_id, archive_of, make_study, publish, stop_after
from tests.replay.faults import Fault
from tests.replay.http_messages import front_page
from tests.replay.registry_server import ReplayRegistry
from tests.sync.one_day import DAY, let_a_day_pass, live_through

Make = Callable[..., Mirror]


@pytest.fixture
def make_mirror(
    store: Store, clock: StillClock, replay: ReplayRegistry, tmp_path: Path
) -> Iterator[Make]:
    opened: list[Any] = []

    def make(url: str = replay.url, **changes: Any) -> Mirror:
        transport = Transport(url, clock=clock, requests_per_second=1000, retry_seconds=5)
        bulk = ArchiveDownload(transport)
        opened.extend([transport, bulk])
        values: dict[str, Any] = {
            "store": store,
            "registry": RegistryApi(transport, clock=clock),
            "bulk": bulk,
            "clock": clock,
            "folder": tmp_path,
            "processes": 0,
        }
        return Mirror(**values | changes)

    yield make
    for one in opened:
        one.close()


def edit(replay: ReplayRegistry, number: int, **changes: Any) -> None:
    paths = {f"protocolSection.statusModule.{k}": v for k, v in changes.items()}
    replay.catalogue.edit(an_id(number), paths)


def posted(day: str) -> dict[str, str]:
    return {"date": day, "type": "ACTUAL"}


def kinds(store: Store, number: int) -> list[str]:
    return [e.event.kind for e in store.events.find(EventFilter(nct_ids=[an_id(number)]))]


def test_a_first_load_uses_the_bulk_download_and_reports_no_unfollowed_trial(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path
) -> None:
    publish(replay, *map(an_id, range(1, 31)))
    result = make_mirror().run()
    assert (result.verdict, result.steps) == (Verdict.OK, ["bulk"])
    assert (result.tally.asked, result.tally.new, result.tally.failed) == (30, 30, 0)
    assert store.trials.stored_ids() == tuple(an_id(n) for n in range(1, 31))
    assert store.events.find() == []
    assert list(rederive_events(store, Thresholds())) == []
    version = store.versions.of(an_id(7))[0]
    assert version.observed == replay.load
    assert b"versionHolder" not in store.bodies.read(version.digest or "")
    (run,) = store.runs.latest()
    assert (run.kind, run.verdict, run.new) == ("mirror", "ok", 30)
    assert not list(tmp_path.glob("*.zip*"))


@pytest.mark.parametrize("way", ["bulk", "pages"])
def test_the_mirror_stores_the_baseline_of_a_watched_trial(
    make_mirror: Make, replay: ReplayRegistry, store: Store, way: str
) -> None:
    publish(replay, *map(an_id, range(1, 31)))
    if way == "pages":
        replay.faults.add(Fault(instead=front_page(404)), path="/v2/studies/download")
    with store.unit() as unit:
        unit.watches.add_trials("mine", {an_id(7): None, an_id(9): None}, StillClock().now())
    result = make_mirror().run()
    assert result.steps == [way]
    found = {(e.nct_id, e.event.kind) for e in store.events.find()}
    assert found == {(an_id(7), Kind.FIRST_SEEN), (an_id(9), Kind.FIRST_SEEN)}
    assert list(rederive_events(store, Thresholds())) == []


def test_a_second_run_on_the_same_load_requests_only_the_load(
    make_mirror: Make, replay: ReplayRegistry, store: Store
) -> None:
    publish(replay, *map(an_id, range(1, 31)))
    make_mirror().run()
    before = store.counts()
    replay.forget_requests()
    result = make_mirror().run()
    assert (result.steps, [r.path for r in replay.requests]) == ([], ["/v2/version"])
    assert store.counts() == before | {"runs": 2}


def test_a_delta_fetches_posted_and_new_trials(
    make_mirror: Make, replay: ReplayRegistry, store: Store
) -> None:
    publish(replay, *map(an_id, range(1, 31)))
    make_mirror().run()
    replay.load = "2026-02-03"
    edit(replay, 5, overallStatus="TERMINATED", lastUpdatePostDateStruct=posted("2026-02-03"))
    new = make_study(an_id(31), studyFirstPostDateStruct=posted("2026-02-03"))
    replay.catalogue.publish(new)
    replay.forget_requests()
    result = make_mirror().run()
    assert (result.verdict, result.steps) == (Verdict.OK, ["delta"])
    assert (result.tally.changed, result.tally.new) == (1, 1)
    assert Kind.STATUS in kinds(store, 5)
    # after a complete load, a trial it lacked and posted since is new in the registry
    (registered,) = store.events.find(EventFilter(nct_ids=(an_id(31),)))
    assert (registered.event.kind, registered.event.rule) == (Kind.REGISTERED, "R-NEW-02")
    listed = [r for r in replay.requests if r.path == "/v2/studies"]
    print(f"delta: 2 trials of 31 moved, {len(replay.requests)} requests")
    assert len(listed) == 2


def test_a_delta_finds_changes_posted_late_within_the_overlap(
    make_mirror: Make, replay: ReplayRegistry, store: Store
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    make_mirror().run()
    replay.load = "2026-02-03"
    # dated before the load of 2026-02-02, which did not show it
    edit(replay, 5, lastUpdatePostDateStruct=posted("2026-01-29"))
    replay.forget_requests()
    result = make_mirror().run()
    assert (result.steps, result.tally.changed) == (["delta"], 1)
    (window,) = {q for r in replay.requests if (q := r.params.get("filter.advanced"))}
    assert "AREA[LastUpdatePostDate]RANGE[2026-01-28,MAX]" in window
    print(f"overlap: a change dated 4 days before the last load was found ({OVERLAP.days} days)")


@pytest.mark.slow
def test_a_sweep_finds_changes_without_a_date_and_trials_gone_in_two_loads(
    make_mirror: Make, replay: ReplayRegistry, store: Store
) -> None:
    publish(replay, *map(an_id, range(1, 31)))
    make_mirror().run()
    replay.load = "2026-02-03"
    edit(replay, 5, overallStatus="UNKNOWN", lastKnownStatus="RECRUITING")
    replay.catalogue.withdraw(an_id(9))
    assert make_mirror().run().tally.changed == 0
    replay.load = "2026-02-10"
    result = make_mirror().run()
    assert (result.steps, result.tally.changed) == (["delta", "sweep"], 1)
    assert result.missing == (an_id(9),)
    assert store.trials.heads([an_id(5)])[an_id(5)].version == 2
    replay.load = "2026-02-17"
    result = make_mirror().run()
    assert (result.tally.gone, result.missing) == (1, ())
    assert store.trials.heads([an_id(9)])[an_id(9)].state is State.GONE
    assert Kind.GONE in kinds(store, 9)


@pytest.mark.slow
def test_a_sweep_is_due_weekly_on_a_months_first_load_and_on_request(
    make_mirror: Make, replay: ReplayRegistry
) -> None:
    publish(replay, *map(an_id, range(1, 4)))
    make_mirror().run()
    steps = []
    for day in ("2026-02-03", "2026-02-08", "2026-02-09", "2026-02-10", "2026-02-27",
                "2026-03-02", "2026-03-03"):  # fmt: skip
        replay.load = day
        steps.append((day, make_mirror().run().steps[-1]))
    due = [day for day, step in steps if step == "sweep"]
    assert due == ["2026-02-09", "2026-02-27", "2026-03-02"]
    replay.load = "2026-03-04"
    assert make_mirror().run(sweep=True).steps == ["delta", "sweep"]


def test_a_registry_without_a_bulk_download_is_paged(
    make_mirror: Make, replay: ReplayRegistry, store: Store, monkeypatch
) -> None:
    monkeypatch.setattr(scan, "FULL_PAGE", 10)
    publish(replay, *map(an_id, range(1, 26)))
    replay.faults.add(Fault(instead=front_page(404)), path="/v2/studies/download")
    result = make_mirror().run()
    assert (result.verdict, result.steps) == (Verdict.OK, ["pages"])
    assert result.tally.new == len(store.trials.stored_ids()) == 25


def test_a_file_is_loaded_offline_and_reports_that_its_count_is_not_verified(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path, clock: StillClock
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    file = archive_of(replay, tmp_path / "bulk.zip")
    before = clock.elapsed
    result = make_mirror(url="http://127.0.0.1:1/api").run(archive=file)
    print(f"mirror from a file, connection refused: {clock.elapsed - before:.0f} s of waiting")
    assert (clock.elapsed - before, result.tally.requests) == (0, 1)
    assert result.verdict == Verdict.PARTIAL
    assert "the archive lists 10 studies; this number is unverified" in result.said[0]
    assert len(store.trials.stored_ids()) == 10
    assert file.exists()
    # the next run with a registry continues from the offline load
    replay.load = "2026-02-03"
    edit(replay, 5, lastUpdatePostDateStruct=posted("2026-02-03"))
    assert make_mirror().run().steps == ["delta"]
    assert len(store.versions.of(an_id(5))) == 2


def test_an_archive_with_fewer_trials_than_the_registry_counts_is_incomplete(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    result = make_mirror().run(archive=archive_of(replay, tmp_path / "b.zip", without=2))
    assert result.verdict == Verdict.PARTIAL
    assert "lists 8 studies, but the registry counts 10" in result.said[0]
    assert store.cursors.get(BULK).done_load is None


def test_a_truncated_or_older_archive_changes_nothing(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    file = archive_of(replay, tmp_path / "old.zip")
    cut = tmp_path / "cut.zip"
    cut.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(BadArchive):
        make_mirror().run(archive=cut)
    assert store.trials.stored_ids() == ()
    replay.load = "2026-02-03"
    make_mirror().run()
    versions = store.counts()["snapshots"]
    with pytest.raises(StaleRegistry, match="archive contains the load of 2026-02-02"):
        make_mirror().run(archive=file)
    assert store.counts()["snapshots"] == versions


def test_a_new_archive_finds_every_change_and_writes_nothing_else(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path
) -> None:
    publish(replay, *map(an_id, range(1, 21)))
    make_mirror().run()
    replay.load = "2026-02-03"
    replay.catalogue.edit(
        an_id(3), {"protocolSection.referencesModule.references": [{"pmid": "1"}]}
    )
    replay.catalogue.withdraw(an_id(4))
    rows = store.counts()
    result = make_mirror().run(archive=archive_of(replay, tmp_path / "b.zip"))
    assert (result.tally.same, result.tally.changed) == (18, 1)
    assert result.missing == (an_id(4),)
    assert store.counts()["snapshots"] == rows["snapshots"] + 1
    assert kinds(store, 3) == [Kind.REFERENCE]


def test_a_poison_member_is_quarantined_and_retried_and_the_rest_is_stored(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path, clock: StillClock
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    file = archive_of(replay, tmp_path / "b.zip")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("98/NCT00000098.json", b'{"protocolSection": {}}')
        archive.writestr("99/NCT00000099.json", b"[" * 1100)
        archive.writestr("97/NCT00000097.json", orjson.dumps(make_study(an_id(1))))
    result = make_mirror(url="http://127.0.0.1:1/api").run(archive=file)
    assert result.verdict == Verdict.PARTIAL
    assert [f.nct_id for f in result.failed] == [an_id(98), an_id(99), an_id(97)]
    assert len(store.trials.stored_ids()) == 10
    assert len(store.failures.find()) == 3
    # the registry has valid records: the next run fetches them when they are due
    for number in (97, 98, 99):
        replay.catalogue.publish(make_study(an_id(number)))
    clock.elapsed += timedelta(hours=2).total_seconds()
    result = make_mirror().run()
    assert len(store.trials.stored_ids()) == 13
    assert store.failures.find() == []


def test_members_with_wrong_sizes_fail_by_name_and_the_rest_is_stored(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path
) -> None:
    count = len(MEMBER_LIES)
    publish(replay, *map(an_id, range(1, count + 6)))
    file = archive_of(replay, tmp_path / "b.zip")
    for number, lie in enumerate(MEMBER_LIES):
        file.write_bytes(lie_of_a_member(file.read_bytes(), number, **lie))
    result = make_mirror(url="http://127.0.0.1:1/api").run(archive=file)
    assert result.verdict == Verdict.PARTIAL
    assert [f.nct_id for f in result.failed] == [an_id(n) for n in range(1, count + 1)]
    assert len(store.trials.stored_ids()) == 5
    print(f"\nlying members: {count} injected, {len(result.failed)} refused by name, 5 of 5 stored")


def test_a_poison_member_that_the_same_run_then_fetches_leaves_quarantine(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    file = archive_of(replay, tmp_path / "b.zip")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("98/NCT00000098.json", b'{"protocolSection": {}}')
    replay.load = "2026-02-03"
    edited = make_study(an_id(98), lastUpdatePostDateStruct=posted("2026-02-03"))
    replay.catalogue.publish(edited)
    result = make_mirror().run(archive=file)
    assert result.steps == ["bulk", "delta"]
    assert [one.nct_id for one in result.failed] == [an_id(98)]
    assert an_id(98) in store.trials.stored_ids()
    assert store.failures.find() == []


def test_a_trial_requested_before_it_existed_is_registered_by_a_first_load(
    make_mirror: Make, replay: ReplayRegistry, store: Store
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    with store.unit() as unit:
        unit.trials.mark_absent(an_id(7), replay.load)
    assert make_mirror().run().steps == ["bulk"]
    assert {(e.nct_id, e.event.kind) for e in store.events.find()} == {(an_id(7), Kind.REGISTERED)}
    assert list(rederive_events(store, Thresholds())) == []


def test_a_record_the_database_refuses_does_not_affect_the_rest_of_its_batch(
    make_mirror: Make, replay: ReplayRegistry, store: Store, tmp_path: Path, monkeypatch
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    from ctsync.store.data.version_batches import BatchWrites

    add = BatchWrites.add

    def refuse(self: Any, steps: Any, **more: Any) -> Any:
        found = add(self, steps, **more)
        if any(step.nct_id == an_id(6) for step in steps):
            raise OverflowError("too large for this database")
        return found

    monkeypatch.setattr(BatchWrites, "add", refuse)
    result = make_mirror().run()
    assert [f.nct_id for f in result.failed] == [an_id(6)]
    assert (result.tally.new, len(store.trials.stored_ids())) == (9, 9)
    assert [v.run_id for v in store.versions.of(an_id(5))] == [result.run_id]


@pytest.mark.parametrize("left", [0.0, 0.5, 0.01])
def test_no_trial_is_marked_gone_if_the_registry_loses_most_of_them(
    make_mirror: Make, replay: ReplayRegistry, store: Store, left: float
) -> None:
    publish(replay, *map(an_id, range(1, 101)))
    make_mirror().run()
    replay.load = "2026-02-10"
    for number in range(1 + int(100 * left), 101):
        replay.catalogue.withdraw(an_id(number))
    replay.forget_requests()
    result = make_mirror().run(sweep=True)
    assert result.verdict == Verdict.PARTIAL
    assert "none of them is marked as gone" in " ".join(result.said)
    assert (result.missing, result.tally.gone) == ((), 0)
    assert not [r for r in replay.requests if r.path.startswith("/v2/studies/")]


def test_a_merged_trial_is_found_by_the_sweep_and_keeps_its_history(
    make_mirror: Make, replay: ReplayRegistry, store: Store
) -> None:
    publish(replay, *map(an_id, range(1, 11)))
    make_mirror().run()
    replay.load = "2026-02-10"
    replay.catalogue.merge(an_id(2), into=an_id(3))
    make_mirror().run()
    head = store.trials.heads([an_id(2)])[an_id(2)]
    assert (head.state, head.moved_to) == (State.MOVED, an_id(3))


@pytest.mark.slow
def test_a_dictionary_is_trained_on_the_first_load_and_stored(
    make_mirror: Make, replay: ReplayRegistry, store: Store, monkeypatch
) -> None:
    monkeypatch.setattr(codec, "LEAST_SAMPLES", 50)
    monkeypatch.setattr(codec, "DICTIONARY_BYTES", 4096)
    publish(replay, *map(an_id, range(1, 201)))
    make_mirror().run()
    assert store.counts()["dictionaries"] == 1
    number = codec.Dictionary(store.bodies.newest_dictionary() or b"").number
    assert number > 0
    bodies = [store.bodies.read(store.versions.newest_digest(an_id(n))) for n in range(1, 201)]
    assert len(set(bodies)) == 200
    # a change is packed against a body that needs the dictionary
    replay.load = "2026-02-03"
    edit(replay, 5, overallStatus="TERMINATED", lastUpdatePostDateStruct=posted("2026-02-03"))
    make_mirror().run()
    assert b"TERMINATED" in store.bodies.read(store.versions.newest_digest(an_id(5)))


def test_a_dictionary_is_trained_on_records_of_all_parts_of_an_archive_within_a_size(
    make_mirror: Make, replay: ReplayRegistry, monkeypatch
) -> None:
    monkeypatch.setattr(codec, "LEAST_SAMPLES", 10)
    monkeypatch.setattr(archive_load, "SAMPLES", 10)
    monkeypatch.setattr(archive_load, "SAMPLE_BYTES", 5_000)
    samples = []
    monkeypatch.setattr(WorkerPool, "learn", lambda _pool, members: samples.extend(members))
    publish(replay, *map(an_id, range(1, 41)))
    make_mirror().run()
    numbers = [one.number for one in samples]
    assert numbers == list(range(0, 40, 4))[: len(numbers)]
    assert 4 < len(numbers) < 10
    assert sum(one.size for one in samples) <= 5_000


@pytest.mark.slow
def test_a_mirror_stopped_at_any_step_resumes_and_stores_each_trial_once(
    make_mirror: Make, replay: ReplayRegistry, store: Store, monkeypatch
) -> None:
    monkeypatch.setattr(archive_load, "JOB_MEMBERS", 5)
    monkeypatch.setattr(archive_load, "STEP_MEMBERS", 10)
    publish(replay, *map(an_id, range(1, 61)))
    stops = 0
    for _ in range(30):
        try:
            result = make_mirror(watcher=stop_after(3)).run()
            break
        except Stopped:
            stops += 1
    assert stops > 2
    assert result.verdict == Verdict.OK
    assert store.trials.stored_ids() == tuple(an_id(n) for n in range(1, 61))
    assert (store.counts()["snapshots"], store.counts()["events"]) == (60, 0)
    downloads = [r for r in replay.requests if r.path == "/v2/studies/download"]
    assert len(downloads) == 1
    print(f"mirror: stopped {stops} times, 60 trials once each, 1 download")


@pytest.mark.slow
def test_a_sweep_interrupted_at_any_page_resumes_at_that_page(
    make_mirror: Make, replay: ReplayRegistry, store: Store, monkeypatch
) -> None:
    monkeypatch.setattr(scan, "SLIM_PAGE", 5)
    publish(replay, *map(an_id, range(1, 51)))
    make_mirror().run()
    replay.load = "2026-02-10"
    replay.catalogue.withdraw(an_id(9))
    make_mirror().run()  # finish the sweep of this load; the test interrupts the next one
    replay.load = "2026-02-17"
    edit(replay, 40, overallStatus="UNKNOWN", lastKnownStatus="RECRUITING")
    replay.forget_requests()
    stops = 0
    for _ in range(40):
        try:
            result = make_mirror(watcher=stop_after(4)).run()
            break
        except Stopped:
            stops += 1
    slim = [
        r for r in replay.requests if "fields" in r.params and "filter.advanced" not in r.params
    ]
    assert result.verdict == Verdict.OK
    assert stops > 2
    assert store.trials.heads([an_id(9)])[an_id(9)].state is State.GONE
    assert len(store.versions.of(an_id(40))) == 2
    # 49 trials are 10 pages: each stop fetches one page again at most
    assert len(slim) <= 10 + stops
    print(f"sweep: stopped {stops} times, {len(slim)} requests for 10 pages")


@pytest.mark.slow
def test_delta_and_sweep_find_every_change_of_a_day_and_nothing_else(
    make_mirror: Make, replay: ReplayRegistry, clock: StillClock
) -> None:
    clock.time = datetime(2026, 10, 6, tzinfo=UTC)
    replay.load = "2026-10-02"
    known = [an_id(number) for number in range(1, 1001)]
    publish(replay, *map(an_id, range(1, 1001)))
    assert make_mirror().run().steps == ["bulk"]
    replay.load = DAY
    new = make_study(an_id(2000), studyFirstPostDateStruct=posted(DAY))
    replay.catalogue.publish(new)
    day = let_a_day_pass(replay, known, [an_id(2000)])
    print(live_through(make_mirror, replay, day, of=len(known)))
