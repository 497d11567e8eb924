"""`copy_database` copies every value exactly, or leaves the target empty."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as listen
from sqlalchemy import text

from ctsync.errors import LockHeld, StoreError, StoreUnavailable, UsageError
from ctsync.model import KeyFields, State, Verdict
from ctsync.store.admin.check import check
from ctsync.store.admin.copy import contents, copy_database
from ctsync.store.database.tables import METADATA
from ctsync.store.store import Store, open_store
from tests.conftest import PostgresServer, StillClock
from tests.registry_fixtures import an_id
from tests.store.samples import (
    FETCHED,
    HOSTILE,
    LOAD,
    OTHER,
    TRIAL,
    add,
    add_events,
    delivery,
    event,
    fill,
)

FORK = multiprocessing.get_context("fork")


def dump(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Read every row of every table, except the marks, which differ between databases."""
    with store.view() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in METADATA.sorted_tables
            if table.name != "ctsync_marks"
        }


def fill_every_table(store: Store) -> None:
    """Store rows in every table, with values that databases tend to alter."""
    fill(store, 20)  # longer than one chain of deltas
    with store.unit() as unit:
        run = unit.runs.begin("sync", FETCHED)
        first = add(unit, 0, None, OTHER, run_id=run, key=KeyFields(enrollment=2**63 - 1))
        second = add(
            unit, 1, first, OTHER, observed=None, run_id=run,
            key=KeyFields(enrollment=2**70, brief_title="\0\ud800 Å", has_results=True),
        )  # fmt: skip
        gone = add(unit, 2, second, OTHER, record=None, state=State.GONE)
        hostile = [
            event(f"path.{number}", label=value, summary=value, before=value, after=[value, None],
                  percent=0.1 + 0.2, percent_since_first=-1e-300, inputs={"x": {value: 2**80}})
            for number, value in enumerate(HOSTILE)
        ]  # fmt: skip
        ids = add_events(unit, first, second, *hostile, nct_id=OTHER)
        add_events(unit, second, gone, event(), nct_id=OTHER)
        unit.outbox.enqueue(
            [delivery(n, value, dedup_key=f"{n}:x") for n, value in zip(ids, HOSTILE, strict=True)]
        )
        unit.outbox.mark_sent(ids[:3], now=datetime(1, 1, 1, tzinfo=UTC), message_id="<1>")
        unit.outbox.park(ids[3:5], error="no\0")
        unit.runs.finish(run, finished=FETCHED, verdict=Verdict.OK, load_after=LOAD, asked=2)
        unit.runs.set_notices(run, [{"kind": value} for value in HOSTILE])
        for number, value in enumerate(HOSTILE):
            unit.watches.add(f"{number} {value}", query={"cond": value}, rules={})
            unit.watches.add_trials(
                f"{number} {value}", {TRIAL: value}, FETCHED + timedelta(microseconds=1)
            )
        unit.failures.record(OTHER, ValueError(HOSTILE[2]), b"\0raw", run_id=run, now=FETCHED)


def opened(url: str) -> Store:
    return open_store(url, clock=StillClock())


@pytest.fixture
def source_url(migrated_sqlite_url: str) -> str:
    with opened(migrated_sqlite_url) as store:
        fill_every_table(store)
    return migrated_sqlite_url


@pytest.mark.slow
def test_a_copy_to_postgresql_and_back_changes_no_value(
    source_url: str, postgres_url: str, tmp_path: Path
) -> None:
    back = f"sqlite:///{tmp_path / 'back.db'}"
    there = copy_database(source_url, postgres_url, clock=StillClock())
    here = copy_database(postgres_url, back, clock=StillClock())
    with opened(source_url) as first, opened(postgres_url) as second, opened(back) as third:
        found = [dump(store) for store in (first, second, third)]
        assert found[0] == found[1] == found[2]
        assert contents(first) == contents(second) == contents(third) == there == here
        rows = sum(first.counts().values())
    assert check(postgres_url) == check(back) == []
    print(f"copy: {rows} rows to PostgreSQL and back, 0 differ")


@pytest.mark.slow
def test_a_copy_continues_the_history_and_row_ids_of_the_source(
    source_url: str, postgres_url: str
) -> None:
    copy_database(source_url, postgres_url, clock=StillClock())
    with opened(postgres_url) as store:
        before = dump(store)
        fill(store, 3, an_id(102))  # the server continues the ids of the copied rows
        with store.unit() as unit:
            head = store.trials.heads([TRIAL])[TRIAL]
            add(unit, 20, head.snapshot_id)
            unit.runs.begin("sync", FETCHED)
            unit.watches.add("another")
        assert len(dump(store)["snapshots"]) == len(before["snapshots"]) + 4
    assert check(postgres_url) == []


