"""Two records compared field by field, and a record changed by what was found; pure, no I/O.

Lists are aligned by meaning and equal parts dropped first; DeepDiff then finds what differs in
what is left, in one call. It is never asked to ignore order: on 1,500 shuffled sites that takes
it minutes.

Laws, each a test: a record does not differ from itself; `apply(a, diff(a, b))` is b to the
byte; `diff(b, a)` is `diff(a, b)` read backwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import orjson
from deepdiff import DeepDiff

from ctsync.model import MISSING, FieldChange, JsonObject, PathStep, Record
from ctsync.record.compare.align import Names, align
from ctsync.record.compare.canonical import seal
from ctsync.record.fields.schema import Shape
from ctsync.record.fields.table import field_at, listing_at

_LONGEST_COMPARED_AS_TEXT = 200


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a record something stands, in the three ways a FieldChange says it."""

    path: str = ""
    field: str = ""
    steps: tuple[PathStep, ...] = ()
    item: str | None = None

    def key(self, name: str) -> _Place:
        """The value of a key of the object here."""
        dot = "." if self.field else ""
        shown = name if name.isidentifier() else _quoted(name)
        return _Place(
            f"{self.path}{dot}{shown}",
            f"{self.field}{dot}{name}",
            (*self.steps, name),
            self.item,
        )

    def at(self, position: int, name: str) -> _Place:
        """An item of the list here; its name is quoted, so that no text can forge a path."""
        return _Place(f"{self.path}[{_quoted(name)}]", self.field, (*self.steps, position), name)


@dataclass(slots=True)
class _Residue:
    """What is left of two records when equal parts are dropped: values by place."""

    places: list[_Place] = field(default_factory=list)
    before: dict[int, Any] = field(default_factory=dict)
    after: dict[int, Any] = field(default_factory=dict)

    def put(self, place: _Place, before: Any, after: Any) -> None:
        number = len(self.places)
        self.places.append(place)
        if before is not MISSING:
            self.before[number] = before
        if after is not MISSING:
            self.after[number] = after


def diff(before: Record, after: Record) -> list[FieldChange]:
    """Every difference between two records, in the order of the record's own keys.

    An item added to or removed from a list is one change with the whole item; another order of
    an ordered list is one change whose values are the names of the items in both lists.
    """
    if before.canonical == after.canonical:
        return []
    residue = _Residue()
    _compare(before.body, after.body, _Place(), residue)
    return [
        FieldChange(
            path=place.path,
            field=place.field,
            steps=place.steps,
            before=residue.before.get(number, MISSING),
            after=residue.after.get(number, MISSING),
            item=place.item,
        )
        for number in _differing(residue)
        for place in (residue.places[number],)
    ]


def _differing(residue: _Residue) -> list[int]:
    """Ask DeepDiff which of the values left over were added, removed, changed or retyped."""
    # places are named by text, as DeepDiff reads a number back with a parser of Python
    found = DeepDiff(
        {str(number): _comparable(value) for number, value in residue.before.items()},
        {str(number): _comparable(value) for number, value in residue.after.items()},
        view="tree",
        threshold_to_diff_deeper=0,
        multiprocessing_workers=1,
    )
    relations = (
        level.up.t1_child_rel or level.up.t2_child_rel
        for levels in found.values()
        for level in levels
    )
    return sorted(int(relation.param) for relation in relations)


def _comparable(value: Any) -> Any:
    """A value DeepDiff compares at a glance: long texts and whole items as their bytes.

    It would otherwise make a line diff of every text of several lines, and descend into items
    that are told whole.
    """
    if isinstance(value, dict | list):
        return orjson.dumps(value)
    if isinstance(value, str) and (len(value) > _LONGEST_COMPARED_AS_TEXT or "\n" in value):
        return orjson.dumps(value)
    return value


# --- dropping what is equal ----------------------------------------------------------------------


def _same(before: Any, after: Any) -> bool:
    """Equal as JSON, where 1, 1.0 and true are three values."""
    if isinstance(before, dict | list):
        return before == after and orjson.dumps(before) == orjson.dumps(after)
    return type(before) is type(after) and before == after


def _compare(before: Any, after: Any, place: _Place, residue: _Residue) -> None:
    """Put aside what differs at a place where something does.

    An object or list that comes or goes is told leaf by leaf, or item by item, unless the
    field table says that it is told whole, or does not know it. Where a null or an empty one
    stood in its place, that is one more change.
    """
    if _replaces(before, after, place.field):
        residue.put(place, before, MISSING)
        before = MISSING
    elif _replaces(after, before, place.field):
        residue.put(place, MISSING, after)
        after = MISSING
    if _have_parts(dict, before, after) and not _told_whole(place.field, before, after):
        _compare_objects(before or {}, after or {}, place, residue)
    elif _have_parts(list, before, after) and not _told_whole(place.field, before, after):
        _compare_lists(before or [], after or [], place, residue)
    else:
        residue.put(place, before, after)


def _replaces(hollow: Any, full: Any, path: str) -> bool:
    """Whether a null or empty value stands for an object or list that the other side has."""
    if not path or not (hollow is None or hollow in ({}, [])) or not full:
        return False
    field = field_at(path)
    kind = {Shape.OBJECT: dict, Shape.LIST: list}.get(field.shape)
    return field.known and not field.whole and kind is not None and isinstance(full, kind)


