"""The number of sites per country in each version. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.model import Version
from ctsync.record.events.site_text import Site, SiteChanges
from ctsync.record.value_text import plain

NO_COUNTRY = "no country given"


@dataclass(frozen=True, slots=True)
class SiteCount:
    """The number of sites per country in the version that stood from a day."""

    stood_from: date
    version: int
    by_country: Mapping[str, int]

    @property
    def total(self) -> int:
        """The number of all sites."""
        return sum(self.by_country.values())


def country_of(site: Mapping[str, Any]) -> str:
    """Return the country of a site."""
    return plain(site["country"]) if site.get("country") else NO_COUNTRY


def steps_of(counts: Sequence[SiteCount]) -> list[SiteCount]:
    """Return the counts that differ from the one before."""
    return [
        one
        for n, one in enumerate(counts)
        if n == 0 or dict(one.by_country) != dict(counts[n - 1].by_country)
    ]


def site_counts(
    newest: Mapping[str, int],
    changes: Mapping[int, SiteChanges],
    versions: Sequence[tuple[Version, date]],
) -> tuple[SiteCount, ...]:
    """Return the counts of the versions with a record, oldest first.

    `newest` are the counts of the newest version, and `changes` the changes that led to a version,
    by its number: earlier counts follow from these, so that no earlier record is needed.
    """
    counts = Counter(newest)
    found = []
    for version, day in reversed(versions):
        found.append(SiteCount(day, version.version, dict(+counts)))
        if step := changes.get(version.version):
            counts.subtract(_countries([*step.added, *(new for _, new in step.edited)]))
            counts.update(_countries([*step.removed, *(old for old, _ in step.edited)]))
    return tuple(reversed(found))


def _countries(sites: Iterable[Site]) -> list[str]:
    return [country_of(site) for site in sites]
