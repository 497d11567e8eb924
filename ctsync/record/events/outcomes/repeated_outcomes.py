"""Outcomes that a list has several times, under the same measure.

Registrants list a measure once per time frame, and sometimes twice by mistake. If one such entry
is dropped or added, the outcome itself is not: the other entries still name it. Two entries are
the same outcome if they have the same measure and similar descriptions, or if one of them has no
description. If their time frames are the same too, they are duplicates.

Does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from ctsync.model import MISSING, FieldChange
from ctsync.record.compare.align import ALIKE, likeness
from ctsync.record.compare.canonical import as_text
from ctsync.record.compare.text_diff import normal_form
from ctsync.record.events.item_names import NAME_WIDTH
from ctsync.record.value_text import quoted

_LONGEST_COMPARED = 1_000
_MOST_COMPARED = 20
_NAMED_TIME_FRAMES = 3
_DETAILS = ("timeFrame", "description")


def item_of(change: FieldChange) -> Any:
    """Return the item that was added or removed."""
    return change.after if change.before is MISSING else change.before


def measure_of(outcome: Any) -> str:
    """Return the measure of an outcome; of a damaged one, its JSON."""
    return as_text(outcome.get("measure")) if isinstance(outcome, dict) else as_text(outcome)


def comparable_measure(outcome: Any) -> str:
    """Return the normal form of an outcome's measure, of its first 1,000 characters."""
    return normal_form(measure_of(outcome)[:_LONGEST_COMPARED])


class Repetition(StrEnum):
    """What an outcome has in common with another entry of it, the closest first."""

    IDENTICAL = "identical"
    """Measure, time frame and description; letter case and layout may differ."""
    SAME_TIME_FRAME = "same time frame"
    """Measure and time frame; a description is worded differently, or a detail is missing."""
    OTHER_TIME_FRAME = "other time frame"
    """Measure and description, but not the time frame."""

    @property
    def is_duplicate(self) -> bool:
        """Whether the two entries are the same outcome at the same time frame."""
        return self in {Repetition.IDENTICAL, Repetition.SAME_TIME_FRAME}


class RepeatedOutcome(NamedTuple):
    """The closest likeness of an outcome to other entries, and the entries with that likeness.

    `is_left` is false if those entries were removed or added in the same step.
    """

    likeness: Repetition
    others: tuple[Any, ...]
    is_left: bool = True

    @property
    def time_frames(self) -> str:
        """At which time frames the other entries are: up to three, or how many there are."""
        frames = dict.fromkeys(
            quoted(as_text(one.get("timeFrame")), NAME_WIDTH)
            for one in self.others
            if one.get("timeFrame")
        )
        if not frames:
            return "without a time frame"
        if len(frames) > _NAMED_TIME_FRAMES:
            return f"at {len(frames):,} other time frames"
        *first, last = frames
        return f"at {', '.join(first)} and {last}" if first else f"at {last}"


def repetitions(
    changes: Iterable[FieldChange], lists: Mapping[str, OutcomeEntries]
) -> dict[int, RepeatedOutcome]:
    """Return which removed or added outcomes are repeated, by the id() of their change.

    `lists` holds per field the entries that the list has on the other side of the step: after it
    for removed outcomes, before it for added ones.
    """
    found: dict[int, RepeatedOutcome] = {}
    alone: dict[str, OutcomeEntries] = defaultdict(OutcomeEntries)
    for change in changes:
        outcome = item_of(change)
        repeated = lists[change.field].repeated(outcome)
        if repeated is None:
            twin = alone[change.field].repeated(outcome)
            if twin is not None and twin.likeness.is_duplicate:
                repeated = twin._replace(is_left=False)
        if repeated is None:
            alone[change.field].add(outcome)
        else:
            found[id(change)] = repeated
    return found


class OutcomeEntries:
    """The entries of one outcome list, found by their measures."""

    __slots__ = ("_by_measure", "_details")

    def __init__(self, entries: Iterable[Any] = ()) -> None:
        self._by_measure: dict[str, list[Any]] = defaultdict(list)
        self._details: dict[int, _Details] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Any) -> None:
        """Add an entry. Entries without a measure are left out."""
        measure = comparable_measure(entry)
        if measure and isinstance(entry, dict):
            self._by_measure[measure].append(entry)

    def named_like(self, outcome: Any) -> Sequence[Any]:
        """Return the entries with the measure of an outcome; none if it is no object."""
        if not isinstance(outcome, dict):
            return ()
        return self._by_measure.get(comparable_measure(outcome), ())

    def repeated(self, outcome: Any) -> RepeatedOutcome | None:
        """Return how these entries repeat an outcome that is not one of them; None if none does."""
        found: dict[Repetition, list[Any]] = defaultdict(list)
        entries = self.named_like(outcome)
        details = _details(outcome) if entries else _Details("", "")
        for n, entry in enumerate(entries):
            if id(entry) not in self._details:
                self._details[id(entry)] = _details(entry)
            # comparing many long descriptions takes too long: later ones count only if equal
            is_exact = n >= _MOST_COMPARED
            same = _repetition(details, self._details[id(entry)], is_exact=is_exact)
            if same is not None:
                found[same].append(entry)
        closest = next((one for one in Repetition if one in found), None)
        return RepeatedOutcome(closest, tuple(found[closest])) if closest else None


class _Details(NamedTuple):
    """What an outcome says besides its measure, in normal form."""

    time_frame: str
    description: str


def _details(outcome: Any) -> _Details:
    return _Details(*(normal_form(as_text(outcome.get(name))) for name in _DETAILS))


def _repetition(outcome: _Details, entry: _Details, *, is_exact: bool) -> Repetition | None:
    if outcome == entry:
        return Repetition.IDENTICAL
    described = outcome.description and entry.description
    if described and outcome.description != entry.description:
        texts = (one.description[:_LONGEST_COMPARED] for one in (outcome, entry))
        if is_exact or likeness(*texts) < ALIKE:
            return None
    if outcome.time_frame not in {"", entry.time_frame}:
        return Repetition.OTHER_TIME_FRAME
    return Repetition.SAME_TIME_FRAME


def measure_name(outcome: Any, width: int) -> str:
    """Return the quoted measure of an outcome."""
    return quoted(measure_of(outcome), width)


def full_name(outcome: Any, width: int = 2 * NAME_WIDTH) -> str:
    """Return the quoted measure of an outcome, with its time frame if it has one."""
    time_frame = outcome.get("timeFrame") if isinstance(outcome, dict) else None
    name = measure_name(outcome, width)
    return f"{name} at {quoted(time_frame, NAME_WIDTH)}" if time_frame else name
