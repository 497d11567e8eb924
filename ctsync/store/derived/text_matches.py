"""Which records meet conditions on record fields, by the text index. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    LargeBinary,
    Select,
    String,
    Text,
    and_,
    cast,
    func,
    literal,
    literal_column,
    not_,
    select,
)
from sqlalchemy.types import UserDefinedType

from ctsync.record.rules.record_search import RecordCondition
from ctsync.record.rules.search_words import WordSearch
from ctsync.store.database.tables import SNAPSHOTS, TEXT_BODIES, TEXT_PLACES, TEXT_VALUES
from ctsync.store.derived.indexed_records import IndexedRecords
from ctsync.store.derived.text_index import TextDetail, no_text_key, text_key
from ctsync.store.derived.word_tables import SHARED, WORDS

_AT_ONCE = 10_000
"""Number of rows to fetch at once; each is one integer."""
_MANY = {"yield_per": _AT_ONCE}
_SWAPPED = bytes((1, 0)) + bytes(range(2, 256))


class _LexemeQuery(UserDefinedType[str]):
    """A search for words in PostgreSQL."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "tsquery"


def is_flagged(number: ColumnElement[int], flags: bytes, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a number has a flag; NULL has that of 0."""
    return has_flag(func.coalesce(number, 0), flags, dialect)


def has_flag(number: ColumnElement[int], flags: bytes, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a number, which is not NULL, has a flag."""
    given = literal(flags, LargeBinary)
    if dialect == "postgresql":
        return func.get_byte(given, cast(number, Integer)) == 1
    return func.substr(given, number + 1, 1) == literal(b"\1", LargeBinary)


def is_decided(condition: RecordCondition, detail: TextDetail) -> bool:
    """Whether the index decides a condition. Otherwise the records that it names have the words.

    Words side by side need the order of the words in a text. Of a field that it does not have, the
    index decides nothing.
    """
    if not detail.has(condition.condition.term):
        return False
    return detail.has_order or all(
        len(term.words) == 1 for search in condition.searches for term in search.terms
    )


def indexed_records(
    connection: Connection, conditions: Sequence[RecordCondition], detail: TextDetail
) -> IndexedRecords:
    """Return the records that meet all conditions, or may do so if one is not decided.

    Leaves out a condition on a field that the index does not have, and a negated condition that it
    does not decide.
    """
    size = 1 + (connection.scalar(select(func.max(TEXT_BODIES.c.id))) or 0)
    met: bytes | None = None
    for condition in conditions:
        denies = condition.condition.denies
        if not detail.has(condition.condition.term):
            continue
        if denies and not is_decided(condition, detail):
            continue
        flags = bytearray(size)
        for statement in _selections(condition, connection.dialect.name, detail):
            _set_flags(flags, connection, statement)
        flagged = bytes(flags).translate(_SWAPPED) if denies else bytes(flags)
        met = flagged if met is None else _both(met, flagged)
    return IndexedRecords(b"\1" * size if met is None else met)


def flagged_versions(
    connection: Connection, records: IndexedRecords, *, with_record: bool
) -> bytes:
    """Return one byte for each id of a version: 1 if its record is one of these, else 0.

    `with_record`: a version without a record has 0.
    """
    versions, dialect = SNAPSHOTS, connection.dialect.name
    size = 1 + (connection.scalar(select(func.max(versions.c.id))) or 0)
    wanted = is_flagged(TEXT_BODIES.c.id, records.flags, dialect)
    if with_record:
        wanted = and_(wanted, versions.c.digest.is_not(None))
    most = 2 * records.count > (
        connection.scalar(select(func.count()).select_from(TEXT_BODIES)) or 0
    )
    # both tables in order of digests: looking up each record would take four times as long
    joined = versions.outerjoin(TEXT_BODIES, TEXT_BODIES.c.digest == versions.c.digest)
    flags = bytearray(size)
    # each number that is read takes as long as finding it
    found = select(versions.c.id).select_from(joined).where(not_(wanted) if most else wanted)
    _set_flags(flags, connection, found)
    return bytes(flags).translate(_SWAPPED) if most else bytes(flags)


def _set_flags(flags: bytearray, connection: Connection, statement: Select[int]) -> None:
    """Set the flags of the numbers that a statement selects."""
    for rows in driver_rows(connection, statement):
        for (number,) in rows:
            flags[number] = 1


def driver_rows(connection: Connection, statement: Executable) -> Iterator[Sequence[Any]]:
    """Iterate over rows in parts. On SQLite, these are the driver's: making others takes longer."""
    if connection.dialect.name == "postgresql":  # without the option, all rows are read at once
        yield from connection.execute(statement, execution_options=_MANY).partitions()
        return
    # with the option, SQLAlchemy would have read the first row
    with connection.execute(statement) as result:
        while rows := result.cursor.fetchmany(_AT_ONCE):
            yield rows


def _both(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) & int.from_bytes(other)).to_bytes(len(one))