def _have_parts(kind: type, before: Any, after: Any) -> bool:
    """Whether both values, where they are there, are of a kind and not empty.

    An empty object or list that is there has no parts to tell of, and is a value itself.
    """
    return all(v is MISSING or (isinstance(v, kind) and bool(v)) for v in (before, after))


def _told_whole(path: str, before: Any, after: Any) -> bool:
    if not path or not (before is MISSING or after is MISSING):
        return False
    field = field_at(path)
    return field.whole or not field.known


def _compare_objects(
    before: JsonObject, after: JsonObject, place: _Place, residue: _Residue
) -> None:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if not _same(old, new):
            _compare(old, new, place.key(name), residue)


def _compare_lists(before: list[Any], after: list[Any], place: _Place, residue: _Residue) -> None:
    listing = listing_at(place.field)
    found = align(before, after, listing)
    names = Names(listing)
    if listing.ordered and found.reordered:
        named = {i: names.give(before[i]) for i, _ in found.pairs}
        order_after = sorted(found.pairs, key=lambda pair: pair[1])
        residue.put(place, list(named.values()), [named[i] for i, _ in order_after])
    else:
        named = {i: names.give(before[i]) for i, j in found.pairs if (i, j) not in found.equal}
    for i, j in found.pairs:
        if (i, j) not in found.equal:
            _compare_items(before[i], after[j], place.at(i, named[i]), residue)
    for i in found.removed:
        residue.put(place.at(i, names.give(before[i])), before[i], MISSING)
    for j in found.added:
        residue.put(place.at(j, names.give(after[j])), MISSING, after[j])


def _compare_items(before: Any, after: Any, place: _Place, residue: _Residue) -> None:
    if isinstance(before, dict) and isinstance(after, dict) and before and after:
        _compare_objects(before, after, place, residue)
    else:
        residue.put(place, before, after)


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


# --- applying ------------------------------------------------------------------------------------


def is_order(change: FieldChange) -> bool:
    """Whether a change says that a list stands in another order."""
    # two values that are lists are told item by item, but for their order
    both = isinstance(change.before, list) and isinstance(change.after, list)
    return both and bool(change.before and change.after) and isinstance(change.steps[-1], str)


def apply(record: Record, changes: Sequence[FieldChange]) -> Record:
    """The record that the changes lead to from this one.

    Positions count in the list before, except for an added item, which says where it is now.
    An object or list whose last part was removed is removed itself.
    """
    body: JsonObject = orjson.loads(record.canonical)
    lists: dict[tuple[PathStep, ...], list[FieldChange]] = defaultdict(list)
    edits: list[tuple[tuple[PathStep, ...], _Turn, FieldChange | None]] = []
    for change in changes:
        is_item = isinstance(change.steps[-1], int)
        one_sided = change.before is MISSING or change.after is MISSING
        if is_order(change) or (is_item and one_sided):
            lists[change.steps if is_order(change) else change.steps[:-1]].append(change)
        else:
            turn = _Turn.REMOVE if change.after is MISSING else _Turn.SET
            edits.append((change.steps, turn, change))
    edits += [(steps, _Turn.REBUILD, None) for steps in lists]
    # innermost first, as positions count in the lists as they were
    for steps, turn, edit in sorted(edits, key=lambda todo: (-len(todo[0]), todo[1])):
        if edit is None:
            _rebuild(body, steps, lists[steps])
        elif turn is _Turn.SET:
            _reach(body, steps[:-1], {})[steps[-1]] = _copied(edit.after)
        else:
            _remove(body, steps, edit.before)
    return seal(body)


class _Turn(IntEnum):
    """In what order changes of one place are made."""

    REMOVE = 1
    REBUILD = 2
    SET = 3


def _rebuild(body: Any, steps: tuple[PathStep, ...], changes: Iterable[FieldChange]) -> None:
    """Remove, reorder and add the items of one list, whose own parts are already changed."""
    items = _reach(body, steps, [])
    gone = {c.steps[-1] for c in changes if c.after is MISSING}
    now = [item for i, item in enumerate(items) if i not in gone]
    for change in changes:
        if is_order(change):
            place = {name: position for position, name in enumerate(change.before)}
            now = [now[place[name]] for name in change.after]
    added = {int(c.steps[-1]): c.after for c in changes if c.before is MISSING}
    for position in sorted(added):
        now.insert(position, _copied(added[position]))
    items[:] = now
    _drop_if_empty(body, steps)


def _remove(body: Any, steps: tuple[PathStep, ...], before: Any) -> None:
    parent = _reach(body, steps[:-1], {})
    # an empty value may have been replaced by now by the object it stood for
    if before or not parent.get(steps[-1]):
        parent.pop(steps[-1], None)
    _drop_if_empty(body, steps[:-1])


def _reach(body: Any, steps: Sequence[PathStep], default: Any) -> Any:
    """The container at an address, made where there is none yet."""
    here = body
    for n, step in enumerate(steps):
        if isinstance(step, str) and not here.get(step):
            here[step] = default if n + 1 == len(steps) else {}
        here = here[step]
    return here


def _copied(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _drop_if_empty(body: Any, steps: Sequence[PathStep]) -> None:
    """Remove an object or list without parts, and what that leaves empty above it."""
    while steps and isinstance(steps[-1], str):
        parent = _reach(body, steps[:-1], {})
        if parent.get(steps[-1]):
            return
        parent.pop(steps[-1], None)
        steps = steps[:-1]
