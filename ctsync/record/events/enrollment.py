"""Events of the enrollment: changes of the target, and the actual count against the target.

An actual count is compared with the last target: the last estimated count of any earlier version.
So is a correction of an actual count, but it is critical only if the count before was not already
below the threshold.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ctsync.model import Event, FieldChange, KeyFields
from ctsync.record.events.base import (
    VersionStep,
    absent_as_none,
    is_since_registration,
    make_event,
    with_type,
)
from ctsync.record.events.other import plain_event
from ctsync.record.events.trial_dates import type_nature, type_words
from ctsync.record.fields.table import field_at
from ctsync.record.value_text import said, signed_percent, typed

_ACTUAL = "ACTUAL"


def enrollment_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield the events of the enrollment: of the count, of its type, or of both together."""
    for group in with_type(changes):
        match group[0].field.rpartition(".")[2]:
            case "count":
                yield _count_event(group, step)
            case "type":
                yield _type_event(group[0], step)
            case _:
                yield plain_event(group, step)


def last_target(past: Sequence[KeyFields]) -> int | None:
    """Return the newest target of earlier versions. A count without a type is a target."""
    for key in reversed(past):
        if key.enrollment is not None and key.enrollment_type != _ACTUAL:
            return key.enrollment
    return None


def percent_change(before: int | None, after: int | None) -> float | None:
    """Return the growth of a count in percent, to one decimal; None if there is no base."""
    if not before or after is None:
        return None
    return round((after - before) / before * 100, 1)


def _percent_of(count: int | None, target: int | None) -> float | None:
    return count / target * 100 if target and count is not None else None


def _count_event(changes: list[FieldChange], step: VersionStep) -> Event:
    change = changes[0]
    reported = field_at(change.field)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    old, new = step.old.enrollment, step.new.enrollment
    before_type, after_type = step.old.enrollment_type, step.new.enrollment_type
    is_result = after_type == _ACTUAL
    target = last_target(step.past) if is_result else None
    percent = percent_change(old, new)
    first = next((key.enrollment for key in step.past if key.enrollment is not None), None)
    became = type_nature(before_type, after_type) if before_type != after_type else None
    inputs = {
        "part": "count",
        "nature": became if became in {"became actual", "became estimated"} else "count",
        "before": old,
        "after": new,
        "before_type": before_type,
        "after_type": after_type,
        "target": target,
        "since_registration": step.has_every_version or is_since_registration(step.past),
        "change_percent": abs(new - old) / old * 100 if old and new is not None else None,
        "percent_of_target": _percent_of(new, target),
        "percent_of_target_before": _percent_of(old, target) if before_type == _ACTUAL else None,
    }
    return make_event(
        step,
        reported,
        changes,
        _count_summary(
            before,
            after,
            inputs,
            percent=percent,
            limit=step.thresholds.implausible_enrollment,
        ),
        before=before,
        after=after,
        inputs=inputs,
        before_type=before_type,
        after_type=after_type,
        percent=percent,
        percent_since_first=percent_change(first, new),
    )


def _count_summary(
    before: Any, after: Any, inputs: dict[str, Any], *, percent: float | None, limit: float
) -> str:
    sides = (
        typed(said(before), inputs["before_type"]),
        typed(said(after), inputs["after_type"]),
    )
    text = f"Enrollment {' -> '.join(sides)}"
    reached, target = inputs["percent_of_target"], inputs["target"]
    if reached is not None:
        of = "target" if target == inputs["before"] else f"the target of {target}"
        text += f", {reached:.1f} % of {of}"
    elif percent is not None:
        text += f", {signed_percent(percent)}"
    if (inputs["after"] or 0) >= limit:
        text += ", an implausible count"
    elif after is not None and inputs["after"] is None:
        text += ", not a count that can be read"
    return text


def _type_event(change: FieldChange, step: VersionStep) -> Event:
    reported = field_at(change.field)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    count = step.new.enrollment
    return make_event(
        step,
        reported,
        [change],
        f"Enrollment {type_words(before, change.field)} -> {type_words(after, change.field)}"
        + ("" if count is None else f" ({count})"),
        before=before,
        after=after,
        inputs={"part": "type", "nature": type_nature(before, after), "count": count,
                "count_changed": step.old.enrollment != count},
        before_type=before if isinstance(before, str) else None,
        after_type=after if isinstance(after, str) else None,
    )  # fmt: skip
