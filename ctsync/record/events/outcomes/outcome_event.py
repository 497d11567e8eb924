"""What all events of outcome measures have in common: the lists, names and inputs.

Does no I/O.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ctsync.model import MISSING, Event, FieldChange, Record
from ctsync.record.events.base import VersionStep, make_event
from ctsync.record.events.item_names import NAME_WIDTH
from ctsync.record.events.outcomes.placement import placement_of
from ctsync.record.events.outcomes.repeated_outcomes import (
    OutcomeEntries,
    full_name,
    measure_name,
)
from ctsync.record.fields.lookup import value_at
from ctsync.record.fields.table import field_at
from ctsync.record.value_text import counted, quoted

MODULE = "protocolSection.outcomesModule"
PRIMARY = f"{MODULE}.primaryOutcomes"
LISTS = {
    PRIMARY: "primary",
    f"{MODULE}.secondaryOutcomes": "secondary",
    f"{MODULE}.otherOutcomes": "other",
}
DUPLICATES = frozenset({"duplicate removed", "duplicate added"})
REWORDED = "reworded"
_NATURES = {"cosmetic": "cosmetic", "reordered": "order", REWORDED: "wording"}


class OutcomeLists(NamedTuple):
    """The outcomes before and after a step, by the field of their list."""

    before: dict[str, OutcomeEntries]
    after: dict[str, OutcomeEntries]

    def name(self, outcome: Any, *fields: str, width: int = NAME_WIDTH * 2) -> str:
        """Return the measure, with its time frame if one of the lists has the measure twice."""
        lists = (side[field] for field in fields for side in self)
        is_repeated = any(len(entries.named_like(outcome)) > 1 for entries in lists)
        name = full_name if is_repeated else measure_name
        return name(outcome, width)

    def remaining(self, outcome: Any, field: str) -> str:
        """Return where else the measure of a dropped outcome is still listed."""
        namesakes = len(self.after[field].named_like(outcome))
        if namesakes:
            described = quoted(outcome.get("description"), NAME_WIDTH)
            others = counted(namesakes, "other entry", "other entries")
            return f" described as {described} ({others} with this measure listed)"
        ranks = [
            rank
            for other, rank in LISTS.items()
            if other != field and self.after[other].named_like(outcome)
        ]
        return f" (the measure is still listed as {' and as '.join(ranks)})" if ranks else ""


def outcome_lists(step: VersionStep) -> OutcomeLists:
    """Return the outcome lists of both records."""
    return OutcomeLists(_entries(step.before), _entries(step.after))


def _entries(record: Record) -> dict[str, OutcomeEntries]:
    return {field: OutcomeEntries(items_at(record, field)) for field in LISTS}


def items_at(record: Record, field: str) -> list[Any]:
    """Return the entries of an outcome list; empty if the record has no list there."""
    found = value_at(record.body, field)
    return found if isinstance(found, list) else []


def is_item(change: FieldChange) -> bool:
    """Whether the change is about an entire entry of an outcome list."""
    return change.field in LISTS and isinstance(change.steps[-1], int)


def rank_of(change: FieldChange) -> str:
    """Return "primary", "secondary" or "other"."""
    return next((rank for path, rank in LISTS.items() if change.field.startswith(path)), "other")


def outcome_event(
    step: VersionStep,
    covered: list[FieldChange],
    *,
    what: str,
    summary: str,
    change: FieldChange | None = None,
    before: Any = MISSING,
    after: Any = MISSING,
    field: str = "",
    path: str = "",
    **more: Any,
) -> Event:
    """Make the event of an outcome; `what` is the input "change", `more` are further inputs.

    `change` gives the path and the label, unless `path` and `field` do. A change of a primary
    outcome in substance says when it was made.
    """
    change = change or covered[0]
    rank = rank_of(change)
    placement = placement_of(step)
    nature = _NATURES.get(what, "change")
    is_dated = rank == "primary" and nature == "change" and what not in DUPLICATES
    when = placement.words if is_dated else ""
    return make_event(
        step,
        field_at(field or change.field),
        covered,
        f"{summary}, {when}" if when else summary,
        path=path or change.path,
        before=before,
        after=after,
        inputs={"nature": nature, "change": what, "rank": rank, **placement.inputs, **more},
    )
