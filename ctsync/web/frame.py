"""The frame of every page: its addresses, its navigation and its style. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ctsync.report.addresses import Addresses, FeedLinks


class Place(StrEnum):
    """An entry of the navigation, in its order, with its words."""

    TODAY = "Today"
    TRIALS = "Trials"
    CHANGES = "Changes"
    WATCHES = "Watches"
    RUNS = "Runs"
    DELIVERIES = "Deliveries"
    RULES = "Rules"


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A link of the navigation; `is_here` marks the part of the site that shows it."""

    words: str
    href: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the content of a page.

    `links` are the addresses of the pages; None for a page alone. `title` names the trials that the
    pages show, such as "all watches". A page that `is_alone` contains its style. `own_feeds` are
    offered instead of the feed of all changes.
    """

    links: Addresses | None = None
    title: str = ""
    is_alone: bool = False
    own_feeds: tuple[FeedLinks, ...] = ()

    @property
    def feeds(self) -> tuple[FeedLinks, ...]:
        """The feeds that the head of the page names."""
        if self.own_feeds or self.links is None:
            return self.own_feeds
        return (FeedLinks("all changes", self.links.feed, self.links.json_feed),)

    def navigation(self, here: Place | None) -> tuple[NavigationEntry, ...]:
        """Return the links to the main pages; empty if there are none."""
        links = self.links
        if links is None:
            return ()
        addresses = {
            Place.TODAY: links.today,
            Place.TRIALS: links.trials,
            Place.CHANGES: links.changes,
            Place.WATCHES: links.watches,
            Place.RUNS: links.runs,
            Place.DELIVERIES: links.deliveries,
            Place.RULES: links.rules,
        }
        return tuple(NavigationEntry(place, addresses[place], place is here) for place in Place)
