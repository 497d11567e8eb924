"""The points in time at which the flags of a followed trial are compared. Does no I/O.

Events of flags are a function of the stored versions and the recorded loads:

- A point is a version that a load showed, or a load in which a complete sync checked the followed
  trials. The load of a stored flag event is a point too, because an export has no run log.
- The first point since the trial has been followed is the baseline. At each later point, the flags
  are those of the newest version that a load had shown by then, on the day of the load. Flags that
  differ from those of the point before are events of that version.
- While a trial is gone or merged, it has no points.
- The start that was registered first is taken from the first version that a load showed, so that
  a later backfill changes no event.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from ctsync.model import Event, JsonObject, Source, State, StoredEvent, Version
from ctsync.record.events.flag_event import flag_events
from ctsync.record.flags.change_days import next_flag_day
from ctsync.record.flags.flag_changes import RecordOnDay, flag_changes
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.runs import CheckedLoad

ReadBody = Callable[[Version], JsonObject]


@dataclass(frozen=True, slots=True)
class FlagPoint:
    """The version of a trial that was the newest in a load, and the run that saw it."""

    version: Version
    load: datetime
    run_id: int | None
    fetched: datetime

    @property
    def day(self) -> date:
        """The day for which the flags count."""
        return self.load.date()


@dataclass(frozen=True, slots=True)
class PlacedFlagEvent:
    """An event of a flag, with the point that it belongs to."""

    point: FlagPoint
    event: Event


def checked_load_of(stored: StoredEvent) -> CheckedLoad:
    """Return the load of a stored flag event."""
    return CheckedLoad(stored.observed or stored.fetched, stored.run_id, stored.fetched)


def flag_points(
    versions: Iterable[Version],
    *,
    since: datetime,
    loads: Iterable[CheckedLoad],
    mirrors: Container[int | None],
) -> list[FlagPoint]:
    """Return the points of a trial that has been followed since then, oldest first.

    `versions` are all its versions, oldest first. `mirrors` are the runs of the mirror; a version
    that such a run stored at the very time of `since` was stored before.
    """

    def is_followed(version: Version) -> bool:
        return version.fetched > since or (
            version.fetched == since and version.run_id not in mirrors
        )

    seen = [(one.observed, one.run_id or 0, 0, one) for one in versions if is_seen_live(one)]
    checked = [(one.load, one.run_id or 0, 1, one) for one in loads if one.started >= since]
    return list(_points(sorted([*seen, *checked], key=lambda row: row[:3]), is_followed))


def is_seen_live(version: Version) -> bool:
    """Whether a load showed the version."""
    return version.source is not Source.HISTORY and version.observed is not None


def _points(
    rows: Iterable[tuple[object, int, int, Version | CheckedLoad]],
    is_followed: Callable[[Version], bool],
) -> Iterator[FlagPoint]:
    head: Version | None = None
    for _, _, _, row in rows:
        if isinstance(row, CheckedLoad):
            if head is not None and head.state is State.PRESENT:
                yield FlagPoint(head, row.load, row.run_id, row.started)
            continue
        head = row
        if row.state is State.PRESENT and row.observed is not None and is_followed(row):
            yield FlagPoint(row, row.observed, row.run_id, row.fetched)


def first_start(versions: Iterable[Version]) -> str | None:
    """Return the start date in the first version that a load showed."""
    shown = (one for one in versions if is_seen_live(one) and one.digest is not None)
    return next((one.key.start_date for one in shown), None)


def flag_events_at(
    points: Sequence[FlagPoint],
    read: ReadBody,
    *,
    first_start: str | None,
    thresholds: Thresholds,
) -> Iterator[PlacedFlagEvent]:
    """Yield the events of all points but the first, which is the baseline.

    `read` returns the body of a version; it is not called for a version whose flags cannot differ.
    Raises what `read` raises.
    """
    for older, newer in pairwise(points):
        is_edited = older.version.snapshot_id != newer.version.snapshot_id
        if not is_edited:
            day = next_flag_day(newer.version.key, after=older.day)
            if day is None or day > newer.day:
                continue
        was, now = (
            RecordOnDay(read(point.version), point.day, first_start) for point in (older, newer)
        )
        changes = list(flag_changes(was, now))
        for event in flag_events(changes, newer.day, thresholds=thresholds):
            yield PlacedFlagEvent(newer, event)
