"""What a run has to tell as a whole, in place of the same line for every trial; pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from ctsync.model import JsonObject, NctId, StoredEvent
from ctsync.record.registry.mass_changes import MassChange, reprocessed_part
from ctsync.record.registry.schema_drift import VanishedField

SHOWN_FIELDS = 10


class NoticeKind(StrEnum):
    """What a notice is about."""

    REPROCESSING = "reprocessing"
    UNKNOWN_FIELDS = "unknown_fields"
    VANISHED_FIELD = "vanished_field"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line about a whole load.

    `parts` are the parts or paths of the record it speaks of. One about reprocessing replaces
    what `runs` found in these parts of `trials`: the events stay stored, and `command` lists
    them.
    """

    kind: NoticeKind
    summary: str
    parts: tuple[str, ...]
    command: str = ""
    runs: frozenset[int] = frozenset()
    trials: frozenset[NctId] = frozenset()

    @property
    def title(self) -> str:
        """What it is about, for a headline."""
        is_drift = self.kind is not NoticeKind.REPROCESSING
        return "schema drift" if is_drift else "registry reprocessing"

    @property
    def line(self) -> str:
        """The summary, and where the rest can be seen."""
        return f"{self.summary}; each is stored: {self.command}" if self.command else self.summary

    def covers(self, stored: StoredEvent) -> bool:
        """Whether the event is told by this notice."""
        return (
            stored.run_id in self.runs
            and stored.nct_id in self.trials
            and reprocessed_part(stored.event) in self.parts
        )


def uncovered(events: Iterable[StoredEvent], notices: Sequence[Notice]) -> list[StoredEvent]:
    """The events that no notice tells of."""
    return [one for one in events if not any(notice.covers(one) for notice in notices)]


def of_reprocessing(found: MassChange, runs: Iterable[int], since: date) -> Notice:
    """The notice that replaces the events of one part, found by `runs` on loads from `since` on."""
    return Notice(
        NoticeKind.REPROCESSING,
        found.summary,
        (found.part,),
        command=f"ctsync changes --level administrative --since {since}",
        runs=frozenset(runs),
        trials=frozenset(found.trials),
    )


def of_unknown_fields(counts: Mapping[str, int]) -> Notice:
    """The notice of fields that no table declares, given with how many records had them."""
    paths = sorted(counts)
    shown = ", ".join(f"{path} (in {counts[path]:,})" for path in paths[:SHOWN_FIELDS])
    more = len(paths) - SHOWN_FIELDS
    rest = f" and {more:,} more, see: ctsync status --json" if more > 0 else ""
    noun = "a field" if len(paths) == 1 else f"{len(paths):,} fields"
    summary = f"Schema drift: {noun} that ctsync does not know, kept and shown as it is: "
    return Notice(NoticeKind.UNKNOWN_FIELDS, f"{summary}{shown}{rest}", tuple(paths))


def of_vanished_field(found: VanishedField) -> Notice:
    """The notice of a known field that most records lost."""
    return Notice(NoticeKind.VANISHED_FIELD, found.summary, (found.path,))


def notice_json(notice: Notice) -> JsonObject:
    """A notice as it is stored."""
    return {
        "kind": notice.kind.value,
        "summary": notice.summary,
        "parts": list(notice.parts),
        "command": notice.command,
        "runs": sorted(notice.runs),
        "trials": sorted(notice.trials),
    }


def read_notices(stored: Sequence[Mapping[str, Any]] | None) -> tuple[Notice, ...]:
    """The notices that were stored of a run; none for one that was not concluded."""
    return tuple(
        Notice(
            NoticeKind(one["kind"]),
            one["summary"],
            tuple(one["parts"]),
            command=one["command"],
            runs=frozenset(one["runs"]),
            trials=frozenset(one["trials"]),
        )
        for one in stored or ()
    )
