"""When an outcome was changed: before the start, while recruiting, after completion or results.

The first recorded dates count, because a later version may have moved them. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.dates import PartialDate
from ctsync.record.events.base import VersionStep
from ctsync.record.fields.lookup import value_at
from ctsync.record.value_text import duration

_NOT_STARTED = frozenset({"NOT_YET_RECRUITING", "WITHHELD", None})
_RECRUITING = frozenset({"RECRUITING", "ENROLLING_BY_INVITATION"})
_RESULTS_SUBMITTED = "protocolSection.statusModule.resultsFirstSubmitDate"
_NEAR_RESULTS_DAYS = 31


@dataclass(frozen=True, slots=True)
class OutcomePlacement:
    """The time of a change in the course of a trial; days are None if a date is unknown.

    `stage` is "before the start", "while recruiting", "after recruitment", "after completion" or
    "after the results". `near_results` says whether the results were submitted or posted at most
    31 days before or after.
    """

    started: bool
    days_after_start: int | None
    days_after_primary_completion: int | None
    days_after_results: int | None
    stage: str
    near_results: bool

    @property
    def inputs(self) -> dict[str, Any]:
        """The placement as inputs of an event."""
        return {
            "started": self.started,
            "days_after_start": self.days_after_start,
            "days_after_primary_completion": self.days_after_primary_completion,
            "days_after_results": self.days_after_results,
            "stage": self.stage,
            "near_results": self.near_results,
        }

    @property
    def words(self) -> str:
        """The placement in words: "7 months (227 days) after the start"; empty if unknown."""
        end, start = self.days_after_primary_completion, self.days_after_start
        if end is not None and end > 0:
            when = f"{duration(end)} after primary completion"
        elif start is not None:
            when = f"{duration(start)} after the start" if start >= 0 else "before the start"
        else:
            return ""
        posted = self.days_after_results
        if self.near_results:
            return f"{when} and within {_NEAR_RESULTS_DAYS} days of the results"
        is_after_results = posted is not None and posted > 0
        return f"{when} and {duration(posted or 0)} after the results" if is_after_results else when


def placement_of(step: VersionStep) -> OutcomePlacement:
    """Return when the newer version of a step was posted in the course of its trial."""
    keys = (*step.past, step.new)
    start = _first_date(key.start_date for key in keys)
    end = _first_date(key.primary_completion_date for key in keys)
    posted = PartialDate.parse(step.new.results_first_posted)
    after_start = _days(start.first if start else None, step.day)
    after_end = _days(end.last if end else None, step.day)
    after_results = _days(posted.last if posted else None, step.day)
    started = after_start >= 0 if after_start is not None else step.old.status not in _NOT_STARTED
    return OutcomePlacement(
        started=started,
        days_after_start=after_start,
        days_after_primary_completion=after_end,
        days_after_results=after_results,
        stage=_stage(step, started=started, after_end=after_end, after_results=after_results),
        near_results=any(abs(days) <= _NEAR_RESULTS_DAYS for days in _from_results(step)),
    )


def _first_date(texts: Iterable[str | None]) -> PartialDate | None:
    return next((found for text in texts if (found := PartialDate.parse(text))), None)


def _days(since: date | None, day: date | None) -> int | None:
    return (day - since).days if day and since else None


def _from_results(step: VersionStep) -> Iterator[int]:
    """Yield the days since the results were submitted, and since they were posted."""
    submitted = value_at(step.after.body, _RESULTS_SUBMITTED)
    for text in (submitted, step.new.results_first_posted):
        read = PartialDate.parse(text) if isinstance(text, str) else None
        days = _days(read.last if read else None, step.day)
        if days is not None:
            yield days


def _stage(
    step: VersionStep, *, started: bool, after_end: int | None, after_results: int | None
) -> str:
    if after_results is not None and after_results > 0:
        return "after the results"
    if after_end is not None and after_end > 0:
        return "after completion"
    if not started:
        return "before the start"
    return "while recruiting" if step.old.status in _RECRUITING else "after recruitment"
