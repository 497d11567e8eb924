"""The changed sites of a trial as rows: one per site, with its status before and after. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ctsync.record.enum_words import enum_words
from ctsync.record.events.site_text import Site, SiteChanges
from ctsync.record.value_text import plain

_KEPT = ("facility", "city", "state", "zip", "country")
_NAMES = {"facility": "facility", "city": "city", "state": "state", "zip": "ZIP"}


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site that was added, removed or changed; a status is empty if the record has none."""

    change: str
    country: str
    name: str
    before: str
    after: str


def site_rows(changes: SiteChanges) -> tuple[SiteRow, ...]:
    """Return the rows: removed, changed, then added sites, by country and name."""
    return (
        *sorted((_row("removed", site, None) for site in changes.removed), key=_place),
        *sorted((_edited(old, new) for old, new in changes.edited), key=_place),
        *sorted((_row("added", None, site) for site in changes.added), key=_place),
    )  # fmt: skip


def _place(row: SiteRow) -> tuple[str, str]:
    return row.country, row.name


def _row(change: str, old: Site | None, new: Site | None) -> SiteRow:
    site = new or old or {}
    return SiteRow(change, _text(site, "country"), _name(site), _status(old), _status(new))


def _edited(old: Site, new: Site) -> SiteRow:
    parts = list(_changed_parts(old, new))
    if old.get("status") != new.get("status"):
        parts.insert(0, "status")
    row = _row(f"{' and '.join(parts) or 'details'} changed", old, new)
    before, after = _name(old), _name(new)
    name = row.name if before == after else f"{before} → {after}"
    return SiteRow(row.change, row.country, name, row.before, row.after)


def _changed_parts(old: Site, new: Site) -> Iterator[str]:
    for key in _KEPT:
        if old.get(key) != new.get(key):
            yield _NAMES.get(key, key)
    if old.get("contacts") != new.get("contacts"):
        yield "contacts"


def _name(site: Site) -> str:
    parts = (_text(site, key) for key in ("facility", "city", "state"))
    return ", ".join(part for part in parts if part) or "no name"


def _status(site: Site | None) -> str:
    return enum_words(_text(site, "status")) if site and site.get("status") else ""


def _text(site: Site, key: str) -> str:
    return plain(site[key]) if site.get(key) else ""
