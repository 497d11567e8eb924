# ruff: noqa: PLC0415 - see below
"""State shared by all commands: settings, store and registry, opened on demand.

Imports are inside the methods, so that a command loads only what it opens. `ctsync --help` takes
0.1 s to import; settings add 0.03 s, the store 0.33 s, and the registry 0.09 s (measured with
-X importtime on two slow cores). Not worthwhile if every command opens all three.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctsync.dates import Clock, SystemClock
from ctsync.files import is_visible
from ctsync.text import for_log

if TYPE_CHECKING:
    from ctsync.config.loading import ReaderSettings
    from ctsync.config.settings import Settings
    from ctsync.record.context import BaseRates
    from ctsync.registry.api import RegistryApi
    from ctsync.registry.record_history import RegistryHistory
    from ctsync.store.store import Store


@dataclass
class App:
    """One run of the command line; opens settings, store and registry on demand."""

    config_path: Path | None = None
    database_url: str | None = None
    verbose: int = 0
    sends: bool = False
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def settings(self) -> Settings:
        """The current settings; raises one ConfigError with every problem.

        An unreadable secret is an error only if `sends` is true.
        """
        from ctsync.config.loading import load

        return load(self.config_path, database_url=self.database_url, need_secrets=self.sends)

    @cached_property
    def reader_settings(self) -> ReaderSettings:
        """The settings that reading needs; the other sections may be wrong."""
        from ctsync.config.loading import load_for_reading

        return load_for_reading(self.config_path, database_url=self.database_url)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the database for reading: creates, upgrades and writes nothing.

        Raises NoDatabase if there is none yet, OldDatabase if a newer schema is needed.
        """
        from ctsync.store.store import open_for_reading

        store = open_for_reading(self.reader_settings.database_url, clock=self.clock)
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def writable_store(
        self, *, create: bool = True, for_watched_trials: bool = False
    ) -> Iterator[Store]:
        """Open the database for writing, upgrade its schema, and report the path of a new one.

        `for_watched_trials` limits the memory to what a sync of them needs. Raises NoDatabase if
        there is none and `create` is false.
        """
        from ctsync.store.database.engine import CACHE_KIB, SYNC_CACHE_KIB
        from ctsync.store.store import open_store

        url = self.settings.database.url
        path = sqlite_path(url)
        is_new = path is not None and not is_visible(path)
        cache = SYNC_CACHE_KIB if for_watched_trials else CACHE_KIB
        store = open_store(url, clock=self.clock, create=create, cache_kib=cache)
        try:
            if is_new:
                click.echo(f"created the database {path}", err=True)
            yield store
        finally:
            store.close()

    def rates(self, store: Store) -> BaseRates | None:
        """Return the base rates to show beside changes; None if the settings switch them off."""
        from ctsync.questions.portfolio.base_rates import rates_in_use

        return rates_in_use(store) if self.reader_settings.context else None

    def stored_rates(self) -> BaseRates | None:
        """Return the base rates as `rates` does, after opening the database for reading."""
        if not self.reader_settings.context:
            return None
        with self.store() as store:
            return self.rates(store)

    @contextmanager
    def registry(
        self, *, most_retry_seconds: float = math.inf, accept_load: bool = False
    ) -> Iterator[RegistryApi]:
        """Connect to the registry named in the settings.

        `most_retry_seconds` limits the setting, for interactive commands. `accept_load` accepts
        registry data dated ahead of this computer's clock.
        """
        from ctsync.registry.connection import connected

        with connected(
            self.settings.registry,
            clock=self.clock,
            most_retry_seconds=most_retry_seconds,
            accept_load=accept_load,
        ) as registry:
            yield registry

    @contextmanager
    def history(self, registry: RegistryApi) -> Iterator[RegistryHistory]:
        """Connect to the registry history; shares the rate limit of `registry`."""
        from ctsync.registry.connection import connected_history

        with connected_history(registry, self.settings.registry) as history:
            yield history

    def start_logging(self, *, at_least: int = logging.WARNING) -> None:
        """Send log lines of level `at_least` or higher to stderr; -v lowers the level."""
        levels = {0: at_least, 1: min(at_least, logging.INFO)}
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_LineFormatter("%(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger("ctsync")
        root.handlers[:] = [handler]
        root.setLevel(levels.get(self.verbose, logging.DEBUG))
        of_pool = logging.StreamHandler(sys.stderr)
        of_pool.setFormatter(_LineFormatter("%(levelname)s %(name)s: %(message)s"))
        of_pool.addFilter(_is_no_interrupt)
        logging.getLogger("sqlalchemy.pool").handlers[:] = [of_pool]


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    # if Ctrl-C arrives while SQLAlchemy returns a connection to its pool, SQLAlchemy logs a
    # traceback and raises the interrupt again, which ends the command with one line
    return not (record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))


class _LineFormatter(logging.Formatter):
    """Writes one line per log record, even if remote text in it contains line breaks."""

    def format(self, record: logging.LogRecord) -> str:
        return for_log(super().format(record))


pass_app = click.make_pass_decorator(App, ensure=True)


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for a database server."""
    from ctsync.store.database.engine import parse_url, sqlite_file

    return sqlite_file(parse_url(url))
