"""The field changes of the primary outcomes, each with the verdict of the comparison on it.

The list alignment and the comparison of outcomes may pair the entries differently. Each field
change belongs to exactly one judged outcome, and each verdict is kept. Does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from ctsync.model import MISSING, FieldChange, Record
from ctsync.record.events.outcomes.outcome_event import LISTS, PRIMARY, is_item, items_at
from ctsync.record.outcomes import (
    OutcomeChange,
    OutcomeLabel,
    OutcomePlace,
    compare_outcomes,
)

_DEPTH = len(PRIMARY.split("."))
_SIDES = ("before", "after")
_TEXTS = ("measure", "timeFrame", "description")
_NOWHERE = OutcomePlace("", -1)
_MOST_COMPARED = 100
"""Most entries of a list that are compared at once: the work grows with their square."""

Node = tuple[str, int]
"""A primary outcome: "before" or "after", and its position."""


@dataclass(slots=True)
class JudgedOutcome:
    """The field changes of one primary outcome, with one verdict, or several that share them.

    `before` and `after` are its entries, of any list; MISSING if it is new or gone. `is_aligned`
    is true if the changes are edits that lead from the one to the other.
    """

    changes: list[FieldChange]
    verdicts: list[OutcomeChange] = field(default_factory=list)
    before: Any = MISSING
    after: Any = MISSING
    is_aligned: bool = False

    @property
    def labels(self) -> frozenset[OutcomeLabel]:
        """The kinds of change; a firm one outweighs that another is not resolved."""
        found = frozenset(label for verdict in self.verdicts for label in verdict.labels)
        return found - {OutcomeLabel.UNRESOLVED} or found

    @property
    def reason(self) -> str:
        """The reasons in words."""
        return "; ".join(dict.fromkeys(verdict.reason for verdict in self.verdicts))

    @property
    def score(self) -> float | None:
        """The highest score of a verdict; None if a rule decided all."""
        return max((v.score for v in self.verdicts if v.score is not None), default=None)

    @property
    def from_rank(self) -> str:
        """The list of the entry before; empty if the outcome is new."""
        return _main_place(verdict.before_place for verdict in self.verdicts).rank

    @property
    def to_rank(self) -> str:
        """The list of the entry after; empty if the outcome is gone."""
        return _main_place(verdict.after_place for verdict in self.verdicts).rank


def _main_place(places: Iterable[OutcomePlace | None]) -> OutcomePlace:
    """Return the place in the primary list if there is one, else any."""
    found = sorted((one for one in places if one), key=lambda one: one.rank != "primary")
    return found[0] if found else _NOWHERE


@dataclass(slots=True, eq=False)
class _Unit:
    """The field changes of one entry, as the list alignment paired it."""

    changes: list[FieldChange]
    nodes: frozenset[Node]


def judged_outcomes(
    changes: Iterable[FieldChange], before: Record, after: Record, *, reported: Collection[int]
) -> list[JudgedOutcome]:
    """Return the primary outcomes that changed, each with its field changes and its verdict.

    `reported` holds the id() of the changes of entries that other events report; the comparison
    does not see those entries. Changes that no verdict is about are left out. A moved outcome
    includes the change of its entry in the other list.
    """
    every = [change for change in changes if id(change) not in reported]
    units = list(_units(every, before, after))
    if not units:
        return []
    hidden = {_place(change) for change in changes if is_item(change) and id(change) in reported}
    lists = _visible(before, hidden, "before"), _visible(after, hidden, "after")
    verdicts = list(_verdicts(units, *lists))
    elsewhere = {
        _place(change): change for change in every if is_item(change) and change.field != PRIMARY
    }
    return [
        _judged(group, of_group, lists, elsewhere) for group, of_group in _grouped(units, verdicts)
    ]


def _place(change: FieldChange) -> tuple[str, str, int]:
    side = "before" if change.after is MISSING else "after"
    return side, LISTS[change.field], int(change.steps[-1])


def _visible(
    record: Record, hidden: Collection[tuple[str, str, int]], side: str
) -> dict[str, list[Any]]:
    """Return the outcome lists by rank; None stands for an entry that the comparison skips."""
    return {
        rank: [
            None if (side, rank, index) in hidden else item
            for index, item in enumerate(items_at(record, path))
        ]
        for path, rank in LISTS.items()
    }


# --- the changes of one entry -------------------------------------------------------------------


def _units(changes: Iterable[FieldChange], before: Record, after: Record) -> Iterator[_Unit]:
    edits: dict[int, list[FieldChange]] = defaultdict(list)
    for change in changes:
        if not change.field.startswith(PRIMARY):
            continue
        if is_item(change) and MISSING in (change.before, change.after):
            node = _place(change)[::2]
            yield _Unit([change], frozenset({node}))
        elif len(change.steps) == _DEPTH + 2 and isinstance(index := change.steps[_DEPTH], int):
            edits[index].append(change)
    old, new = items_at(before, PRIMARY), items_at(after, PRIMARY)
    taken: set[int] = set()
    for index, edited in edits.items():
        if not isinstance(old[index], dict):
            continue
        wanted = _edited(old[index], edited)
        found = (n for n, item in enumerate(new) if _texts(item) == wanted and n not in taken)
        place = next(found, None)
        if place is not None:
            taken.add(place)
            yield _Unit(edited, frozenset({("before", index), ("after", place)}))


def _edited(item: Mapping[str, Any], changes: Iterable[FieldChange]) -> list[Any]:
    made: dict[Any, Any] = {**item, **{change.steps[-1]: change.after for change in changes}}
    return _texts({name: value for name, value in made.items() if value is not MISSING})


def _texts(item: Any) -> list[Any]:
    """Return the texts of an entry. Fields unknown to ctsync have events of their own."""
    return [item.get(name) for name in _TEXTS] if isinstance(item, dict) else []


# --- the verdicts -------------------------------------------------------------------------------


def _verdicts(
    units: Sequence[_Unit], before: dict[str, list[Any]], after: dict[str, list[Any]]
) -> Iterator[OutcomeChange]:
    """Compare the outcomes; in parts if so many changed that comparing all would take too long."""
    nodes = [node for unit in units for node in unit.nodes]
    old, new = (sorted(index for side, index in nodes if side == wanted) for wanted in _SIDES)
    if max(len(old), len(new)) <= _MOST_COMPARED:
        yield from _compared(before, after)
        return
    for part in zip_longest(_parts(old), _parts(new), fillvalue=()):
        left_out = set(old) - set(part[0]), set(new) - set(part[1])
        yield from _compared(_without(before, left_out[0]), _without(after, left_out[1]))


def _compared(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> Iterator[OutcomeChange]:
    modules = ({f"{rank}Outcomes": items for rank, items in one.items()} for one in (before, after))
    yield from compare_outcomes(*modules).changes


def _parts(indexes: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(indexes), _MOST_COMPARED):
        yield indexes[first : first + _MOST_COMPARED]


def _without(lists: dict[str, list[Any]], indexes: Collection[int]) -> dict[str, list[Any]]:
    primary = [None if n in indexes else item for n, item in enumerate(lists["primary"])]
    return {**lists, "primary": primary}


# --- which changes belong to which verdict ------------------------------------------------------


def _nodes(verdict: OutcomeChange) -> list[Node]:
    places = zip(_SIDES, (verdict.before_place, verdict.after_place), strict=True)
    return [(side, place.position) for side, place in places if place and place.rank == "primary"]


def _grouped(
    units: Sequence[_Unit], verdicts: Iterable[OutcomeChange]
) -> Iterator[tuple[list[_Unit], list[OutcomeChange]]]:
    """Give each verdict a unit that it shares an entry with, then those left over to a neighbor.

    An entry is in at most one unit and one verdict, so that both form chains. Each chain is walked
    from an end, so that the fewest are left over. Units that no verdict is about are left out.
    """
    unit_of = {node: unit for unit in units for node in unit.nodes}
    choices = [
        (verdict, found)
        for verdict in verdicts
        if (found := [unit_of[node] for node in _nodes(verdict) if node in unit_of])
    ]
    users: dict[_Unit, list[int]] = defaultdict(list)
    for n, (_, found) in enumerate(choices):
        for unit in found:
            users[unit].append(n)
    groups: list[tuple[list[_Unit], list[OutcomeChange]]] = []
    group_of: dict[_Unit, int] = {}
    given: dict[int, int] = {}
    for start in sorted(range(len(choices)), key=lambda n: len(set(choices[n][1]))):
        turn = [start]
        while turn and (n := turn.pop()) not in given:
            verdict, found = choices[n]
            free = next((unit for unit in found if unit not in group_of), None)
            if free is None:
                given[n] = group_of[found[0]]
                groups[given[n]][1].append(verdict)
                continue
            given[n] = group_of[free] = len(groups)
            groups.append(([free], [verdict]))
            turn += [user for user in users[free] if user not in given]
    for n, (_, found) in enumerate(choices):
        for unit in found:
            if unit not in group_of:
                group_of[unit] = given[n]
                groups[given[n]][0].append(unit)
    yield from groups


def _judged(
    units: Sequence[_Unit],
    verdicts: list[OutcomeChange],
    lists: tuple[dict[str, list[Any]], dict[str, list[Any]]],
    elsewhere: dict[tuple[str, str, int], FieldChange],
) -> JudgedOutcome:
    # an outcome that left comes before the one in its place
    verdicts.sort(key=lambda one: not one.before_place or one.before_place.rank != "primary")
    made = JudgedOutcome([change for unit in units for change in unit.changes], verdicts)
    made.is_aligned = len(units) == len(verdicts) == 1 and units[0].nodes == {*_nodes(verdicts[0])}
    made.is_aligned &= len(units[0].nodes) == len(_SIDES)
    before = _main_place(verdict.before_place for verdict in verdicts)
    after = _main_place(verdict.after_place for verdict in verdicts)
    if before != _NOWHERE:
        made.before = lists[0][before.rank][before.position]
    if after != _NOWHERE:
        made.after = lists[1][after.rank][after.position]
    for verdict in verdicts:
        both = verdict.before_place, verdict.after_place
        for side, place in zip(_SIDES, both, strict=True):
            if place and (moved := elsewhere.pop((side, *place), None)):
                made.changes.append(moved)
    return made
