"""Opens a database for a Python program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ctsync.config.loading import load, load_for_reading
from ctsync.dates import Clock, SystemClock
from ctsync.python import arguments
from ctsync.python.arguments import PathText
from ctsync.python.database import TrialDatabase
from ctsync.store.store import open_for_reading

if TYPE_CHECKING:
    from ctsync.record.rules.rules import Thresholds


def open(  # noqa: A001 - the name that programs use: ctsync.open()
    url: PathText | None = None, *, config: PathText | None = None
) -> TrialDatabase:
    """Open a database for reading: creates, upgrades and writes nothing.

    `url` is the file of the database, or its URL, such as postgresql+psycopg://host/name, like
    `--database`. Without it, the database is that of the settings. `config` is the settings file,
    like `--config`. Close the database after use, or open it in a `with` block.

        >>> import ctsync
        >>> with ctsync.open("ctsync.db") as db:
        ...     print(db.versions("NCT01352702"))
        <Rows: 5 of VersionRow>

    Raises StoreError if there is none or it must be upgraded first, and UsageError for wrong
    settings. Both are a CtsyncError.
    """
    return open_database(url, config=config, clock=SystemClock())


def open_database(url: PathText | None, *, config: PathText | None, clock: Clock) -> TrialDatabase:
    """Open a database as `open` does, with a clock for tests."""
    path = Path(config) if config else None
    name = arguments.database(url)
    settings = load_for_reading(path, database_url=name)

    def thresholds() -> Thresholds:
        from ctsync.questions.changes.rules import (  # noqa: PLC0415 - few programs need thresholds
            thresholds_in_force,
        )

        return thresholds_in_force(load(path, database_url=name, need_secrets=False))

    return TrialDatabase(
        open_for_reading(settings.database_url, clock=clock),
        context=settings.context,
        thresholds=thresholds,
        clock=clock,
    )
