"""Finds versions that meet conditions, in SQL. Every value is a bound parameter.

Conditions on record fields are met in SQL if the text index is in use. Otherwise they are left out
here, and the caller reads the records. Words in a key field are compared in Python; SQL only leaves
out what cannot match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import eq, ge, gt, le, lt
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)

from ctsync.dates import PartialDate
from ctsync.model import NctId, State
from ctsync.record.rules.conditions import FieldCondition, Value, ValueType
from ctsync.record.rules.record_search import KeyTextCondition, RecordCondition
from ctsync.record.rules.search_words import fold, words_of
from ctsync.store.data.versions import KEY_COLUMNS
from ctsync.store.data.watched_trials import trials_of_watch
from ctsync.store.database.access import BATCH, Reads
from ctsync.store.database.tables import SNAPSHOTS, TRIALS
from ctsync.store.database.types import RemoteText
from ctsync.store.derived.text_index import digests_with, values_by_digest


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a trial that has a match.

    `matches` is whether this version meets all conditions that were compared. `values` holds the
    fields of the conditions, by the names in the conditions: for a record field, the texts that
    match, and nothing if they are too long or were not compared.
    """

    nct_id: NctId
    state: State
    posted: str | None
    submitted: str | None
    observed: datetime | None
    fetched: datetime
    digest: str | None
    matches: bool
    title: str | None
    values: Mapping[str, Any]


class NewestVersion(NamedTuple):
    """The newest version of a trial, by the digest of its record."""

    nct_id: NctId
    digest: str | None


class SearchReads(Reads):
    """Searches versions by their key fields, and by the text index."""

    def newest(
        self, conditions: Sequence[FieldCondition], *, by_index: bool = False
    ) -> Iterator[NewestVersion]:
        """Iterate over the trials whose newest version meets all conditions, in no order.

        Compares the same conditions as `candidates`, and reads no other version.
        """
        of_key = [one for one in conditions if not one.term.is_of_record]
        of_record = [RecordCondition.of(one) for one in conditions if one.term.is_of_record]
        in_words = [one for one in of_key if one.operator == "~"]
        texts = (_column(SNAPSHOTS, one.term.field) for one in in_words)
        with self._reading() as connection:
            meets = _meets(of_key, of_record if by_index else [], connection.dialect.name)
            statement = (
                select(TRIALS.c.nct_id, SNAPSHOTS.c.digest, *texts)
                .select_from(TRIALS)
                .join(SNAPSHOTS, TRIALS.c.head_snapshot_id == SNAPSHOTS.c.id)
                .where(meets)
            )
            compared = [KeyTextCondition.of(one) for one in in_words]
            for nct_id, digest, *found in connection.execute(statement, execution_options=_LAZY):
                if all(one.holds(text) for one, text in zip(compared, found, strict=True)):
                    yield NewestVersion(NctId(nct_id), digest)

    def candidates(
        self,
        conditions: Sequence[FieldCondition],
        *,
        newest: bool,
        watch: str | None = None,
        by_index: bool = False,
    ) -> Iterator[Candidate]:
        """Iterate over all versions of the trials with a version that may meet all conditions.

        `newest` requires that version to be the newest. Trials are in order of ids, versions oldest
        first, read from one view of the database with a few rows at a time in memory. A version
        that is gone or moved meets the conditions only if one of them names the state. `by_index`
        compares record fields with the text index, which must be in use.
        """
        of_key = [one for one in conditions if not one.term.is_of_record]
        of_record = [RecordCondition.of(one) for one in conditions if one.term.is_of_record]
        indexed = of_record if by_index else []
        in_words = [
            (one.term.name, KeyTextCondition.of(one)) for one in of_key if one.operator == "~"
        ]
        asked = {one.term.name: one.term.field for one in of_key}
        with self._reading() as connection:
            meets = _meets(of_key, indexed, connection.dialect.name)
            found = _trials(meets, newest=newest, watch=watch)
            texts = _texts_by_field(connection, indexed)
            # one statement per batch would search the text index again for each batch
            rows: Iterable[Any] = _in_batches(connection, meets, asked, found)
            if indexed:
                rows = connection.execute(_versions(meets, asked, found), execution_options=_LAZY)
            for row in rows:
                values = {name: getattr(row, f"asked_{name}") for name in asked}
                yield Candidate(
                    nct_id=NctId(row.nct_id),
                    state=State(row.state),
                    posted=row.posted,
                    submitted=row.submitted,
                    observed=row.observed,
                    fetched=row.fetched,
                    digest=row.digest,
                    matches=bool(row.matches)
                    and all(condition.holds(values[name]) for name, condition in in_words),
                    title=row.brief_title,
                    values=values
                    | {name: sorted(found.get(row.digest, ())) for name, found in texts.items()},
                )


