"""Names of the list items that event summaries are about. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ctsync.model import FieldChange, Record
from ctsync.record.fields.table import field_at, outer_item
from ctsync.record.value_text import quoted, said

NAME_WIDTH = 60

NEW_FACILITY = "newFacility"
"""The key under which `site_names` finds the new name of a renamed site."""

_NAME_FIELDS = ("measure", "label", "name")
_NAMES_ITS_OWNER = " of the "


def of_item(change: FieldChange, before: Record) -> str:
    """Return which list item the changed value belongs to, as in ' of "Placebo"'.

    `before` is the record before the change. Empty if the value belongs to no item, or is
    itself the item.
    """
    item = item_at(change, before)
    if item is None:
        return ""
    given = (item[field] for field in _NAME_FIELDS if item.get(field))
    name = next(given, outer_item(change.path))
    # "Intervention of the arm" needs no second "of"
    of = " " if _NAMES_ITS_OWNER in field_at(change.field).label else " of "
    return of + quoted(name, NAME_WIDTH)


def item_at(change: FieldChange, before: Record) -> Mapping[str, Any] | None:
    """Return the outermost list item that contains the changed value.

    None if the value belongs to no item, or is itself the item. Empty if the item is not an
    object.
    """
    depth = next((n for n, step in enumerate(change.steps[:-1]) if isinstance(step, int)), None)
    if depth is None:
        return None
    item: Any = before.body
    for step in change.steps[: depth + 1]:
        item = item[step]
    return item if isinstance(item, dict) else {}


def site_names(sites: Iterable[Mapping[str, Any]]) -> str:
    """Return the sites with their countries: '"Clinic A", Poland; "Clinic B", Spain'."""
    return "; ".join(map(_site_name, sites))


def _site_name(site: Mapping[str, Any]) -> str:
    names = [site.get("facility") or site.get("city"), site.get(NEW_FACILITY)]
    name = " -> ".join(quoted(one, NAME_WIDTH) for one in names if one)
    country = said(site["country"], 40) if site.get("country") else ""
    return ", ".join(part for part in (name, country) if part) or "no name"
