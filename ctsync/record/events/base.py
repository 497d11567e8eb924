"""What every family of events is made from: the step between two versions, and one event of it.

Pure, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import MISSING, Category, Event, FieldChange, KeyFields, Kind, PathStep, Record
from ctsync.record.fields.schema import Field
from ctsync.record.rules.rules import Thresholds, assign

_DATE_TYPE, _COUNT_TYPE = "DateStruct.type", "enrollmentInfo.type"
_SIDES = ("before", "after")


@dataclass(frozen=True, slots=True)
class VersionStep:
    """From one version of a trial to the next, with what came before.

    `past` holds the key fields of all earlier versions, oldest first; its last is `before`.
    `days` are those from which each of them and then the newer version stood, None where that
    is not known. `changed` are the fields that changed, without items.
    """

    before: Record
    after: Record
    old: KeyFields
    new: KeyFields
    past: tuple[KeyFields, ...]
    days: tuple[date | None, ...]
    thresholds: Thresholds
    changed: frozenset[str] = field(default_factory=frozenset)

    @property
    def day(self) -> date | None:
        """The day the newer version was posted, as far as the record says."""
        return day_of(self.new)

    @property
    def updated(self) -> bool:
        """Whether the sponsor posted an update: the registry's own changes leave the date."""
        return self.old.posted != self.new.posted


def day_of(key: KeyFields) -> date | None:
    """The day a version was posted, else submitted."""
    for text in (key.posted, key.submitted):
        read = PartialDate.parse(text)
        if read is not None:
            return read.last
    return None


def days_posted(past: Sequence[KeyFields], new: KeyFields) -> tuple[date | None, ...]:
    """The days from which versions stood, as far as the records alone tell.

    A version that brought no new day has none: what the registry changes by itself is not dated.
    """
    days = [day_of(key) for key in (*past, new)]
    fresh = (day if day != before else None for before, day in pairwise(days))
    return (days[0], *fresh)


def absent_as_none(value: Any) -> Any:
    """A value of a field change as JSON: what was not there is null."""
    return None if value is MISSING else value


def _is_empty(change: FieldChange) -> bool:
    """Whether a null, an empty object or an empty list stands where there was nothing at all."""
    present = change.after if change.before is MISSING else change.before
    one_sided = change.before is MISSING or change.after is MISSING
    return one_sided and (present is None or present in ({}, []))


def make_event(
    step: VersionStep,
    told: Field,
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
    """One event that covers these changes, levelled by the rule table from its inputs.

    It goes by the path of the first of them, where no other is given.
    """
    if all(map(_is_empty, changes)):
        inputs = {**inputs, "nature": "empty"}
    rule, level = assign(told.kind, inputs, step.thresholds)
    return Event(
        kind=told.kind,
        category=told.category,
        level=level,
        rule=rule,
        path=path or changes[0].path,
        label=label or told.label,
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
    """An event about the record as a whole, which covers no field change."""
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
    """The changes one by one; a type that came or went together with its date or count with it.

    A date that is there for the first time is one piece of news, not two.
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
