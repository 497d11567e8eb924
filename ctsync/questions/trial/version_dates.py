"""The days on which stored versions were current. Pure, no I/O.

There are three separate times: posted, observed and fetched. A version is current from the day on
which the registry posted it. A version without a new post date, such as the registry's own change
to UNKNOWN, is current from the day of the load that first showed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Protocol

from ctsync.dates import PartialDate
from ctsync.errors import UnknownVersion
from ctsync.model import State, Version
from ctsync.report.trial.version_day import VersionDay


class DatedVersion(Protocol):
    """The values that determine the first day of a version; Version has them all."""

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
    """The trial was first posted later, on `first_posted`."""

    first_posted: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The trial was registered, but the oldest stored version is current only from `since`."""

    since: date


def stands_from(versions: Sequence[DatedVersion]) -> list[date]:
    """Return the first day of each version, for versions oldest first; never decreasing.

    The day is the post date if the version has a new one, else the day of its load, else the day
    of its submission, else the day on which it was fetched.
    """
    days: list[date] = []
    posted_before: str | None = None
    for version in versions:
        posted = version.posted
        day = _first_day(version, posted if posted != posted_before else None)
        days.append(max(day, days[-1]) if days else day)
        posted_before = posted
    return days


def version_days(versions: Sequence[Version]) -> tuple[VersionDay, ...]:
    """Return the versions with a record and their first days; `versions` are all of a trial."""
    days = zip(versions, stands_from(versions), strict=True)
    return tuple(VersionDay(one.version, day) for one, day in days if one.digest is not None)


def stands_from_next(
    versions: Sequence[Version], posted: str | None, observed: datetime
) -> list[date]:
    """Return the first day of each version, and of one more that a load is about to add."""
    newest = versions[-1]
    new = replace(newest, state=State.PRESENT, posted=posted, observed=observed)
    return stands_from([*versions, new])


def _first_day(version: DatedVersion, new_post: str | None) -> date:
    posted = None if new_post is None else _last_day(new_post)
    if posted is not None and version.state is State.PRESENT:
        return posted
    observed = version.observed
    if observed is not None:
        return observed.date()
    return _last_day(version.submitted) or version.fetched.date()


@lru_cache(maxsize=8192)
def _last_day(text: str | None) -> date | None:
    """Return the last day that a text may mean, or None. Cached: trials share few dates."""
    found = PartialDate.parse(text)
    return None if found is None else found.last


def version_on(versions: Sequence[Version], day: date) -> Version | NotRegistered | NotKnown:
    """Return the version that was current at the end of `day`.

    Raises UnknownVersion if no version is stored.
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
    # there was no version before the registry's version 0
    return NotRegistered(since.isoformat()) if oldest.registry_version == 0 else NotKnown(since)


def find_version(versions: Sequence[Version], number: int) -> Version:
    """Return the version numbered `number`; negative numbers count back from the newest, -1.

    Raises UnknownVersion, which names the stored numbers.
    """
    wanted = len(versions) + 1 + number if number < 0 else number
    for version in versions:
        if version.version == wanted:
            return version
    there_are = f"versions 1 to {len(versions)}" if versions else "none"
    raise UnknownVersion(f"there is no version {number}; stored: {there_are}")
