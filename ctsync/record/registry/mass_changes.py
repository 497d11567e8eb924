"""Detection of days on which the registry itself changed many records.

NLM re-derives MeSH terms, re-codes places and re-renders texts for the whole registry at once,
without a new update date. On such a day a report shows one notice. The events of each trial stay
stored and can be listed.

Does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ctsync.model import Category, Event, Kind, NctId
from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import FIELDS, field_at, field_of

SHARE_PERCENT = 20.0
"""Minimum share of the fetched trials, in percent, for a change to count as reprocessing."""

AT_LEAST = 20
"""Minimum number of trials, whatever their share."""

_UPDATE_POSTED = "protocolSection.statusModule.lastUpdatePostDateStruct.date"
_OWNED = frozenset({Category.DERIVED, Category.GEO, Category.REFERENCES})
_MARKUP = "rendering of texts"


@dataclass(frozen=True, slots=True)
class MassChange:
    """One part of the record that the registry changed in many trials of one load.

    `trials` changed in this part without a new update date. `fetched` counts all trials fetched.
    """

    part: str
    label: str
    trials: tuple[NctId, ...]
    fetched: int

    @property
    def percent(self) -> float:
        """The share of the fetched trials, in percent."""
        return 100 * len(self.trials) / self.fetched

    @property
    def summary(self) -> str:
        """The mass change in one line."""
        return (
            f"Registry reprocessing: {self.label} changed in {len(self.trials):,} of "
            f"{self.fetched:,} trials ({self.percent:.0f} %) without a new update date"
        )


def find_mass_change(
    events: Mapping[NctId, Sequence[Event]],
    fetched: int,
    *,
    share_percent: float = SHARE_PERCENT,
    at_least: int = AT_LEAST,
) -> list[MassChange]:
    """Return the parts that the registry reprocessed in one load, most trials first.

    `events` are the load's events by trial. `fetched` counts the trials fetched, changed or not.
    """
    trials: dict[str, set[NctId]] = defaultdict(set)
    for nct_id, of_trial in events.items():
        if not _has_update(of_trial):
            for event in of_trial:
                part = reprocessed_part(event)
                if part is not None:
                    trials[part].add(nct_id)
    found = [
        MassChange(part, _label(part), tuple(sorted(ids)), fetched)
        for part, ids in trials.items()
        if len(ids) >= at_least and 100 * len(ids) >= share_percent * fetched
    ]
    return sorted(found, key=lambda notice: (-len(notice.trials), notice.part))


def reprocessed_part(event: Event) -> str | None:
    """Return the registry-owned part that an event is about; None if only a sponsor changes it."""
    if event.category in _OWNED:
        return _list_of(field_of(event.path))
    if event.inputs.get("nature") == "cosmetic" and event.kind is not Kind.CONTACT:
        return _MARKUP
    return None


def _has_update(events: Iterable[Event]) -> bool:
    return any(event.path == _UPDATE_POSTED for event in events)


def _list_of(path: str) -> str:
    """Return the declared list or summed field that a path belongs to, else the path."""
    steps = path.split(".")
    for length in range(len(steps), 0, -1):
        field = FIELDS.get(".".join(steps[:length]))
        if field is not None and (field.summed or field.shape is Shape.LIST):
            return field.path
    return path


def _label(part: str) -> str:
    return part if part == _MARKUP else field_at(part).label.lower()
