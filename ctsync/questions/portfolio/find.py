"""Search for trials that meet conditions, with the versions and days. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson

from ctsync.errors import CorruptBody, UsageError
from ctsync.model import JsonObject, NctId
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.rules.conditions import FieldCondition
from ctsync.record.rules.record_search import RecordCondition, record_items
from ctsync.record.value_text import counted
from ctsync.store.data.condition_sql import Candidate, NewestVersion
from ctsync.store.store import Store

log = logging.getLogger(__name__)

MOST_CONDITIONS = 50
"""The most conditions of one search: SQLite limits the depth of an expression."""


@dataclass(frozen=True, slots=True)
class FoundTrial:
    """A trial that meets the conditions, in one version or several in a row."""

    nct_id: NctId
    """The NCT id of the trial."""
    title: str | None
    """Its brief title."""
    from_version: int
    """The first version in a row that meets the conditions."""
    to_version: int
    """The last version in a row that meets them."""
    since: date
    """The first day on which the trial met the conditions."""
    until: date | None
    """The day on which it no longer met them; null if it still does."""
    days: int
    """Number of days that it met them, up to the day of the question if it still does."""
    values: Mapping[str, Any]
    """The values of the fields in the conditions, in the last of these versions.

    Of a list, such as the conditions of a trial, the items that match. Eligibility criteria are
    left out.
    """
    first_match: int | None
    """The first version of the trial that met the conditions; null unless all were searched."""

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
    among: Collection[NctId] | None = None,
) -> Iterator[FoundTrial]:
    """Find the trials whose newest version meets all conditions, in order of their ids.

    With `ever`, any version counts, and each run of matching versions is a result. With `as_of`,
    the search uses the versions of that day: later versions are left out. Without a text index,
    conditions on record fields are compared with the records themselves: see `scan_note`. The
    trials are all, those of a watch, or only those of `among`.

    Raises UsageError for more than MOST_CONDITIONS conditions.
    """
    require_few(conditions)
    newest = not ever and as_of is None
    by_index = _asks_records(conditions) and store.texts.is_in_use()
    candidates = store.search.candidates(conditions, newest=newest, watch=watch, by_index=by_index)
    records = _Records(store, () if by_index else conditions)
    for nct_id, versions in groupby(candidates, key=attrgetter("nct_id")):
        if among is None or nct_id in among:
            yield from _results(
                list(versions), as_of or today, records, is_past=as_of is not None, ever=ever
            )


def ids_that_meet(
    store: Store, conditions: Sequence[FieldCondition], *, among: Collection[NctId]
) -> frozenset[NctId]:
    """Return the trials of `among` whose newest version meets all conditions.

    These are the trials that `find` finds, but only their newest versions are read. Raises
    UsageError for more than MOST_CONDITIONS conditions.
    """
    require_few(conditions)
    by_index = _asks_records(conditions) and store.texts.is_in_use()
    records = _Records(store, () if by_index else conditions)
    return frozenset(
        one.nct_id
        for one in store.search.newest(conditions, by_index=by_index)
        if one.nct_id in among and records.meet(one)
    )


def require_few(conditions: Sequence[object]) -> None:
    """Raise UsageError for more conditions than a search takes."""
    if len(conditions) > MOST_CONDITIONS:
        raise UsageError(f"{len(conditions)} conditions; a search takes {MOST_CONDITIONS}")


def scan_note(store: Store, conditions: Sequence[FieldCondition]) -> str | None:
    """Return a sentence for the user if a search has to read the records, else None."""
    if not _asks_records(conditions) or store.texts.is_in_use():
        return None
    return "no text index: the search reads the records themselves; build it: ctsync db index-text"


def unfetched_note_of_search(
    store: Store, *, ever: bool, as_of: date | None, watch: str | None = None
) -> str | None:
    """Return a sentence for the user if versions in the past are not fetched, else None.

    A search of the newest versions only needs none.
    """
    versions, trials = (
        store.listed.count_unfetched(watch=watch) if ever or as_of is not None else (0, 0)
    )
    if not versions:
        return None
    verb = "is" if versions == 1 else "are"
    return (
        f"{counted(versions, 'version')} of {counted(trials, 'trial')} {verb} listed by the "
        "registry and not fetched: the search does not see what they changed; to fetch: ctsync "
        "backfill"
    )


def _asks_records(conditions: Sequence[FieldCondition]) -> bool:
    return any(one.term.is_of_record for one in conditions)


class _Records:
    """Compares conditions with the records of versions. Each record is read once in a row."""

    def __init__(self, store: Store, conditions: Sequence[FieldCondition]) -> None:
        self._store = store
        self._conditions = [RecordCondition.of(one) for one in conditions if one.term.is_of_record]
        self._last: tuple[str, JsonObject | None] | None = None

    def meet(self, version: Candidate | NewestVersion) -> bool:
        """Whether the record of a version meets the conditions on record fields."""
        if not self._conditions:
            return True
        body = self._body(version)
        if body is None:
            return all(one.condition.denies for one in self._conditions)
        return all(one.holds(record_items(body, one.condition.term)) for one in self._conditions)

    def values(self, version: Candidate) -> dict[str, list[str]]:
        """Return the texts of a version that match, by field."""
        body = self._body(version) if self._conditions else None
        found: dict[str, set[str]] = {}
        for one in self._conditions:
            term = one.condition.term
            if body is not None and not term.is_long:
                texts = found.setdefault(term.name, set())
                if not one.condition.denies:
                    texts.update(one.matching(record_items(body, term)))
        return {name: sorted(texts) for name, texts in found.items()}

    def _body(self, version: Candidate | NewestVersion) -> JsonObject | None:
        if version.digest is None:
            return None
        if self._last is None or self._last[0] != version.digest:
            self._last = version.digest, self._read(version, version.digest)
        return self._last[1]

    def _read(self, version: Candidate | NewestVersion, digest: str) -> JsonObject | None:
        try:
            body: JsonObject = orjson.loads(self._store.bodies.read(digest))
        except CorruptBody:
            # one damaged record must not hide the other trials
            log.warning(
                "%s: a damaged record was left out of the search; see: ctsync check",
                version.nct_id,
            )
            return None
        return body


def _results(
    versions: Sequence[Candidate], day: date, records: _Records, *, is_past: bool, ever: bool
) -> Iterator[FoundTrial]:
    days = stands_from(versions)
    known = sum(since <= day for since in days) if is_past else len(days)

    def meets(index: int) -> bool:
        return versions[index].matches and records.meet(versions[index])

    spans = list(_spans(known, meets)) if ever else _last_span(known, meets)
    for first, end in spans:
        last, since, is_open = versions[end - 1], days[first], end == known
        until = max(day, since) if is_open else days[end]
        yield FoundTrial(
            nct_id=last.nct_id,
            title=last.title,
            from_version=first + 1,
            to_version=end,
            since=since,
            until=None if is_open else until,
            days=(until - since).days,
            values={**last.values, **records.values(last)},
            first_match=spans[0][0] + 1 if ever else None,
        )


def _spans(known: int, meets: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """Yield each run of versions that match: the first, and the one after the last."""
    first: int | None = None
    for index in range(known + 1):
        matches = index < known and meets(index)
        if matches and first is None:
            first = index
        elif not matches and first is not None:
            yield first, index
            first = None


def _last_span(known: int, meets: Callable[[int], bool]) -> list[tuple[int, int]]:
    """Return the run of versions that match up to the last known one, if that one does."""
    first = known
    while first and meets(first - 1):
        first -= 1
    return [(first, known)] if first < known else []


SCHEMAS = {"found_trial": FoundTrial}
