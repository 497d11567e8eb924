"""The parameters of an address: their descriptions, and how they are read. Does no I/O.

Texts are checked no further here: each question reads its own with the parsers of the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from ctsync.errors import UsageError
from ctsync.model import JsonObject
from ctsync.text import nearest

TEXT: JsonObject = {"type": "string", "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$"}
"""The schema of a text: without control characters, and not empty."""
MOST_ROWS = 1000
ROWS = 100

Given = Mapping[str, Any]
"""The values of a request: a text, a number, a bool or a tuple of texts, by parameter."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_AGE = re.compile(r"\s*[0-9]+\s*[hdwmy]\s*", re.ASCII | re.IGNORECASE)
_FLAGS = {"true": True, "false": False}


class ParameterType(StrEnum):
    """How the text of a parameter is read."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    LIST = "list"
    """Several texts: the parameter may be repeated."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an address. `schema` describes one value; `lowest` and `highest` a number."""

    name: str
    description: str
    type: ParameterType = ParameterType.TEXT
    schema: JsonObject = field(default_factory=lambda: dict(TEXT))
    is_required: bool = False
    lowest: int | None = None
    highest: int | None = None


LIMIT = Parameter(
    "limit",
    f"Number of rows per page; {ROWS} by default.",
    ParameterType.NUMBER,
    {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": ROWS},
    lowest=1,
    highest=MOST_ROWS,
)
CURSOR = Parameter("cursor", "The value of `next` on the page before; other parameters stay.")
FIELDS = Parameter("fields", "Only these keys of each row, separated by commas.")


def read_query(query: bytes, known: Sequence[Parameter]) -> Given:
    """Read the query of an address. Raises UsageError with one sentence for the first mistake."""
    by_name = {parameter.name: parameter for parameter in known}
    texts: dict[str, list[str]] = {}
    for name, text in _pairs(query):
        if name not in by_name:
            raise UsageError(f"there is no parameter {name!r} here; {_nearest(name, by_name)}")
        if _CONTROL.search(text):
            raise UsageError(f"{name} contains a control character; remove it")
        if not text:
            raise UsageError(f"{name} has no value; write one, or leave {name} out")
        texts.setdefault(name, []).append(text)
    for parameter in known:
        if parameter.is_required and parameter.name not in texts:
            raise UsageError(f"{parameter.name} is missing: {parameter.description}")
    return {name: _value(by_name[name], given) for name, given in texts.items()}


def changes_with_time(given: Given) -> bool:
    """Whether the answer changes while the data stay the same, as that for since=7d does."""
    times = (given.get("since"), given.get("until"))
    return any(text and (_AGE.fullmatch(text) or "report" in text.lower()) for text in times)


def chosen_fields(given: Given, known: Sequence[str]) -> Sequence[str] | None:
    """Return the keys that `fields` chooses, None for all. Raises UsageError for an unknown one."""
    text = given.get(FIELDS.name)
    if text is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"there is no field {name!r} in these rows; {nearest(name, known)}")
    return names


def _pairs(query: bytes) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise UsageError("the address is not UTF-8; encode its values as UTF-8") from None


def _nearest(name: str, known: Mapping[str, Parameter]) -> str:
    return nearest(name, known) if known else "this address takes none"


def _value(parameter: Parameter, texts: Sequence[str]) -> Any:
    if parameter.type is ParameterType.LIST:
        return tuple(texts)
    if len(texts) > 1:
        raise UsageError(f"{parameter.name} is given {len(texts)} times; give it once")
    (text,) = texts
    match parameter.type:
        case ParameterType.FLAG:
            if text not in _FLAGS:
                raise UsageError(f"{parameter.name}={text}: write true or false")
            return _FLAGS[text]
        case ParameterType.NUMBER:
            return _number(parameter, text)
        case _:
            return text


def _number(parameter: Parameter, text: str) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else None
    low, high = parameter.lowest, parameter.highest
    is_low = number is not None and low is not None and number < low
    is_high = number is not None and high is not None and number > high
    if number is None or is_low or is_high:
        between = f"a number from {low} to {high}" if low is not None else "a number"
        raise UsageError(f"{parameter.name}={text}: write {between}")
    return number
