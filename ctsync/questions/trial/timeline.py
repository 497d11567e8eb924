"""The timeline of a trial. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from ctsync.dates import PartialDate
from ctsync.model import Kind, NctId
from ctsync.questions.trial.unfetched_versions import course_points
from ctsync.questions.trial.version_dates import stands_from
from ctsync.report.trial.timeline import DateTrack, Timeline, query_steps, trace
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class SpellRow:
    """A status and how long it lasted."""

    status: str
    """The overall status, or GONE or MOVED if the registry had no record."""
    since: date
    """The first day of the status."""
    until: date | None
    """The first day of the next status; null if it is still current."""
    days: int
    """Number of days with the status, up to the end of the timeline if it is still current."""


@dataclass(frozen=True, slots=True)
class DateStepRow:
    """A value that a date had."""

    since: date
    """The first day of the value."""
    value: PartialDate
    """The date, as exact as the registry gave it."""
    type: str | None
    """ESTIMATED or ACTUAL."""
    days: int
    """Days that the date moved from the value before; positive if it is now later."""
    margin: int
    """Days by which the true move may differ, because one of the dates is a month or a year."""


@dataclass(frozen=True, slots=True)
class DateTrackRow:
    """The values that a date had over time."""

    date: str
    """Which date it is."""
    days: int
    """Days that the date moved from its first value to its last."""
    steps: tuple[DateStepRow, ...]
    """The values of the date, oldest first."""


@dataclass(frozen=True, slots=True)
class EnrollmentStepRow:
    """A value that the enrollment had."""

    since: date
    """The first day of the value."""
    count: int
    """Number of participants."""
    type: str | None
    """ESTIMATED or ACTUAL."""


@dataclass(frozen=True, slots=True)
class QueryStepRow:
    """The trial entered or left the query of a watch."""

    day: date
    """The day of the data refresh that showed it."""
    watch: str
    """The watch or its query."""
    entered: bool
    """True if the trial entered the query, false if it left."""


@dataclass(frozen=True, slots=True)
class TrialTimelineRow:
    """The timeline of one trial: its status, dates and enrollment from version to version."""

    nct_id: NctId
    """The NCT id of the trial."""
    title: str
    """Its brief title."""
    since: date
    """The first day of the oldest version."""
    until: date
    """The end of the timeline."""
    spells: tuple[SpellRow, ...]
    """Each status with its duration, oldest first."""
    dates: tuple[DateTrackRow, ...]
    """The start, primary completion and completion date, each with its values."""
    enrollment: tuple[EnrollmentStepRow, ...]
    """The values of the enrollment, oldest first."""
    unfetched: int
    """Number of versions that the registry lists and ctsync has not fetched.

    Their statuses are among `spells`, from the day of submission; their dates and enrollment are
    not known.
    """
    queries: tuple[QueryStepRow, ...]
    """When the trial entered and left the query of a watch, oldest first."""


def timeline_row(timeline: Timeline) -> TrialTimelineRow:
    """The row of a timeline."""
    return TrialTimelineRow(
        nct_id=timeline.nct_id,
        title=timeline.title,
        since=timeline.since,
        until=timeline.until,
        spells=tuple(
            SpellRow(
                spell.code,
                spell.since,
                until=None if spell.is_open else spell.until,
                days=spell.days,
            )
            for spell in timeline.spells
        ),
        dates=tuple(_track(track) for track in timeline.tracks),
        enrollment=tuple(
            EnrollmentStepRow(one.stood_from, one.count, type=one.kind)
            for one in timeline.enrollment
        ),
        unfetched=timeline.unfetched,
        queries=tuple(
            QueryStepRow(one.day, one.watch, entered=one.entered) for one in timeline.queries
        ),
    )


def _track(track: DateTrack) -> DateTrackRow:
    steps = tuple(
        DateStepRow(step.stood_from, step.value, type=step.kind, days=step.days, margin=step.margin)
        for step in track.steps
    )
    return DateTrackRow(track.label, track.days, steps)


def trial_timeline(store: Store, nct_id: NctId, *, until: datetime) -> Timeline:
    """Return the timeline of a stored trial up to a time, with the queries it entered and left."""
    versions = store.versions.of(nct_id)
    points = course_points(versions, store.listed.unfetched(nct_id))
    drawn = trace(versions, stands_from(versions), until=until.date(), points=points)
    moves = store.events.find(EventFilter(nct_ids=(nct_id,), kinds=(Kind.ENTERED, Kind.LEFT)))
    return replace(drawn, queries=query_steps(moves))


SCHEMAS = {"timeline": TrialTimelineRow}
