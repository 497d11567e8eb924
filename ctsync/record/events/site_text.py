"""The changes of a trial's sites in words. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctsync.model import Event
from ctsync.record.compare.align import ALIKE, likeness
from ctsync.record.compare.canonical import as_text
from ctsync.record.enum_words import enum_words, within_sentence
from ctsync.record.events.item_names import NEW_FACILITY, site_names
from ctsync.record.value_text import by_country, counted, listed, said

Site = Mapping[str, Any]

_NOT_YET, _RECRUITING = "NOT_YET_RECRUITING", "RECRUITING"
# tuples: a malformed status may be a list, which no set can look up
_BEGUN = (_RECRUITING, "ENROLLING_BY_INVITATION")
_OPEN = (*_BEGUN, _NOT_YET)
_CLOSED = ("ACTIVE_NOT_RECRUITING", "COMPLETED", "SUSPENDED", "TERMINATED", "WITHDRAWN")
_ADDRESS = frozenset({"city", "state", "zip", "country"})
_MOST_PHRASES = 2
"""Most phrases in the short form."""
_MOST_NAMED = 3
"""Most sites that are named; more are counted by country."""
_LONGEST = 60
"""Most characters of a short form with countries."""


@dataclass(frozen=True, slots=True)
class SiteChanges:
    """The sites that one version added, removed and edited; `edited` has each before and after.

    `before` and `after` are the numbers of all sites in the two versions.
    """

    before: int
    after: int
    added: Sequence[Site]
    removed: Sequence[Site]
    edited: Sequence[tuple[Site, Site]]

    @property
    def with_status(self) -> list[tuple[Site, Site]]:
        """The sites whose status changed."""
        return [(old, new) for old, new in self.edited if old.get("status") != new.get("status")]

    @property
    def closed(self) -> int:
        """The number of sites that closed to recruitment, or that were removed while open."""
        ended = sum(
            old.get("status") in _OPEN and new.get("status") in _CLOSED
            for old, new in self.with_status
        )
        return ended + sum(site.get("status") in _OPEN for site in self.removed)

    @property
    def opened(self) -> int:
        """The number of sites that began to recruit, or that were added as recruiting."""
        begun = sum(
            new.get("status") in _BEGUN and old.get("status") not in _BEGUN
            for old, new in self.with_status
        )
        return begun + sum(site.get("status") in _BEGUN for site in self.added)

    @property
    def renamed(self) -> list[tuple[Site, Site]]:
        """The sites whose new name is not similar to their old name."""
        return [(old, new) for old, new in self.edited if _is_renamed(old, new)]

    @property
    def with_details(self) -> list[tuple[Site, Site]]:
        """The sites that have the same status and a similar name as before."""
        return [
            (old, new)
            for old, new in self.edited
            if old.get("status") == new.get("status") and not _is_renamed(old, new)
        ]

    @property
    def is_details_only(self) -> bool:
        """Whether no site was added, removed or renamed, and none has another status."""
        return not (self.added or self.removed or self.with_status or self.renamed)


def changes_of(event: Event) -> SiteChanges:
    """The changes that the event of a trial's sites has stored."""
    inputs = event.inputs
    before, after = (side if isinstance(side, list) else [] for side in (event.before, event.after))
    removed, added = int(inputs.get("removed", 0)), int(inputs.get("added", 0))
    return SiteChanges(
        int(inputs.get("before", 0)),
        int(inputs.get("after", 0)),
        added=after[:added],
        removed=before[:removed],
        edited=list(zip(before[removed:], after[added:], strict=False)),
    )


def site_summary(changes: SiteChanges) -> str:
    """All changes in a line: "Sites 230 -> 242: 12 added (Poland), 176 of 242 opened (…)"."""
    count = f" {changes.before:,} -> {changes.after:,}" if changes.before != changes.after else ""
    phrases = listed([
        f"{phrase} ({_places(sites)})" if sites else phrase
        for phrase, sites in _phrases(changes)
    ])  # fmt: skip
    return f"Sites{count}: {phrases or 'changed in a way ctsync does not know'}"


def short_site_summary(changes: SiteChanges) -> str:
    """The first changes in a few words: "176 of 230 sites opened", "1 site added (Poland)"."""
    found = list(_phrases(changes, noun="sites "))
    if len(found) == 1:
        ((phrase, sites),) = found
        in_full = f"{phrase} ({by_country(map(_country, sites))})" if sites else phrase
        return in_full if len(in_full) <= _LONGEST else phrase
    return ", ".join(phrase for phrase, _ in found[:_MOST_PHRASES]) or "sites changed"


def by_country_count(sites: Iterable[Site]) -> dict[str, int]:
    """The number of sites per country."""
    return dict(Counter(map(_country, sites)))


def _phrases(changes: SiteChanges, *, noun: str = "") -> Iterator[tuple[str, Sequence[Site]]]:
    """What happened to how many sites, and these sites.

    `noun` follows a number of sites.
    """
    total = changes.after

    def of(number: int) -> str:
        if total == 1:
            return "the only site "
        return f"all {total:,} {noun}" if number == total else f"{number:,} of {total:,} {noun}"

    def some(number: int) -> str:
        return f"{counted(number, 'site')} " if noun else f"{number:,} "

    if changes.added:
        yield f"{some(len(changes.added))}added", changes.added
    if changes.removed:
        yield f"{some(len(changes.removed))}removed", changes.removed
    for status, sites in by_status(changes):
        verb = "" if status == "opened" else "is " if len(sites) == 1 else "are "
        yield f"{of(len(sites))}{verb}{status}", sites
    if renamed := [
        {**new, "facility": old.get("facility"), NEW_FACILITY: new.get("facility")}
        for old, new in changes.renamed
    ]:
        yield f"{of(len(renamed))}renamed", renamed
    if details := changes.with_details:
        yield f"{of(len(details))}{edited_parts(details)}", [new for _, new in details]


def by_status(changes: SiteChanges) -> Iterator[tuple[str, list[Site]]]:
    """The sites with another status by what happened to them ("opened"), most sites first."""
    now: dict[str, list[Site]] = {}
    for old, new in changes.with_status:
        now.setdefault(_status_phrase(old.get("status"), new.get("status")), []).append(new)
    yield from sorted(now.items(), key=lambda pair: -len(pair[1]))


def edited_parts(sites: Sequence[tuple[Site, Site]]) -> str:
    """What was edited of sites that have the same status: "with an edited address"."""
    parts = {part for old, new in sites for part in {*old, *new} if old.get(part) != new.get(part)}
    names = ["name"] if "facility" in parts else []
    names += ["address"] if parts & _ADDRESS else []
    return f"with an edited {' or '.join(names)}" if names else "with edited details"


def _status_phrase(before: Any, after: Any) -> str:
    if before == _NOT_YET and after == _RECRUITING:
        return "opened"
    if not after:
        return "now without a status"
    words = enum_words(after) if isinstance(after, str) else after
    return f"now {within_sentence(said(words, 40))}"


def _places(sites: Sequence[Site]) -> str:
    """The names of a few sites, or the countries of many."""
    if len(sites) <= _MOST_NAMED:
        return site_names(sites)
    return by_country(map(_country, sites))


def _country(site: Site) -> str:
    country = site.get("country")
    return country if isinstance(country, str) and country else "no country"


def _is_renamed(old: Site, new: Site) -> bool:
    names = (as_text(old.get("facility")), as_text(new.get("facility")))
    return names[0] != names[1] and likeness(names[0].casefold(), names[1].casefold()) < ALIKE
