"""The course of a trial as values: status spells, how dates moved, enrollment; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ctsync.dates import PartialDate
from ctsync.model import KeyFields, Kind, NctId, State, StoredEvent, Version

_TRACKS = (
    ("start", "start_date"),
    ("primary completion", "primary_completion_date"),
    ("completion", "completion_date"),
)


@dataclass(frozen=True, slots=True)
class Spell:
    """A status and how long it stood; the last spell lasts until the timeline's end."""

    status: str
    since: date
    until: date
    is_open: bool

    @property
    def days(self) -> int:
        """How many days it stood."""
        return (self.until - self.since).days


@dataclass(frozen=True, slots=True)
class DateStep:
    """A date as it was said from `stood_from` on; `days` is the move from the one before."""

    stood_from: date
    value: PartialDate
    kind: str | None
    days: int
    margin: int

    @property
    def is_actual(self) -> bool:
        """Whether it tells what happened, not what is planned."""
        return self.kind == "ACTUAL"


@dataclass(frozen=True, slots=True)
class DateTrack:
    """What was said over time of one date; `days` is the whole move since it was first said."""

    label: str
    steps: tuple[DateStep, ...]
    days: int


@dataclass(frozen=True, slots=True)
class EnrollmentStep:
    """An enrollment as it was said from `stood_from` on."""

    stood_from: date
    count: int
    kind: str | None


@dataclass(frozen=True, slots=True)
class QueryStep:
    """The trial came to match the query of a watch on a day, or did no more."""

    day: date
    watch: str
    entered: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """The course of one trial from its first stored version to `until`."""

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
        """The first and last day that a picture of it must show, planned dates included."""
        said = [step.value for track in self.tracks for step in track.steps]
        days = [self.since, self.until, *(d.first for d in said), *(d.last for d in said)]
        return min(days), max(days)


def trace(versions: Sequence[Version], stood_from: Sequence[date], *, until: date) -> Timeline:
    """Draw the course of a trial from its versions, oldest first.

    `stood_from` gives for each version the day from which it stood. A version that says the
    trial was gone or moved is a spell of its own, and says nothing of dates. Raises
    ValueError where there is no version.
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
    """The steps into and out of queries among a trial's events, in their order."""
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
        yield Spell(status, since, until if is_open else starts[i + 1][0], is_open)


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