_LAZY = {"yield_per": BATCH}
_FIRST_BATCH = 100
"""Number of trials whose versions are read first, usually enough for a page; then BATCH."""


def _trials(meets: ColumnElement[bool], *, newest: bool, watch: str | None) -> Select[str]:
    """Select the trials with a version that may meet all conditions."""
    if newest:
        found = (
            select(TRIALS.c.nct_id)
            .select_from(TRIALS)
            .join(SNAPSHOTS, TRIALS.c.head_snapshot_id == SNAPSHOTS.c.id)
        )
    else:
        found = select(SNAPSHOTS.c.nct_id).distinct()
    if watch is not None:
        found = found.where(SNAPSHOTS.c.nct_id.in_(trials_of_watch(watch)))
    return found.where(meets)


def _versions(meets: ColumnElement[bool], asked: Mapping[str, str], trials: Any) -> Select[Any]:
    """Select all versions of trials, in order of ids, oldest first."""
    table = SNAPSHOTS
    return (
        select(
            table.c.nct_id,
            table.c.state,
            table.c.posted,
            table.c.submitted,
            table.c.observed,
            table.c.fetched,
            table.c.digest,
            table.c.brief_title,
            case((meets, 1), else_=0).label("matches"),
            *(_column(table, field).label(f"asked_{name}") for name, field in asked.items()),
        )
        .where(table.c.nct_id.in_(trials))
        .order_by(table.c.nct_id, table.c.position)
    )


def _in_batches(
    connection: Connection,
    meets: ColumnElement[bool],
    asked: Mapping[str, str],
    trials: Select[str],
) -> Iterator[Any]:
    """Yield the versions of trials in batches, so that a page does not wait for all trials."""
    in_order = trials.order_by(trials.selected_columns[0])
    ids = connection.scalars(in_order, execution_options=_LAZY)
    statement = _versions(meets, asked, bindparam("batch", expanding=True))
    batch = list(islice(ids, _FIRST_BATCH))
    while batch:
        yield from connection.execute(statement, {"batch": batch}, execution_options=_LAZY)
        batch = list(islice(ids, BATCH))


def _texts_by_field(
    connection: Connection, indexed: Sequence[RecordCondition]
) -> dict[str, dict[str, set[str]]]:
    """Return the texts of each record field that match, by the digests of the records."""
    found: dict[str, dict[str, set[str]]] = {}
    for one in indexed:
        if not one.condition.term.is_long:
            of_field = found.setdefault(one.condition.term.name, {})
            if not one.condition.denies:
                for digest, texts in values_by_digest(connection, one).items():
                    of_field.setdefault(digest, set()).update(texts)
    return found


def _column(table: FromClause, field: str) -> ColumnElement[Any]:
    return table.c[KEY_COLUMNS.get(field, field)]


def _meets(
    conditions: Sequence[FieldCondition], indexed: Sequence[RecordCondition], dialect: str
) -> ColumnElement[bool]:
    table = SNAPSHOTS
    terms = [_term(_column(table, one.term.field), one) for one in conditions]
    terms += [_of_record(table.c.digest, one, dialect) for one in indexed]
    if not any(one.term.field == "state" for one in conditions):
        terms.append(table.c.state == State.PRESENT)
    return and_(true(), *terms)


def _of_record(
    digest: ColumnElement[Any], condition: RecordCondition, dialect: str
) -> ColumnElement[bool]:
    holds = digest.in_(digests_with(condition, dialect))
    return not_(func.coalesce(holds, false())) if condition.condition.denies else holds


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
