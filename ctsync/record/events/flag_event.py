"""The event of a flag that became true, or that is no longer true. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from ctsync.model import Category, Event, Kind
from ctsync.record.events.base import make_whole_event
from ctsync.record.flags import FLAG_LABELS, FlagId
from ctsync.record.flags.flag_changes import FlagChange
from ctsync.record.rules.rules import Thresholds

BY_TIME, BY_EDIT = "time", "edit"


def flag_events(
    changes: Sequence[FlagChange], load_day: date, *, thresholds: Thresholds
) -> Iterator[Event]:
    """Yield an event per flag. They belong to the newer record, not to a step between two.

    `load_day` is the day of the registry data that shows the change; it is part of the path,
    because time alone can change a flag of one record more than once.
    """
    told = {(change.flag.id, change.holds) for change in changes}
    for change in changes:
        flag = change.flag
        label = FLAG_LABELS[flag.id]
        inputs = {
            "flag": flag.id.value,
            "holds": change.holds,
            "by": BY_EDIT if change.by_edit else BY_TIME,
            "since": flag.since.isoformat() if flag.since and change.holds else None,
            "source": flag.source,
            "values": dict(flag.inputs),
        }
        # results that are overdue are due: one line of a report is enough
        if flag.id is FlagId.RESULTS_DUE and (FlagId.RESULTS_OVERDUE, change.holds) in told:
            inputs["nature"] = "repeats"
        # the label says "Results due" already
        facts = flag.words.removeprefix("results ") if flag.id is FlagId.RESULTS_DUE else flag.words
        words = f": {facts}" if change.holds else f" no longer: {change.why}"
        yield make_whole_event(
            Kind.FLAG,
            Category.FLAGS,
            f"{label}{words}",
            label=label,
            thresholds=thresholds,
            before=not change.holds,
            after=change.holds,
            path=f"flag:{flag.id}@{load_day}",
            inputs=inputs,
        )


def is_by_time(event: Event) -> bool:
    """Whether a flag changed although nobody edited the record."""
    return event.kind is Kind.FLAG and event.inputs.get("by") == BY_TIME
