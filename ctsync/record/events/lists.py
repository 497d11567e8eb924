"""Events that summarize a list: sites, their contacts and map positions, results, MeSH terms.

A version step has one event per such list, however many items changed. The event counts the
items added, removed and changed.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ctsync.model import MISSING, Category, Event, FieldChange, Record
from ctsync.record.compare.diff import is_order
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.enum_words import item_words
from ctsync.record.events.base import VersionStep, absent_as_none, make_event
from ctsync.record.events.site_text import SiteChanges, by_country_count, site_summary
from ctsync.record.fields.field_types import Field
from ctsync.record.fields.table import outer_item
from ctsync.record.value_text import counted, listed, one_line, quoted, said

SITES = "protocolSection.contactsLocationsModule.locations"
_SITE_PARTS = ("facility", "city", "state", "zip", "country", "status")
_NAMED_ITEMS = 3


def site_event(reported: Field, changes: list[FieldChange], step: VersionStep) -> Event:
    """Return the one event of all sites: their number, and which sites changed.

    Up to three sites per kind of change are named; more are counted by country.
    """
    removed = [_compact(c.before) for c in changes if _is_item(c) and c.after is MISSING]
    added = [_compact(c.after) for c in changes if _is_item(c) and c.before is MISSING]
    edited = list(_edited_sites(changes, step.before))
    before, after = _sites_of(step.before), _sites_of(step.after)
    found = SiteChanges(len(before), len(after), added, removed, edited)
    inputs = {
        "nature": "details" if found.is_details_only else "sites",
        "before": len(before),
        "after": len(after),
        "added": len(added),
        "removed": len(removed),
        "status_changed": len(found.with_status),
        "renamed": len(found.renamed),
        "details_changed": len(found.with_details),
        "closed": found.closed,
        "closed_percent": _share(found.closed, len(before)),
        "opened": found.opened,
        "opened_percent": _share(found.opened, len(after)),
        "added_by_country": by_country_count(added),
        "removed_by_country": by_country_count(removed),
    }
    return make_event(
        step,
        reported,
        changes,
        site_summary(found),
        path=reported.path,
        before=[*removed, *(old for old, _ in edited)],
        after=[*added, *(new for _, new in edited)],
        inputs=inputs,
    )


def _share(part: int, total: int) -> float | None:
    return part / total * 100 if total else None


def _is_item(change: FieldChange) -> bool:
    return isinstance(change.steps[-1], int)


def _compact(site: Any) -> dict[str, Any]:
    """Return a site without its contacts and map position."""
    if not isinstance(site, dict):
        return {"facility": said(site)}
    return {part: site[part] for part in _SITE_PARTS if part in site}


def _sites_of(record: Record) -> list[Any]:
    here: Any = record.body
    for step in SITES.split("."):
        here = here.get(step) if isinstance(here, dict) else None
    return here if isinstance(here, list) else []


def _edited_sites(
    changes: Iterable[FieldChange], before: Record
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    by_site: dict[int, dict[str, Any]] = {}
    depth = SITES.count(".") + 1
    for change in changes:
        position = change.steps[depth] if len(change.steps) > depth + 1 else None
        if isinstance(position, int):
            by_site.setdefault(position, {})[str(change.steps[depth + 1])] = change.after
    sites = _sites_of(before)
    for position, edits in by_site.items():
        old = _compact(sites[position])
        new = {**old, **edits}
        yield old, {part: value for part, value in new.items() if value is not MISSING}


def list_event(reported: Field, changes: list[FieldChange], step: VersionStep) -> Event:
    """Return the one event of any other summed list, or of an undeclared part of the record.

    If a single value changed, the event shows that value.
    """
    if len(changes) == 1:
        return _single(reported, changes[0], step)
    removed = [c for c in changes if _is_item(c) and c.after is MISSING]
    added = [c for c in changes if _is_item(c) and c.before is MISSING]
    edits = [c for c in changes if c not in removed and c not in added]
    edited = list(dict.fromkeys(_outer_item(c) for c in edits if c.item is not None))
    loose = sum(1 for c in edits if c.item is None)
    inputs = {
        "nature": _nature(changes),
        "category": reported.category.value,
        "added": len(added),
        "removed": len(removed),
        "edited": len(edited) + loose,
        "leaves": len(changes),
    }
    return make_event(
        step,
        reported,
        changes,
        f"{_field_label(reported)}: " + listed([
            _some(len(added), "added", [_item(c) for c in added]),
            _some(len(removed), "removed", [_item(c) for c in removed]),
            _some(len(edited), "changed", edited),
            f"{counted(loose, 'other value')} changed" if loose else "",
        ]),
        path=reported.path,
        before=[absent_as_none(c.before) for c in changes if c.before is not MISSING],
        after=[absent_as_none(c.after) for c in changes if c.after is not MISSING],
        inputs=inputs,
    )  # fmt: skip


def _single(reported: Field, change: FieldChange, step: VersionStep) -> Event:
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    of = f" of {quoted(_item(change), 60)}" if change.item and not _is_item(change) else ""
    if before is None:
        what = f"{quoted(after, field=change.field)} added"
    elif after is None:
        what = f"{quoted(before, field=change.field)} removed"
    else:
        sides = (quoted(side, 80, field=change.field) for side in (before, after))
        what = " -> ".join(sides)
    return make_event(
        step,
        reported,
        [change],
        f"{_field_label(reported)}{of}: {what}",
        before=before,
        after=after,
        inputs={"nature": _nature([change]), "category": reported.category.value, "leaves": 1},
    )


def _field_label(reported: Field) -> str:
    """Return the label of a field; an undeclared field is marked as unknown to ctsync."""
    if reported.category is Category.UNKNOWN:
        return f"Field unknown to ctsync, {one_line(reported.label)}"
    return reported.label


def _item(change: FieldChange) -> str | None:
    return None if change.item is None else item_words(change.item, change.field)


def _outer_item(change: FieldChange) -> str | None:
    name = outer_item(change.path)
    return None if name is None else item_words(name, change.path.partition("[")[0])


def _nature(changes: Sequence[FieldChange]) -> str:
    if all(is_order(change) for change in changes):
        return "order"
    cosmetic = (is_order(change) or is_cosmetic(change.before, change.after) for change in changes)
    return "cosmetic" if all(cosmetic) else "change"


def _some(number: int, verb: str, names: Sequence[str | None]) -> str:
    """Return the number with a verb, and up to three names."""
    if not number:
        return ""
    shown = [quoted(name, 50) for name in names if name]
    which = f" ({', '.join(shown)})" if number <= _NAMED_ITEMS and shown else ""
    return f"{number:,} {verb}{which}"
