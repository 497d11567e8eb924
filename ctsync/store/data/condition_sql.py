"""Finds versions that meet conditions, in SQL. Every value is a bound parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, gt, le, lt
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)

from ctsync.dates import PartialDate
from ctsync.model import NctId, State
from ctsync.record.rules.conditions import FieldCondition, Value, ValueType
from ctsync.store.data.versions import KEY_COLUMNS
from ctsync.store.data.watched_trials import trials_of_watch
from ctsync.store.database.access import BATCH, Reads
from ctsync.store.database.tables import SNAPSHOTS, TRIALS
from ctsync.store.database.types import RemoteText


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a trial that has a match.

    `matches` is whether this version meets all conditions. `values` holds the fields of the
    conditions, by the names in the conditions.
    """

    nct_id: NctId
    state: State
    posted: str | None
    submitted: str | None
    observed: datetime | None
    fetched: datetime
    matches: bool
    title: str | None
    values: Mapping[str, Any]


class SearchReads(Reads):
    """Searches versions by their key fields."""

    def candidates(
        self, conditions: Sequence[FieldCondition], *, newest: bool, watch: str | None = None
    ) -> Iterator[Candidate]:
        """Iterate over all versions of the trials with a version that meets all conditions.

        `newest` requires that version to be the newest. Trials are in order of ids, versions oldest
        first, read from one view of the database with a few rows at a time in memory. A version
        that is gone or moved meets the conditions only if one of them names the state.
        """
        table = SNAPSHOTS
        asked = {condition.term.name: condition.term for condition in conditions}
        found = select(table.c.nct_id).where(_meets(table, conditions))
        if newest:
            found = found.join(TRIALS, TRIALS.c.head_snapshot_id == table.c.id)
        if watch is not None:
            found = found.where(table.c.nct_id.in_(trials_of_watch(watch)))
        statement = (
            select(
                table.c.nct_id,
                table.c.state,
                table.c.posted,
                table.c.submitted,
                table.c.observed,
                table.c.fetched,
                table.c.brief_title,
                case((_meets(table, conditions), 1), else_=0).label("matches"),
                *(
                    _column(table, term.field).label(f"asked_{name}")
                    for name, term in asked.items()
                ),
            )
            .where(table.c.nct_id.in_(found))
            .order_by(table.c.nct_id, table.c.position)
        )
        with self._reading() as connection:
            for row in connection.execute(statement.execution_options(yield_per=BATCH)):
                yield Candidate(
                    nct_id=NctId(row.nct_id),
                    state=State(row.state),
                    posted=row.posted,
                    submitted=row.submitted,
                    observed=row.observed,
                    fetched=row.fetched,
                    matches=bool(row.matches),
                    title=row.brief_title,
                    values={name: getattr(row, f"asked_{name}") for name in asked},
                )


def _column(table: FromClause, field: str) -> ColumnElement[Any]:
    return table.c[KEY_COLUMNS.get(field, field)]


def _meets(table: FromClause, conditions: Sequence[FieldCondition]) -> ColumnElement[bool]:
    terms = [_term(_column(table, one.term.field), one) for one in conditions]
    if not any(one.term.field == "state" for one in conditions):
        terms.append(table.c.state == State.PRESENT)
    return and_(*terms)


def _term(column: ColumnElement[Any], condition: FieldCondition) -> ColumnElement[bool]:
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
        return _lower(column).like(_lower(_text(f"%{_escaped(value)}%")), escape="\\")
    match condition.term.sort:
        case ValueType.WORDS:
            among = literal("|", String).concat(column).concat(literal("|", String))
            return among.like(_text(f"%|{_escaped(value)}|%"), escape="\\")
        case ValueType.TEXT:
            return _lower(column) == _lower(_text(value))
        case _:
            return column == literal(value, column.type)


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
