"""The place of a version of the registry's history among the stored versions. Pure, no I/O.

Versions of a history are ordered by the registry's numbers. Relative to versions seen live, they
are ordered by the registry's dates. A live version that updated no date, such as a change to
UNKNOWN, comes after the version with the same dates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctsync.dates import PartialDate
from ctsync.model import KeyFields, State, Version


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """The version was already seen live, as `version`."""

    version: Version


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """The version is new and belongs before the one at `index`, as in `list.insert`."""

    index: int


def find_insertion_point(
    versions: Sequence[Version],
    number: int,
    key: KeyFields,
    *,
    is_same: Callable[[Version], bool],
) -> KnownVersion | InsertionPoint:
    """Find the place of the registry's version `number` among `versions`, oldest first.

    `is_same` tests whether a version seen live has the same content as this one. It is called only
    for versions with the same status, dates and enrollment. Nothing is placed after a final gone or
    moved version: all versions in the registry's history of such a trial are older.
    """
    numbers = [version.registry_version for version in versions]
    start = 1 + max((i for i, n in enumerate(numbers) if n is not None and n < number), default=-1)
    end = next((i for i, n in enumerate(numbers) if n is not None and n > number), len(versions))
    for version in versions[start:end]:
        if version.state is State.PRESENT and _may_be(version.key, key) and is_same(version):
            return KnownVersion(version)
    for index in range(start, end):
        came_back = any(later.state is State.PRESENT for later in versions[index + 1 :])
        if _stands_behind(versions[index], key, came_back=came_back):
            return InsertionPoint(index)
    return InsertionPoint(end)


def _may_be(seen: KeyFields, key: KeyFields) -> bool:
    """Whether two versions can be equal: they have the same dates, status and enrollment."""
    ours, theirs = ((one.status, one.posted, one.submitted, one.enrollment) for one in (seen, key))
    return ours == theirs


def _stands_behind(seen: Version, key: KeyFields, *, came_back: bool) -> bool:
    """Whether a version seen live comes after the version with `key`."""
    if seen.state is not State.PRESENT:
        day = PartialDate.parse(key.posted) or PartialDate.parse(key.submitted)
        observed = seen.observed
        return not came_back or day is None or observed is None or day.last <= observed.date()
    for theirs, ours in ((seen.key.posted, key.posted), (seen.key.submitted, key.submitted)):
        then, now = PartialDate.parse(theirs), PartialDate.parse(ours)
        if then is not None and now is not None and then.last != now.last:
            return then.last > now.last
    return True
