"""The rows of a report, which every format and channel writes as JSON. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ctsync.model import Kind, Level, NctId
from ctsync.record.context import BaseRates
from ctsync.report.report import (
    Coverage,
    Fold,
    NoChangeReason,
    Report,
    ReportStep,
    ReportTrial,
)
from ctsync.report.rows.event_row import EventRow, event_values
from ctsync.report.rows.flag_row import FlagRow, trial_flag_rows
from ctsync.report.sentences import aside_sentence, step_title, trial_left_out_sentence
from ctsync.report.words.net_changes import NetChange, phrase


@dataclass(frozen=True, slots=True)
class UncheckedTrialRow:
    """A trial that the last run could not check."""

    nct_id: NctId
    """The NCT id of the trial."""
    reason: str
    """Why it could not be checked."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """What the last run checked: the denominators of a report."""

    checked: int
    """Number of followed trials that the last run checked."""
    load: datetime | None
    """The data refresh of the registry that it checked; null if none is known."""
    refreshed: bool
    """False if the run before saw the same data refresh."""
    run_ids: tuple[int, ...]
    """The runs that the report covers; `ctsync runs ID` shows one."""
    requests: int | None
    """Number of requests to the registry."""
    retries: int | None
    """Number of these requests that were retries."""
    could_not_check: tuple[UncheckedTrialRow, ...]
    """The trials that could not be checked."""


@dataclass(frozen=True, slots=True)
class ReportEventRow(EventRow):
    """One change as a report shows it."""

    move: str | None
    """How far a date or count moved in this version, in words."""
    move_since_registration: str | None
    """How far it moved since the first version that ctsync has, in words."""


@dataclass(frozen=True, slots=True)
class ReportVersionRow:
    """One version of a trial with what changed in it, worst first."""

    version: int
    """The number of the version in ctsync, from 1."""
    title: str
    """The version and its dates, in words."""
    compare_url: str | None
    """The registry's page that compares it with the version before."""
    command: str
    """The ctsync command that compares both versions."""
    events: tuple[ReportEventRow, ...]
    """The changes; administrative ones are only counted."""


@dataclass(frozen=True, slots=True)
class NetMoveRow:
    """The net move of the status, the enrollment or a date over the window of a report."""

    kind: Kind
    """The field: status, enrollment, start_date, primary_completion_date or completion_date."""
    label: str
    """The name of the field for people."""
    level: Level
    """The worst level among its changes in the window."""
    before: Any
    """The value at the start of the window; null if there was none."""
    after: Any
    """The value at the end of the window; null if there is none."""
    before_type: str | None
    """ESTIMATED or ACTUAL, for the date or count before."""
    after_type: str | None
    """ESTIMATED or ACTUAL, for the date or count after."""
    days: int | None
    """Days from the date before to the date after; positive if it is now later."""
    percent: float | None
    """Percent by which the count changed over the window."""
    changes: int
    """Number of changes in the window."""
    is_reversed: bool
    """True if the value changed and is the same again at the end of the window."""
    text: str
    """The move in words."""


@dataclass(frozen=True, slots=True)
class ReportTrialRow:
    """One trial with the versions that changed it, oldest first."""

    nct_id: NctId
    """The NCT id of the trial."""
    title: str
    """Its brief title."""
    level: Level
    """The level of its worst change."""
    what: str
    """The net change of each field over the window in a few words, worst first."""
    since_registration: str | None
    """How far each date and the enrollment moved since the first version that ctsync has."""
    moves: tuple[NetMoveRow, ...]
    """The net moves of the status, the enrollment and the dates, worst first."""
    url: str
    """The page of the trial at the registry."""
    versions: tuple[ReportVersionRow, ...]
    """The versions with changes to show."""
    administrative: int
    """Number of administrative changes, which are not shown."""
    administrative_versions: int
    """Number of versions with administrative changes."""
    left_out: int
    """Number of changes that the size limit left out."""
    notes: tuple[str, ...]
    """The parts that are not shown, in sentences."""
    command: str
    """The ctsync command that lists every change of the trial."""
    acronym: str | None
    """Its acronym; null if it has none."""
    sponsor: str | None
    """Its lead sponsor."""
    phase: str | None
    """Its phase in words; null if phases do not apply."""
    conditions: tuple[str, ...]
    """The conditions it studies, in alphabetical order."""
    folded: Fold | None
    """Set if other formats show the trial in one line with others that changed only this."""
    flags: tuple[FlagRow, ...]
    """The flags that are true on the day `flags_as_of`; results due only if none are posted."""


@dataclass(frozen=True, slots=True)
class NewlyFollowedRow:
    """A trial that ctsync now follows."""

    nct_id: NctId
    """The NCT id of the trial."""
    title: str
    """Its brief title."""
    state: str
    """Its status, dates and enrollment in the first version that ctsync saw."""
    url: str
    """The page of the trial at the registry."""


@dataclass(frozen=True, slots=True)
class StandingRow:
    """Why a number of followed trials have no change in the report."""

    what: NoChangeReason
    """The reason."""
    trials: int
    """Number of trials that it applies to."""
    text: str
    """The reason in one sentence."""


