"""The text index: which record has which words in which field. Built on request.

`text_values` holds each text of a searched field once, `text_places` the records that have it, and
`text_words` its words: FTS5 without its text on SQLite, tsvector with a GIN index on PostgreSQL.
Each word begins with the letter of its field. ctsync splits a text into words itself, so both
databases find the same. Rows follow from the digest of a record alone, so none is ever deleted: a
record that was dropped has rows that no version leads to.

The index is in use if the mark `text_index` has the value FORM. From then on, each body is indexed
in the transaction that stores it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Text,
    cast,
    column,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import UserDefinedType

from ctsync.errors import CorruptBody, UsageError
from ctsync.record.rules.conditions import RECORD_TERMS
from ctsync.record.rules.record_search import RecordCondition, record_items
from ctsync.record.rules.search_words import WordSearch, words_of
from ctsync.store.bodies.reader import Dictionaries
from ctsync.store.database.access import Reads, Writes, batches, insert_rows
from ctsync.store.database.marks import MarkWrites, read_mark
from ctsync.store.database.tables import (
    BODIES,
    MARKS,
    SNAPSHOTS,
    TEXT_BODIES,
    TEXT_PLACES,
    TEXT_VALUES,
)

MARK = "text_index"
FORM = "2"
"""The version of the rules that split a text into words, and of the keys of the texts.

Another value in the mark: not in use.
"""

_UNFINISHED = f"building {FORM}"
_KEY_BYTES = 10
"""Each text has two keys, in four places. At 100 million texts, two share one by chance with a
probability of 1 in 200 million; keys of 16 bytes made the index a tenth larger."""
_WORDS = table(
    "text_words", column("rowid"), column("value_id"), column("lexemes"), column("words")
)
_ON_FILE = (
    """CREATE VIRTUAL TABLE IF NOT EXISTS text_words
       USING fts5(words, content = '', tokenize = 'ascii')""",
)
_ON_SERVER = (
    """CREATE TABLE IF NOT EXISTS text_words
       (value_id bigint PRIMARY KEY, lexemes tsvector NOT NULL, words text NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS ix_text_words_lexemes ON text_words USING gin (lexemes)",
)


