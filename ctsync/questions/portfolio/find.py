"""Search for trials that meet conditions, with the versions and days. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar

from ctsync.errors import UsageError
from ctsync.model import NctId
from ctsync.questions.portfolio.searched_records import SearchedRecords
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.rules.conditions import FieldCondition
from ctsync.record.value_text import counted
from ctsync.store.derived.searched_versions import Candidate, VersionOutline
from ctsync.store.derived.text_index import TextDetail
from ctsync.store.derived.trial_search import VersionSearch
from ctsync.store.store import Store

ItemT = TypeVar("ItemT")
_FIRST_CHUNK, _LARGEST_CHUNK = 25, 200

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


@dataclass(frozen=True, slots=True)
class FindQuestion:
    """Which trials to find, and in which versions.

    By default, the newest version of a trial must meet all `conditions`. With `ever`, any version
    counts, and each run of matching versions is a result. With `as_of`, the search uses the
    versions of that day: later versions are left out. The trials are all, those of a watch, or only
    those of `among`. `after` is a result by trial and first version: the answer continues after it.
    `newest_id` leaves out versions with a higher id, which were stored later.
    """

    conditions: Sequence[FieldCondition]
    ever: bool = False
    as_of: date | None = None
    watch: str | None = None
    among: Collection[NctId] | None = None
    after: tuple[NctId, int] | None = None
    newest_id: int | None = None

    @property
    def is_of_newest(self) -> bool:
        """Whether only the newest versions are searched."""
        return not self.ever and self.as_of is None


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
    """Find the trials that meet all conditions, in order of their ids: see `FindQuestion`.

    Raises UsageError for more than MOST_CONDITIONS conditions.
    """
    return find_trials(store, FindQuestion(conditions, ever, as_of, watch, among), today=today)


def find_trials(store: Store, question: FindQuestion, *, today: date) -> Iterator[FoundTrial]:
    """Answer a question. Nothing is read before it is asked for.

    Without a text index, conditions on record fields are compared with the records themselves: see
    `scan_note`. Raises UsageError for more than MOST_CONDITIONS conditions.
    """
    require_few(question.conditions)
    spans = _spans_found(store, question, _records(store, question), today)
    records = _records(store, question)
    for some in _in_chunks(spans):
        records.load([span.versions[span.end - 1] for span in some])
        for span in some:
            yield _found_trial(span, records)


def count_found(store: Store, question: FindQuestion, *, today: date) -> int:
    """Count all results of a question, whatever its `after`. Raises UsageError as `find` does."""
    require_few(question.conditions)
    asked = replace(question, after=None)
    search, records = _search(store, asked), _records(store, asked)
    if records.compares or asked.among is not None:
        return sum(1 for _ in _spans_found(store, asked, records, today))
    if asked.is_of_newest:
        return store.search.count_newest(asked.conditions, search)
    found = store.search.matches(
        asked.conditions, search, known=lambda versions: _known(_days(versions, asked), asked)
    )
    return sum(
        trials * len(_runs(len(matches), matches.__getitem__, ever=asked.ever))
        for matches, trials in found.items()
    )


def _days(versions: Sequence[VersionOutline], question: FindQuestion) -> Sequence[Any]:
    """Return the first day of each version if the question needs it; that takes long."""
    return versions if question.as_of is None else stands_from(versions)


def first_results(
    store: Store, question: FindQuestion, *, today: date, limit: int | None = None
) -> tuple[list[FoundTrial], int]:
    """Return the first `limit` results, by default all, and how many there are in all."""
    most = None if limit is None else limit + 1
    with store.one_view() as view:  # so that the records in the text index are found once
        found = list(islice(find_trials(view, question, today=today), most))
        if limit is None or len(found) <= limit:
            return found, len(found)
        return found[:limit], count_found(view, question, today=today)


def reads_records(store: Store, question: FindQuestion) -> bool:
    """Whether the search must read records to know the results: counting them takes long."""
    return _records(store, question).compares


def search_notes(store: Store, question: FindQuestion) -> list[str]:
    """Return sentences for the user about how the search is done, and what it does not see."""
    notes = (
        scan_note(store, question.conditions),
        unfetched_note_of_search(
            store, ever=question.ever, as_of=question.as_of, watch=question.watch
        ),
    )
    return [note for note in notes if note]


def trials_found(store: Store, question: FindQuestion) -> Iterator[NctId]:
    """Find the trials of the results, in order, each once. Reads no values to show."""
    require_few(question.conditions)
    records, among = _records(store, question), question.among
    if question.is_of_newest and not records.compares:  # no other version needs to be read
        for nct_id in store.search.newest(question.conditions, _search(store, question)):
            if among is None or nct_id in among:
                yield nct_id
        return
    no_day = date.max  # of the day, only the length of a result depends
    spans = _spans_found(store, question, records, no_day)
    for nct_id, _ in groupby(span.versions[0].nct_id for span in spans):
        yield nct_id


def _detail(store: Store, question: FindQuestion) -> TextDetail | None:
    asks = _asks_records(question.conditions) and store.texts.is_in_use()
    return store.texts.detail() if asks else None


def _records(store: Store, question: FindQuestion) -> SearchedRecords:
    return SearchedRecords.of(store, question.conditions, _detail(store, question))


def _search(store: Store, question: FindQuestion) -> VersionSearch:
    return VersionSearch(
        newest=question.is_of_newest,
        by_day=question.as_of,
        watch=question.watch,
        start=question.after[0] if question.after else None,
        newest_id=question.newest_id,
        detail=_detail(store, question),
    )


def require_few(conditions: Sequence[object]) -> None:
    """Raise UsageError for more conditions than a search takes."""
    if len(conditions) > MOST_CONDITIONS:
        raise UsageError(f"{len(conditions)} conditions; a search takes {MOST_CONDITIONS}")


def scan_note(store: Store, conditions: Sequence[FieldCondition]) -> str | None:
    """Return a sentence for the user if a search has to read the records, else None.

    Phrases in an index without the order of words need none: few records are read.
    """
    asked = {one.term.name: one.term for one in conditions if one.term.is_of_record}
    detail = store.texts.detail() if asked and store.texts.is_in_use() else None
    if asked and detail is None:
        return (
            "no text index: the search reads the records themselves; build it: ctsync db index-text"
        )
    lacking = [name for name, term in asked.items() if detail and not detail.has(term)]
    if not lacking:
        return None
    return (
        f"the text index does not have {' and '.join(lacking)}: the search reads the records "
        "themselves; build a larger index: ctsync db index-text --detail words"
    )


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


class _Span(NamedTuple):
    """Versions of a trial in a row that match: from `first`, before `end`."""

    versions: Sequence[Candidate]
    first: int
    end: int
    since: date
    until: date | None
    days: int
    first_match: int | None


def _spans_found(
    store: Store, question: FindQuestion, records: SearchedRecords, today: date
) -> Iterator[_Span]:
    after = question.after
    for trials in _in_chunks(_trials(store, question)):
        if records.compares:
            records.load(_to_compare(trials, question))
        for trial in trials:
            for span in _spans_of(trial, question, records, today):
                if after is None or (trial.versions[0].nct_id, span.first + 1) > after:
                    yield span


class _Trial(NamedTuple):
    """The versions of a trial, the first day of each, and how many of them count."""

    versions: Sequence[Candidate]
    days: Sequence[date]
    known: int


def _trials(store: Store, question: FindQuestion) -> Iterator[_Trial]:
    among = question.among

    def may_be_found(versions: Sequence[VersionOutline]) -> bool:
        known = _known(stands_from(versions), question)
        matches = [one.matches for one in versions[:known]]
        return any(matches) if question.ever else matches[-1:] == [True]

    # on a past day, most trials with a match may have had it at another time
    keep = None if question.as_of is None else may_be_found
    search = _search(store, question)
    for versions in store.search.candidates(question.conditions, search, keep=keep):
        if (among is None or versions[0].nct_id in among) and any(one.matches for one in versions):
            days = stands_from(versions)
            yield _Trial(versions, days, _known(days, question))


def _to_compare(trials: Sequence[_Trial], question: FindQuestion) -> list[Candidate]:
    """Return the versions whose records are surely read."""
    first = 0 if question.ever else -1
    return [
        version
        for trial in trials
        for version in trial.versions[: trial.known][first:]
        if version.matches
    ]


def _spans_of(
    trial: _Trial, question: FindQuestion, records: SearchedRecords, today: date
) -> Iterator[_Span]:
    versions, days, known = trial
    day = question.as_of or today

    def meets(index: int) -> bool:
        return versions[index].matches and records.meet(versions[index])

    runs = _runs(known, meets, ever=question.ever)
    for first, end in runs:
        since, is_open = days[first], end == known
        until = max(day, since) if is_open else days[end]
        yield _Span(
            versions=versions,
            first=first,
            end=end,
            since=since,
            until=None if is_open else until,
            days=(until - since).days,
            first_match=runs[0][0] + 1 if question.ever else None,
        )


def _in_chunks(items: Iterator[ItemT]) -> Iterator[list[ItemT]]:
    """Yield growing lists: a page needs few records, and many are read faster together."""
    size = _FIRST_CHUNK
    while chunk := list(islice(items, size)):
        yield chunk
        size = min(2 * size, _LARGEST_CHUNK)


def _found_trial(span: _Span, records: SearchedRecords) -> FoundTrial:
    last = span.versions[span.end - 1]
    return FoundTrial(
        nct_id=last.nct_id,
        title=last.title,
        from_version=span.first + 1,
        to_version=span.end,
        since=span.since,
        until=span.until,
        days=span.days,
        values={**last.values, **records.values(last)},
        first_match=span.first_match,
    )


def _known(days: Sequence[Any], question: FindQuestion) -> int:
    """Return how many versions count, by the first day of each."""
    as_of = question.as_of
    return len(days) if as_of is None else sum(since <= as_of for since in days)


def _runs(known: int, meets: Callable[[int], bool], *, ever: bool) -> list[tuple[int, int]]:
    """Return each run of versions that match: the first, and the one after the last.

    Without `ever`, only a run up to the last known version.
    """
    return list(_all_runs(known, meets)) if ever else _last_run(known, meets)


def _all_runs(known: int, meets: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    first: int | None = None
    for index in range(known + 1):
        matches = index < known and meets(index)
        if matches and first is None:
            first = index
        elif not matches and first is not None:
            yield first, index
            first = None


def _last_run(known: int, meets: Callable[[int], bool]) -> list[tuple[int, int]]:
    first = known
    while first and meets(first - 1):
        first -= 1
    return [(first, known)] if first < known else []


SCHEMAS = {"found_trial": FoundTrial}
