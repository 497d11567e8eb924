"""Search for trials that meet conditions, with the versions and days. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Any

from ctsync.model import NctId
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.rules.conditions import FieldCondition
from ctsync.store.data.condition_sql import Candidate
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class FoundTrial:
    """A trial that meets the conditions, in one version or several in a row."""

    nct_id: NctId
    """The NCT id of the trial."""
    title: str | None
    """Its brief title."""
    from_version: int
    """The first version that meets the conditions."""
    to_version: int
    """The last version in a row that meets them."""
    since: date
    """The first day on which the trial met the conditions."""
    until: date | None
    """The day on which it no longer met them; null if it still does."""
    days: int
    """Number of days that it met them, up to the day of the question if it still does."""
    values: Mapping[str, Any]
    """The values of the fields in the conditions, in the last of these versions."""

    @property
    def is_open(self) -> bool:
        """Whether the trial still meets the conditions."""
        return self.until is None


def find(
    store: Store,
    conditions: Sequence[FieldCondition],
    *,
    today: date,
    ever: bool = False,
    as_of: date | None = None,
    watch: str | None = None,
) -> Iterator[FoundTrial]:
    """Find the trials whose newest version meets all conditions, in order of their ids.

    With `ever`, any version counts, and each run of matching versions is a result. With `as_of`,
    the search uses the versions of that day: later versions are left out.
    """
    newest = not ever and as_of is None
    candidates = store.search.candidates(conditions, newest=newest, watch=watch)
    for _, versions in groupby(candidates, key=attrgetter("nct_id")):
        runs = list(_runs(list(versions), as_of or today, is_past=as_of is not None))
        yield from runs if ever else (run for run in runs[-1:] if run.is_open)


def _runs(versions: Sequence[Candidate], day: date, *, is_past: bool) -> Iterator[FoundTrial]:
    days = stands_from(versions)
    known = sum(since <= day for since in days) if is_past else len(days)
    first: int | None = None
    for index in range(known + 1):
        matches = index < known and versions[index].matches
        if matches and first is None:
            first = index
        elif not matches and first is not None:
            is_open = index == known
            last, since = versions[index - 1], days[first]
            end = max(day, since) if is_open else days[index]
            yield FoundTrial(
                nct_id=last.nct_id,
                title=last.title,
                from_version=first + 1,
                to_version=index,
                since=since,
                until=None if is_open else end,
                days=(end - since).days,
                values=last.values,
            )
            first = None


SCHEMAS = {"found_trial": FoundTrial}