class _LexemeQuery(UserDefinedType[str]):
    """A search for words in PostgreSQL."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "tsquery"


class _Entry(NamedTuple):
    """A text of a field, or the fact that the field has none (`words` is then None)."""

    key: bytes
    words_key: bytes
    value: str | None
    words: tuple[str, ...] | None


class TextIndexReads(Reads):
    """Reads the state of the text index."""

    def is_in_use(self) -> bool:
        """Whether the index is complete, and kept up to date."""
        with self._reading() as connection:
            return _is_in_use(connection)


class TextIndexWrites(Writes):
    """Writes the text index."""

    def __init__(
        self, connection: Connection, *, marks: MarkWrites, dictionaries: Dictionaries
    ) -> None:
        super().__init__(connection)
        self._marks = marks
        self._dictionaries = dictionaries
        self._is_in_use: bool | None = None

    def keep_up(self, digests: Sequence[str]) -> None:
        """Index bodies that this unit has stored, if the index is in use."""
        if self._is_in_use is None and digests:
            self._is_in_use = _is_in_use(self._connection)
        if self._is_in_use:
            self.add(digests)

    def create(self) -> None:
        """Create the table of words if it is missing. Empty the index if its form is an older one.

        Raises UsageError if this SQLite has no FTS5.
        """
        mark = read_mark(self._connection, MARK)
        if mark not in (None, FORM, _UNFINISHED):
            self.drop()
        on_server = self._connection.dialect.name == "postgresql"
        if not on_server:
            options = self._connection.scalars(text("PRAGMA compile_options")).all()
            if "ENABLE_FTS5" not in options:
                raise UsageError(
                    "this Python's SQLite has no FTS5, which the text index needs; use another "
                    "build of Python, or PostgreSQL"
                )
        for statement in _ON_SERVER if on_server else _ON_FILE:
            self._connection.execute(text(statement))
        self._marks.set(MARK, _UNFINISHED)

    def put_in_use(self) -> None:
        """Declare the index complete."""
        self._marks.set(MARK, FORM)

    def drop(self) -> bool:
        """Delete the index. Return whether there was one."""
        was_there = read_mark(self._connection, MARK) is not None
        self._connection.execute(text("DROP TABLE IF EXISTS text_words"))
        for each in (TEXT_PLACES, TEXT_VALUES, TEXT_BODIES):
            self._connection.execute(delete(each))
        self._connection.execute(delete(MARKS).where(MARKS.c.key == MARK))
        self._is_in_use = False
        return was_there

    def missing(self, after: str, *, limit: int) -> Sequence[str]:
        """Return bodies that are not in the index, in order of digests after `after`."""
        statement = (
            select(BODIES.c.digest)
            .outerjoin(TEXT_BODIES, TEXT_BODIES.c.digest == BODIES.c.digest)
            .where(BODIES.c.digest > after, TEXT_BODIES.c.id.is_(None))
            .order_by(BODIES.c.digest)
            .limit(limit)
        )
        return self._connection.scalars(statement).all()

    def add(self, digests: Sequence[str]) -> int:
        """Index stored bodies. Return how many were added; a damaged body is left out."""
        return sum(self._add(batch) for batch in batches(sorted(set(digests))))

    def _add(self, digests: Sequence[str]) -> int:
        stored = select(TEXT_BODIES.c.digest).where(TEXT_BODIES.c.digest.in_(digests))
        known = frozenset(self._connection.scalars(stored))
        found: dict[str, list[_Entry]] = {}
        for digest in digests:
            if digest not in known:
                try:
                    raw, _ = self._dictionaries.read_body(self._connection, digest)
                except CorruptBody:
                    continue  # `ctsync check` reports it
                found[digest] = list(_entries(orjson.loads(raw)))
        if not found:
            return 0
        insert_rows(
            self._connection, TEXT_BODIES, ("digest",), [(one,) for one in found], unless_there=True
        )
        bodies = select(TEXT_BODIES.c.digest, TEXT_BODIES.c.id).where(
            TEXT_BODIES.c.digest.in_(list(found))
        )
        body_ids = {row.digest: row.id for row in self._connection.execute(bodies)}
        value_ids = self._add_values({one.key: one for each in found.values() for one in each})
        places = {
            (value_ids[one.key], body_ids[digest]) for digest, each in found.items() for one in each
        }
        insert_rows(
            self._connection,
            TEXT_PLACES,
            ("value_id", "body_id"),
            sorted(places),
            unless_there=True,
        )
        return len(found)

    def _add_values(self, entries: dict[bytes, _Entry]) -> dict[bytes, int]:
        ids = self._ids(list(entries))
        new = [entry for key, entry in entries.items() if key not in ids]
        rows = [(one.key, one.words_key, one.value) for one in new]
        columns = ("text_key", "words_key", "value")
        insert_rows(self._connection, TEXT_VALUES, columns, rows, unless_there=True)
        new_ids = self._ids([one.key for one in new])
        self._add_words(
            [(new_ids[one.key], one.key, one.words) for one in new if one.words is not None]
        )
        return ids | new_ids

    def _ids(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for batch in batches(keys):
            rows = select(TEXT_VALUES.c.text_key, TEXT_VALUES.c.id).where(
                TEXT_VALUES.c.text_key.in_(batch)
            )
            found |= {bytes(key): number for key, number in self._connection.execute(rows)}
        return found

    def _add_words(self, rows: Sequence[tuple[int, bytes, tuple[str, ...]]]) -> None:
        if not rows:
            return
        values = [{"number": number, "words": " ".join(words)} for number, _, words in sorted(rows)]
        if self._connection.dialect.name == "postgresql":
            for one, (_, _, words) in zip(values, sorted(rows), strict=True):
                one["lexemes"] = " ".join(f"'{word}'" for word in sorted(set(words)))
            self._connection.execute(_SERVER_INSERT, values)
        else:
            self._connection.execute(_FILE_INSERT, values)


_FILE_INSERT = text("INSERT INTO text_words (rowid, words) VALUES (:number, :words)")
_SERVER_INSERT = text(
    "INSERT INTO text_words (value_id, lexemes, words) "
    "VALUES (:number, CAST(:lexemes AS tsvector), :words) ON CONFLICT DO NOTHING"
)


def text_index_problem(connection: Connection) -> str | None:
    """Return what is wrong with an index in use, or None.

    Counts the records and words that it lacks. A record that cannot be read need not be in it.
    """
    if not _is_in_use(connection):
        return None
    lost = (
        select(BODIES.c.digest)
        .join(SNAPSHOTS, SNAPSHOTS.c.digest == BODIES.c.digest)
        .outerjoin(TEXT_BODIES, TEXT_BODIES.c.digest == BODIES.c.digest)
        .where(TEXT_BODIES.c.id.is_(None))
        .distinct()
    )
    readable = sum(_is_readable(connection, one) for one in connection.scalars(lost).all())
    if readable:
        return f"it lacks {readable:,} records"
    nothing = [_nothing(term.code) for term in RECORD_TERMS]
    texts = select(func.count()).where(TEXT_VALUES.c.text_key.not_in(nothing))
    on_server = connection.dialect.name == "postgresql"
    stored = table("text_words" if on_server else "text_words_docsize")
    try:
        words = connection.scalar(select(func.count()).select_from(stored)) or 0
    except SQLAlchemyError:
        return "its table of words is missing or damaged"
    expected = connection.scalar(texts)
    return None if words == expected else f"it has the words of {words:,} of {expected:,} texts"


def _is_readable(connection: Connection, digest: str) -> bool:
    try:
        Dictionaries().read_body(connection, digest)
    except CorruptBody:
        return False
    return True


def _is_in_use(connection: Connection) -> bool:
    return read_mark(connection, MARK) == FORM


def _hash(code: str, content: str) -> bytes:
    key = f"{code}{content}".encode("utf-8", errors="surrogatepass")
    return blake2b(key, digest_size=_KEY_BYTES).digest()


def _nothing(code: str) -> bytes:
    """Return both keys of the fact that a field has no value. No text has this hash."""
    return _hash(f"-{code}", "")


def _entries(body: Any) -> Iterator[_Entry]:
    for term in RECORD_TERMS:
        items = record_items(body, term)
        if not items:
            yield _Entry(_nothing(term.code), _nothing(term.code), None, None)
        for item in items:
            words = words_of(item)
            yield _Entry(
                key=_hash(term.code, f"={item}"),
                words_key=_hash(term.code, f"~{' '.join(words)}"),
                value=None if term.is_long else item,
                words=tuple(f"{term.code}{word}" for word in words),
            )


# --- reading ---------------------------------------------------------------------------------


def has_value(condition: RecordCondition, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a row of `text_values` has a value of `condition`."""
    code = condition.condition.term.code
    keys = [_hash(code, f"~{' '.join(words)}") for words in condition.equals]
    if condition.takes_none:
        keys.append(_nothing(code))
    terms: list[ColumnElement[bool]] = []
    if keys:
        terms.append(TEXT_VALUES.c.words_key.in_(keys))
    terms += [TEXT_VALUES.c.id.in_(_found(search, code, dialect)) for search in condition.searches]
    return or_(*terms)


