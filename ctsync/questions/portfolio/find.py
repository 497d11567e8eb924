"""Which trials meet conditions, in which versions, since when and for how long; writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Any

from ctsync.model import JsonObject, NctId
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.rules.conditions import FieldCondition
from ctsync.store.data.condition_sql import Candidate
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class FoundTrial:
    """A run of neighbouring versions of a trial that meet every condition.

    It lasts from the day the first of them stood until the next version's, or where it
    `is_open` until the day of the question. `values` are those of the last of them.
    """

    nct_id: NctId
    title: str | None
    from_version: int
    to_version: int
    since: date
    until: date
    is_open: bool
    values: Mapping[str, Any]

    @property
    def days(self) -> int:
        """How long it lasted."""
        return (self.until - self.since).days


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

    With `ever` any version will do, and each run of such versions is given. With `as_of` it is
    asked as on that day: versions that stood only later are left out.
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
            last = versions[index - 1]
            yield FoundTrial(
                nct_id=last.nct_id,
                title=last.title,
                from_version=first + 1,
                to_version=index,
                since=days[first],
                until=max(day, days[first]) if is_open else days[index],
                is_open=is_open,
                values=last.values,
            )
            first = None


def found_json(found: FoundTrial) -> JsonObject:
    """One run for a program; `until` is null where it still lasts."""
    return {
        "nct_id": found.nct_id,
        "title": found.title,
        "from_version": found.from_version,
        "to_version": found.to_version,
        "since": found.since.isoformat(),
        "until": None if found.is_open else found.until.isoformat(),
        "days": found.days,
        "values": dict(found.values),
    }
