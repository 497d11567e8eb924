"""What every command shares: settings, store and registry, opened when asked for.

The imports stand inside the methods so that `ctsync --help` need not wait for them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctsync.dates import Clock, SystemClock

if TYPE_CHECKING:
    from ctsync.config.settings import Settings
    from ctsync.registry.api import RegistryApi
    from ctsync.registry.record_history import RegistryHistory
    from ctsync.store.store import Store


@dataclass
class App:
    """One run of the command line; opens what a command asks for, and not before."""

    config_path: Path | None = None
    database_url: str | None = None
    verbose: int = 0
    sends: bool = False
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def settings(self) -> Settings:
        """The settings in force; raises ConfigError with every problem at once.

        A secret that cannot be read is a problem only for a command that `sends`.
        """
        from ctsync.config.loading import load

        return load(self.config_path, database_url=self.database_url, need_secrets=self.sends)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The database, opened for reading: nothing is created, upgraded or written.

        Raises NoDatabase if there is none yet, OldDatabase if a newer schema is needed.
        """
        from ctsync.store.store import open_for_reading

        store = open_for_reading(self.settings.database.url, clock=self.clock)
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def writable_store(self, *, create: bool = True) -> Iterator[Store]:
        """The database, brought to the newest schema; says where a new one was put.

        Raises NoDatabase if there is none and `create` is false.
        """
        from ctsync.store.store import open_store

        url = self.settings.database.url
        path = sqlite_path(url)
        is_new = path is not None and not path.exists()
        store = open_store(url, clock=self.clock, create=create)
        try:
            if is_new:
                click.echo(f"created the database {path}", err=True)
            yield store
        finally:
            store.close()

    @contextmanager
    def registry(self) -> Iterator[RegistryApi]:
        """The registry as the settings name it."""
        from ctsync.registry.api import RegistryApi
        from ctsync.registry.http.transport import Transport

        wanted = self.settings.registry
        transport = Transport(
            wanted.url,
            clock=self.clock,
            requests_per_second=wanted.requests_per_second,
            burst=wanted.burst,
            deadline_seconds=wanted.deadline_seconds,
            max_bytes=wanted.max_megabytes * 2**20,
            retry_seconds=wanted.retry_seconds,
            contact=wanted.contact,
        )
        try:
            yield RegistryApi(transport, clock=self.clock)
        finally:
            transport.close()

    @contextmanager
    def history(self, registry: RegistryApi) -> Iterator[RegistryHistory]:
        """The registry's own record history, at the pace that `registry` keeps."""
        from ctsync.registry.record_history import HistoryTransport, RegistryHistory

        way = HistoryTransport(self.settings.registry.history_transport)
        history = RegistryHistory(registry.transport, way=way)
        try:
            yield history
        finally:
            history.close()

    def start_logging(self, *, at_least: int = logging.WARNING) -> None:
        """Send log lines to stderr: from `at_least` on, or with -v more."""
        levels = {0: at_least, 1: min(at_least, logging.INFO)}
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_LineFormatter("%(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger("ctsync")
        root.handlers[:] = [handler]
        root.setLevel(levels.get(self.verbose, logging.DEBUG))


class _LineFormatter(logging.Formatter):
    """One line a record, whatever remote text it carries."""

    def format(self, record: logging.LogRecord) -> str:
        from ctsync.text import for_log

        return for_log(super().format(record))


pass_app = click.make_pass_decorator(App, ensure=True)


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL, None for a server."""
    from ctsync.store.database.engine import parse_url, sqlite_file

    return sqlite_file(parse_url(url))
