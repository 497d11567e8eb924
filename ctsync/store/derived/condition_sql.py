"""Conditions on key fields in SQL. Every value is a bound parameter.

Words in a key field are compared in Python; SQL only leaves out what cannot match.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import eq, ge, gt, le, lt
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    and_,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    true,
)

from ctsync.dates import PartialDate
from ctsync.model import State
from ctsync.record.rules.conditions import FieldCondition, Value, ValueType
from ctsync.record.rules.search_words import fold, words_of
from ctsync.store.data.versions import KEY_COLUMNS
from ctsync.store.database.tables import SNAPSHOTS
from ctsync.store.database.types import RemoteText


def column_of(field: str) -> ColumnElement[Any]:
    """Return the column of `snapshots` with a key field."""
    return SNAPSHOTS.c[KEY_COLUMNS.get(field, field)]


def meets(conditions: Sequence[FieldCondition]) -> ColumnElement[bool]:
    """Return the condition that a version may meet all conditions on key fields.

    A version that is gone or moved meets them only if one of them names the state.
    """
    terms = [_term(column_of(one.term.field), one) for one in conditions]
    if not names_state(conditions):
        terms.append(SNAPSHOTS.c.state == State.PRESENT)
    return and_(true(), *terms)


def meets_with_record(conditions: Sequence[FieldCondition]) -> ColumnElement[bool]:
    """Return the same condition for versions that have a record: these are present."""
    return and_(true(), *(_term(column_of(one.term.field), one) for one in conditions))


def names_state(conditions: Sequence[FieldCondition]) -> bool:
    """Whether a condition names the state of a version."""
    return any(one.term.field == "state" for one in conditions)


def may_stand_by(day: date) -> ColumnElement[bool]:
    """Return a condition that leaves out only versions that were not yet current on `day`.

    `questions.trial.version_dates` decides which of the days of a version counts.
    """
    if day == date.max:
        return true()
    table, text, end = SNAPSHOTS, _text(day.isoformat()), _day_after(day)
    return or_(
        table.c.posted <= text,
        table.c.observed < end,
        and_(table.c.observed.is_(None), or_(table.c.submitted <= text, table.c.fetched < end)),
    )


def surely_stands_by(day: date) -> ColumnElement[bool]:
    """Return a condition that is true only for versions that were current on `day`.

    Whatever is not a full date is not sure, nor are the last days of a month, which it may lack.
    """
    table, text, end = SNAPSHOTS, _text(day.isoformat()), _day_after(day)
    return and_(
        table.c.posted <= text,
        func.length(table.c.posted) == _LONGEST,
        or_(
            table.c.observed < end,
            and_(
                table.c.observed.is_(None),
                table.c.submitted <= text,
                func.length(table.c.submitted) == _LONGEST,
                func.substr(table.c.submitted, 6, 2).between(_text("01"), _text("12")),
                func.substr(table.c.submitted, 9, 2).between(_text("01"), _text("28")),
            ),
        ),
    )


def _day_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def _term(column: ColumnElement[Any], condition: FieldCondition) -> ColumnElement[bool]:
    if condition.operator == "~" and condition.denies:
        return true()  # what may match is compared in Python
    holds = or_(*(_holds(column, condition, value) for value in condition.values))
    # NULL = 'x' is NULL in SQL, but a negated condition must then be true
    return not_(func.coalesce(holds, false())) if condition.denies else holds


def _holds(
    column: ColumnElement[Any], condition: FieldCondition, value: Value
) -> ColumnElement[bool]:
    if value is None:
        return column.is_(None)
    if isinstance(value, PartialDate):
        return _of_date(column, condition.operator, value)
    if isinstance(value, str):
        return _of_text(column, condition, value)
    return _COMPARED[condition.operator](column, literal(value, column.type))


def _of_text(
    column: ColumnElement[Any], condition: FieldCondition, value: str
) -> ColumnElement[bool]:
    if condition.operator == "~":
        return _may_have_words(column, value)
    match condition.term.sort:
        case ValueType.WORDS:
            among = literal("|", String).concat(column).concat(literal("|", String))
            return among.like(_text(f"%|{_escaped(value)}|%"), escape="\\")
        case ValueType.TEXT:
            return _lower(column) == _lower(_text(value))
        case _:
            return column == literal(value, column.type)


_BEYOND_ASCII = r"[^\x01-\x7f]|&"


def _may_have_words(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """Return a condition that leaves out only what has neither the text nor all its words.

    Only ASCII letters have the same lower case in both databases and in Python. An ampersand may
    begin an HTML entity.
    """
    folded = fold(value)
    parts = (words_of(value) if folded.isascii() else ()) or (folded,)
    patterns = (_text(f"%{_escaped(one)}%") for one in parts)
    has_all = and_(*(_lower(column).like(pattern, escape="\\") for pattern in patterns))
    return or_(has_all, column.regexp_match(_BEYOND_ASCII))


_COMPARED: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": eq,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


def _text(value: str) -> ColumnElement[str]:
    return literal(value, RemoteText)


def _lower(text: ColumnElement[Any]) -> ColumnElement[str]:
    # the database lowers both sides: SQLite only A to Z, PostgreSQL all letters
    return func.lower(cast(text, String) if not isinstance(text.type, String) else text)


def _escaped(text: str) -> str:
    """Escape a text so that LIKE matches it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# --- dates that may be months or years -----------------------------------------------------------
#
# A stored date is text such as "2026-10". Its first day is that text completed with "-01-01". Its
# last day is the text completed with "-99-99", which sorts after every day of the month or year.
# The date in the condition is completed in the same way if its last day ends a month or a year.

_LONGEST = 10
_DATE = "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"


def _of_date(column: ColumnElement[Any], operator: str, asked: PartialDate) -> ColumnElement[bool]:
    first = func.substr(column.concat(_text("-01-01")), 1, literal(_LONGEST, Integer))
    last = func.substr(column.concat(_text("-99-99")), 1, literal(_LONGEST, Integer))
    begins, ends = _text(asked.first.isoformat()), _text(_last_of(asked))
    match operator:
        case "<":
            meant = last < begins
        case "<=":
            meant = last <= ends
        case ">":
            meant = first > ends
        case ">=":
            meant = first >= begins
        case _:
            meant = and_(first >= begins, last <= ends)
    return and_(meant, column.regexp_match(_DATE))


def _last_of(asked: PartialDate) -> str:
    day = asked.last
    if (day.month, day.day) == (12, 31):
        return f"{day.year:04d}-99-99"
    if PartialDate(f"{day:%Y-%m}").last == day:
        return f"{day:%Y-%m}-99"
    return day.isoformat()
