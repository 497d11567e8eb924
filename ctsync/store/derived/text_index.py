"""The text index: which record has which words in which field. Built on request.

`text_values` names each text of a searched field once, by the hash of its words, and `text_words`
has its words (see `word_tables`). Each word begins with the letter of its field. ctsync splits a
text into words itself, so both databases find the same. The texts themselves are not stored: the
records have them. Rows follow from the digest of a record alone, so none is ever deleted: a dropped
record has rows that no version leads to.

Records and texts are numbered together. A record is followed by the texts that it was the first to
have, so the first record of a text is the one with the greatest number below. `text_places` has the
other records of a text; most texts have none. On SQLite, `text_shared` has those of repeated fields
such as country, and of the fact that a field has no text.

The index is in use if the mark `text_index` has the value FORM and a TextDetail. From then on, each
body is indexed in the transaction that stores it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, bindparam, delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from ctsync.errors import CorruptBody
from ctsync.record.rules.conditions import RECORD_TERMS, ConditionField
from ctsync.record.rules.record_search import record_items
from ctsync.record.rules.search_words import words_of
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
from ctsync.store.derived.word_tables import (
    add_shared,
    add_words,
    count_sharing,
    count_texts,
    create_word_tables,
    drop_word_tables,
    merge_words,
    shares_texts,
)


class TextDetail(StrEnum):
    """What the index knows of a record.

    FULL: the words of each text and their order. WORDS: the words alone. NAMES: the words alone,
    and nothing of the texts that are prose.
    """

    FULL = "full"
    WORDS = "words"
    NAMES = "names"

    @property
    def has_order(self) -> bool:
        """Whether the index knows the order of the words of a text."""
        return self is TextDetail.FULL

    def has(self, term: ConditionField) -> bool:
        """Whether the index has the texts of a record field."""
        return self is not TextDetail.NAMES or not term.is_prose


MARK = "text_index"
FORM = "5"
"""The version of the rules that split a text into words, and of the tables of the index.

