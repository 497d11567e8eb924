"""Reads values and sections of the settings by their types, with all problems. Does no I/O.

msgspec stops at the first problem of a table, so each value is converted by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from ctsync.config.error_text import sentence
from ctsync.config.secrets import Location
from ctsync.text import nearest

_SWITCHES = {
    **dict.fromkeys(("true", "yes", "on", "1", "t", "y"), True),
    **dict.fromkeys(("false", "no", "off", "0", "f", "n"), False),
}


@dataclass(frozen=True, slots=True)
class Check:
    """The part of a type that msgspec does not know, for `Annotated`.

    `check` returns the value to use, and raises ValueError with the correction.
    """

    check: Callable[[Any], Any]


class SettingsSection(msgspec.Struct, frozen=True):
    """Base of the sections of the settings."""


_SectionType = TypeVar("_SectionType", bound=SettingsSection)


class BadValue(Exception):
    """A value is wrong; `problems` are its wrong places, each with what is wrong."""

    def __init__(self, problems: list[tuple[Location, str]]) -> None:
        super().__init__(*(said for _, said in problems))
        self.problems = problems


def read_section(held: object, kind: type[_SectionType]) -> _SectionType:
    """Read a section from a table; reads no default. Raises BadValue with all problems."""
    if not isinstance(held, dict):
        raise _wrong("must be a section of settings")
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    problems: list[tuple[Location, str]] = [
        ((name,), f"there is no such setting; {nearest(name, fields)}")
        for name in held
        if name not in fields
    ]
    problems += [
        ((name,), "is missing")
        for name, field in fields.items()
        if field.required and name not in held
    ]
    known = [(name, value, fields[name].type) for name, value in held.items() if name in fields]
    return kind(**_read_each(known, problems))


def read_value(held: object, kind: Any) -> Any:
    """Read a value of a type from values as TOML has them, or from text. Raises BadValue."""
    base, *notes = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    value = _read_base(held, base, kind)
    for note in notes:
        if isinstance(note, Check):
            try:
                value = note.check(value)
            except ValueError as wrong:
                raise _wrong(str(wrong)) from None
    return value


def _read_base(held: object, base: Any, kind: Any) -> Any:
    origin, inner = get_origin(base), get_args(base)
    if NoneType in inner:
        (present,) = (one for one in inner if one is not NoneType)
        return None if held is None else read_value(held, present)
    if origin is tuple:
        if not isinstance(held, list | tuple):
            raise _wrong("must be a list, in [ ]")
        return tuple(_read_each((n, one, inner[0]) for n, one in enumerate(held)).values())
    if origin is dict:
        if not isinstance(held, dict):
            raise _wrong("must be a table of keys and values")
        return _read_each((key, one, inner[1]) for key, one in held.items())
    if isinstance(base, type) and issubclass(base, SettingsSection):
        return read_section(held, base)
    return _read_plain(held, base, kind)


def _read_each(
    items: Iterable[tuple[Any, object, Any]], problems: Iterable[tuple[Location, str]] = ()
) -> dict[Any, Any]:
    """Read values by their steps. Raises BadValue with the problems of all, and those given."""
    found, wrong = {}, [*problems]
    for step, held, kind in items:
        try:
            found[step] = read_value(held, kind)
        except BadValue as bad:
            wrong += [((step, *where), said) for where, said in bad.problems]
    if wrong:
        raise BadValue(wrong)
    return found


def _read_plain(held: object, base: Any, kind: Any) -> Any:
    given = held.strip() if isinstance(held, str) else held
    if base is bool and isinstance(given, str):
        given = _SWITCHES.get(given.lower(), given)
    try:
        value = msgspec.convert(given, kind, strict=False, dec_hook=_from_text)
        if not isinstance(value, float) or math.isfinite(value):
            return value
    except msgspec.ValidationError:
        pass
    raise _wrong(sentence(held, kind))


def _from_text(kind: type, given: object) -> Any:
    """Make a value of a type that msgspec does not know, such as a path."""
    if isinstance(given, kind):
        return given
    if not isinstance(given, str):
        raise TypeError
    return kind(given)


def _wrong(said: str) -> BadValue:
    return BadValue([((), said)])
