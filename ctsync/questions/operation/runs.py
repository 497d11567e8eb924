"""The recorded runs. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ctsync.dates import LOAD_TOLERANCE, is_ahead
from ctsync.errors import UsageError
from ctsync.model import NctId, Verdict
from ctsync.record.registry.notices import Notice, NoticeKind, read_notices
from ctsync.store.data.runs import Run
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A sentence about a data refresh."""

    kind: NoticeKind
    """What the notice is about."""
    summary: str
    """The sentence."""
    parts: tuple[str, ...]
    """The parts or paths of the record that it is about."""


@dataclass(frozen=True, slots=True)
class RunNoticeRow(NoticeRow):
    """A notice with the changes that it replaces."""

    command: str
    """The ctsync command that lists these changes; empty if there are none."""
    runs: tuple[int, ...]
    """The runs that found the changes."""
    trials: tuple[NctId, ...]
    """The trials that changed."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run: its times, the registry data it saw, its counts and its verdict."""

    id: int
    """The number of the run."""
    kind: str
    """What the run did: `sync`, `mirror`, `backfill` and others."""
    started: datetime
    """The time at which the run started."""
    finished: datetime | None
    """The time at which the run ended; null if it is running or was interrupted."""
    data_timestamp_before: datetime | None
    """The data refresh that the registry showed at the start."""
    data_timestamp_after: datetime | None
    """The data refresh that the registry showed at the end."""
    api_version: str | None
    """The version of the registry's API."""
    requests: int
    """Number of requests to the registry."""
    retries: int
    """Number of these requests that were retries."""
    asked: int
    """Number of trials to check."""
    answered: int
    """Number of trials that the registry answered for."""
    same: int
    """Number of trials without a change."""
    changed: int
    """Number of trials with a new version."""
    new: int
    """Number of trials seen for the first time."""
    gone: int
    """Number of trials that the registry no longer has."""
    failed: int
    """Number of trials that could not be checked."""
    delivered: int
    """Number of messages sent after the run."""
    verdict: Verdict
    """How the run ended."""
    error: str | None
    """Why the run failed or is incomplete; null if there is nothing to say."""
    notices: tuple[RunNoticeRow, ...]
    """Sentences about the data refresh, each in place of many changes."""
    in_future: tuple[str, ...]
    """The names of the times above that lie in the future, from a wrong clock or registry."""


def notice_row(notice: Notice) -> NoticeRow:
    """Return the row of a notice, without the changes that it replaces."""
    return NoticeRow(notice.kind, notice.summary, parts=notice.parts)


def run_row(run: Run, now: datetime) -> RunRow:
    """The row of a run."""
    ours = {"started": run.started, "finished": run.finished}
    loads = {"data_timestamp_before": run.load_before, "data_timestamp_after": run.load_after}
    return RunRow(
        id=run.id,
        kind=run.kind,
        started=run.started,
        finished=run.finished,
        data_timestamp_before=run.load_before,
        data_timestamp_after=run.load_after,
        api_version=run.api_version,
        requests=run.requests,
        retries=run.retries,
        asked=run.asked,
        answered=run.answered,
        same=run.same,
        changed=run.changed,
        new=run.new,
        gone=run.gone,
        failed=run.failed,
        delivered=run.delivered,
        verdict=run.verdict,
        error=run.error,
        notices=tuple(_run_notice(notice) for notice in read_notices(run.notices)),
        in_future=(
            *(name for name, moment in ours.items() if moment and is_ahead(moment, now)),
            *(name for name, load in loads.items() if load and load > now + LOAD_TOLERANCE),
        ),
    )


def _run_notice(notice: Notice) -> RunNoticeRow:
    return RunNoticeRow(
        notice.kind,
        notice.summary,
        parts=notice.parts,
        command=notice.command,
        runs=tuple(sorted(notice.runs)),
        trials=tuple(sorted(notice.trials)),
    )


@dataclass(frozen=True, slots=True)
class Runs:
    """The newest runs, newest first; `total` counts all that are recorded."""

    runs: tuple[Run, ...]
    total: int


def latest_runs(store: Store, *, limit: int | None, before: int | None = None) -> Runs:
    """List the newest runs; all of them if `limit` is None. `before` leaves out that run and all
    later ones.
    """
    return Runs(tuple(store.runs.latest(limit, before=before)), store.runs.count())


def one_run(store: Store, run_id: int) -> Run:
    """One run by its number; raises UsageError if there is none."""
    run = store.runs.get(run_id)
    if run is None:
        raise UsageError(f"there is no run {run_id}; ctsync runs lists them")
    return run


SCHEMAS = {"run": RunRow}
