"""The record every run leaves, whatever becomes of it; decides nothing about trials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from ctsync.dates import Clock
from ctsync.errors import Stopped
from ctsync.model import RegistryVersion, Verdict
from ctsync.store.store import Store


@dataclass(slots=True)
class RunCounts:
    """What a run counts as it goes; the only value here that changes."""

    requests: int = 0
    retries: int = 0
    asked: int = 0
    answered: int = 0
    same: int = 0
    changed: int = 0
    new: int = 0
    gone: int = 0
    failed: int = 0

    def add_kept(self, earlier: RunCounts) -> None:
        """Count in what an earlier pass of the same run has kept."""
        self.changed += earlier.changed
        self.new += earlier.new
        self.gone += earlier.gone


@dataclass(slots=True)
class RunLogEntry:
    """A run under way: its row in the ledger, and what will be written into it at the end."""

    run_id: int
    tally: RunCounts
    verdict: Verdict = Verdict.OK
    load_after: RegistryVersion | None = None
    reason: str | None = None


@contextmanager
def recorded_run(store: Store, kind: str, clock: Clock) -> Iterator[RunLogEntry]:
    """Open a run in the ledger and close it with its counts, also when it fails.

    The row is committed before anything is asked, so that a run that dies leaves a trace. An
    exception closes it as failed, one that stops the program as stopped, and goes on its way.
    """
    with store.unit() as unit:
        run_id = unit.runs.begin(kind, clock.now())
    entry = RunLogEntry(run_id, RunCounts())
    try:
        yield entry
    except Exception as failure:
        stopped = isinstance(failure, Stopped)
        entry.verdict = Verdict.STOPPED if stopped else Verdict.FAILED
        _close(store, entry, clock, error=f"{type(failure).__name__}: {failure}")
        raise
    except BaseException:
        entry.verdict = Verdict.STOPPED
        _close(store, entry, clock, error="interrupted")
        raise
    else:
        _close(store, entry, clock, error=entry.reason)


def _close(store: Store, entry: RunLogEntry, clock: Clock, *, error: str | None) -> None:
    after = entry.load_after
    with store.unit(fenced=False) as unit:  # how this run ended, whoever writes by now
        unit.runs.finish(
            entry.run_id,
            finished=clock.now(),
            verdict=entry.verdict,
            load_after=after.data_timestamp if after else None,
            error=error,
            **asdict(entry.tally),
        )
