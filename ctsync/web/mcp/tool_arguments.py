"""The parameters of tools: their JSON Schema, and arguments read with the parsers of questions.

Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from ctsync.errors import UsageError
from ctsync.model import JsonObject, NctId
from ctsync.pasted_url import read_trial
from ctsync.questions.changes.filters import LAST_REPORT, parse_word
from ctsync.questions.parameters import read_day, read_moment, read_span
from ctsync.text import nearest

MOST_ROWS = 500
"""The largest limit of an answer."""
_MOST_TEXTS = 100
_LONGEST_TEXT = 2_000
_MOST_DIGITS = 9
_VERSION = re.compile(r"(NCT[0-9]{8})\.([0-9]{1,9})")

EnumT = TypeVar("EnumT", bound=StrEnum)
ReadT = TypeVar("ReadT")


class ParameterForm(StrEnum):
    """The JSON values that a parameter takes."""

    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    VERSION = "version"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class ToolParameter:
    """A parameter of a tool. It is named as the long option of the command.

    `words` are the values that it takes, if these are known. `default` is only described.
    """

    name: str
    form: ParameterForm
    description: str
    words: tuple[str, ...] = ()
    is_required: bool = False
    default: int | str | None = None

    def schema(self) -> JsonObject:
        """The JSON Schema of the parameter."""
        text: JsonObject = {"type": "string"}
        if self.words:
            text["enum"] = list(self.words)
        found: JsonObject
        match self.form:
            case ParameterForm.TEXT:
                found = text
            case ParameterForm.TEXTS:
                found = {"type": "array", "items": text, "maxItems": _MOST_TEXTS}
            case ParameterForm.NUMBER:
                found = {"type": "integer"}
            case ParameterForm.VERSION:
                found = {"type": ["string", "integer"]}
            case ParameterForm.FLAG:
                found = {"type": "boolean"}
        if self.default is not None:
            found["default"] = self.default
        return found | {"description": self.description}


def paging(limit: int) -> tuple[ToolParameter, ...]:
    """The two parameters that bound the answer of a tool with this default limit."""
    return (
        ToolParameter(
            "limit",
            ParameterForm.NUMBER,
            f"Most rows in this answer, from 1 to {MOST_ROWS}.",
            default=limit,
        ),
        ToolParameter(
            "cursor",
            ParameterForm.TEXT,
            "Continues a partial answer: `next.cursor` of that answer. Repeat the other arguments.",
        ),
    )


def input_schema(parameters: Sequence[ToolParameter]) -> JsonObject:
    """The JSON Schema of the arguments of a tool."""
    return {
        "type": "object",
        "properties": {one.name: one.schema() for one in parameters},
        "required": [one.name for one in parameters if one.is_required],
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """The checked arguments of a call, read when a tool asks for them.

    Each method raises UsageError, which names the parameter. `now` is the time that ages such as
    `7d` are counted from.
    """

    values: Mapping[str, Any]
    now: datetime

    def text(self, name: str) -> str | None:
        """Return a text; None if it was not given."""
        value = self.values.get(name)
        return None if value is None else str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return several texts."""
        return tuple(self.values.get(name, ()))

    def flag(self, name: str) -> bool:
        """Return whether a flag is set."""
        return bool(self.values.get(name, False))

    def number(self, name: str) -> int | None:
        """Return a number; None if it was not given."""
        value: int | None = self.values.get(name)
        return value

    def trial(self, name: str = "nct") -> NctId:
        """Return the trial that an NCT id or URL names."""
        return _read(name, read_trial, self.values[name])

    def trials(self, name: str = "nct") -> tuple[NctId, ...]:
        """Return the named trials, each once, in order."""
        found = (_read(name, read_trial, text) for text in self.texts(name))
        return tuple(dict.fromkeys(found))

    def day(self, name: str) -> date | None:
        """Return a day; None if it was not given."""
        text = self.text(name)
        return None if text is None else _read(name, read_day, text)

    def moment(self, name: str, *, end_of_day: bool = False) -> datetime | None:
        """Return a time: a day means its start, or its end. None if it was not given."""
        text = self.text(name)
        if text is None:
            return None
        return _read(name, lambda given: read_moment(given, self.now, end_of_day=end_of_day), text)

    def is_last_report(self, name: str) -> bool:
        """Return whether a time is given as "last report", which only the database knows."""
        return " ".join((self.text(name) or "").lower().split()) == LAST_REPORT

    def span(self, name: str, default: str) -> timedelta | None:
        """Return a time span; `all` is None."""
        return _read(name, read_span, self.text(name) or default)

    def word(self, name: str, known: type[EnumT]) -> EnumT | None:
        """Return the value that a word names; None if it was not given."""
        text = self.text(name)
        return None if text is None else _read(name, lambda given: parse_word(given, known), text)

    def words(self, name: str, known: type[EnumT]) -> tuple[EnumT, ...]:
        """Return the values that the words name."""
        return self.each(name, lambda given: parse_word(given, known))

    def each(self, name: str, read: Callable[[str], ReadT]) -> tuple[ReadT, ...]:
        """Return what each text of a parameter means."""
        return tuple(_read(name, read, text) for text in self.texts(name))

    def limit(self, default: int) -> int:
        """Return the most rows of the answer."""
        wanted = self.number("limit")
        if wanted is not None and not 1 <= wanted <= MOST_ROWS:
            raise UsageError(f"limit: write a number from 1 to {MOST_ROWS}, not {wanted}")
        return default if wanted is None else wanted

    def after(self) -> int | None:
        """Return the id of the row before the answer, for a cursor that is an id."""
        return self.skip() or None

    def skip(self) -> int:
        """Return the number of rows before the answer, for a cursor that counts rows."""
        text = self.text("cursor") or "0"
        if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
            raise _not_a_cursor(text)
        return int(text)

    def version(self) -> tuple[NctId, int] | None:
        """Return the trial and version before the answer, for a cursor that is `version_cursor`."""
        text = self.text("cursor")
        if text is None:
            return None
        found = _VERSION.fullmatch(text)
        if found is None:
            raise _not_a_cursor(text)
        return NctId(found[1]), int(found[2])


