"""Two records compared field by field, and a record changed by what was found; pure, no I/O.

DeepDiff finds the changes, in one call. The code here only prepares that call: it drops equal
parts, aligns lists by meaning and passes the smallest objects that differ, each with all its
scalar fields, keyed by object and field. DeepDiff never ignores order: on 1,500 shuffled sites
that takes it minutes.

Laws, each a test: a record does not differ from itself; `apply(a, diff(a, b))` is b to the
byte; `diff(b, a)` is `diff(a, b)` read backwards.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import Any

import orjson

from ctsync.model import MISSING, FieldChange, JsonObject, PathStep, Record
from ctsync.record.compare.align import Names, align
from ctsync.record.compare.canonical import seal
from ctsync.record.compare.own_copy import own_copy
from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import field_at, listing_at

_LONGEST_COMPARED_AS_TEXT = 200
_CONTAINERS = (dict, list)


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
class _Part:
    """One object or list that differs: what DeepDiff compares of it, by field or item name."""

    place: _Place
    before: JsonObject = field(default_factory=dict)
    after: JsonObject = field(default_factory=dict)
    items: dict[str, _Place] = field(default_factory=dict)

    def put(self, name: str, before: Any, after: Any) -> None:
        if before is not MISSING:
            self.before[name] = before
        if after is not MISSING:
            self.after[name] = after

    def put_item(self, position: int, name: str, before: Any, after: Any) -> None:
        self.items[name] = self.place.at(position, name)
        self.put(name, before, after)

    def change(self, name: str) -> FieldChange:
        place = self.items.get(name) or self.place.key(name)
        return FieldChange(
            path=place.path,
            field=place.field,
            steps=place.steps,
            before=self.before.get(name, MISSING),
            after=self.after.get(name, MISSING),
            item=place.item,
        )


def diff(before: Record, after: Record) -> list[FieldChange]:
    """Every difference between two records, in the order of the record's own keys.

    An item added to or removed from a list is one change with the complete item. A new order of
    an ordered list is one change whose values are the names of the items in both lists.
    """
    if before.canonical == after.canonical:
        return []
    parts = {part.place.path: part for part in _object_parts(before.body, after.body, _Place())}
    found = _deep_diff()(
        {(p, n): _comparable(v) for p, part in parts.items() for n, v in part.before.items()},
        {(p, n): _comparable(v) for p, part in parts.items() for n, v in part.after.items()},
        view="tree",
        threshold_to_diff_deeper=0,
        multiprocessing_workers=1,
    )
    paths = (level.path(output_format="list") for levels in found.values() for level in levels)
    return sorted((parts[path].change(name) for ((path, name),) in paths), key=_rank)


def _deep_diff() -> Callable[..., Any]:
    """Return DeepDiff: the one that is loaded already, else our own copy."""
    if "deepdiff" in sys.modules:
        from deepdiff import DeepDiff  # noqa: PLC0415 - only a diff needs it

        return DeepDiff
    return _own_deep_diff()


@cache
def _own_deep_diff() -> Callable[..., Any]:
    """Import DeepDiff without numpy, pandas and polars: 110 MB and a second of each first diff.

    It imports them if they are installed, to recognize their values. Records are JSON and never
    hold one. This would be wrong for other values, which is why the copy is ours alone.
    """
    with own_copy("deepdiff", without=frozenset({"numpy", "pandas", "polars"})):
        from deepdiff import DeepDiff  # noqa: PLC0415 - only a diff needs it
    return DeepDiff


def _comparable(value: Any) -> Any:
    """A value that DeepDiff compares fast and exactly.

    It makes a line diff of long texts, descends into complete items and takes 0.0 for -0.0:
    these become bytes. Short texts are interned, as it passes over identical objects soonest.
    """
    if type(value) is str and len(value) <= _LONGEST_COMPARED_AS_TEXT and "\n" not in value:
        return sys.intern(value)
    return orjson.dumps(value) if isinstance(value, str | float | dict | list) else value


def _rank(change: FieldChange) -> list[tuple[int, PathStep]]:
    """The sort key of a change: in a list, edited items precede removed and added ones."""
    *above, last = change.steps
    alone = 2 * (change.before is MISSING) + (change.after is MISSING)
    return [*((0, step) for step in above), (alone if isinstance(last, int) else 0, last)]


# --- dropping what is equal ----------------------------------------------------------------------


def _same(before: Any, after: Any) -> bool:
    """Whether two objects or lists are equal as JSON, where 1, 1.0 and true are three values."""
    return before == after and orjson.dumps(before) == orjson.dumps(after)


def _object_parts(before: JsonObject, after: JsonObject, place: _Place) -> Iterator[_Part]:
    """An object with all its scalar fields, if one differs, and the parts of its other fields."""
    part = _Part(place)
    for name in {**before, **after}:
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if not (isinstance(old, _CONTAINERS) or isinstance(new, _CONTAINERS)):
            part.put(name, old, new)
        elif not _same(old, new):
            yield from _field_parts(old, new, part, name)
    if not _same(part.before, part.after):
        yield part


def _field_parts(before: Any, after: Any, parent: _Part, name: str) -> Iterator[_Part]:
    """The parts of a field that holds an object or a list before, after or both.

    An object or list that is added or removed has one change per field or item. It is one value
    of its parent if the field table says so (`whole`) or does not know it. A null or an empty
    value that it replaces is one more change.
    """
    place = parent.place.key(name)
    declared = field_at(place.field)
    divided = declared.known and not declared.whole
    if divided and _replaced(before, after, declared.shape):
        parent.put(name, before, MISSING)
        before = MISSING
    elif divided and _replaced(after, before, declared.shape):
        parent.put(name, MISSING, after)
        after = MISSING
    sides = [side for side in (before, after) if side is not MISSING]
    kinds = {type(side) for side in sides}
    one_value = len(sides) == 1 and not divided
    if one_value or not all(sides) or len(kinds) > 1:
        parent.put(name, before, after)
    elif dict in kinds:
        yield from _object_parts(before or {}, after or {}, place)
    else:
        yield from _list_parts(before or [], after or [], parent, name)


def _replaced(hollow: Any, full: Any, shape: Shape) -> bool:
    """Whether a null or empty value stands for the object or list on the other side."""
    if hollow or not full or not (hollow is None or isinstance(hollow, _CONTAINERS)):
        return False
    return isinstance(full, {Shape.OBJECT: dict, Shape.LIST: list}.get(shape, ()))


def _list_parts(before: list[Any], after: list[Any], parent: _Part, name: str) -> Iterator[_Part]:
    """A list with its items by name, and the parts of its edited items.

    A new order is a value of the parent: the names of the items in both lists.
    """
    part = _Part(parent.place.key(name))
    listing = listing_at(part.place.field)
    found = align(before, after, listing)
    names = Names(listing)
    if listing.ordered and found.reordered:
        named = {i: names.give(before[i]) for i, _ in found.pairs}
        order_after = sorted(found.pairs, key=lambda pair: pair[1])
        parent.put(name, list(named.values()), [named[i] for i, _ in order_after])
    else:
        named = {i: names.give(before[i]) for i, j in found.pairs if (i, j) not in found.equal}
    for i, j in found.pairs:
        old, new = before[i], after[j]
        if (i, j) in found.equal:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and old and new:
            yield from _object_parts(old, new, part.place.at(i, named[i]))
        else:
            part.put_item(i, named[i], old, new)
    for i in found.removed:
        part.put_item(i, names.give(before[i]), before[i], MISSING)
    for j in found.added:
        part.put_item(j, names.give(after[j]), MISSING, after[j])
    if part.items:
        yield part


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


# --- applying ------------------------------------------------------------------------------------


def is_order(change: FieldChange) -> bool:
    """Whether a change says that a list stands in another order."""
    # two lists are compared item by item, so a pair of lists stands for their order alone
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
