"""Version steps, and the functions that make an event from its field changes.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import MISSING, Category, Event, FieldChange, KeyFields, Kind, PathStep, Record
from ctsync.record.fields.field_types import Field
from ctsync.record.rules.rules import Thresholds, assign

_DATE_TYPE, _COUNT_TYPE = "DateStruct.type", "enrollmentInfo.type"
_SIDES = ("before", "after")


@dataclass(frozen=True, slots=True)
class VersionStep:
    """The step from one version of a trial to the next, with the trial's earlier versions.

    `past` holds the key fields of all earlier versions, oldest first; the last are those of
    `before`. `days` holds the day on which each version of `past`, and then the newer version,
    took effect; None if that day is unknown. `numbers` holds the registry's number of each of
    them, counted from 0; None if unknown. `changed` holds the changed field paths, without list
    items.
    """

    before: Record
    after: Record
    old: KeyFields
    new: KeyFields
    past: tuple[KeyFields, ...]
    days: tuple[date | None, ...]
    numbers: tuple[int | None, ...]
    thresholds: Thresholds
    changed: frozenset[str] = field(default_factory=frozenset)

    @property
    def day(self) -> date | None:
        """The day the newer version was posted, else submitted; None if the record has neither."""
        return day_of(self.new)

    @property
    def updated(self) -> bool:
        """Whether the sponsor posted an update. The registry's own changes keep the posted date."""
        return self.old.posted != self.new.posted

    @property
    def has_every_version(self) -> bool:
        """Whether `past` holds every version of the registry since the registration."""
        return self.is_unbroken(0, len(self.past)) and self.numbers[0] == 0

    def is_unbroken(self, first: int, last: int) -> bool:
        """Whether the registry has no other version between these two places of `days`.

        Only the registry's numbers show that: between two syncs, a version can be missed.
        """
        numbers = self.numbers[first : last + 1]
        return None not in numbers and all(
            newer == (older or 0) + 1 for older, newer in pairwise(numbers)
        )


def day_of(key: KeyFields) -> date | None:
    """Return the day a version was posted, else submitted, else None."""
    for text in (key.posted, key.submitted):
        read = PartialDate.parse(text)
        if read is not None:
            return read.last
    return None


def days_posted(past: Sequence[KeyFields], new: KeyFields) -> tuple[date | None, ...]:
    """Return the day each version took effect, from the records alone.

    A version with the same day as the one before gets None: the registry made that change
    itself, and the record does not date it.
    """
    days = [day_of(key) for key in (*past, new)]
    fresh = (day if day != before else None for before, day in pairwise(days))
    return (days[0], *fresh)


def is_since_registration(past: Sequence[KeyFields]) -> bool:
    """Whether the dates of the oldest version of `past` show that it is the registration.

    A later version has a newer date of its last update than of its first posting.
    """
    first = past[0] if past else KeyFields()
    return first.posted is not None and first.posted == first.first_posted


def absent_as_none(value: Any) -> Any:
    """Return a value of a field change as JSON: None for MISSING."""
    return None if value is MISSING else value


def _is_empty(change: FieldChange) -> bool:
    """Return whether a null, an empty object or an empty list was added or removed."""
    present = change.after if change.before is MISSING else change.before
    one_sided = change.before is MISSING or change.after is MISSING
    return one_sided and (present is None or present in ({}, []))


def make_event(
    step: VersionStep,
    reported: Field,
    changes: Sequence[FieldChange],
    summary: str,
    *,
    before: Any = None,
    after: Any = None,
    inputs: Mapping[str, Any],
    path: str | None = None,
    label: str | None = None,
    **figures: Any,
) -> Event:
    """Make one event that covers these changes; the rule table derives its level from `inputs`.

    `path` defaults to the path of the first change, `label` to the label of `reported`.
    """
    # an empty value that appears or disappears is no change of content: R-ADM-09
    if all(map(_is_empty, changes)):
        inputs = {**inputs, "nature": "empty"}
    rule, level = assign(reported.kind, inputs, step.thresholds)
    return Event(
        kind=reported.kind,
        category=reported.category,
        level=level,
        rule=rule,
        path=path or changes[0].path,
        label=label or reported.label,
        summary=summary,
        before=absent_as_none(before),
        after=absent_as_none(after),
        inputs=inputs,
        covers=tuple(change.path for change in changes),
        **figures,
    )


def make_whole_event(
    kind: Kind,
    category: Category,
    summary: str,
    *,
    thresholds: Thresholds,
    before: Any = None,
    after: Any = None,
    path: str = "",
    label: str,
    inputs: Mapping[str, Any] | None = None,
) -> Event:
    """Make an event about the whole record. It covers no field change."""
    rule, level = assign(kind, inputs or {}, thresholds)
    return Event(
        kind=kind,
        category=category,
        level=level,
        rule=rule,
        path=path,
        label=label,
        summary=summary,
        before=before,
        after=after,
        inputs=inputs or {},
    )


def with_type(changes: Iterable[FieldChange]) -> list[list[FieldChange]]:
    """Group changes for events: each alone, except a type added or removed with its value.

    A date or count that appears or disappears together with its type is one change for the
    reader, not two. In such a group the value comes first.
    """
    groups: list[list[FieldChange]] = []
    values: dict[tuple[PathStep, ...], list[FieldChange]] = {}
    for change in sorted(changes, key=_is_type):
        if _is_type(change):
            leaf = "count" if change.field.endswith(_COUNT_TYPE) else "date"
            value = values.get((*change.steps[:-1], leaf))
            if value and any(_both_absent(value[0], change, side) for side in _SIDES):
                value.append(change)
                continue
        elif change.item is None:
            values[change.steps] = group = [change]
            groups.append(group)
            continue
        groups.append([change])
    return groups


def _is_type(change: FieldChange) -> bool:
    return change.field.endswith((_DATE_TYPE, _COUNT_TYPE))


def _both_absent(value: FieldChange, kind: FieldChange, side: str) -> bool:
    return getattr(value, side) is MISSING and getattr(kind, side) is MISSING