def _selections(
    condition: RecordCondition, dialect: str, detail: TextDetail
) -> Iterator[Select[int]]:
    """Select the records with a value of `condition`, in several statements."""
    code, is_repeated = condition.condition.term.code, condition.condition.term.is_repeated
    on_file = dialect != "postgresql"
    none = [no_text_key(code)] if condition.takes_none else []
    texts = [text_key(code, words) for words in condition.equals]
    for keys, is_shared in ((none, on_file), (texts, on_file and is_repeated)):
        if keys:
            wanted = [TEXT_VALUES.c.words_key.in_(keys)]
            yield from _records_with(TEXT_VALUES.c.id, wanted, is_shared=is_shared)
    for search in condition.searches:
        if on_file:
            matches = literal_column("text_words").op("MATCH")(_typed(search, code, detail))
            yield from _records_with(WORDS.c.rowid, [matches], is_shared=is_repeated)
        else:
            has_words = list(_found_by_server(search, code, detail))
            yield from _records_with(WORDS.c.value_id, has_words)


def _records_with(
    text: ColumnElement[int], wanted: Sequence[ColumnElement[bool]], *, is_shared: bool = False
) -> Iterator[Select[int]]:
    """Select the first record of each text that is wanted, and the other records."""
    first = select(func.max(TEXT_BODIES.c.id)).where(TEXT_BODIES.c.id <= text).scalar_subquery()
    yield select(first).select_from(text.table).where(*wanted)
    if is_shared:
        has_text = literal_column("text_shared").op("MATCH")(text)
        shared = text.table.join(SHARED, has_text)
        yield select(SHARED.c.rowid).select_from(shared).where(*wanted)
        return
    same = TEXT_PLACES.c.value_id == text
    yield (
        select(TEXT_PLACES.c.body_id).select_from(text.table.join(TEXT_PLACES, same)).where(*wanted)
    )


def _typed(search: WordSearch, code: str, detail: TextDetail) -> Any:
    pieces = (
        f'"{" ".join(words)}"{" *" if is_prefix else ""}'
        for words, is_prefix in _phrases(search, code, detail)
    )
    return literal(" AND ".join(pieces), String)


def _phrases(search: WordSearch, code: str, detail: TextDetail) -> Iterator[tuple[list[str], bool]]:
    """Yield the words that must stand side by side, and whether the last may be longer.

    Without the order of words, each word is alone: FTS5 refuses a phrase then.
    """
    for term in search.terms:
        words = [f"{code}{word}" for word in term.words]
        if not detail.has_order:
            yield from (([word], False) for word in words[:-1])
            words = words[-1:]
        yield words, term.is_prefix


def _found_by_server(
    search: WordSearch, code: str, detail: TextDetail
) -> Iterator[ColumnElement[bool]]:
    lexemes = [
        f"'{code}{word}'{':*' if term.is_prefix and place == len(term.words) else ''}"
        for term in search.terms
        for place, word in enumerate(term.words, start=1)
    ]
    asked = cast(literal(" & ".join(lexemes), String), _LexemeQuery)
    yield WORDS.c.lexemes.op("@@")(asked)
    if not detail.has_order:
        return
    spaced = literal(" ", Text).concat(cast(WORDS.c.words, Text)).concat(literal(" ", Text))
    for words, is_prefix in _phrases(search, code, detail):
        if len(words) > 1:
            # the positions in a tsvector are limited, so the text of words decides
            phrase = f" {' '.join(words)}{'' if is_prefix else ' '}"
            yield spaced.like(literal(f"%{phrase}%", Text))
