"""The run log, and the failures of quarantined trials."""

from __future__ import annotations

from datetime import timedelta

from ctsync.errors import BadRecord
from ctsync.model import RegistryVersion, Verdict
from ctsync.store.data.failures import FIRST_RETRY, LONGEST_RETRY
from ctsync.store.store import Store
from tests.store.samples import FETCHED, LOAD, OTHER, TRIAL

HOUR = timedelta(hours=1)


def test_a_run_is_in_the_log_from_its_start(store: Store) -> None:
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", FETCHED)
        unit.runs.set_load(run_id, RegistryVersion("2.0.5", LOAD))
    (run,) = store.runs.latest()
    assert (run.load_before, run.api_version) == (LOAD, "2.0.5")
    assert (run.id, run.kind, run.started, run.finished) == (run_id, "sync", FETCHED, None)
    assert run.verdict is Verdict.RUNNING
    assert store.runs.last_finished("sync", FETCHED) is None


def test_a_finished_run_has_its_counts_verdict_and_end(store: Store) -> None:
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", FETCHED)
        unit.runs.set_load(run_id, RegistryVersion("2.0.5", LOAD))
        unit.runs.finish(
            run_id, finished=FETCHED + HOUR, verdict=Verdict.PARTIAL, load_after=LOAD + HOUR,
            error="3 trials", requests=4, asked=600, answered=597, same=566, changed=31, failed=3,
        )  # fmt: skip
    run = store.runs.last()
    assert run is not None
    assert (run.requests, run.asked, run.answered, run.same) == (4, 600, 597, 566)
    assert (run.changed, run.failed, run.gone, run.delivered) == (31, 3, 0, 0)
    assert (run.verdict, run.error, run.finished) == (Verdict.PARTIAL, "3 trials", FETCHED + HOUR)
    assert store.runs.newest_load() == LOAD + HOUR
    assert store.runs.last_finished("sync", FETCHED + HOUR) == FETCHED + HOUR


def test_the_last_run_can_be_read_by_kind_and_verdict(store: Store) -> None:
    with store.unit() as unit:
        for kind, verdict in (
            ("sync", Verdict.OK),
            ("mirror", Verdict.OK),
            ("sync", Verdict.FAILED),
        ):
            run_id = unit.runs.begin(kind, FETCHED)
            unit.runs.finish(run_id, finished=FETCHED, verdict=verdict)
    assert [run.id for run in store.runs.latest(2)] == [3, 2]
    last_ok = store.runs.last(kind="sync", verdict=Verdict.OK)
    assert last_ok is not None
    assert last_ok.id == 1
    assert store.runs.last(kind="backfill") is None
    assert store.runs.newest_load() is None


def test_a_failure_is_retried_at_growing_intervals_of_at_most_a_week(store: Store) -> None:
    waits = []
    for attempt in range(12):
        with store.unit() as unit:
            run_id = unit.runs.begin("sync", FETCHED)
            now = FETCHED + timedelta(days=attempt)
            unit.failures.record(TRIAL, BadRecord("no identity"), b"<html>", run_id=run_id, now=now)
        (failure,) = store.failures.find()
        assert failure.attempts == attempt + 1
        waits.append(failure.next_try - now)
    assert (waits[0], waits[1], waits[-1]) == (FIRST_RETRY, 2 * FIRST_RETRY, LONGEST_RETRY)
    assert waits == sorted(waits)
    assert (failure.error_class, failure.error, failure.raw) == (
        "BadRecord",
        "no identity",
        b"<html>",
    )
    assert (failure.first_at, failure.last_at) == (FETCHED, now)


def test_a_failure_in_a_repeated_unit_is_counted_once(store: Store) -> None:
    for _ in range(2):
        with store.unit() as unit:
            unit.failures.record(TRIAL, BadRecord("x"), b"", run_id=None, now=FETCHED)
    assert store.failures.find()[0].attempts == 1


def test_due_failures_are_found_and_can_be_cleared(store: Store) -> None:
    with store.unit() as unit:
        unit.failures.record(TRIAL, BadRecord("x"), b"", run_id=None, now=FETCHED)
        unit.failures.record(OTHER, BadRecord("x"), b"", run_id=None, now=FETCHED + HOUR)
    assert [f.nct_id for f in store.failures.find(due=FETCHED + FIRST_RETRY)] == [TRIAL]
    with store.unit() as unit:
        assert unit.failures.clear([TRIAL]) == 1
        assert unit.failures.clear([TRIAL]) == 0
    assert [f.nct_id for f in store.failures.find()] == [OTHER]