def _found(search: WordSearch, code: str, dialect: str) -> Any:
    if dialect == "postgresql":
        return _found_by_server(search, code)
    pieces = (
        f'"{" ".join(code + word for word in term.words)}"{" *" if term.is_prefix else ""}'
        for term in search.terms
    )
    asked = literal(" AND ".join(pieces), String)
    return select(_WORDS.c.rowid).where(literal_column("text_words").op("MATCH")(asked))


def _found_by_server(search: WordSearch, code: str) -> Any:
    lexemes = [
        f"'{code}{word}'{':*' if term.is_prefix and place == len(term.words) else ''}"
        for term in search.terms
        for place, word in enumerate(term.words, start=1)
    ]
    asked = cast(literal(" & ".join(lexemes), String), _LexemeQuery)
    found = select(_WORDS.c.value_id).where(_WORDS.c.lexemes.op("@@")(asked))
    spaced = literal(" ", Text).concat(cast(_WORDS.c.words, Text)).concat(literal(" ", Text))
    for term in search.terms:
        if len(term.words) > 1:
            # the positions in a tsvector are limited, so the text of words decides
            end = "" if term.is_prefix else " "
            phrase = f" {' '.join(code + word for word in term.words)}{end}"
            found = found.where(spaced.like(literal(f"%{phrase}%", Text)))
    return found


def digests_with(condition: RecordCondition, dialect: str) -> Any:
    """Select the digests of the records that have a value of `condition`."""
    values = select(TEXT_VALUES.c.id).where(has_value(condition, dialect))
    bodies = select(TEXT_PLACES.c.body_id).where(TEXT_PLACES.c.value_id.in_(values))
    return select(TEXT_BODIES.c.digest).where(TEXT_BODIES.c.id.in_(bodies))


def values_by_digest(connection: Connection, condition: RecordCondition) -> dict[str, set[str]]:
    """Return the texts that are values of `condition`, by the records that have them."""
    statement = (
        select(TEXT_BODIES.c.digest, TEXT_VALUES.c.value)
        .select_from(TEXT_VALUES)
        .join(TEXT_PLACES, TEXT_PLACES.c.value_id == TEXT_VALUES.c.id)
        .join(TEXT_BODIES, TEXT_BODIES.c.id == TEXT_PLACES.c.body_id)
        .where(has_value(condition, connection.dialect.name), TEXT_VALUES.c.value.is_not(None))
    )
    found: dict[str, set[str]] = {}
    for digest, value in connection.execute(statement):
        found.setdefault(digest, set()).add(value or "")
    return found
