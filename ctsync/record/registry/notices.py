"""Notices about a whole run, shown instead of one line per trial. Does no I/O."""

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
    """The subject of a notice."""

    REPROCESSING = "reprocessing"
    UNKNOWN_FIELDS = "unknown_fields"
    VANISHED_FIELD = "vanished_field"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line about a whole load.

    `parts` are the affected parts or paths of the record. A reprocessing notice replaces the
    events that `runs` found in these parts of `trials`. Those events stay stored; `command` lists
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
        """The subject, for a headline."""
        is_drift = self.kind is not NoticeKind.REPROCESSING
        return "schema drift" if is_drift else "registry reprocessing"

    @property
    def line(self) -> str:
        """The summary, and the command that lists the events."""
        return f"{self.summary}; each is stored: {self.command}" if self.command else self.summary

    def covers(self, stored: StoredEvent) -> bool:
        """Return whether this notice replaces the event."""
        return (
            stored.run_id in self.runs
            and stored.nct_id in self.trials
            and reprocessed_part(stored.event) in self.parts
        )


def uncovered(events: Iterable[StoredEvent], notices: Sequence[Notice]) -> list[StoredEvent]:
    """Return the events that no notice replaces."""
    return [one for one in events if not any(notice.covers(one) for notice in notices)]


def of_reprocessing(found: MassChange, runs: Iterable[int], since: date) -> Notice:
    """Return the notice for one reprocessed part, found by `runs` in loads from `since` on."""
    return Notice(
        NoticeKind.REPROCESSING,
        found.summary,
        (found.part,),
        command=f"ctsync changes --level administrative --since {since}",
        runs=frozenset(runs),
        trials=frozenset(found.trials),
    )


def of_unknown_fields(counts: Mapping[str, int]) -> Notice:
    """Return the notice about undeclared fields; `counts` is the number of records per path."""
    paths = sorted(counts)
    shown = ", ".join(f"{path} (in {counts[path]:,})" for path in paths[:SHOWN_FIELDS])
    more = len(paths) - SHOWN_FIELDS
    rest = f" and {more:,} more, see: ctsync status --json" if more > 0 else ""
    noun = "a field" if len(paths) == 1 else f"{len(paths):,} fields"
    summary = f"Schema drift: {noun} that ctsync does not know, kept and shown as it is: "
    return Notice(NoticeKind.UNKNOWN_FIELDS, f"{summary}{shown}{rest}", tuple(paths))


def of_vanished_field(found: VanishedField) -> Notice:
    """Return the notice about a declared field that most records lost."""
    return Notice(NoticeKind.VANISHED_FIELD, found.summary, (found.path,))


def notice_json(notice: Notice) -> JsonObject:
    """Return a notice as the JSON that is stored."""
    return {
        "kind": notice.kind.value,
        "summary": notice.summary,
        "parts": list(notice.parts),
        "command": notice.command,
        "runs": sorted(notice.runs),
        "trials": sorted(notice.trials),
    }


def read_notices(stored: Sequence[Mapping[str, Any]] | None) -> tuple[Notice, ...]:
    """Read a run's stored notices. A run that was not concluded has none."""
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
