"""The frame of every page: its addresses, its navigation and its style. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ctsync.report.addresses import Addresses


class Place(StrEnum):
    """An entry of the navigation, in its order, with its words."""

    TODAY = "Today"
    TRIALS = "Trials"


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A link of the navigation; `is_here` marks the page that shows it, or its part."""

    words: str
    href: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the content of a page.

    `links` are the addresses of the pages; None for a page alone. `title` names the trials that the
    pages show, such as "all watches". A page that `is_alone` contains its style.
    """

    links: Addresses | None = None
    title: str = ""
    is_alone: bool = False

    def navigation(self, here: Place | None) -> tuple[NavigationEntry, ...]:
        """Return the links to the main pages; empty if there are none."""
        if self.links is None:
            return ()
        addresses = {Place.TODAY: self.links.today, Place.TRIALS: self.links.trials}
        return tuple(NavigationEntry(place, addresses[place], place is here) for place in Place)
