"""Days on which the registry itself changed many records; pure, no I/O.

NLM re-derives MeSH terms, re-codes places and renders texts anew for the whole registry at
once, without a new update date. On such a day one notice tells of it; the events of each trial
are kept and can be asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ctsync.model import Category, Event, Kind, NctId
from ctsync.record.fields.schema import Shape
from ctsync.record.fields.table import FIELDS, field_at, field_of

SHARE_PERCENT = 20.0
"""Of the trials fetched, how many must have changed alike for the registry to be behind it."""

AT_LEAST = 20
"""How many trials that must be, whatever their share."""

_UPDATE_POSTED = "protocolSection.statusModule.lastUpdatePostDateStruct.date"
_OWNED = frozenset({Category.DERIVED, Category.GEO, Category.REFERENCES})
_MARKUP = "rendering of texts"


@dataclass(frozen=True, slots=True)
class MassChange:
    """One part of the record that the registry changed in many trials of one load.

    `trials` are those whose change of this part came without a new update date.
    """

    part: str
    label: str
    trials: tuple[NctId, ...]
    fetched: int

    @property
    def percent(self) -> float:
        """The share of the fetched trials."""
        return 100 * len(self.trials) / self.fetched

    @property
    def summary(self) -> str:
        """What happened, in one line."""
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
    """What the registry reprocessed in one load, the most trials first.

    `events` are those of the load, by trial; `fetched` counts the trials looked at, changed or
    not.
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
    """The registry-owned part an event is about; None for what only a sponsor changes."""
    if event.category in _OWNED:
        return _list_of(field_of(event.path))
    if event.inputs.get("nature") == "cosmetic" and event.kind is not Kind.CONTACT:
        return _MARKUP
    return None


def _has_update(events: Iterable[Event]) -> bool:
    return any(event.path == _UPDATE_POSTED for event in events)


def _list_of(path: str) -> str:
    """The declared list or module a path belongs to."""
    steps = path.split(".")
    for length in range(len(steps), 0, -1):
        field = FIELDS.get(".".join(steps[:length]))
        if field is not None and (field.summed or field.shape is Shape.LIST):
            return field.path
    return path


def _label(part: str) -> str:
    return part if part == _MARKUP else field_at(part).label.lower()
