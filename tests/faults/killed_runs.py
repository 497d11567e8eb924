"""Runs of ctsync in forked processes that a test kills, or whose end it awaits."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from ctsync.dates import SystemClock
from ctsync.registry.api import RegistryApi
from ctsync.registry.archive_download import ArchiveDownload
from ctsync.registry.http.transport import Transport
from ctsync.store.store import open_store
from ctsync.sync.mirror import archive_load, scan
from ctsync.sync.mirror.mirror import Mirror
from tests.forked import start_forked

LONGEST_SECONDS = 120


@dataclass(frozen=True, slots=True)
class KilledRun:
    """A process, and the folder with the file of its output."""

    process: ForkServerProcess
    folder: Path

    @property
    def output(self) -> str:
        """What it has written to stdout and stderr."""
        file = self.folder / f"output-{self.process.pid}"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def finish(self) -> str:
        """Wait for its end without an error. Return its output."""
        self.process.join(LONGEST_SECONDS)
        assert self.process.exitcode == 0, self.output
        return self.output

    def kill_when(self, is_time: Callable[[], bool], *, later: float) -> bool:
        """Kill it when it is time. Return whether it was still alive."""
        while self.process.is_alive():
            if is_time():
                time.sleep(later)
                self.process.kill()
                self.process.join()
                return True
            time.sleep(0.0005)
        return False


def start_mirror(folder: Path, registry_url: str, page: int, *words: str) -> KilledRun:
    """Start a mirror into the database of a folder, in pages of `page` trials."""
    return KilledRun(start_forked(_mirror, folder, registry_url, page, words), folder)


def _mirror(folder: Path, registry_url: str, page: int, words: tuple[str, ...]) -> None:
    output = os.open(folder / f"output-{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    scan.SLIM_PAGE = scan.FULL_PAGE = page  # in this process only
    archive_load.JOB_MEMBERS = archive_load.STEP_MEMBERS = page
    clock = SystemClock()
    transport = Transport(registry_url, clock=clock, requests_per_second=1000)
    with open_store(f"sqlite:///{folder / 'ctsync.db'}", clock=clock) as store:
        result = Mirror(
            store=store,
            registry=RegistryApi(transport, clock=clock),
            bulk=ArchiveDownload(transport),
            clock=clock,
            folder=folder,
            processes=0,
        ).run(sweep="sweep" in words)
    print(result.verdict, *result.steps)
    sys.stdout.flush()
