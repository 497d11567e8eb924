"""All values of a field over time, and how long each lasted. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import orjson

from ctsync.model import MISSING, State, Version
from ctsync.record.value_text import NOTHING, counted, plain, typed, typed_date


class Unshown(Enum):
    """Why the value of a field in a version is unknown."""

    NOT_CARRIED = "its source shows no such field"


@dataclass(frozen=True, slots=True)
class ValueSpell:
    """A value and how long it lasted, from the day of one version to the day of another.

    `value` is MISSING if the record had no such field, or if there was no record (see `state`).
    It is NOT_CARRIED if the source of the version may omit the field. The last spell `is_open`
    and lasts until the day of the query.
    """

    value: Any
    state: State
    from_version: int
    to_version: int
    since: date
    until: date
    is_open: bool

    @property
    def days(self) -> int:
        """How many days the value lasted."""
        return (self.until - self.since).days


def course_of(
    values: Iterable[tuple[Version, Any]], stood_from: Sequence[date], *, until: date
) -> list[ValueSpell]:
    """The spells of one field, from its value in each version, oldest first.

    `stood_from` holds the first day of each version.
    """
    spells: list[ValueSpell] = []
    run: list[tuple[Version, Any, date]] = []
    for (version, value), day in zip(values, stood_from, strict=True):
        if run and (version.state, _key(value)) != (run[-1][0].state, _key(run[-1][1])):
            spells.append(_spell(run, day, is_open=False))
            run = []
        run.append((version, value, day))
    if run:
        spells.append(_spell(run, max(until, run[0][2]), is_open=True))
    return spells


def _spell(run: Sequence[tuple[Version, Any, date]], until: date, *, is_open: bool) -> ValueSpell:
    first, value, since = run[0]
    last = run[-1][0].version
    return ValueSpell(value, first.state, first.version, last, since, until, is_open)


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
