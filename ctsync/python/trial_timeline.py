"""A timeline as the Python API returns it, with its values as rows. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Self

from ctsync.dates import PartialDate
from ctsync.model import NctId
from ctsync.python.rows import Rows
from ctsync.questions.trial.timeline import TrialTimelineRow

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame
    from polars import DataFrame as PolarsFrame


@dataclass(frozen=True, slots=True)
class TimelineValueRow:
    """A value that something had in a trial, and how long."""

    nct_id: NctId
    """The NCT id of the trial."""
    what: str
    """`status`, the name of a date such as `Primary completion`, `enrollment` or `query`."""
    since: date
    """The first day of the value."""
    until: date | None
    """The first day of the next value; None if it is still current, and for a query."""
    text: str
    """The value as text; of a query, `entered` or `left` and the watch."""
    date_value: PartialDate | None
    """The value, if it is a date."""
    count: int | None
    """The value, if it is an enrollment."""
    type: str | None
    """ESTIMATED or ACTUAL, of a date or an enrollment."""
    days: int | None
    """Days that a date moved from the value before; positive if it is now later."""


@dataclass(frozen=True, slots=True)
class TrialTimeline(TrialTimelineRow):
    """The timeline of a trial: its fields, and its values as rows and data frames."""

    @classmethod
    def of(cls, row: TrialTimelineRow) -> Self:
        """Return the timeline of a row."""
        return cls(**{one.name: getattr(row, one.name) for one in fields(row)})

    def values(self) -> Rows[TimelineValueRow]:
        """Return one row per value of the status, each date and the enrollment, oldest first.

        >>> [row.text for row in db.timeline("NCT03693833").values() if row.what == "status"]
        ['RECRUITING', 'SUSPENDED', 'RECRUITING']
        """
        parts = (self._statuses(), self._dates(), self._enrollments(), self._queries())
        return Rows(TimelineValueRow, [row for part in parts for row in part])

    def df(self) -> DataFrame:
        """Return `values()` as a pandas DataFrame; raises UsageError like `Rows.df`."""
        return self.values().df()

    def pl(self) -> PolarsFrame:
        """Return `values()` as a polars DataFrame; raises UsageError like `Rows.pl`."""
        return self.values().pl()

    def arrow(self) -> pa.Table:
        """Return `values()` as a pyarrow Table; raises UsageError like `Rows.arrow`."""
        return self.values().arrow()

    def _repr_html_(self) -> str:
        return self.values()._repr_html_()

    def _row(
        self,
        what: str,
        since: date,
        until: date | None,
        text: str,
        *,
        value: PartialDate | None = None,
        count: int | None = None,
        kind: str | None = None,
        days: int | None = None,
    ) -> TimelineValueRow:
        return TimelineValueRow(self.nct_id, what, since, until, text, value, count, kind, days)

    def _statuses(self) -> Iterator[TimelineValueRow]:
        for spell in self.spells:
            yield self._row("status", spell.since, spell.until, spell.status)

    def _dates(self) -> Iterator[TimelineValueRow]:
        for track in self.dates:
            following = [*(one.since for one in track.steps[1:]), None]
            for step, until in zip(track.steps, following, strict=True):
                yield self._row(
                    track.date,
                    step.since,
                    until,
                    step.value.text,
                    value=step.value,
                    kind=step.type,
                    days=step.days,
                )

    def _enrollments(self) -> Iterator[TimelineValueRow]:
        following = [*(one.since for one in self.enrollment[1:]), None]
        for step, until in zip(self.enrollment, following if self.enrollment else (), strict=True):
            yield self._row(
                "enrollment", step.since, until, str(step.count), count=step.count, kind=step.type
            )

    def _queries(self) -> Iterator[TimelineValueRow]:
        for step in self.queries:
            did = "entered" if step.entered else "left"
            yield self._row("query", step.day, None, f"{did} {step.watch}")
