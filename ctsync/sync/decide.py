"""What an answer means for a trial, given what is stored; pure, no I/O.

`decide` looks at the head of a trial's stored versions and at one answer of the registry and
says which of the decisions below it is. It never looks at a clock, a database or a network:
what is done about a decision is the business of `sync`.
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
    """Nothing of this trial was stored before; `awaited` if the registry had denied knowing it."""

    record: Record | Prepared
    awaited: bool


@dataclass(frozen=True, slots=True)
class Same:
    """The record is the stored one; `recovered` if an unconfirmed absence is to be forgotten."""

    head: Head
    recovered: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The record is what the stored one says, which only the registry's history had told yet."""

    head: Head
    record: Record


@dataclass(frozen=True, slots=True)
class Changed:
    """The record differs from the stored one."""

    head: Head
    record: Record


@dataclass(frozen=True, slots=True)
class Returned:
    """The trial was gone, or merged away, and answers again under its own id."""

    head: Head
    record: Record


@dataclass(frozen=True, slots=True)
class Moved:
    """The registry answers this id with another trial, which has taken it over."""

    head: Head | None
    to: NctId


@dataclass(frozen=True, slots=True)
class Missing:
    """First load without the trial: remembered, told to nobody, until another load confirms it."""

    head: Head | None


@dataclass(frozen=True, slots=True)
class Gone:
    """A second, later load without the trial."""

    head: Head


@dataclass(frozen=True, slots=True)
class StillAway:
    """Known to be gone or moved, and still so."""

    head: Head


@dataclass(frozen=True, slots=True)
class NotChecked:
    """The trial could not be checked, which says nothing about it."""

    failed: Failed


Decision = (
    First | Same | Confirmed | Changed | Returned | Moved | Missing | Gone | StillAway | NotChecked
)


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation with its record made canonical."""

    observation: Observation
    record: Record | Prepared


LEAST_SUSPICIOUS = 25
SUSPICIOUS_SHARE = 1000


def most_at_once(of: int) -> int:
    """How many trials of `of` may vanish at once before it looks like the registry's mistake.

    25, or one in a thousand where that is more.
    """
    return max(LEAST_SUSPICIOUS, of // SUSPICIOUS_SHARE)


def decide(
    head: Head | None,
    answer: Seen | Absent | Failed,
    *,
    awaited: bool = False,
    says_the_same: bool = False,
) -> Decision:
    """Say what `answer` means, where `head` is the newest stored version of the trial asked for.

    `awaited` tells that an earlier load denied knowing a trial of which nothing is stored, so
    that a first record is news rather than a baseline. `says_the_same` tells of a head from the
    registry's history, which is of another form, that the record has its content. A trial is
    gone only when two different loads lack it; an answer that failed never counts as either.
    """
    match answer:
        case Failed():
            return NotChecked(answer)
        case Absent():
            return _decide_absent(head, answer.data_timestamp)
        case Seen(observation, record):
            if observation.asked_as != observation.nct_id:
                if head is not None and head.moved_to == observation.nct_id:
                    return StillAway(head)
                return Moved(head, observation.nct_id)
            return _decide_present(head, record, awaited=awaited, says_the_same=says_the_same)


def _decide_absent(head: Head | None, load: datetime) -> Decision:
    if head is None:
        return Missing(None)
    if head.state is not State.PRESENT:
        return StillAway(head)
    if head.absent_since is not None and head.absent_since < load:
        return Gone(head)
    return Missing(head)


def _decide_present(
    head: Head | None, record: Record | Prepared, *, awaited: bool, says_the_same: bool
) -> Decision:
    if head is None:
        return First(record, awaited)
    is_present = head.state is State.PRESENT
    # the body of a head that was never seen live is of another form, be its bytes the same
    if is_present and head.source is not Source.HISTORY and head.digest == record.digest:
        return Same(head, recovered=head.absent_since is not None)
    if not isinstance(record, Record):
        raise ValueError(f"{record.nct_id} is to be compared, and is not there in full")
    if not is_present:
        return Returned(head, record)
    if head.source is Source.HISTORY and says_the_same:
        return Confirmed(head, record)
    return Changed(head, record)
