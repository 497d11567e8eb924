"""A separate process that loads an archive into a database and prints its cost as JSON."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson

from ctsync.errors import RegistryUnreachable
from ctsync.registry.http.response import RequestCounts
from tests.bench.peak_memory import PeakMemory

if TYPE_CHECKING:
    from ctsync.model import RegistryVersion
    from ctsync.registry.interface import Registry
    from ctsync.sync.mirror.result import ArchiveFile


class NoRegistry:
    """A registry that cannot be reached and has no bulk download."""

    counts = RequestCounts()

    def version(self, *, retry: bool = True) -> RegistryVersion:
        raise RegistryUnreachable("this benchmark has no registry")

    def check_load(self, load: datetime) -> None:
        """Accept every load."""

    total = fetch = version


def main(database: Path, archive: Path) -> None:
    # imported late, as in the command: worker processes import this file again
    from ctsync.cli import COLLECT_AFTER
    from ctsync.dates import SystemClock
    from ctsync.store.store import open_store
    from ctsync.sync.mirror.mirror import Mirror

    gc.set_threshold(COLLECT_AFTER)  # as in every command
    peak = PeakMemory(os.getpid())
    peak.start()
    clock, missing = SystemClock(), NoRegistry()
    began, started = time.perf_counter(), datetime.now(UTC)
    with open_store(f"sqlite:///{database}", clock=clock) as store:
        mirror = Mirror(
            store=store,
            registry=cast("Registry", missing),
            bulk=cast("ArchiveFile", missing),
            clock=clock,
            folder=database.parent,
        )
        result = mirror.run(archive=archive)
    seconds = time.perf_counter() - began
    with sqlite3.connect(database) as look:
        (packed,) = look.execute("SELECT SUM(LENGTH(data)) FROM bodies").fetchone()
        (snapshots,) = look.execute("SELECT COUNT(*) FROM snapshots").fetchone()
        written = "SELECT COUNT(*) FROM snapshots WHERE fetched >= ?"
        (fresh,) = look.execute(written, (started.strftime("%Y-%m-%dT%H:%M:%S"),)).fetchone()
    tally = result.tally
    found = {
        "seconds": seconds, "new": tally.new, "same": tally.same, "snapshots": snapshots,
        "packed": packed, "written": fresh, "peak_mb": peak.mb,
    }  # fmt: skip
    sys.stdout.write(orjson.dumps(found).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