def version_cursor(nct_id: NctId, version: int) -> str:
    """Name a version of a trial as the place after which an answer continues."""
    return f"{nct_id}.{version}"


def _not_a_cursor(text: str) -> UsageError:
    return UsageError(f"cursor: {text!r} is not a cursor of this tool; start without one")


def read_arguments(
    given: Mapping[str, object], parameters: Sequence[ToolParameter], now: datetime
) -> ToolArguments:
    """Check the names and JSON types of the arguments of a call; null means not given.

    Raises UsageError.
    """
    known = {one.name: one for one in parameters}
    for name in given:
        if name not in known:
            raise UsageError(f"there is no parameter {name!r}; {nearest(name, known)}")
    values = {
        name: _checked(known[name], value) for name, value in given.items() if value is not None
    }
    for one in parameters:
        if one.is_required and not values.get(one.name):
            raise UsageError(f"{one.name} is missing: {one.description}")
    return ToolArguments(values, now)


def _checked(parameter: ToolParameter, value: object) -> Any:
    match parameter.form:
        case ParameterForm.FLAG if isinstance(value, bool):
            return value
        case ParameterForm.NUMBER | ParameterForm.VERSION if _is_whole(value):
            return int(value)  # type: ignore[call-overload]  # checked above
        case ParameterForm.TEXT | ParameterForm.VERSION if isinstance(value, str):
            return _of_length(parameter.name, value)
        case ParameterForm.TEXTS if isinstance(value, str | list):
            texts = [value] if isinstance(value, str) else value
            if len(texts) > _MOST_TEXTS:
                raise UsageError(f"{parameter.name}: at most {_MOST_TEXTS} texts, not {len(texts)}")
            if all(isinstance(one, str) for one in texts):
                return tuple(_of_length(parameter.name, one) for one in texts)
    raise UsageError(f"{parameter.name}: write {_WRITTEN[parameter.form]}")


_WRITTEN: Mapping[ParameterForm, str] = {
    ParameterForm.TEXT: "a text",
    ParameterForm.TEXTS: "a list of texts",
    ParameterForm.NUMBER: "a whole number",
    ParameterForm.VERSION: "a text or a whole number",
    ParameterForm.FLAG: "true or false",
}


def _is_whole(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _of_length(name: str, text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise UsageError(f"{name}: at most {_LONGEST_TEXT:,} characters, not {len(text):,}")
    return text


def _read(name: str, read: Callable[[str], ReadT], text: str) -> ReadT:
    try:
        return read(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