A mark of another form: not in use.
"""

_BUILDING = "building "
_KEY_BYTES = 8
"""At 40 million texts, the texts of all trials, two share a key by chance with a probability of
1 in 20,000. Longer keys take 5 % more space in the index."""
_LOST = "its table of words is missing or damaged"


class _Entry(NamedTuple):
    """The words of a text of a field, or the fact that the field has no text (`words` is None).

    Each word begins with the code of the field. `is_repeated`: many records have it.
    """

    key: int
    words: str | None
    is_repeated: bool


class TextIndexReads(Reads):
    """Reads the state of the text index."""

    def is_in_use(self) -> bool:
        """Whether the index is complete, and kept up to date."""
        return self.detail() is not None

    def detail(self) -> TextDetail | None:
        """Return what the index knows of a text, or None if no index is in use."""
        with self._reading() as connection:
            return detail_in_use(connection)


def detail_in_use(connection: Connection) -> TextDetail | None:
    """Return the detail of the index in use, or None."""
    return _detail_of(read_mark(connection, MARK))


def _detail_of(mark: str | None) -> TextDetail | None:
    return next((one for one in TextDetail if mark == f"{FORM} {one}"), None)


class TextIndexWrites(Writes):
    """Writes the text index."""

    def __init__(
        self, connection: Connection, *, marks: MarkWrites, dictionaries: Dictionaries
    ) -> None:
        super().__init__(connection)
        self._marks = marks
        self._dictionaries = dictionaries
        self._detail: TextDetail | None = None
        self._is_asked = False

    def keep_up(self, digests: Sequence[str]) -> None:
        """Index bodies that this unit has stored, if the index is in use."""
        if not digests:
            return
        if not self._is_asked:
            self._detail, self._is_asked = detail_in_use(self._connection), True
        if self._detail is not None:
            self.add(digests, self._detail)

    def create(self, detail: TextDetail | None = None) -> TextDetail:
        """Create the tables of words if they are missing, and return what the index knows.

        Empties an index of an older form or of another detail. The default is the detail of the
        index that there is, else FULL. Raises UsageError if this SQLite has no FTS5.
        """
        mark = read_mark(self._connection, MARK)
        stored = _detail_of(None if mark is None else mark.removeprefix(_BUILDING))
        wanted = detail or stored or TextDetail.FULL
        if mark is not None and stored is not wanted:
            self.drop()
        create_word_tables(self._connection, ordered=wanted.has_order)
        self._marks.set(MARK, f"{_BUILDING}{FORM} {wanted}")
        return wanted

    def put_in_use(self, detail: TextDetail) -> None:
        """Declare the index complete, and merge its words."""
        merge_words(self._connection)
        self._marks.set(MARK, f"{FORM} {detail}")

    def drop(self) -> bool:
        """Delete the index. Return whether there was one."""
        was_there = read_mark(self._connection, MARK) is not None
        drop_word_tables(self._connection)
        for each in (TEXT_PLACES, TEXT_VALUES, TEXT_BODIES):
            self._connection.execute(delete(each))
        self._connection.execute(delete(MARKS).where(MARKS.c.key == MARK))
        self._detail, self._is_asked = None, True
        return was_there

    def missing(self, after: str, *, limit: int, most_bytes: int | None = None) -> Sequence[str]:
        """Return bodies that are not in the index, in order of digests after `after`.

        Their records have `most_bytes` together, or there is one.
        """
        statement = (
            select(BODIES.c.digest, BODIES.c.raw_size)
            .outerjoin(TEXT_BODIES, TEXT_BODIES.c.digest == BODIES.c.digest)
            .where(BODIES.c.digest > after, TEXT_BODIES.c.id.is_(None))
            .order_by(BODIES.c.digest)
            .limit(limit)
        )
        rows = self._connection.execute(statement).all()
        sizes = accumulate(row.raw_size for row in rows)
        return [
            row.digest
            for number, (row, size) in enumerate(zip(rows, sizes, strict=True))
            if number == 0 or most_bytes is None or size <= most_bytes
        ]

    def add(self, digests: Sequence[str], detail: TextDetail) -> int:
        """Index stored bodies. Return how many were added; a damaged body is left out."""
        return sum(self._add(batch, detail) for batch in batches(sorted(set(digests))))

    def _add(self, digests: Sequence[str], detail: TextDetail) -> int:
        known = frozenset(self._connection.scalars(_indexed_digests(), {"digests": digests}))
        new = [digest for digest in digests if digest not in known]
        # a damaged body is not among these; `ctsync check` reports it
        raw = self._dictionaries.read_bodies(self._connection, new)
        found = {
            digest: {one.key: one for one in _entries(orjson.loads(raw.pop(digest)), detail)}
            for digest in new
            if digest in raw
        }
        if found:
            self._write(found, detail)
        return len(found)

    def _write(self, found: Mapping[str, Mapping[int, _Entry]], detail: TextDetail) -> None:
        """Number records and the texts that are new with each, and write their rows."""
        known = self._known_values({key for entries in found.values() for key in entries})
        number, bodies = _last_number(self._connection), list[tuple[int, str]]()
        is_shared = shares_texts(self._connection)
        new: dict[int, int] = {}
        places: set[tuple[int, int]] = set()
        shared: dict[int, list[int]] = {}
        words: list[tuple[int, str]] = []
        for digest, entries in found.items():
            number += 1
            body = number
            bodies.append((body, digest))
            of_others = shared[body] = []
            for key, entry in entries.items():
                value = known.get(key) or new.get(key)
                if value is None:
                    number += 1
                    new[key] = number
                    if entry.words is not None:
                        words.append((number, entry.words))
                elif is_shared and entry.is_repeated:
                    of_others.append(value)
                else:
                    places.add((value, body))
        places.add((number, body))  # for `_last_number`, and true if this is a text
        insert_rows(self._connection, TEXT_BODIES, ("id", "digest"), bodies)
        insert_rows(self._connection, TEXT_VALUES, ("words_key", "id"), sorted(new.items()))
        insert_rows(self._connection, TEXT_PLACES, ("value_id", "body_id"), sorted(places))
        add_words(self._connection, words, ordered=detail.has_order)
        if is_shared:
            add_shared(self._connection, shared)

    def _known_values(self, keys: Collection[int]) -> dict[int, int]:
        known: dict[int, int] = {}
        for batch in batches(sorted(keys)):
            rows = self._connection.execute(_values_of_keys(), {"keys": batch})
            known |= {row.words_key: row.id for row in rows}
        return known


@cache
def _values_of_keys() -> Select[int, int]:
    # One statement for all keys. A statement of its own for each batch keeps the keys in a cycle of
    # references: for 440,000 records, 400 MB of keys that waited for Python to collect cycles.
    return select(TEXT_VALUES.c.words_key, TEXT_VALUES.c.id).where(
        TEXT_VALUES.c.words_key.in_(bindparam("keys", expanding=True))
    )


@cache
def _indexed_digests() -> Select[str]:
    return select(TEXT_BODIES.c.digest).where(
        TEXT_BODIES.c.digest.in_(bindparam("digests", expanding=True))
    )


def _last_number(connection: Connection) -> int:
    # the last number of each write has a place, and this key finds it without an index of its own
    return connection.scalar(select(func.max(TEXT_PLACES.c.value_id))) or 0


def text_index_problem(connection: Connection) -> str | None:
    """Return what is wrong with an index in use, or None.

    Counts the records and words that it lacks. A record that cannot be read need not be in it.
    """
    if detail_in_use(connection) is None:
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
    bodies, texts = (
        connection.scalar(select(func.count()).select_from(one)) or 0
        for one in (TEXT_BODIES, TEXT_VALUES)
    )
    numbered = _last_number(connection) - bodies
    if texts != numbered:
        return f"it has the names of {texts:,} of {numbered:,} texts"
    nothing = [no_text_key(term.code) for term in RECORD_TERMS]
    without = select(func.count()).where(TEXT_VALUES.c.words_key.in_(nothing))
    expected = texts - (connection.scalar(without) or 0)
    try:
        words = count_texts(connection)
        sharing = count_sharing(connection) if shares_texts(connection) else bodies
    except SQLAlchemyError:
        return _LOST
    if sharing != bodies:
        return f"it has the shared texts of {sharing:,} of {bodies:,} records"
    return None if words == expected else f"it has the words of {words:,} of {expected:,} texts"


def _is_readable(connection: Connection, digest: str) -> bool:
    try:
        Dictionaries().read_body(connection, digest)
    except CorruptBody:
        return False
    return True


def text_key(code: str, words: Sequence[str]) -> int:
    """Return the key of a text of a field, by its words."""
    return _hash(code, f"~{' '.join(words)}")


@cache
def no_text_key(code: str) -> int:
    """Return the key of the fact that a field has no text. No text has this hash."""
    return _hash(f"-{code}", "")


def _hash(code: str, content: str) -> int:
    key = f"{code}{content}".encode("utf-8", errors="surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=_KEY_BYTES).digest(), "big", signed=True)


def _entries(body: Any, detail: TextDetail) -> Iterator[_Entry]:
    for term in filter(detail.has, RECORD_TERMS):
        items = record_items(body, term)
        if not items:
            yield _Entry(no_text_key(term.code), None, is_repeated=True)
        for item in items:
            words = words_of(item)
            coded = f" {term.code}".join(("", *words)).lstrip()
            yield _Entry(text_key(term.code, words), coded, term.is_repeated)
