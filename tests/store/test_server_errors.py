"""Errors of the connection to a PostgreSQL server are one kind, which a daemon retries."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from ctsync.errors import StoreError, StoreUnavailable, StoreUnreachable
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.store import open_store
from tests.conftest import PostgresServer, StillClock
from tests.faults.database_gate import (
    Behaviour,
    DatabaseGate,
    close_at_once,
    drip,
    fail_with,
    never_answer,
    refuse_ssl,
)
from tests.store.samples import LOAD, TRIAL

UNREACHABLE, REFUSED = StoreUnreachable, StoreUnavailable

RAISED: list[tuple[Exception, type[StoreError]]] = [
    (psycopg.errors.ConnectionTimeout("connection timeout expired"), UNREACHABLE),
    (psycopg.OperationalError("connection failed: Connection refused"), UNREACHABLE),
    (psycopg.OperationalError("failed to resolve host 'db': Name not known"), UNREACHABLE),
    (psycopg.OperationalError("server does not support SSL, but SSL was required"), UNREACHABLE),
    (psycopg.OperationalError("SSL SYSCALL error: EOF detected"), UNREACHABLE),
    (psycopg.OperationalError("consuming input failed: server closed"), UNREACHABLE),
    (psycopg.OperationalError("FATAL: the database system is starting up"), UNREACHABLE),
    (psycopg.OperationalError("FATAL: the database system is in recovery mode"), UNREACHABLE),
    (psycopg.OperationalError("FATAL: sorry, too many clients already"), UNREACHABLE),
    (
        psycopg.OperationalError('database "x" is not currently accepting connections'),
        UNREACHABLE,
    ),
    (psycopg.InterfaceError("the connection is closed"), UNREACHABLE),
    (psycopg.errors.AdminShutdown("terminating connection"), UNREACHABLE),
    (psycopg.errors.CrashShutdown("terminating connection"), UNREACHABLE),
    (psycopg.errors.CannotConnectNow("the database system is in recovery mode"), UNREACHABLE),
    (psycopg.errors.TooManyConnections("too many clients"), UNREACHABLE),
    (psycopg.errors.IdleInTransactionSessionTimeout("idle-in-transaction"), UNREACHABLE),
    (psycopg.errors.IdleSessionTimeout("idle-session timeout"), UNREACHABLE),
    (psycopg.errors.TransactionTimeout("transaction timeout"), UNREACHABLE),
    (psycopg.errors.ConnectionFailure("connection failure"), UNREACHABLE),
    (psycopg.errors.ProtocolViolation("query_wait_timeout"), UNREACHABLE),
    (psycopg.errors.QueryCanceled("due to statement timeout"), REFUSED),
    (psycopg.errors.OutOfMemory("out of memory"), REFUSED),
    (psycopg.errors.IoError("could not read block"), REFUSED),
    (psycopg.OperationalError("FATAL: password authentication failed for user"), REFUSED),
    (psycopg.OperationalError("fe_sendauth: no password supplied"), REFUSED),
    (psycopg.OperationalError('FATAL: database "x" does not exist'), REFUSED),
    (psycopg.OperationalError('FATAL: role "x" does not exist'), REFUSED),
    (psycopg.OperationalError('invalid sslmode value: "bogus"'), REFUSED),
    (psycopg.ProgrammingError('invalid connection option "bogus"'), REFUSED),
]


def kind_of(raised: Exception) -> type[StoreError]:
    """Return the class of the ctsync error for a driver error, wrapped by SQLAlchemy."""
    wrapped = DBAPIError.instance(
        None, None, raised, psycopg.Error, hide_parameters=True, dialect=None
    )
    with pytest.raises(StoreError) as caught, translated_errors("the database"):
        raise wrapped
    assert "\n" not in str(caught.value)
    return caught.type


def test_every_connection_error_is_unreachable_and_every_refusal_is_not() -> None:
    wrong = [(str(one), kind_of(one)) for one, wanted in RAISED if kind_of(one) is not wanted]
    retried = sum(wanted is UNREACHABLE for _, wanted in RAISED)
    print(f"connection errors: {retried} kinds retried, {len(RAISED) - retried} refusals not")
    assert wrong == []


LISTENERS: dict[str, tuple[Behaviour, type[StoreError]]] = {
    "closes": (close_at_once, UNREACHABLE),
    "has no SSL": (refuse_ssl, UNREACHABLE),
    "is starting": (fail_with("57P03", "the database system is starting up"), UNREACHABLE),
    "is in recovery": (fail_with("57P03", "the database system is in recovery mode"), UNREACHABLE),
    "is full": (fail_with("53300", "sorry, too many clients already"), UNREACHABLE),
    "wants another password": (fail_with("28P01", "password authentication failed"), REFUSED),
}
SLOW_LISTENERS: dict[str, tuple[Behaviour, type[StoreError]]] = {
    "never answers": (never_answer, UNREACHABLE),
    "drips": (drip, UNREACHABLE),
}


def opening(case: tuple[Behaviour, type[StoreError]]) -> tuple[bool, float]:
    """Open a database behind a gate. Return whether it failed as expected, and the seconds."""
    behaviour, wanted = case
    began = time.monotonic()
    ending = "?sslmode=require" if behaviour is refuse_ssl else "?sslmode=disable"
    with DatabaseGate(behaviour) as gate:
        url = gate.url() + ending
        with pytest.raises(StoreError) as caught:
            open_store(url, clock=StillClock(), patience_seconds=2)
    said = str(caught.value)
    is_right = caught.type is wanted and "\n" not in said and "hunter2" not in said
    return is_right, time.monotonic() - began


def test_a_server_that_refuses_is_reported_in_one_line() -> None:
    right = {name: opening(case)[0] for name, case in LISTENERS.items()}
    print(f"servers that refuse: {len(right)}, {sum(right.values())} reported in one line")
    assert all(right.values()), right


@pytest.mark.slow
def test_a_server_that_never_answers_is_reported_in_one_line_after_the_time_limit() -> None:
    with ThreadPoolExecutor() as pool:
        done = dict(zip(SLOW_LISTENERS, pool.map(opening, SLOW_LISTENERS.values()), strict=True))
    longest = max(seconds for _, seconds in done.values())
    print(f"servers that never answer: {len(done)}, reported after {longest:.1f} s at most")
    assert all(is_right for is_right, _ in done.values()), done
    assert longest < 10


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("idle_in_transaction_session_timeout", UNREACHABLE),
        ("statement_timeout", REFUSED),
    ],
)
def test_a_timeout_of_the_server_is_reported_in_one_line(
    postgres: PostgresServer, migrated_postgres_url: str, setting: str, kind: type[StoreError]
) -> None:
    name = postgres.name_of(migrated_postgres_url)
    postgres.execute(f"ALTER DATABASE {name} SET {setting} = '100ms'")
    with open_store(migrated_postgres_url, clock=StillClock(), patience_seconds=2) as store:

        def write_slowly() -> None:
            with store.unit() as unit:
                unit.trials.mark_absent(TRIAL, LOAD)
                if kind is UNREACHABLE:
                    time.sleep(0.3)
                else:
                    unit.connection.exec_driver_sql("SELECT pg_sleep(2)")
                unit.trials.mark_absent(TRIAL, LOAD)

        with pytest.raises(StoreError) as caught:
            write_slowly()
        assert caught.type is kind
        assert "\n" not in str(caught.value)
        assert store.trials.never_found([TRIAL]) == {}
