"""The message about a wrong value of a setting: what it must be. Does no I/O."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from msgspec import Meta

_KINDS = {bool: "true or false", int: "a whole number", float: "a number"}
_LIMITS = {
    "gt": "greater than {}",
    "ge": "of at least {}",
    "le": "of at most {}",
    "max_length": "of at most {} characters",
}


def sentence(held: object, kind: Any) -> str:
    """Return what a value of this type must be, and the wrong value.

    The value is repeated only for numbers, switches and choices: a text may be a secret.
    """
    base, *notes = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    choices = [repr(one) for one in choices_of(base)]
    if choices:
        needed = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
    else:
        limits = " and ".join(_limits(notes)).replace(" and of ", " and ")
        needed = " ".join(filter(None, (_KINDS.get(base, "a text"), limits)))
    is_repeated = (choices or base in _KINDS) and isinstance(held, str | int | float)
    return f"must be {needed}, not {held!r}" if is_repeated else f"must be {needed}"


def choices_of(base: Any) -> list[Any]:
    """Return the values of a choice, in their order; none for other types."""
    if get_origin(base) is Literal:
        return list(get_args(base))
    is_enum = isinstance(base, type) and issubclass(base, Enum)
    return [one.value for one in base] if is_enum else []


def _limits(notes: list[Any]) -> list[str]:
    return [
        text.format(f"{limit:g}")
        for note in notes
        if isinstance(note, Meta)
        for name, text in _LIMITS.items()
        if (limit := getattr(note, name)) is not None
    ]
