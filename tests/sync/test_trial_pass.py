"""Sync passes over trials, with real HTTP on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ctsync.errors import CorruptBody, RegistryError, StaleRegistry, Stopped
from ctsync.model import Kind, Level, NctId, State, Verdict
from ctsync.record.rules.rules import Thresholds
from ctsync.report.words.event_text import short
from ctsync.store.bodies.reader import BodyReads
from ctsync.store.store import Store
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.result import RunCallbacks
from ctsync.sync.trial_pass import TrialPass
from tests.registry_fixtures import make_study, publish
from tests.replay import faults

ONE, TWO, OLD = NctId("NCT03389919"), NctId("NCT05935098"), NctId("NCT00000141")
MakeSync = Callable[..., TrialPass]
STATUS = "protocolSection.statusModule.overallStatus"


def kinds(result: Any) -> list[tuple[str, Kind]]:
    return [(stored.nct_id, stored.event.kind) for stored in result.events]


def test_a_first_sync_is_a_baseline(store: Store, replay: Any, make_sync: MakeSync) -> None:
    publish(replay, ONE, TWO)
    result = make_sync().run([ONE, TWO])
    assert result.verdict is Verdict.OK
    assert (result.tally.asked, result.tally.new, result.tally.changed) == (2, 2, 0)
    assert sorted(kinds(result)) == [(ONE, Kind.FIRST_SEEN), (TWO, Kind.FIRST_SEEN)]
    assert [v.version for v in store.versions.of(ONE)] == [1]


def test_a_new_load_with_only_a_new_stamp_stores_nothing(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    make_sync().run([ONE, TWO])
    before = store.counts()
    for _ in range(5):
        replay.catalogue.advance()
        result = make_sync().run([ONE, TWO])
        assert (result.tally.same, result.events, result.refreshed) == (2, (), True)
    after = store.counts()
    assert {t: after[t] - before[t] for t in after if t != "runs"} == dict.fromkeys(
        set(after) - {"runs"}, 0
    )


def test_a_change_is_one_version_with_its_events(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    make_sync().run([ONE, TWO])
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "TERMINATED"})
    result = make_sync().run([ONE, TWO])
    assert kinds(result) == [(ONE, Kind.STATUS)]
    (stored,) = result.events
    assert (stored.event.before, stored.event.after) == ("RECRUITING", "TERMINATED")
    assert stored.event.level is Level.CRITICAL
    assert (stored.from_version, stored.to_version) == (1, 2)
    assert stored.observed == replay.load
    assert [v.key.status for v in store.versions.of(ONE)] == ["RECRUITING", "TERMINATED"]


def test_the_same_load_again_stores_nothing_and_is_not_refreshed(
    replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    make_sync().run([ONE])
    again = make_sync().run([ONE])
    assert (again.refreshed, again.tally.same, again.events) == (False, 1, ())


def test_a_change_back_is_a_version_and_an_event_of_its_own(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    make_sync().run([ONE])
    for status in ("SUSPENDED", "RECRUITING"):
        replay.catalogue.advance()
        replay.catalogue.edit(ONE, {STATUS: status})
        assert [kind for _, kind in kinds(make_sync().run([ONE]))] == [Kind.STATUS]
    versions = store.versions.of(ONE)
    assert [v.key.status for v in versions] == ["RECRUITING", "SUSPENDED", "RECRUITING"]
    assert versions[0].digest == versions[2].digest


def test_the_first_day_of_an_unknown_status_is_the_load_that_showed_it(
    replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, statusVerifiedDate="2023-12", completionDateStruct={"date": "2025-12"})
    make_sync().run([ONE])
    for day, status, posted in (
        ("2026-02-05", "UNKNOWN", "2026-01-13"),  # no update was posted
        ("2026-03-09", "COMPLETED", "2026-03-07"),
    ):
        replay.load = day
        changed = {STATUS: status, "protocolSection.statusModule.lastKnownStatus": "RECRUITING"}
        module = "protocolSection.statusModule.lastUpdatePostDateStruct.date"
        replay.catalogue.edit(ONE, changed | {module: posted})
        result = make_sync().run([ONE])
    (status_event,) = [s.event for s in result.events if s.event.kind is Kind.STATUS]
    assert status_event.summary == (
        "Status Unknown -> Completed: recorded as unknown on 2026-02-05"
    )


def test_a_trial_that_cannot_be_checked_does_not_stop_the_others(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    study = make_study(TWO)
    study["protocolSection"]["identificationModule"]["nctId"] = 12
    replay.faults.add(
        faults.body(b'{"studies":[' + _json(make_study(ONE)) + b"]}"), path="/v2/studies"
    )
    replay.faults.add(faults.body(_json(study)), path=f"/v2/studies/{TWO}", times=faults.EVERY_TIME)
    result = make_sync().run([ONE, TWO])
    assert result.verdict is Verdict.PARTIAL
    assert [failed.nct_id for failed in result.failed] == [TWO]
    assert [v.nct_id for v in store.versions.of(ONE)] == [ONE]
    assert [failure.nct_id for failure in store.failures.find()] == [TWO]
    replay.faults.clear()
    assert make_sync().run([ONE, TWO]).verdict is Verdict.OK
    assert store.failures.find() == []


def _json(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value)


def test_a_trial_is_gone_only_when_a_second_load_lacks_it(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    make_sync().run([ONE, TWO])
    replay.catalogue.advance()
    replay.catalogue.withdraw(ONE)
    first = make_sync().run([ONE, TWO])
    assert (first.missing, first.events, first.verdict) == ((ONE,), (), Verdict.PARTIAL)
    assert make_sync().run([ONE, TWO]).events == ()  # the same load confirms nothing
    replay.catalogue.advance()
    assert kinds(make_sync().run([ONE, TWO])) == [(ONE, Kind.GONE)]
    replay.catalogue.advance()
    assert make_sync().run([ONE, TWO]).events == ()
    assert [v.state for v in store.versions.of(ONE)] == [State.PRESENT, State.GONE]


def test_a_gone_trial_that_is_found_again_has_returned_and_keeps_its_versions(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    make_sync().run([ONE])
    replay.catalogue.advance()
    replay.catalogue.withdraw(ONE)
    make_sync().run([ONE])
    replay.catalogue.advance()
    make_sync().run([ONE])
    replay.catalogue.advance()
    publish(replay, ONE)
    assert (ONE, Kind.RETURNED) in kinds(make_sync().run([ONE]))
    states = [State.PRESENT, State.GONE, State.PRESENT]
    assert [v.state for v in store.versions.of(ONE)] == states


def test_an_unknown_id_is_reported_and_registered_once_it_is_posted(
    replay: Any, make_sync: MakeSync
) -> None:
    unknown = make_sync().run([ONE])
    assert (unknown.unknown, unknown.verdict) == ((ONE,), Verdict.OK)
    lacked = replay.load.date().isoformat()
    replay.catalogue.advance()
    publish(replay, ONE, studyFirstPostDateStruct={"date": lacked, "type": "ACTUAL"})
    result = make_sync().run([ONE])
    assert kinds(result) == [(ONE, Kind.REGISTERED)]
    assert short(result.events[0].event) == "newly registered"


def test_a_trial_posted_before_a_load_without_it_is_newly_seen_and_not_newly_registered(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    make_sync().run([ONE])
    replay.catalogue.advance()
    publish(replay, ONE, studyFirstPostDateStruct={"date": "2012-03-05", "type": "ACTUAL"},
            overallStatus="COMPLETED")  # fmt: skip
    result = make_sync().run([ONE])

    assert kinds(result) == [(ONE, Kind.REGISTERED)]
    (event,) = (stored.event for stored in result.events)
    assert (event.rule, event.label) == ("R-NEW-03", "Newly seen")
    assert short(event) == "newly seen by ctsync, first posted 2012-03-05"
    assert list(rederive_events(store, Thresholds())) == []


def test_a_merged_trial_moves_its_watch_and_keeps_both_histories(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, OLD, ONE)
    with store.unit() as unit:
        unit.watches.add_trials("mine", {OLD: None}, replay.load)
    make_sync().run([OLD])
    replay.catalogue.advance()
    replay.catalogue.merge(OLD, ONE)
    result = make_sync().run(store.watched.ids())
    assert kinds(result) == [(OLD, Kind.MOVED), (ONE, Kind.FIRST_SEEN)]
    assert store.watched.ids() == (ONE,)
    assert [v.state for v in store.versions.of(OLD)] == [State.PRESENT, State.MOVED]
    replay.catalogue.advance()
    assert make_sync().run(store.watched.ids()).tally.same == 1
    assert make_sync().run([OLD]).events == ()


def test_a_watch_of_an_id_merged_long_ago_follows_its_successor(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, OLD, ONE)
    make_sync().run([OLD])
    replay.catalogue.advance()
    replay.catalogue.merge(OLD, ONE)
    make_sync().run([OLD])
    with store.unit() as unit:
        unit.watches.add_trials("late", {OLD: None}, replay.load)
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "TERMINATED"})
    assert (ONE, Kind.STATUS) in kinds(make_sync().run(store.watched.ids()))
    assert store.watched.ids() == (ONE,)


def test_a_moved_trial_keeps_the_study_id_it_was_requested_by(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, OLD, ONE)
    with store.unit() as unit:
        unit.watches.add_trials("mine", {OLD: "ORG-141"}, replay.load)
    make_sync().run([OLD])
    replay.catalogue.merge(OLD, ONE)
    replay.catalogue.advance()
    make_sync().run([OLD])
    (watch,) = store.watches.all()
    assert [(t.nct_id, t.asked_as) for t in watch.trials] == [(ONE, "ORG-141")]


def disown(replay: Any, heir: NctId, nct_id: NctId) -> None:
    """End a merger: the registry shows `nct_id` as a separate trial again."""

    def remove(study: Any) -> None:
        study["protocolSection"]["identificationModule"]["nctIdAliases"].remove(nct_id)

    replay.catalogue.edit(heir, remove)
    publish(replay, nct_id)


def follow_all(store: Store, make_sync: MakeSync) -> tuple[NctId, ...]:
    make_sync().run([*store.watched.ids(), *store.watched.moved_ids()])
    return store.watched.ids()


@pytest.mark.parametrize("asked", [(OLD,), (ONE,), (OLD, ONE)])
def test_a_reversed_merger_loses_no_requested_trial(
    store: Store, replay: Any, make_sync: MakeSync, asked: tuple[NctId, ...]
) -> None:
    publish(replay, OLD, ONE)
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(asked), replay.load)
    follow_all(store, make_sync)
    replay.catalogue.advance()
    replay.catalogue.merge(OLD, into=ONE)
    assert follow_all(store, make_sync) == (ONE,)
    replay.catalogue.advance()
    disown(replay, ONE, OLD)
    replay.catalogue.merge(ONE, into=OLD)
    assert follow_all(store, make_sync) == (OLD,)
    replay.catalogue.advance()
    disown(replay, OLD, ONE)
    followed = follow_all(store, make_sync)
    lost = set(asked) - set(followed)
    print(f"reversed: {len(asked)} asked for, {len(lost)} lost after both are back")
    assert not lost


def test_a_chain_of_mergers_ends_in_any_order(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, OLD, ONE, TWO)
    with store.unit() as unit:
        unit.watches.add_trials("mine", {OLD: None}, replay.load)
    follow_all(store, make_sync)
    for old, into in ((OLD, ONE), (ONE, TWO)):
        replay.catalogue.advance()
        replay.catalogue.merge(old, into=into)
        assert follow_all(store, make_sync) == (into,)
    (watch,) = store.watches.all()
    assert [(one.trial.nct_id, one.into) for one in watch.merged] == [(OLD, TWO), (ONE, TWO)]
    replay.catalogue.advance()
    disown(replay, TWO, OLD)
    assert OLD in follow_all(store, make_sync)
    replay.catalogue.advance()
    replay.catalogue.merge(TWO, into=OLD)
    assert follow_all(store, make_sync) == (OLD,)


def test_a_damaged_stored_record_does_not_stop_the_other_trials(
    store: Store, replay: Any, make_sync: MakeSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(replay, ONE, TWO)
    make_sync().run([ONE, TWO])
    replay.catalogue.advance()
    for nct_id in (ONE, TWO):
        replay.catalogue.edit(nct_id, {STATUS: "TERMINATED"})
    damaged = store.versions.newest_digest(ONE)
    read = BodyReads.read

    def refuse(self: BodyReads, digest: str) -> bytes:
        if digest == damaged:
            raise CorruptBody("the body does not match its digest")
        return read(self, digest)

    monkeypatch.setattr(BodyReads, "read", refuse)
    result = make_sync().run([ONE, TWO])
    assert result.verdict is Verdict.PARTIAL
    assert "ctsync check" in str(result.failed[0].error)
    assert [v.key.status for v in store.versions.of(TWO)] == ["RECRUITING", "TERMINATED"]


def test_an_older_load_than_one_already_seen_is_refused(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    newer = replay.catalogue.advance()
    make_sync().run([ONE])
    replay.load = "2026-02-02"
    replay.catalogue.edit(ONE, {STATUS: "TERMINATED"})
    with pytest.raises(StaleRegistry, match="older than the data of 2026-02-03"):
        make_sync().run([ONE])
    assert store.runs.newest_load() == newer
    assert len(store.versions.of(ONE)) == 1


def test_a_reload_during_the_run_repeats_the_pass_against_the_new_load(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    make_sync().run([ONE, TWO])
    replay.catalogue.advance()
    replay.faults.add(faults.reload("2026-02-05"), path="/v2/studies")
    result = make_sync().run([ONE, TWO])
    assert result.verdict is Verdict.OK
    assert f"{result.load.data_timestamp:%Y-%m-%d}" == "2026-02-05"
    assert (result.tally.same, result.events) == (2, ())


def test_a_record_stamped_with_another_load_repeats_the_pass(
    replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    make_sync().run([ONE, TWO])
    late = make_study(TWO)
    late["derivedSection"]["miscInfoModule"]["versionHolder"] = "2026-01-30"
    page = b'{"studies":[' + _json(_stamped(ONE)) + b"," + _json(late) + b"]}"
    replay.faults.add(faults.body(page), path="/v2/studies")
    assert make_sync().run([ONE, TWO]).verdict is Verdict.OK  # the second pass was complete
    replay.faults.add(faults.body(page), path="/v2/studies", times=faults.EVERY_TIME)
    assert make_sync().run([ONE, TWO]).verdict is Verdict.MIXED


def _stamped(nct_id: str) -> Any:
    study = make_study(nct_id)
    study["derivedSection"]["miscInfoModule"]["versionHolder"] = "2026-02-02"
    return study


def test_a_run_is_partial_if_the_registry_is_unreachable_after_the_pass(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    replay.faults.add(faults.status(503), path="/v2/version", skip=1, times=faults.EVERY_TIME)
    result = make_sync().run([ONE])
    assert (result.verdict, result.tally.new) == (Verdict.PARTIAL, 1)


def test_an_unreachable_registry_stores_no_version_and_the_run_records_why(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    replay.faults.add(faults.status(503, "busy"), path="/v2/version", times=faults.EVERY_TIME)
    with pytest.raises(RegistryError):
        make_sync().run([ONE])
    assert store.counts()["snapshots"] == 0
    last = store.runs.last(kind="sync")
    assert last is not None
    assert last.verdict is Verdict.FAILED
    assert "RegistryBusy" in (last.error or "")


def test_an_interrupted_run_is_not_recorded_as_complete(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sync(watcher=RunCallbacks(check=interrupt)).run([ONE])
    last = store.runs.last(kind="sync")
    assert last is not None
    assert (last.verdict, last.error) == (Verdict.STOPPED, "interrupted")


def test_a_stopped_run_keeps_its_results_and_is_marked_stopped(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    seen: list[int] = []

    def check() -> None:
        if seen:
            raise Stopped("told to stop")
        seen.append(1)

    with pytest.raises(Stopped):
        make_sync(watcher=RunCallbacks(check=check)).run([ONE, TWO])
    assert store.counts()["snapshots"] == 1
    last = store.runs.last(kind="sync")
    assert last is not None
    assert last.verdict is Verdict.STOPPED
    assert make_sync().run([ONE, TWO]).tally.new == 1


def test_a_preview_reports_everything_and_writes_nothing(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    make_sync().run([ONE])
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "TERMINATED"})
    before = store.counts()
    _, examined, _ = make_sync().preview([ONE])
    (one,) = examined
    assert one.finding is not None
    assert [event.kind for event in one.finding.events] == [Kind.STATUS]
    assert store.counts() == before
