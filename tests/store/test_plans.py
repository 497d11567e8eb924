"""Query plans: no everyday question scans a large table.

The benchmarks measure time. These tests read SQLite's query plan of each statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import event as listen

from ctsync.model import Kind
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.operation.health_state import health_facts
from ctsync.report.report import Window
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.registry_fixtures import an_id
from tests.store.samples import FETCHED, TRIAL, engine_of, fill

LARGE = ("events", "snapshots", "bodies", "deliveries", "trials")
WEEK = datetime(2026, 3, 6, tzinfo=UTC)


@pytest.fixture
def sqlite_store(migrated_sqlite_url: str) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        for number in range(30):
            fill(store, 2, an_id(100 + number))
        with store.unit() as unit:
            unit.watches.add_trials("mine", {an_id(100 + n): None for n in range(30)}, FETCHED)
            run = unit.runs.begin("sync", FETCHED)
            unit.trials.mark_seen([TRIAL], run_id=run, load=FETCHED)
        yield store


def scans(store: Store, work: Callable[[], object]) -> list[str]:
    """Return the full scans of large tables in the query plans of `work`."""
    executed: list[tuple[str, object]] = []

    def note(_c: object, _k: object, statement: str, values: object, *_: object) -> None:
        executed.append((statement, values))

    engine = engine_of(store)
    listen.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        listen.remove(engine, "before_cursor_execute", note)
    found = []
    with store.view() as connection:
        for statement, values in executed:
            if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "WITH")):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]  # the values as executed
            for row in plan.all():
                step = str(row[3])
                verb, *rest = step.split()
                if verb == "SCAN" and rest[0] in LARGE and "ix_deliveries_undone" not in step:
                    found.append(step)
    return found


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "history": lambda s: (s.versions.of(TRIAL), s.events.find(EventFilter(nct_ids=(TRIAL,)))),
    "changes": lambda s: s.events.find(EventFilter(since=WEEK)),
    "how many": lambda s: s.events.count(EventFilter(since=WEEK)),
    "report": lambda s: report_data(s, ReportQuestion(Window(WEEK, WEEK + timedelta(days=30)))),
    "status": lambda s: health_facts(s, now=FETCHED),
    "outbox": lambda s: s.outbox.deliveries(DeliveryState.PENDING, DeliveryState.PARKED),
    "heads": lambda s: s.trials.heads([TRIAL]),
}


def test_changes_of_a_kind_are_found_by_an_index(sqlite_store: Store) -> None:
    """A kind of which there are few changes, or none, would else cost as much as all changes."""
    events = sqlite_store.events
    for wanted in (EventFilter(kinds=[Kind.MOVED]), EventFilter(kinds=[Kind.MOVED, Kind.OUTCOME])):
        assert scans(sqlite_store, partial(events.find, wanted)) == []
        assert scans(sqlite_store, partial(events.count, wanted)) == []


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_everyday_question_scans_no_large_table(sqlite_store: Store, question: str) -> None:
    assert scans(sqlite_store, lambda: QUESTIONS[question](sqlite_store)) == []


def test_claiming_deliveries_does_not_scan_the_finished_ones(sqlite_store: Store) -> None:
    def claim() -> None:
        with sqlite_store.unit() as unit:
            unit.outbox.claim(FETCHED, lease=timedelta(minutes=5), limit=10, worker="w")
            unit.outbox.retry(now=FETCHED)

    assert scans(sqlite_store, claim) == []


def test_a_full_scan_of_a_large_table_is_found(sqlite_store: Store) -> None:
    scanned = scans(sqlite_store, lambda: sqlite_store.events.find(EventFilter()))
    assert scanned
    assert scans(sqlite_store, lambda: sqlite_store.outbox.deliveries(DeliveryState.SENT)) != []
