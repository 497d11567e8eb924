"""All values of a field over time, and how long each lasted. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import orjson

from ctsync.model import MISSING, ListedVersion, State, Version
from ctsync.record.value_text import NOTHING, counted, plain, typed, typed_date
from ctsync.report.trial.course_points import CoursePoint


class Unshown(Enum):
    """Why the value of a field in a version is unknown."""

    NOT_CARRIED = "its source shows no such field"


@dataclass(frozen=True, slots=True)
class ValueSpell:
    """A value and how long it lasted, from the day of one version to the day of another.

    `value` is MISSING if the record had no such field, or if there was no record (see `state`).
    It is NOT_CARRIED if the source of the version may omit the field. The last spell `is_open`
    and lasts until the day of the query. `listed` are the registry's numbers of versions that are
    only listed; if all are, `from_version` and `to_version` are None.
    """

    value: Any
    state: State
    from_version: int | None
    to_version: int | None
    since: date
    until: date
    is_open: bool
    listed: tuple[int, ...] = ()

    @property
    def days(self) -> int:
        """How many days the value lasted."""
        return (self.until - self.since).days


def course_of(values: Iterable[tuple[CoursePoint, Any]], *, until: date) -> list[ValueSpell]:
    """The spells of one field, from its value in each version, oldest first."""
    spells: list[ValueSpell] = []
    run: list[tuple[CoursePoint, Any]] = []
    for point, value in values:
        if run and (_state(point), _key(value)) != (_state(run[-1][0]), _key(run[-1][1])):
            spells.append(_spell(run, point.day, is_open=False))
            run = []
        run.append((point, value))
    if run:
        spells.append(_spell(run, max(until, run[0][0].day), is_open=True))
    return spells


def _state(point: CoursePoint) -> State:
    return State.PRESENT if isinstance(point.what, ListedVersion) else point.what.state


def _spell(run: Sequence[tuple[CoursePoint, Any]], until: date, *, is_open: bool) -> ValueSpell:
    first, value = run[0]
    stored = [point.what.version for point, _ in run if isinstance(point.what, Version)]
    listed = [point.what.number for point, _ in run if isinstance(point.what, ListedVersion)]
    return ValueSpell(
        value=value,
        state=_state(first),
        from_version=stored[0] if stored else None,
        to_version=stored[-1] if stored else None,
        since=first.day,
        until=until,
        is_open=is_open,
        listed=tuple(listed),
    )


def _key(value: Any) -> bytes:
    if isinstance(value, Unshown):
        return value.name.encode()
    return b"" if value is MISSING else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def words_of(spells: Sequence[ValueSpell], *, field: str = "") -> Iterator[str]:
    """Yield the value of each spell in words; for a list, the items that it added and removed.

    `field` is the path of the field, without list items.
    """
    before: Any = MISSING
    for spell in spells:
        if spell.state is not State.PRESENT:
            yield spell.state.value.capitalize()
        elif isinstance(spell.value, Unshown):
            yield f"(not known: {spell.value.value})"
            continue
        elif isinstance(spell.value, list) and isinstance(before, list):
            yield _moved(before, spell.value, field)
        elif isinstance(spell.value, list):
            yield f"{counted(len(spell.value), 'item')}: {plain(spell.value, field=field)}"
        else:
            yield _said(spell.value, field)
        before = spell.value if spell.state is State.PRESENT else before


def _said(value: Any, field: str) -> str:
    """A value in words; a date or count with its type, as in "2026-10 (estimated)"."""
    for name in ("date", "count"):
        if isinstance(value, dict) and name in value and value.keys() <= {name, "type"}:
            kind = value.get("type")
            kind = kind if isinstance(kind, str) else None
            return (
                typed_date(value[name], kind) if name == "date" else typed(plain(value[name]), kind)
            )
    return plain(value, field=field)


def _moved(before: Sequence[Any], after: Sequence[Any], field: str) -> str:
    items = {_key(item): item for item in (*before, *after)}
    old, new = Counter(map(_key, before)), Counter(map(_key, after))
    words = {key: plain(item, field=field) for key, item in items.items()}
    came = [f"+ {_times(count)}{words[key]}" for key, count in (new - old).items()]
    went = [f"- {_times(count)}{words[key]}" for key, count in (old - new).items()]
    told = "; ".join([*went, *came]) or "in another order"
    return f"{counted(len(after), 'item')}: {told}" if after else NOTHING


def _times(count: int) -> str:
    return "" if count == 1 else f"{count} x "
