"""The timeline of a trial as values: status spells, moves of dates, enrollment. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ctsync.dates import PartialDate
from ctsync.model import KeyFields, Kind, NctId, State, StoredEvent, Version
from ctsync.record.enum_words import enum_words

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
    """The timeline of one trial from its first stored version to `until`."""

    nct_id: NctId
    title: str
    since: date
    until: date
    spells: tuple[Spell, ...]
    tracks: tuple[DateTrack, ...]
    enrollment: tuple[EnrollmentStep, ...]
    queries: tuple[QueryStep, ...] = ()

    @property
    def span(self) -> tuple[date, date]:
        """The first and last day in the timeline, including planned dates."""
        said = [step.value for track in self.tracks for step in track.steps]
        days = [self.since, self.until, *(d.first for d in said), *(d.last for d in said)]
        return min(days), max(days)


def trace(versions: Sequence[Version], stood_from: Sequence[date], *, until: date) -> Timeline:
    """The timeline of a trial from its versions, oldest first.

    `stood_from` holds the first day of each version. A version of a trial that was gone or moved
    is a spell of its own and has no dates. Raises ValueError if there is no version.
    """
    if not versions:
        raise ValueError("a timeline needs at least one version")
    newest = versions[-1]
    present = [
        (day, version.key)
        for day, version in zip(stood_from, versions, strict=True)
        if version.state is State.PRESENT
    ]
    until = max(until, stood_from[-1])
    return Timeline(
        nct_id=newest.nct_id,
        title=newest.key.brief_title or "",
        since=stood_from[0],
        until=until,
        spells=tuple(_spells(versions, stood_from, until)),
        tracks=tuple(_tracks(present)),
        enrollment=tuple(_enrollment(present)),
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


def _spells(versions: Sequence[Version], days: Sequence[date], until: date) -> Iterator[Spell]:
    said = [(day, _status(version)) for day, version in zip(days, versions, strict=True)]
    starts = [pair for i, pair in enumerate(said) if i == 0 or pair[1] != said[i - 1][1]]
    for i, (since, status) in enumerate(starts):
        is_open = i + 1 == len(starts)
        end = until if is_open else starts[i + 1][0]
        yield Spell(enum_words(status), since, end, is_open, code=status)


def _status(version: Version) -> str:
    if version.state is State.PRESENT:
        return version.key.status or "(no status)"
    return version.state.value.upper()


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
