"""Events of every field that has no family of its own: one per change. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import MISSING, Category, Event, FieldChange, Kind
from ctsync.record.compare.diff import is_order
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.events.base import VersionStep, absent_as_none, make_event, with_type
from ctsync.record.events.edit_text import edit_summary
from ctsync.record.events.item_names import of_item
from ctsync.record.fields.field_types import Field, Shape
from ctsync.record.fields.table import field_at
from ctsync.record.value_text import quoted, said

_LEAD_SPONSOR = "protocolSection.sponsorCollaboratorsModule.leadSponsor.name"
REMOVED_COUNTRY = "derivedSection.miscInfoModule.removedCountries"
_VIOLATIONS = (
    "annotationSection.annotationModule.violationAnnotation",
    "protocolSection.oversightModule.fdaaa801Violation",
)
_TEXTS = {Shape.TEXT, Shape.MARKUP, Shape.LIST}


def plain_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield one event per change. A date added or removed together with its type is one event."""
    for group in with_type(changes):
        yield plain_event(group, step)


def plain_event(
    changes: list[FieldChange], step: VersionStep, inputs: Mapping[str, Any] | None = None
) -> Event:
    """Make an event with a field's old and new value. A second change is that of its type."""
    change = changes[0]
    reported = field_at(change.field)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    facts = {
        "nature": _nature(change),
        "category": reported.category.value,
        **_facts(reported, change),
    }
    text, counts = _what(reported, change, of_item(change, step.before))
    # the distance between two bookkeeping dates has no meaning
    is_date = reported.shape is Shape.DATE and reported.category is not Category.BOOKKEEPING
    old, new = (PartialDate.parse(v) if is_date else None for v in (before, after))
    return make_event(
        step,
        reported,
        changes,
        text,
        before=before,
        after=after,
        inputs={**facts, **counts, **(inputs or {})},
        label="Country" if change.field == REMOVED_COUNTRY else None,
        days=old.shift_to(new).days if old and new else None,
    )


def _facts(reported: Field, change: FieldChange) -> dict[str, Any]:
    if reported.kind is Kind.SPONSOR:
        return {"lead_sponsor": change.field == _LEAD_SPONSOR}
    if reported.category is Category.OVERSIGHT:
        return {"violation": change.field.startswith(_VIOLATIONS)}
    return {}


def _nature(change: FieldChange) -> str:
    if is_order(change):
        return "order"
    if is_cosmetic(change.before, change.after):
        return "cosmetic"
    if change.before is MISSING:
        return "added"
    return "removed" if change.after is MISSING else "changed"


def _what(reported: Field, change: FieldChange, of: str) -> tuple[str, dict[str, Any]]:
    """Return the summary, and for a text the counts of words removed and added.

    `of` says which list item the value belongs to.
    """
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    if is_order(change):
        return f"{reported.label}{of}: only the order changed", {}
    if change.field == REMOVED_COUNTRY and MISSING in (change.before, change.after):
        return _country_removed(before, after), {}
    if isinstance(change.steps[-1], int) and MISSING in (change.before, change.after):
        verb = "added" if change.before is MISSING else "removed"
        item = quoted(after if verb == "added" else before, field=change.field)
        return f"{reported.label}{of} {verb}: {item}", {}
    if reported.shape in _TEXTS:
        text, counts = edit_summary(before, after)
        return f"{reported.label}{of}{text}", counts
    sides = (said(side, field=change.field) for side in (before, after))
    return f"{reported.label}{of}: {' -> '.join(sides)}", {}


def _country_removed(before: Any, after: Any) -> str:
    """Return the change of the list of countries that the registry shows as removed."""
    if after is not None:
        return f"Country removed: {said(after)}"
    return f"Country no longer listed as removed: {said(before)}"
