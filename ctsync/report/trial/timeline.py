"""The timeline of a trial as values: status spells, moves of dates, enrollment. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ctsync.dates import PartialDate
from ctsync.model import KeyFields, Kind, NctId, State, StoredEvent, Version
from ctsync.record.enum_words import enum_words
from ctsync.report.trial.course_points import CoursePoint

_TRACKS = (
    ("start", "start_date"),
    ("primary completion", "primary_completion_date"),
    ("completion", "completion_date"),
)


@dataclass(frozen=True, slots=True)
class Spell:
    """A status and how long it lasted; the last spell lasts until the end of the timeline.

    `status` is in words; `code` is the registry's value.
    """

    status: str
    since: date
    until: date
    is_open: bool
    code: str

    @property
    def days(self) -> int:
        """How many days the status lasted."""
        return (self.until - self.since).days


@dataclass(frozen=True, slots=True)
class DateStep:
    """The value of a date from `stood_from` on; `days` is the move from the value before."""

    stood_from: date
    value: PartialDate
    kind: str | None
    days: int
    margin: int

    @property
    def is_actual(self) -> bool:
        """Whether the date is actual, not estimated."""
        return self.kind == "ACTUAL"


@dataclass(frozen=True, slots=True)
class DateTrack:
    """All values of one date; `days` is the move from the first value to the last."""

    label: str
    steps: tuple[DateStep, ...]
    days: int


@dataclass(frozen=True, slots=True)
class EnrollmentStep:
    """The enrollment from `stood_from` on."""

    stood_from: date
    count: int
    kind: str | None

    @property
    def label(self) -> str:
        """The count with its type, as short as a drawing needs it: "46 act."."""
        return f"{self.count} {self.kind[:3].lower()}." if self.kind else str(self.count)


@dataclass(frozen=True, slots=True)
class QueryStep:
    """A day on which the trial entered or left the query of a watch."""

    day: date
    watch: str
    entered: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """The timeline of one trial from its first version to `until`.

    `unfetched` versions are only listed by the registry: of them, the status alone is known.
    """

    nct_id: NctId
    title: str
    since: date
    until: date
    spells: tuple[Spell, ...]
    tracks: tuple[DateTrack, ...]
    enrollment: tuple[EnrollmentStep, ...]
    queries: tuple[QueryStep, ...] = ()
    unfetched: int = 0

    @property
    def span(self) -> tuple[date, date]:
        """The first and last day in the timeline, including planned dates."""
        said = [step.value for track in self.tracks for step in track.steps]
        days = [self.since, self.until, *(d.first for d in said), *(d.last for d in said)]
        return min(days), max(days)


def trace(
    versions: Sequence[Version],
    stood_from: Sequence[date],
    *,
    until: date,
    points: Sequence[CoursePoint] | None = None,
) -> Timeline:
    """The timeline of a trial from its versions, oldest first.

    `stood_from` holds the first day of each version. A version of a trial that was gone or moved
    is a spell of its own and has no dates. `points` adds the statuses of versions that are only
    listed: it holds them and all of `versions` in order. Raises ValueError if there is no version.
    """
    if not versions:
        raise ValueError("a timeline needs at least one version")
    newest = versions[-1]
    present = [
        (day, version.key)
        for day, version in zip(stood_from, versions, strict=True)
        if version.state is State.PRESENT
    ]
    if points is None:
        points = [CoursePoint(*pair) for pair in zip(versions, stood_from, strict=True)]
    until = max(until, points[-1].day)
    return Timeline(
        nct_id=newest.nct_id,
        title=newest.key.brief_title or "",
        since=points[0].day,
        until=until,
        spells=tuple(_spells(points, until)),
        tracks=tuple(_tracks(present)),
        enrollment=tuple(_enrollment(present)),
        unfetched=len(points) - len(versions),
    )


def query_steps(events: Iterable[StoredEvent]) -> tuple[QueryStep, ...]:
    """The events of a trial entering or leaving a query, in their order."""
    return tuple(
        QueryStep(
            (stored.observed or stored.fetched).date(),
            str(stored.event.inputs.get("query", "")),
            entered=stored.event.kind is Kind.ENTERED,
        )
        for stored in events
        if stored.event.kind in {Kind.ENTERED, Kind.LEFT}
    )


def _spells(points: Sequence[CoursePoint], until: date) -> Iterator[Spell]:
    said = [(point.day, point.status) for point in points]
    starts = [pair for i, pair in enumerate(said) if i == 0 or pair[1] != said[i - 1][1]]
    for i, (since, status) in enumerate(starts):
        is_open = i + 1 == len(starts)
        end = until if is_open else starts[i + 1][0]
        yield Spell(enum_words(status), since, end, is_open, code=status)


def _tracks(present: Sequence[tuple[date, KeyFields]]) -> Iterator[DateTrack]:
    for label, field in _TRACKS:
        steps: list[DateStep] = []
        for day, key in present:
            value = PartialDate.parse(getattr(key, field))
            kind = getattr(key, f"{field}_type")
            if value is None or (steps and (steps[-1].value, steps[-1].kind) == (value, kind)):
                continue
            shift = steps[-1].value.shift_to(value) if steps else None
            days, margin = (shift.days, shift.margin) if shift else (0, 0)
            steps.append(DateStep(day, value, kind, days, margin))
        if steps:
            whole = steps[0].value.shift_to(steps[-1].value).days
            yield DateTrack(label, tuple(steps), whole)


def _enrollment(present: Sequence[tuple[date, KeyFields]]) -> Iterator[EnrollmentStep]:
    last: tuple[int, str | None] | None = None
    for day, key in present:
        if key.enrollment is None or last == (key.enrollment, key.enrollment_type):
            continue
        last = (key.enrollment, key.enrollment_type)
        yield EnrollmentStep(day, key.enrollment, key.enrollment_type)
