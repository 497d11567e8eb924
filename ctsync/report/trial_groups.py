"""The trials of a report, each with its events, worst first. Does no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ctsync.model import Category, KeyFields, Kind, Level, NctId, StoredEvent
from ctsync.report import summary as words
from ctsync.report.event_order import line_order
from ctsync.report.report import Fold
from ctsync.report.report_filter import ReportFilter
from ctsync.report.words.net_changes import selected_events

ARRIVALS = frozenset({Kind.ENTERED, Kind.REGISTERED})
"""Kinds of a trial that is new in a watched query."""


@dataclass(frozen=True, slots=True)
class TrialGroup:
    """The events of one trial: `shown` worst first; `aside` are administrative."""

    nct_id: NctId
    shown: tuple[StoredEvent, ...]
    aside: tuple[StoredEvent, ...]

    @property
    def level(self) -> Level:
        """The worst level of its changes."""
        return self.shown[0].event.level if self.shown else Level.ADMINISTRATIVE

    @property
    def is_arrival(self) -> bool:
        """Whether all that happened is that the trial is new in a watched query."""
        return bool(self.shown) and all(one.event.kind in ARRIVALS for one in self.shown)

    @property
    def has_sites_only(self) -> bool:
        """Whether only sites changed."""
        sites = Category.SITES
        return bool(self.shown) and all(one.event.category is sites for one in self.shown)

    def fold(self, selection: ReportFilter) -> Fold | None:
        """Return the line that shows the trial together with others; None for its own row."""
        if not self.shown:
            return Fold.ADMINISTRATIVE
        # a reader who asks for sites wants to see them
        is_asked_for = selection.filters_changes
        is_mild = self.level is Level.ROUTINE and self.has_sites_only
        return Fold.SITES if is_mild and not is_asked_for else None


def ranked_groups(
    events: Sequence[StoredEvent], keys: Mapping[NctId, KeyFields], selection: ReportFilter
) -> list[TrialGroup]:
    """Group the selected events by trial, worst first; `keys` are the newest key fields."""
    by_trial: dict[NctId, list[StoredEvent]] = defaultdict(list)
    for stored in sorted(events, key=line_order):
        by_trial[stored.nct_id].append(stored)
    return sorted(
        _selected_groups(by_trial, keys, selection),
        key=lambda group: _rank(group, keys.get(group.nct_id) or KeyFields()),
    )


def _selected_groups(
    by_trial: Mapping[NctId, Sequence[StoredEvent]],
    keys: Mapping[NctId, KeyFields],
    selection: ReportFilter,
) -> Iterator[TrialGroup]:
    for nct_id, found in by_trial.items():
        if not selection.accepts_trial(keys.get(nct_id)):
            continue
        events = found
        if selection.filters_changes:
            events = sorted(selected_events(found, selection), key=line_order)
        if events:
            yield _group(nct_id, events, shows_administrative=selection.shows_administrative)


def _group(
    nct_id: NctId, events: Sequence[StoredEvent], *, shows_administrative: bool
) -> TrialGroup:
    if shows_administrative:
        return TrialGroup(nct_id, tuple(events), ())
    shown = tuple(one for one in events if one.event.level is not Level.ADMINISTRATIVE)
    aside = tuple(one for one in events if one.event.level is Level.ADMINISTRATIVE)
    return TrialGroup(nct_id, shown, aside)


_FIRST_CATEGORIES = frozenset(
    {Category.STATUS, Category.ENROLLMENT, Category.DATES, Category.OUTCOMES}
)


def _rank(group: TrialGroup, key: KeyFields) -> tuple[int, int, int, float, int, str]:
    slip = max((abs(stored.event.days_since_first or 0) for stored in group.shown), default=0)
    phase = words.phase_rank(key.phases)
    return (
        group.level.rank,
        _place(group),
        -slip,
        -phase,
        -(key.enrollment or 0),
        group.nct_id,
    )


def _place(group: TrialGroup) -> int:
    """The place of a trial among those of its level, by what changed in it."""
    worst = {one.event.category for one in group.shown if one.event.level is group.level}
    if worst & _FIRST_CATEGORIES:
        return 0
    return 2 if group.has_sites_only else 1
