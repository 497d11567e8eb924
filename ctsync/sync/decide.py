"""Decisions: what an answer means for a trial, given what is stored. Pure, no I/O.

`decide` takes the head of a trial's stored versions and one answer of the registry, and returns one
of the decisions below. It reads no clock, database or network; the callers act on the decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ctsync.model import (
    Absent,
    Failed,
    Head,
    NctId,
    Observation,
    Prepared,
    Record,
    Source,
    State,
)


@dataclass(frozen=True, slots=True)
class First:
    """No version of this trial is stored; `awaited` if an earlier load lacked it."""

    record: Record | Prepared
    awaited: bool


@dataclass(frozen=True, slots=True)
class Same:
    """The record equals the stored one; `recovered` if this ends an unconfirmed absence."""

    head: Head
    recovered: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The record has the content of the head, which came from the registry's history."""

    head: Head
    record: Record


@dataclass(frozen=True, slots=True)
class Changed:
    """The record differs from the stored one."""

    head: Head
    record: Record


@dataclass(frozen=True, slots=True)
class Returned:
    """The trial was gone or merged, and the registry has it again under its own id."""

    head: Head
    record: Record


@dataclass(frozen=True, slots=True)
class Moved:
    """The registry answers this id with another trial, which has taken it over."""

    head: Head | None
    to: NctId


@dataclass(frozen=True, slots=True)
class Missing:
    """The first load without the trial; it counts as gone only if another load confirms it.

    `head` is None for an id that no load has ever contained.
    """

    head: Head | None


@dataclass(frozen=True, slots=True)
class StillUnknown:
    """No load has ever contained the id, and an earlier run reported it."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A second, later load without the trial."""

    head: Head


@dataclass(frozen=True, slots=True)
class StillAway:
    """The trial is still gone or moved; `to` is the trial that took it over."""

    head: Head | None
    to: NctId | None = None


@dataclass(frozen=True, slots=True)
class NotChecked:
    """The trial could not be checked; nothing is known about its state."""

    failed: Failed


Decision = (
    First
    | Same
    | Confirmed
    | Changed
    | Returned
    | Moved
    | Missing
    | StillUnknown
    | Gone
    | StillAway
    | NotChecked
)

STORED = (First, Confirmed, Changed, Returned, Moved, Gone)
"""The decisions after which a version is stored or updated."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation with its canonical record."""

    observation: Observation
    record: Record | Prepared


LEAST_SUSPICIOUS = 25
SUSPICIOUS_SHARE = 1000


def most_at_once(of: int) -> int:
    """Return how many of `of` trials may vanish at once before a registry error is assumed.

    25 or one per thousand, whichever is more.
    """
    return max(LEAST_SUSPICIOUS, of // SUSPICIOUS_SHARE)


def decide(
    head: Head | None,
    answer: Seen | Absent | Failed,
    *,
    awaited: bool = False,
    says_the_same: bool = False,
    moved_to: NctId | None = None,
    is_known_absent: bool = False,
) -> Decision:
    """Decide what `answer` means, given `head`, the newest stored version of the trial.

    - `awaited`: an earlier load lacked the trial and no version is stored, so a first record is a
      change and not a baseline.
    - `says_the_same`: the head is from the registry's history, in another form, and the record has
      the same content.
    - `moved_to`: the trial that took over an id without stored versions in an earlier load.
    - `is_known_absent`: an earlier run reported that no load contains the id.

    A trial is gone only after two different loads lack it. A failed answer does not count.
    """
    match answer:
        case Failed():
            return NotChecked(answer)
        case Absent():
            if head is None and is_known_absent:
                return StillUnknown()
            return _decide_absent(head, answer.data_timestamp)
        case Seen(observation, record):
            if observation.asked_as != observation.nct_id:
                if observation.nct_id == (moved_to if head is None else head.moved_to):
                    return StillAway(head, observation.nct_id)
                return Moved(head, observation.nct_id)
            return _decide_present(head, record, awaited=awaited, says_the_same=says_the_same)


def _decide_absent(head: Head | None, load: datetime) -> Decision:
    if head is None:
        return Missing(None)
    if head.state is not State.PRESENT:
        return StillAway(head, head.moved_to)
    if head.absent_since is not None and head.absent_since < load:
        return Gone(head)
    return Missing(head)


def _decide_present(
    head: Head | None, record: Record | Prepared, *, awaited: bool, says_the_same: bool
) -> Decision:
    if head is None:
        return First(record, awaited)
    is_present = head.state is State.PRESENT
    # a head from the history has another form, so its digest cannot be compared
    if is_present and head.source is not Source.HISTORY and head.digest == record.digest:
        return Same(head, recovered=head.absent_since is not None)
    if not isinstance(record, Record):
        raise ValueError(f"{record.nct_id} must be compared, but its record was not loaded in full")
    if not is_present:
        return Returned(head, record)
    if head.source is Source.HISTORY and says_the_same:
        return Confirmed(head, record)
    return Changed(head, record)