TEXTS = st.text(st.characters(codec=None, categories=None), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(TEXTS, JSON, JSON), min_size=20, max_size=40),
    st.datetimes(timezones=st.just(UTC)),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_text_json_time_and_number_is_copied_exactly(
    postgres: PostgresServer,
    migrated_file: Path,
    tmp_path: Path,
    values: list[tuple[str, Any, Any]],
    moment: datetime,
    percent: float,
) -> None:
    file = tmp_path / "source.db"
    file.write_bytes(migrated_file.read_bytes())
    target = postgres.new_migrated_database()
    with opened(f"sqlite:///{file}") as store, store.unit() as unit:
        snapshot = add(unit, 0, None, fetched=moment)
        events = [
            event(f"{n}", label=label, before=before, after=after, percent=percent)
            for n, (label, before, after) in enumerate(values)
        ]
        add_events(unit, None, snapshot, *events, fetched=moment)
    copy_database(f"sqlite:///{file}", target, clock=StillClock())
    with opened(f"sqlite:///{file}") as one, opened(target) as other:
        assert dump(one) == dump(other)
    postgres.drop(target)


@pytest.mark.slow
def test_a_database_is_copied_to_another_of_the_same_kind(
    store: Store, migrated_url: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    fill_every_table(store)
    on_server = migrated_url.startswith("postgresql")
    target = postgres.new_database() if on_server else f"sqlite:///{tmp_path / 'copy.db'}"
    copy_database(migrated_url, target, clock=StillClock())
    with opened(target) as copied:
        assert dump(copied) == dump(store)
    if on_server:
        postgres.drop(target)


def test_a_copy_refuses_a_target_that_is_not_empty_or_is_the_source(
    source_url: str, tmp_path: Path
) -> None:
    target = f"sqlite:///{tmp_path / 'target.db'}"
    with opened(target) as store:
        fill(store, 1)
        before = dump(store)
    with pytest.raises(UsageError, match=r"not empty \(1 bodies, 1 trials, 1 snapshots"):
        copy_database(source_url, target, clock=StillClock())
    with pytest.raises(UsageError, match="into itself"):
        copy_database(source_url, source_url, clock=StillClock())
    with opened(target) as store:
        assert dump(store) == before


@pytest.mark.slow
def test_a_copy_excludes_writers_on_both_sides(source_url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'target.db'}"
    for url in (source_url, target):
        with opened(url) as store, store.writer(holder="ctsync sync"), pytest.raises(LockHeld):
            copy_database(source_url, target, clock=StillClock())
    tables: list[str] = []

    def look(table: str, _rows: int) -> None:
        tables.append(table)
        with opened(source_url) as reader:  # reading is still possible
            assert reader.versions.of(TRIAL)
            with pytest.raises(LockHeld), reader.writer(holder="ctsync sync"):
                pass

    copy_database(source_url, target, clock=StillClock(), progress=look)
    assert {"trials", "bodies", "events", "deliveries"} <= set(tables)


def test_a_copy_waits_until_no_message_is_being_sent(source_url: str, tmp_path: Path) -> None:
    target, clock = f"sqlite:///{tmp_path / 'target.db'}", StillClock()
    with opened(source_url) as store, store.unit() as unit:
        unit.outbox.retry(now=clock.now())
        unit.outbox.enqueue([delivery(1, "someone", not_before=clock.now())])
        lease = timedelta(minutes=15)
        assert unit.outbox.claim(clock.now(), lease=lease, limit=1, worker="a")
    with pytest.raises(LockHeld, match=r"messages of .* are being sent"):
        copy_database(source_url, target, clock=clock)
    clock.sleep(15 * 60)
    assert copy_database(source_url, target, clock=clock)


def test_a_missing_source_is_reported_and_no_target_is_created(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no database yet"):
        copy_database(
            f"sqlite:///{tmp_path / 'a.db'}", f"sqlite:///{tmp_path / 'b.db'}", clock=StillClock()
        )
    assert not (tmp_path / "b.db").exists()


def on_each_event(url: str, act: str) -> None:
    """Run a PL/pgSQL statement on the server before each insert of an event."""
    with opened(url) as store, store.unit() as unit:
        unit.connection.execute(
            text(
                "CREATE FUNCTION act() RETURNS trigger AS "
                f"$$ BEGIN {act}; RETURN NEW; END $$ LANGUAGE plpgsql"
            )
        )
        unit.connection.execute(
            text("CREATE TRIGGER act BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION act()")
        )


@pytest.mark.slow
def test_a_copy_with_altered_values_is_rolled_back(source_url: str, postgres_url: str) -> None:
    on_each_event(postgres_url, "NEW.summary := 'x'")
    with pytest.raises(StoreError, match="the copy of events differs from its source"):
        copy_database(source_url, postgres_url, clock=StillClock())
    with opened(postgres_url) as store:
        assert not any(store.counts().values())


@pytest.mark.slow
def test_a_connection_lost_during_a_copy_is_reported_and_leaves_no_rows(
    source_url: str, postgres_url: str
) -> None:
    on_each_event(postgres_url, "PERFORM pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        copy_database(source_url, postgres_url, clock=StillClock())
    with opened(postgres_url) as store:
        assert not any(store.counts().values())
        with store.unit() as unit:
            unit.connection.execute(text("DROP TRIGGER act ON events"))
    copy_database(source_url, postgres_url, clock=StillClock())
    assert check(postgres_url) == []


def test_a_value_the_server_refuses_is_reported_and_leaves_no_rows(
    source_url: str, postgres_url: str
) -> None:
    opened(postgres_url).close()
    with opened(postgres_url) as store, store.unit() as unit:
        unit.connection.execute(text("ALTER TABLE events ADD CHECK (summary = 'x')"))
    with pytest.raises(StoreError, match="cannot store a value"):
        copy_database(source_url, postgres_url, clock=StillClock())
    with opened(postgres_url) as store:
        assert not any(store.counts().values())


@pytest.mark.slow
def test_a_copy_updates_the_row_statistics_of_the_server(
    source_url: str, postgres_url: str
) -> None:
    copy_database(source_url, postgres_url, clock=StillClock())
    counted = text("SELECT relname, reltuples FROM pg_class WHERE relname IN ('events', 'bodies')")
    with opened(postgres_url) as store:
        held = store.counts()
        with store.view() as connection:
            known = {name: int(rows) for name, rows in connection.execute(counted).all()}
    assert known == {name: held[name] for name in ("events", "bodies")}


def copy(source: str, target: str) -> None:
    copy_database(source, target, clock=StillClock())


@pytest.mark.slow
def test_a_copy_killed_at_any_moment_leaves_no_rows_and_can_be_repeated(
    source_url: str, postgres_url: str
) -> None:
    opened(postgres_url).close()
    with opened(source_url) as store:
        counts = store.counts()
    rng = random.Random(3)
    kills = partly = 0
    for _ in range(8):
        child = FORK.Process(target=copy, args=(source_url, postgres_url))
        child.start()
        time.sleep(rng.uniform(0.0, 0.25))
        child.kill()
        child.join()
        kills += 1
        time.sleep(0.2)  # the server may still execute a commit it has received
        with opened(postgres_url) as store:
            held = store.counts()
        if held == counts:
            break
        partly += any(held.values())
    else:
        copy(source_url, postgres_url)
    with opened(source_url) as one, opened(postgres_url) as other:
        assert dump(one) == dump(other)
    print(f"copy: {kills} killed, {partly} left in part, then complete")
    assert partly == 0


@pytest.mark.slow
def test_a_copy_that_fails_at_any_statement_leaves_no_rows(source_url: str, tmp_path: Path) -> None:
    failures = 0
    for number in itertools.count(1, 4):
        target = f"sqlite:///{tmp_path / f'{number}.db'}"
        calls = itertools.count(1)

        def fail(_c: object, _k: object, statement: str, *_: object, calls=calls, n=number) -> None:
            if statement.startswith("INSERT") and next(calls) == n:
                raise StoreUnavailable("injected")

        from sqlalchemy import Engine

        listen.listen(Engine, "before_cursor_execute", fail)
        try:
            copy(source_url, target)
            break
        except StoreUnavailable:
            failures += 1
        finally:
            listen.remove(Engine, "before_cursor_execute", fail)
        with opened(target) as store:
            assert not any(store.counts().values())
    print(f"copy: {failures} statements failed, 0 left in part, then complete")
    assert failures > 2
