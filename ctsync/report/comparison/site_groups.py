"""The changed sites of a trial by what happened to them and by country. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctsync.record.events.site_text import Site, SiteChanges, by_status, edited_parts
from ctsync.record.value_text import plain

_NO_COUNTRY = "no country"


@dataclass(frozen=True, slots=True)
class SitesOfCountry:
    """The sites of one country, with their complete names."""

    country: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SiteGroup:
    """The sites with the same change ("added", "opened"), countries with most sites first."""

    what: str
    countries: tuple[SitesOfCountry, ...]

    @property
    def count(self) -> int:
        """The number of sites."""
        return sum(len(one.names) for one in self.countries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all sites."""
        return tuple(name for one in self.countries for name in one.names)


def site_groups(changes: SiteChanges) -> tuple[SiteGroup, ...]:
    """Return the changed sites. A site with two changes is in two groups."""
    return tuple(_groups(changes))


def _groups(changes: SiteChanges) -> Iterator[SiteGroup]:
    if changes.removed:
        yield _group("removed", [(site, _name(site)) for site in changes.removed])
    for what, sites in by_status(changes):
        yield _group(what, [(site, _name(site)) for site in sites])
    if changes.added:
        yield _group("added", [(site, _name(site)) for site in changes.added])
    if changes.renamed:
        renamed = [(new, f"{_name(old)} → {_name(new)}") for old, new in changes.renamed]
        yield _group("renamed", renamed)
    if details := changes.with_details:
        yield _group(edited_parts(details), [(site, _name(site)) for _, site in details])


def _group(what: str, named: Sequence[tuple[Site, str]]) -> SiteGroup:
    found: dict[str, list[str]] = {}
    for site, name in named:
        found.setdefault(_text(site, "country") or _NO_COUNTRY, []).append(name)
    ordered = sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return SiteGroup(what, tuple(SitesOfCountry(of, tuple(sorted(all_))) for of, all_ in ordered))


def _name(site: Site) -> str:
    parts = (_text(site, key) for key in ("facility", "city", "state"))
    return ", ".join(part for part in parts if part) or "no name"


def _text(site: Mapping[str, Any], key: str) -> str:
    return plain(site[key]) if site.get(key) else ""
