"""The entry of a run in the run log, with its counts and verdict."""

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
    """The counts of a run, updated while it runs."""

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
        """Add what an earlier pass of the same run stored."""
        self.changed += earlier.changed
        self.new += earlier.new
        self.gone += earlier.gone


@dataclass(slots=True)
class RunLogEntry:
    """A run in progress: its row in the run log, and the values written there at its end."""

    run_id: int
    tally: RunCounts
    verdict: Verdict = Verdict.OK
    load_after: RegistryVersion | None = None
    reason: str | None = None


@contextmanager
def recorded_run(store: Store, kind: str, clock: Clock) -> Iterator[RunLogEntry]:
    """Open a run in the run log and close it with its counts, even if it fails.

    The row is committed before the first request, so that a killed run leaves a trace. An exception
    closes the run as failed; Stopped and interrupts close it as stopped. All are raised again.
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
    with store.unit(
        fenced=False
    ) as unit:  # record the end even if another writer holds the lock by now
        unit.runs.finish(
            entry.run_id,
            finished=clock.now(),
            verdict=entry.verdict,
            load_after=after.data_timestamp if after else None,
            error=error,
            **asdict(entry.tally),
        )
