"""Which stored version stood on a given day; pure, no I/O.

Three times are kept apart (design: posted, observed, fetched). A version is taken to stand
from the day the registry posted it; where a version came without a new post date, as the
registry's own UNKNOWN does, from the day of the load that first showed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

from ctsync.dates import PartialDate
from ctsync.errors import UnknownVersion
from ctsync.model import State, Version


class DatedVersion(Protocol):
    """What the day a version stands from is read from; a Version, or less."""

    @property
    def state(self) -> State:
        """As in Version."""

    @property
    def posted(self) -> str | None:
        """As in Version."""

    @property
    def submitted(self) -> str | None:
        """As in Version."""

    @property
    def observed(self) -> datetime | None:
        """As in Version."""

    @property
    def fetched(self) -> datetime:
        """As in Version."""


@dataclass(frozen=True, slots=True)
class NotRegistered:
    """The trial was first posted only later, on `first_posted`."""

    first_posted: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The trial was registered, but the oldest stored version stands only from `since`."""

    since: date


def stands_from(versions: Sequence[DatedVersion]) -> list[date]:
    """The day from which each version stood, for versions oldest first; never decreasing.

    A day is the post date where the version brought a new one, else the day of its load, else
    the day of its submission, else the day it was fetched.
    """
    days: list[date] = []
    posted_before: str | None = None
    for version in versions:
        day = _first_day(version, fresh=version.posted != posted_before)
        days.append(max(day, days[-1]) if days else day)
        posted_before = version.posted
    return days


def stands_from_next(
    versions: Sequence[Version], posted: str | None, observed: datetime
) -> list[date]:
    """The same for versions, and one more that a load is about to add to them."""
    newest = versions[-1]
    new = replace(newest, state=State.PRESENT, posted=posted, observed=observed)
    return stands_from([*versions, new])


def _first_day(version: DatedVersion, *, fresh: bool) -> date:
    posted = PartialDate.parse(version.posted) if fresh and version.state is State.PRESENT else None
    if posted is not None:
        return posted.last
    if version.observed is not None:
        return version.observed.date()
    submitted = PartialDate.parse(version.submitted)
    return submitted.last if submitted is not None else version.fetched.date()


def version_on(versions: Sequence[Version], day: date) -> Version | NotRegistered | NotKnown:
    """The version that stood at the end of `day`.

    Raises UnknownVersion where nothing is stored.
    """
    if not versions:
        raise UnknownVersion("no version of this trial is stored yet; run: ctsync sync")
    standing = [v for v, since in zip(versions, stands_from(versions), strict=True) if since <= day]
    if standing:
        return standing[-1]
    oldest, since = versions[0], stands_from(versions)[0]
    first_posted = PartialDate.parse(oldest.key.first_posted)
    if first_posted is not None and day < first_posted.first:
        return NotRegistered(first_posted.text)
    # before the registry's own version 0 there was nothing
    return NotRegistered(since.isoformat()) if oldest.registry_version == 0 else NotKnown(since)


def find_version(versions: Sequence[Version], number: int) -> Version:
    """The version numbered `number`; negative numbers count back from the newest, -1.

    Raises UnknownVersion and says which numbers there are.
    """
    wanted = len(versions) + 1 + number if number < 0 else number
    for version in versions:
        if version.version == wanted:
            return version
    there_are = f"versions 1 to {len(versions)}" if versions else "none"
    raise UnknownVersion(f"there is no version {number}; stored: {there_are}")
