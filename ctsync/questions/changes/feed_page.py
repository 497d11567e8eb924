"""The newest changes page by page, as a feed shows them: newest day first. Writes nothing.

A page reads the changes of its own trials only, whatever the number of pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from ctsync.model import Level, NctId, StoredEvent
from ctsync.questions.changes.change_list import NO_CHANGES
from ctsync.questions.changes.changes import find_changes, newest_heads, on_day
from ctsync.questions.changes.filters import require_sponsor
from ctsync.questions.changes.report_data import ReportQuestion, report_of
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.report.report import Coverage, Report, ReportSection, Window
from ctsync.report.report_filter import EVERY_CHANGE, ReportFilter
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store

FEED_PAGE = 50
"""Most trials of a day on a page; each usually has one new version, which is one entry."""

# a feed shows no denominators, and counting them takes as long as a page
_NOT_READ = Coverage(checked=0, failed=(), load=None, refreshed=True)


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """The place of a trial in a feed: its changes of a day. Written as 2026-02-10.NCT01234567."""

    day: date
    nct_id: NctId

    def __str__(self) -> str:
        """Return the place as it stands in an address."""
        return f"{self.day}.{self.nct_id}"


@dataclass(frozen=True, slots=True)
class FeedQuestion:
    """Which changes a page of a feed shows.

    The filters of `selection` apply to each stored change, as in the list of changes; its phase
    does not count. `after` is the last place of the page before.
    """

    window: Window
    title: str
    watch: str | None = None
    selection: ReportFilter = EVERY_CHANGE
    after: FeedPlace | None = None
    rates: BaseRates | None = field(default_factory=lambda: PUBLISHED_RATES)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """The changes of a page as a report; `last` is its last place, None if no page follows."""

    report: Report
    last: FeedPlace | None


def feed_page(store: Store, question: FeedQuestion) -> FeedPage:
    """Return a page of the feed.

    Raises UsageError if the lead sponsor of no followed trial has the selected words.
    """
    chosen = question.selection
    wanted = EventFilter(
        since=question.window.since,
        until=question.window.until,
        minimum_level=chosen.minimum,
        categories=tuple(chosen.categories),
        kinds=tuple(chosen.kinds),
        without_kinds=NO_CHANGES,
        watch=question.watch,
    )
    found: list[FeedPlace] = []
    for place in _places(store, wanted, question):
        found.append(place)
        if len(found) > FEED_PAGE:
            break
    if not found and chosen.sponsor and question.after is None:
        require_sponsor(store, chosen.sponsor, {}, TrialSelection(watch=question.watch))
    shown = found[:FEED_PAGE]
    report = _report(store, wanted, question, shown)
    return FeedPage(report, shown[-1] if len(found) > FEED_PAGE else None)


def _places(store: Store, wanted: EventFilter, question: FeedQuestion) -> Iterator[FeedPlace]:
    """Yield the places after the given one, newest day first, then by trial."""
    after = question.after
    day = after.day if after is not None else _newest_day(store, wanted)
    while day is not None:
        of_day = on_day(day, wanted)
        first = after.nct_id if after is not None and after.day == day else None
        for nct_id in _trials(store, of_day, question.selection.sponsor, first):
            if nct_id != first:
                yield FeedPlace(day, nct_id)
        day = _newest_day(store, replace(wanted, until=of_day.since))


def _newest_day(store: Store, wanted: EventFilter) -> date | None:
    newest = newest_heads(store, replace(wanted, limit=1))
    return newest[0].place.happened.date() if newest else None


def _trials(
    store: Store, of_day: EventFilter, sponsor: str | None, first: NctId | None
) -> Sequence[NctId]:
    """Return the trials of a day in order of their ids, from `first` on, a page and two more."""
    most = FEED_PAGE + 2
    if not sponsor and of_day.watch not in store.watches.own_thresholds():
        return store.events.trials(of_day, first=first, most=most)
    heads = newest_heads(store, of_day, with_texts=True)
    part = (sponsor or "").casefold()
    ids = {
        one.nct_id
        for one in heads
        if one.texts is not None and part in (one.texts.lead_sponsor or "").casefold()
    }
    return sorted(one for one in ids if first is None or one >= first)[:most]


def _report(
    store: Store, wanted: EventFilter, question: FeedQuestion, shown: Sequence[FeedPlace]
) -> Report:
    events: list[StoredEvent] = []
    for day, places in groupby(shown, key=lambda place: place.day):
        ids = tuple(place.nct_id for place in places)
        events += find_changes(store, on_day(day, replace(wanted, nct_ids=ids))).events
    shows_every_level = question.selection.shows_administrative
    report = report_of(
        store,
        ReportQuestion(
            replace(question.window, until=_until(question, shown)),
            title=question.title,
            watch=question.watch,
            drawn=False,
            rates=question.rates,
            # the events are selected: their net change over several versions is not
            selection=ReportFilter(Level.ADMINISTRATIVE) if shows_every_level else EVERY_CHANGE,
            coverage=lambda: _NOT_READ,
        ),
        tuple(events),
    )
    return report if question.after is None else _without_old_flags(store, report)


def _until(question: FeedQuestion, shown: Sequence[FeedPlace]) -> datetime:
    """Return the end of the page: flags of a later page are those of its newest day."""
    if question.after is None or not shown:
        return question.window.until
    end = datetime.combine(shown[0].day, time(), UTC) + timedelta(days=1)
    return min(end, question.window.until)


def _without_old_flags(store: Store, report: Report) -> Report:
    """Return the report without flags of trials whose newest version is on a page before."""
    heads = store.trials.heads([trial.nct_id for trial in report.trials])
    sections = tuple(
        ReportSection(
            section.level,
            tuple(
                trial
                if heads[trial.nct_id].version == trial.steps[-1].to_version
                else replace(trial, flags=())
                for trial in section.trials
            ),
        )
        for section in report.sections
    )
    return replace(report, sections=sections)