@dataclass(frozen=True, slots=True)
class LevelCountsRow:
    """Number of trials per level of their worst change."""

    critical: int
    """Trials with a critical change."""
    notable: int
    """Trials whose worst change is notable."""
    routine: int
    """Trials whose worst change is routine."""
    administrative: int
    """Trials with administrative changes only."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report on the changes in a window of time, worst first."""

    report_id: str
    """Identifies the content: the same changes in the same window give the same id."""
    subject: str
    """The subject line of a message with this report."""
    headline: str
    """The counts in one line."""
    title: str
    """What the report is about: a watch, or all watches."""
    since: datetime | None
    """The start of the window; null if it begins with the first version."""
    until: datetime
    """The end of the window."""
    watched: int
    """Number of trials followed."""
    coverage: CoverageRow | None
    """What the last run checked; null before the first run."""
    counts: LevelCountsRow
    """Number of trials per level of their worst change."""
    shown: int
    """Number of changes in `trials`."""
    collapsed: int
    """Number of administrative changes, which are only counted."""
    left_out: int
    """Number of changes that the size limit left out."""
    left_out_trials: int
    """Number of trials that the size limit left out."""
    left_out_command: str | None
    """The ctsync command that lists what the size limit left out."""
    total: int
    """Number of changes in the window: shown, collapsed and left out."""
    trials: tuple[ReportTrialRow, ...]
    """The trials that changed, worst first."""
    newly_followed: tuple[NewlyFollowedRow, ...]
    """The trials that ctsync now follows, as many as the size limit allows."""
    newly_followed_total: int
    """Number of trials that ctsync now follows."""
    standing: tuple[StandingRow, ...]
    """Why the other followed trials have no change in the report."""
    notices: tuple[str, ...]
    """Sentences about a data refresh, each in place of many events."""
    footer: tuple[str, ...]
    """The lines at the end of the report."""
    filters: str | None
    """Which changes are selected, in words; null if all are."""
    flags_as_of: date | None
    """The day for which flags were computed: that of the newest registry data, or the end of the
    window if that is earlier; null if they were not computed."""


def report_row(report: Report) -> ReportRow:
    """The row of a report."""
    out = report.left_out
    return ReportRow(
        report_id=report.report_id,
        subject=report.subject,
        headline=report.headline,
        title=report.title,
        since=report.window.since,
        until=report.window.until,
        filters=report.filters or None,
        watched=report.watched,
        coverage=_coverage(report.coverage) if report.coverage else None,
        counts=LevelCountsRow(**{level.value: n for level, n in report.counts.items()}),
        shown=report.shown,
        collapsed=report.collapsed,
        left_out=out.events if out else 0,
        left_out_trials=out.trials if out else 0,
        left_out_command=out.command if out else None,
        total=report.total,
        trials=tuple(_trial(trial, report.rates) for trial in report.trials),
        newly_followed=tuple(
            NewlyFollowedRow(one.nct_id, one.title, state=one.state, url=one.url)
            for one in report.welcomes
        ),
        newly_followed_total=report.welcomed,
        standing=tuple(
            StandingRow(one.standing, one.count, text=one.text) for one in report.sentences
        ),
        notices=report.notices,
        footer=report.footer,
        flags_as_of=report.flagged_on,
    )


def _coverage(coverage: Coverage) -> CoverageRow:
    return CoverageRow(
        checked=coverage.checked,
        load=coverage.load,
        refreshed=coverage.refreshed,
        run_ids=coverage.run_ids,
        requests=coverage.requests,
        retries=coverage.retries,
        could_not_check=tuple(UncheckedTrialRow(one.nct_id, one.reason) for one in coverage.failed),
    )


def _trial(trial: ReportTrial, rates: BaseRates | None) -> ReportTrialRow:
    return ReportTrialRow(
        nct_id=trial.nct_id,
        title=trial.title,
        acronym=trial.heading.acronym or None,
        sponsor=trial.heading.sponsor or None,
        phase=trial.heading.phase or None,
        conditions=trial.heading.conditions,
        level=trial.level,
        folded=trial.fold,
        what=trial.what,
        since_registration=trial.since_first or None,
        moves=tuple(_move(one) for one in trial.changes if one.has_values),
        url=trial.url,
        versions=tuple(_version(step, rates) for step in trial.steps if step.lines),
        administrative=trial.administrative,
        administrative_versions=trial.administrative_versions,
        left_out=trial.left_out,
        notes=(
            *((trial_left_out_sentence(trial),) if trial.left_out else ()),
            *((aside_sentence(trial),) if trial.administrative else ()),
        ),
        command=trial.command,
        flags=trial_flag_rows(trial.flags),
    )


def _move(change: NetChange) -> NetMoveRow:
    event = change.event
    return NetMoveRow(
        kind=event.kind,
        label=event.label,
        level=change.level,
        before=event.before,
        after=event.after,
        before_type=event.before_type,
        after_type=event.after_type,
        days=event.days,
        percent=event.percent,
        changes=len(change.values),
        is_reversed=change.is_reversed,
        text=phrase(change),
    )


def _version(step: ReportStep, rates: BaseRates | None) -> ReportVersionRow:
    return ReportVersionRow(
        version=step.to_version,
        title=step_title(step),
        compare_url=step.compare_url,
        command=step.command,
        events=tuple(_events(step, rates)),
    )


def _events(step: ReportStep, rates: BaseRates | None) -> Iterator[ReportEventRow]:
    for line in step.lines:
        for stored in line.events:
            # the moves of a line belong to its event, not to the change of type on the same line
            moves = (line.move, line.since_first) if stored is line.stored else ("", "")
            values = [*event_values(stored, rates), *(move or None for move in moves)]
            yield ReportEventRow(*values)
