"""The place of a version of the registry's history among the stored versions. Pure, no I/O.

Versions of a history are ordered by the registry's own numbers. Against versions seen live, they
are ordered by the registry's own dates. A version seen live without dates of its own, such as a
change to UNKNOWN, derives from the version whose dates it has, and stands after it.
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
    """The version is new and belongs before the one at `index`, or last at the end index."""

    index: int


def find_insertion_point(
    versions: Sequence[Version],
    number: int,
    key: KeyFields,
    *,
    is_same: Callable[[Version], bool],
) -> KnownVersion | InsertionPoint:
    """Find the place of the registry's version `number` among `versions`, oldest first.

    `is_same` tests whether a version seen live has the content of this one; it is called only for
    versions with the same status and dates. Nothing is placed after the end of a trial: versions of
    a gone or moved trial in the registry's history are from before that.
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
    """Whether two versions have the same dates, status and enrollment; equal ones must."""
    ours, theirs = ((one.status, one.posted, one.submitted, one.enrollment) for one in (seen, key))
    return ours == theirs


def _stands_behind(seen: Version, key: KeyFields, *, came_back: bool) -> bool:
    """Whether a version seen live stands after the one with `key`."""
    if seen.state is not State.PRESENT:
        day = PartialDate.parse(key.posted) or PartialDate.parse(key.submitted)
        observed = seen.observed
        return not came_back or day is None or observed is None or day.last <= observed.date()
    for theirs, ours in ((seen.key.posted, key.posted), (seen.key.submitted, key.submitted)):
        then, now = PartialDate.parse(theirs), PartialDate.parse(ours)
        if then is not None and now is not None and then.last != now.last:
            return then.last > now.last
    return True
