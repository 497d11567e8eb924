"""A complete installation in one process: database, registry, recipients, and injected faults."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import OperationalError

from ctsync.deliver.message import Message
from ctsync.deliver.outbox import DrainResult, drain
from ctsync.deliver.routes import routes_from
from ctsync.model import NctId, StoredEvent
from ctsync.record.rules.rules import Thresholds
from ctsync.route import Route
from ctsync.store.admin.check import check
from ctsync.store.database.engine import make_engine, parse_url
from ctsync.store.store import Store, open_store
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.cycle_result import CycleResult
from ctsync.sync.history.rederive_events import rederive_events
from tests.fakes import FakeClock
from tests.given_settings import given_settings
from tests.offline import OfflineRegistry
from tests.replay.catalogue import Catalogue

ANNA, BERT = "anna@example.org", "bert@example.org"
PATIENCE_SECONDS = 2.0
COMMIT = "COMMIT"


def engine_of(url: URL, **_of_store: float) -> Engine:
    """Return the one engine of a database, which has the patience and the page cache of the tests.

    Each opening asks for it, with options of its own.
    """
    return _engine(url)


@cache
def _engine(url: URL) -> Engine:
    """Make one engine per database, shared by all that open it, to keep compiled statements.

    SQLite does not wait for the disk: no test here simulates a power failure.
    """
    engine = make_engine(url, patience_seconds=PATIENCE_SECONDS)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA synchronous = OFF"))
    return engine


class Killed(BaseException):
    """The simulated death of the process: raised again by every later statement."""


@dataclass
class Inbox:
    """A channel whose list of received messages survives the death of the process."""

    routes: Mapping[str, Route]
    received: list[tuple[str, str, tuple[int, ...]]]
    dies: Callable[[str], None] = lambda _moment: None

    def send(self, message: Message) -> None:
        self.dies("before it is sent")
        events = tuple(stored.event_id for stored in message.events)
        self.received.append((message.route.recipient, message.key, events))
        self.dies("after it was sent")

    def close(self) -> None:
        """Do nothing: there is no connection."""


@dataclass
class Installation:
    """One database, its registry and its recipients.

    `watches` are the watches of the settings file; Anna gets messages only about the watches in
    `anna_follows`. `received` lists each message: recipient, identity, event ids.
    """

    url: str
    catalogue: Catalogue = field(default_factory=lambda: Catalogue("2026-02-02"))
    clock: FakeClock = field(default_factory=FakeClock)
    watches: Mapping[str, Sequence[NctId]] = field(default_factory=dict)
    anna_follows: Sequence[str] = ()
    received: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    dies: Callable[[str], None] = lambda _moment: None

    def __post_init__(self) -> None:
        self.registry = OfflineRegistry(self.catalogue)
        self.settings = given_settings(
            {
                "database": {"url": self.url},
                "smtp": {"host": "127.0.0.1", "sender": "ctsync@example.org"},
                "recipients": [
                    {"email": ANNA, "watches": list(self.anna_follows)},
                    {"email": BERT, "layout": "per-trial", "minimum_level": "routine"},
                ],
                "watches": [
                    {"name": name, "trials": list(ids)} for name, ids in self.watches.items()
                ],
            }
        )
        self.store = self.open()

    def open(self) -> Store:
        """Open the database as a new process does."""
        with patch("ctsync.store.store.make_engine", engine_of):
            self.store = open_store(self.url, clock=self.clock, patience_seconds=PATIENCE_SECONDS)
        return self.store

    def reopen(self) -> None:
        """Close and open the database, as a new process does."""
        self.store.close()
        self.open()

    def round(self) -> CycleResult:
        """Run one sync, as cron and the daemon do."""
        work = SyncCycle(
            settings=self.settings,
            store=self.store,
            registry=self.registry.client(self.clock),
            clock=self.clock,
        )
        with patch("ctsync.sync.cycle.channels_from", lambda _settings: self._channels()):
            return work.run(holder="test")

    def drain(self) -> DrainResult:
        """Send pending messages, as `ctsync outbox retry` does."""
        return drain(self.store, self._channels(), clock=self.clock)

    def _channels(self) -> dict[str, Inbox]:
        by_channel: dict[str, dict[str, Route]] = {}
        for route in routes_from(self.settings):
            by_channel.setdefault(route.channel, {})[route.recipient] = route
        return {
            name: Inbox(routes, self.received, self.dies) for name, routes in by_channel.items()
        }

    def problems(self) -> list[str]:
        """Return the problems that `check --rebuild-events` finds."""
        with patch("ctsync.store.admin.check.make_engine", engine_of):
            found = [str(problem) for problem in check(self.url)]
        rebuilt = rederive_events(self.store, Thresholds())
        return found + [f"{one.nct_id}: {one.differences}{one.unreadable}" for one in rebuilt]

    def event_counts(self) -> Counter[tuple[str, int]]:
        """Count how often each recipient got each event."""
        return Counter((to, event_id) for to, _, events in self.received for event_id in events)

    def events(self) -> list[StoredEvent]:
        return self.store.events.find()

    # --- injected faults --------------------------------------------------------------------

    @contextmanager
    def killed_at(self, number: int) -> Iterator[None]:
        """Kill the process at its n-th statement or commit; all later ones fail too."""
        calls = itertools.count(1)

        def die(*_: object) -> None:
            if next(calls) >= number:
                raise Killed

        with self._hooked(die, "before_cursor_execute", "commit"):
            yield

    @contextmanager
    def failing_at(self, number: int, *hooks: str) -> Iterator[None]:
        """Make only the n-th statement fail, or the n-th call of the given hooks."""
        calls = itertools.count(1)

        def fail(*_: object) -> None:
            if next(calls) == number:
                raise OperationalError("injected", {}, sqlite3.OperationalError("injected"))

        with self._hooked(fail, *(hooks or ("before_cursor_execute",))):
            yield

    @contextmanager
    def answer_lost_at(self, number: int) -> Iterator[None]:
        """Make the n-th commit succeed but lose the connection before it is acknowledged."""
        calls = itertools.count(1)

        def lose(connection: Any) -> None:
            if next(calls) == number:
                connection.connection.driver_connection.commit()
                raise OperationalError("COMMIT", {}, sqlite3.OperationalError("connection lost"))

        with self._hooked(lose, "commit"):
            yield

    @contextmanager
    def recording(self) -> Iterator[list[str]]:
        """Yield a list that receives each statement, and COMMIT for each commit, in order."""
        done: list[str] = []

        def note(_connection: object, *more: Any) -> None:
            done.append(more[1] if more else COMMIT)

        with self._hooked(note, "before_cursor_execute", "commit"):
            yield done

    @contextmanager
    def _hooked(self, hook: Callable[..., None], *names: str) -> Iterator[None]:
        engine = engine_of(parse_url(self.url))
        for name in names:
            event.listen(engine, name, hook)
        try:
            yield
        finally:
            for name in names:
                event.remove(engine, name, hook)
