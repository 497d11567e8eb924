"""Values that the rules of the flags read from a record. Pure, does no I/O.

A value of the wrong type counts as absent, so that no record makes a rule fail. Dates without a
day are counted as the published rules count them: the last day for start and completion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from ctsync.dates import PartialDate

_FEBRUARY = 2
_LEAP_DAY = 29


class StudyValues:
    """A study in the form of the API, version 2, read without errors."""

    def __init__(self, body: object) -> None:
        self._body = body
        self._protocol = body.get("protocolSection") if isinstance(body, dict) else None

    def value(self, *keys: str) -> Any:
        """Return the value at the end of these keys, or None."""
        return _below(self._body, keys)

    def protocol(self, *keys: str) -> Any:
        """Return the value below protocolSection, or None."""
        return _below(self._protocol, keys)

    def text(self, *keys: str) -> str | None:
        """Return a text below protocolSection; None if it is absent, empty or not a text."""
        found = self.protocol(*keys)
        return found if isinstance(found, str) and found else None

    def items(self, *keys: str) -> list[dict[str, Any]]:
        """Return the objects of a list below protocolSection."""
        return _objects(self.protocol(*keys))

    def date(self, name: str) -> PartialDate | None:
        """Return a date of the status module, written as a text or in a struct."""
        found = self.protocol("statusModule", name)
        return PartialDate.parse(found.get("date") if isinstance(found, dict) else found)

    @cached_property
    def status(self) -> str | None:
        """The overall status."""
        return self.text("statusModule", "overallStatus")

    @cached_property
    def start(self) -> PartialDate | None:
        """The start date."""
        return self.date("startDateStruct")

    @cached_property
    def primary_completion(self) -> PartialDate | None:
        """The primary completion date."""
        return self.date("primaryCompletionDateStruct")

    @cached_property
    def completion(self) -> PartialDate | None:
        """The completion date."""
        return self.date("completionDateStruct")

    @cached_property
    def registered(self) -> PartialDate | None:
        """The day on which the trial was first submitted."""
        return self.date("studyFirstSubmitDate")

    @cached_property
    def has_results(self) -> bool:
        """Whether results are posted."""
        return self.value("hasResults") is True

    @property
    def tracked(self) -> list[dict[str, Any]]:
        """The submissions of results and their reviews, oldest first."""
        return _objects(
            self.value("derivedSection", "miscInfoModule", "submissionTracking", "submissionInfos")
        )

    @cached_property
    def submissions(self) -> Submissions:
        """What the record says of results that were submitted."""
        submitted, tracked = self.date("resultsFirstSubmitDate"), self.tracked
        released = [PartialDate.parse(one.get("releaseDate")) for one in tracked]
        days = [one.first for one in released if one is not None]
        return Submissions(
            first=days[0] if days else (submitted.first if submitted else None),
            is_submitted=self.text("statusModule", "resultsFirstSubmitDate") is not None,
            is_pending=bool(tracked) and not tracked[-1].get("unreleaseDate"),
        )


@dataclass(frozen=True, slots=True)
class Submissions:
    """Submitted results: the first day, whether a date stands in the record, and a review."""

    first: date | None
    is_submitted: bool
    is_pending: bool


def years_after(day: date, years: int) -> date:
    """Return the same day of a later year, 28 February for 29; the last date if none is left."""
    year = day.year + years
    if year > date.max.year:
        return date.max
    if (day.month, day.day) == (_FEBRUARY, _LEAP_DAY):
        return day.replace(year=year, day=_LEAP_DAY - 1)
    return day.replace(year=year)


def days_after(day: date, days: int) -> date:
    """Return the day that many days later; the last date if none is left."""
    return date.max if (date.max - day).days < days else day + timedelta(days=days)


def months_after(day: date, months: int) -> date:
    """Return the first day of the month that many months later; the last date if none is left."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date.max if year > date.max.year else date(year, month + 1, 1)


def date_words(found: PartialDate) -> str:
    """Write a date, with the day that a date without a day counts as."""
    last = f"{found.last}"
    return found.text if found.text == last else f"{found.text} (counted as {last})"


def _below(found: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _objects(found: object) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
