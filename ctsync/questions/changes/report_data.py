"""The report over a window, as values. Formats nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from ctsync.model import KeyFields, NctId, StoredEvent
from ctsync.questions.changes.changes import find_changes
from ctsync.questions.changes.coverage import coverage_of
from ctsync.questions.changes.filters import require_sponsor
from ctsync.questions.trial.record_facts import RecordFacts, read_facts
from ctsync.questions.trial.unfetched_versions import course_points
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.record.registry.notices import Notice, read_notices
from ctsync.report.build import Scope, build, worst_first
from ctsync.report.report import Coverage, Report, Window
from ctsync.report.report_filter import EVERY_CHANGE, ReportFilter
from ctsync.report.rows.report_row import ReportRow
from ctsync.report.trial.timeline import Timeline, trace
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """The trials, window and filters of a report.

    The trials are `ids`, else those of `watch`, else all watched trials. `limit` is the most
    changes that are shown; the rest are counted. `drawn` says whether a timeline is needed for
    each trial. `in_detail` is the most trials, worst first, whose records are read: the others have
    a heading without condition, no flags and no timeline. `most_rows` is the most trials of each
    kind that have a row: see `Scope`. `selection` holds the filters, which apply to the net changes
    over the window. `rates` are the base rates shown beside changes; with None, changes have no
    context. `coverage` returns the coverage of all these trials if the caller keeps it; with None,
    it is read.
    """

    window: Window
    title: str = "all watches"
    watch: str | None = None
    ids: tuple[NctId, ...] = ()
    limit: int | None = None
    drawn: bool = True
    in_detail: int | None = None
    most_rows: int | None = None
    selection: ReportFilter = EVERY_CHANGE
    rates: BaseRates | None = field(default_factory=lambda: PUBLISHED_RATES)
    coverage: Callable[[], Coverage | None] | None = None


def report_data(store: Store, question: ReportQuestion) -> Report:
    """Report what happened in a window.

    The denominators are those of the newest run: how many trials it could check, and why not.
    Raises UsageError if the lead sponsor of no followed trial has the selected words.
    """
    window, ids, watch = question.window, question.ids, question.watch
    wanted = EventFilter(nct_ids=ids, since=window.since, until=window.until, watch=watch)
    # one transaction: on a server, each of 40 others would take three round trips more
    with store.one_view() as view:
        return report_of(view, question, find_changes(view, wanted).events)


def report_of(store: Store, question: ReportQuestion, events: Sequence[StoredEvent]) -> Report:
    """Report these events, which are some of those in the window of the question."""
    window, ids, watch = question.window, question.ids, question.watch
    followed = TrialSelection(ids, watch)
    notices = _notices(store, window)
    if watch is not None or ids:
        notices = tuple(one for one in notices if any(one.covers(stored) for stored in events))
    changed = sorted({stored.nct_id for stored in events})
    keys = _last_keys(store, changed)
    if question.selection.sponsor:
        require_sponsor(store, question.selection.sponsor, keys, followed)
    coverage = question.coverage() if question.coverage else coverage_of(store, followed)
    scope = Scope(
        title=question.title,
        watched=coverage.watched if coverage else store.watched.count(followed),
        coverage=coverage,
        keys=keys,
        limit=question.limit,
        notices=notices,
        selection=question.selection,
        rates=question.rates,
        most_rows=question.most_rows,
    )
    groups, detailed = None, tuple(events)
    if question.in_detail is not None:
        groups = worst_first(events, scope)
        worst = {group.nct_id for group in groups[: question.in_detail]}
        detailed = tuple(stored for stored in events if stored.nct_id in worst)
    scope = _with_details(store, scope, detailed, question)
    return build(events, window=window, scope=scope, groups=groups)


def _with_details(
    store: Store, scope: Scope, events: Sequence[StoredEvent], question: ReportQuestion
) -> Scope:
    """Add what the records of the trials say, and their timelines."""
    facts = _facts(store, events, question.window)
    drawn = sorted({stored.nct_id for stored in events}) if question.drawn else ()
    return replace(
        scope,
        timelines=_timelines(store, drawn, question.window.until.date()),
        headings=facts.headings,
        flags=facts.flags,
        flagged_on=facts.flagged_on,
    )


def _timelines(store: Store, ids: Sequence[NctId], until: date) -> dict[NctId, Timeline]:
    with_listed = store.listed.unfetched_counts(ids)
    drawn: dict[NctId, Timeline] = {}
    for nct_id, versions in store.versions.of_many(ids).items():
        listed = store.listed.unfetched(nct_id) if nct_id in with_listed else ()
        points = course_points(versions, listed)
        drawn[nct_id] = trace(versions, stands_from(versions), until=until, points=points)
    return drawn


def _last_keys(store: Store, ids: Sequence[NctId]) -> dict[NctId, KeyFields]:
    """Return the key fields of each trial in its newest version with a record."""
    found = store.versions.newest_keys(ids)
    away = store.versions.of_many([nct_id for nct_id in ids if nct_id not in found])
    for versions in away.values():
        found |= {version.nct_id: version.key for version in versions if version.digest}
    return found


def _facts(store: Store, events: Sequence[StoredEvent], window: Window) -> RecordFacts:
    """Read the last version of each trial in the window."""
    last: dict[NctId, int] = {}
    for stored in events:
        last[stored.nct_id] = max(stored.to_version, last.get(stored.nct_id, 0))
    return read_facts(store, last, today=window.until.date(), until=last)


def _notices(store: Store, window: Window) -> tuple[Notice, ...]:
    """Return the notices of the runs over the loads in the window."""
    runs = store.runs.with_notices(since=window.since, until=window.until)
    return tuple(notice for run in runs for notice in read_notices(run.notices))


SCHEMAS = {"report": ReportRow}
