"""Where a version of the registry's history belongs among those stored; pure, no I/O.

The versions of a history are ordered by the registry's own numbers, and among what was seen live
by the registry's own dates. What was seen live and brought no dates of its own, as a change to
UNKNOWN does not, derives from the version whose dates it has, and stands behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctsync.dates import PartialDate
from ctsync.model import KeyFields, State, Version


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """The version was seen live already: it is `version`."""

    version: Version


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """The version is new, and belongs ahead of the one at `index`; behind all at the end."""

    index: int


def find_insertion_point(
    versions: Sequence[Version],
    number: int,
    key: KeyFields,
    *,
    is_same: Callable[[Version], bool],
) -> KnownVersion | InsertionPoint:
    """Find the place of the registry's version `number` among `versions`, oldest first.

    `is_same` says whether a version that was seen live has the content of this one; it is asked
    only of those that have its status and dates. Nothing is put behind a trial's end: what the
    registry holds of one that is gone or moved is from before.
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
    """Whether two versions have the same dates and status, without which they are not the same."""
    ours, theirs = ((one.status, one.posted, one.submitted, one.enrollment) for one in (seen, key))
    return ours == theirs


def _stands_behind(seen: Version, key: KeyFields, *, came_back: bool) -> bool:
    if seen.state is not State.PRESENT:
        day = PartialDate.parse(key.posted) or PartialDate.parse(key.submitted)
        told = seen.observed
        return not came_back or day is None or told is None or day.last <= told.date()
    for theirs, ours in ((seen.key.posted, key.posted), (seen.key.submitted, key.submitted)):
        then, now = PartialDate.parse(theirs), PartialDate.parse(ours)
        if then is not None and now is not None and then.last != now.last:
            return then.last > now.last
    return True
