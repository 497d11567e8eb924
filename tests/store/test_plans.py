"""What is asked every day stays quick when a database is large: no question reads a whole table.

Time is for the benches; here it is how SQLite says it would answer each statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as listen

from ctsync.model import NctId
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.operation.health_state import health_facts
from ctsync.report.report import Window
from ctsync.store.data.events import EventFilter
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.store.samples import FETCHED, TRIAL, fill

LARGE = ("events", "snapshots", "bodies", "deliveries", "trials")
WEEK = datetime(2026, 3, 6, tzinfo=UTC)


@pytest.fixture
def sqlite_store(migrated_sqlite_url: str) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        for number in range(30):
            fill(store, 2, NctId(f"NCT000001{number:02d}"))
        with store.unit() as unit:
            unit.watches.add_trials(
                "mine", {NctId(f"NCT000001{n:02d}"): None for n in range(30)}, FETCHED
            )
            run = unit.runs.begin("sync", FETCHED)
            unit.trials.mark_seen([TRIAL], run_id=run, load=FETCHED)
        yield store


def scans(store: Store, work: Callable[[], object]) -> list[str]:
    """The large tables that a piece of work would read from end to end."""
    asked: list[tuple[str, object]] = []

    def note(_c: object, _k: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    listen.listen(store._engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        listen.remove(store._engine, "before_cursor_execute", note)
    found = []
    with store.view() as connection:
        for statement, values in asked:
            if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "WITH")):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]  # as it was given
            for row in plan.all():
                said = str(row[3])
                verb, table = said.split()[:2]
                if verb == "SCAN" and table in LARGE and "ix_deliveries_undone" not in said:
                    found.append(said)
    return found


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "history": lambda s: (s.versions.of(TRIAL), s.events.find(EventFilter(nct_ids=(TRIAL,)))),
    "changes": lambda s: s.events.find(EventFilter(since=WEEK)),
    "how many": lambda s: s.events.count(EventFilter(since=WEEK)),
    "report": lambda s: report_data(s, ReportQuestion(Window(WEEK, WEEK + timedelta(days=30)))),
    "status": health_facts,
    "outbox": lambda s: s.outbox.deliveries(DeliveryState.PENDING, DeliveryState.PARKED),
    "backlog": lambda s: s.outbox.backlog(),
    "heads": lambda s: s.trials.heads([TRIAL]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_of_every_day_reads_a_large_table_from_end_to_end(
    sqlite_store: Store, question: str
) -> None:
    assert scans(sqlite_store, lambda: QUESTIONS[question](sqlite_store)) == []


def test_a_drain_looks_only_at_what_is_not_done(sqlite_store: Store) -> None:
    def claim() -> None:
        with sqlite_store.unit() as unit:
            unit.outbox.claim(FETCHED, lease=timedelta(minutes=5), limit=10, worker="w")
            unit.outbox.retry(now=FETCHED)

    assert scans(sqlite_store, claim) == []


def test_a_question_that_reads_all_of_a_table_is_found(sqlite_store: Store) -> None:
    everything = scans(sqlite_store, lambda: sqlite_store.events.find(EventFilter()))
    assert everything
    assert scans(sqlite_store, lambda: sqlite_store.outbox.deliveries(DeliveryState.SENT)) != []
