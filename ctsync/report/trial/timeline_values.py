"""All values of a timeline as lists, shown below each drawing of it. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ctsync.record.value_text import counted, signed_days, typed
from ctsync.report.trial.timeline import DateTrack, Timeline


@dataclass(frozen=True, slots=True)
class ValueList:
    """The values of one field, oldest first, each as a pair: since when, and what."""

    heading: str
    lines: tuple[tuple[str, str], ...]


def value_lists(timeline: Timeline) -> Iterator[ValueList]:
    """The status, each date, the enrollment and the watched queries; skips empty ones.

    Remote text is not changed: each drawing makes it safe for its own sink.
    """
    yield ValueList("status", tuple(_spells(timeline)))
    for track in timeline.tracks:
        moved = f", moved {signed_days(track.days)} in all" if len(track.steps) > 1 else ""
        yield ValueList(f"{track.label}{moved}", tuple(_dates(track)))
    if timeline.enrollment:
        counts = (
            (f"from {one.stood_from}", typed(str(one.count), one.kind))
            for one in timeline.enrollment
        )
        yield ValueList("enrollment", tuple(counts))
    if timeline.queries:
        yield ValueList("watched queries", tuple(_queries(timeline)))


def _spells(timeline: Timeline) -> Iterator[tuple[str, str]]:
    for spell in timeline.spells:
        length = f"{counted(spell.days, 'day')}{' so far' if spell.is_open else ''}"
        yield f"from {spell.since}", f"{spell.status}, {length}"


def _dates(track: DateTrack) -> Iterator[tuple[str, str]]:
    for i, step in enumerate(track.steps):
        move = f", {signed_days(step.days, step.margin)}" if i else ""
        yield f"from {step.stood_from}", f"{typed(step.value.text, step.kind)}{move}"


def _queries(timeline: Timeline) -> Iterator[tuple[str, str]]:
    for at in timeline.queries:
        yield f"on   {at.day}", f"{'entered' if at.entered else 'left'} {at.watch}"
