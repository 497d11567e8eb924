"""The tables of the text index that no migration creates: of words, and of shared texts.

- `text_words` has the words of each text: FTS5 without its text on SQLite, a tsvector with a GIN
  index on PostgreSQL.
- `text_shared`, on SQLite only, has a row per record, whose words are the numbers of texts that
  other records have too. A number takes 2 bytes in it, and 11 bytes in `text_places`. But it takes
  20 microseconds to find the records of a text, which is too long if a search matches 100,000.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, column, func, select, table, text

from ctsync.errors import UsageError

WORDS = table("text_words", column("rowid"), column("value_id"), column("lexemes"), column("words"))
SHARED = table("text_shared", column("rowid"))

_NAMES = ("text_words", "text_shared")
_FILE_TABLE = """CREATE VIRTUAL TABLE IF NOT EXISTS {name} USING fts5(words, content = '',
    tokenize = 'ascii', columnsize = 0, detail = {detail})"""
_MERGES = (
    text("INSERT INTO text_words (text_words, rank) VALUES ('merge', :pages)"),
    text("INSERT INTO text_shared (text_shared, rank) VALUES ('merge', :pages)"),
)
_PAGES = 64
"""Pages of a step. Merging all words at once would need their space twice."""


def shares_texts(connection: Connection) -> bool:
    """Whether the texts of repeated fields have their records in `text_shared`."""
    return connection.dialect.name != "postgresql"


def create_word_tables(connection: Connection, *, ordered: bool) -> None:
    """Create the tables that are missing; `ordered` keeps the order of words.

    Raises UsageError if this SQLite has no FTS5.
    """
    if connection.dialect.name == "postgresql":
        words = ", words text NOT NULL" if ordered else ""
        _run(
            connection,
            f"""CREATE TABLE IF NOT EXISTS text_words
                (value_id bigint PRIMARY KEY, lexemes tsvector NOT NULL{words})""",
            "CREATE INDEX IF NOT EXISTS ix_text_words_lexemes ON text_words USING gin (lexemes)",
        )
        return
    if "ENABLE_FTS5" not in connection.scalars(text("PRAGMA compile_options")).all():
        raise UsageError(
            "this Python's SQLite has no FTS5, which the text index needs; use another build of "
            "Python, or PostgreSQL"
        )
    details = ("full" if ordered else "none", "none")
    _run(
        connection,
        *(_FILE_TABLE.format(name=n, detail=d) for n, d in zip(_NAMES, details, strict=True)),
    )


def drop_word_tables(connection: Connection) -> None:
    """Delete the tables that there are."""
    _run(connection, *(f"DROP TABLE IF EXISTS {name}" for name in _NAMES))


def _run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))


_FILE_INSERT = text("INSERT INTO text_words (rowid, words) VALUES (:number, :words)")
_SHARED_INSERT = text("INSERT INTO text_shared (rowid, words) VALUES (:record, :texts)")
_SERVER_INSERT = text(
    "INSERT INTO text_words (value_id, lexemes) VALUES (:number, CAST(:lexemes AS tsvector))"
)
_SERVER_INSERT_IN_ORDER = text(
    "INSERT INTO text_words (value_id, lexemes, words) "
    "VALUES (:number, CAST(:lexemes AS tsvector), :words)"
)


def add_words(connection: Connection, rows: Sequence[tuple[int, str]], *, ordered: bool) -> None:
    """Insert the words of texts by their numbers, which must be greater than those stored.

    A blank separates words.
    """
    if not rows:
        return
    values = [{"number": number, "words": words} for number, words in rows]
    statement = _FILE_INSERT
    if connection.dialect.name == "postgresql":
        statement = _SERVER_INSERT_IN_ORDER if ordered else _SERVER_INSERT
        for one, (_, words) in zip(values, rows, strict=True):
            one["lexemes"] = " ".join(f"'{word}'" for word in sorted(set(words.split())))
    connection.execute(statement, values)


def add_shared(connection: Connection, texts: Mapping[int, Collection[int]]) -> None:
    """Insert the texts of records: numbers by the number of a record. SQLite only."""
    rows = [{"record": record, "texts": " ".join(map(str, each))} for record, each in texts.items()]
    connection.execute(_SHARED_INSERT, rows)


def merge_words(connection: Connection) -> None:
    """Merge what each unit added, which saves 5 % of the size. Does nothing on PostgreSQL."""
    if connection.dialect.name == "postgresql":
        return
    for merge in _MERGES:
        pages = -_PAGES  # a negative number begins a merge of everything
        while True:
            before = connection.scalar(select(func.total_changes())) or 0
            connection.execute(merge, {"pages": pages})
            if (connection.scalar(select(func.total_changes())) or 0) - before <= 1:
                break  # as FTS5 says that there is nothing left to merge
            pages = _PAGES


def count_texts(connection: Connection) -> int:
    """Count the texts in `text_words`."""
    if connection.dialect.name == "postgresql":
        return connection.scalar(select(func.count()).select_from(table("text_words"))) or 0
    return _count_rows(connection, "text_words")


def count_sharing(connection: Connection) -> int:
    """Count the records in `text_shared`. SQLite only."""
    return _count_rows(connection, "text_shared")


def _count_rows(connection: Connection, name: str) -> int:
    # FTS5 begins its row 1 with the number of rows, as a variable-length integer
    totals = table(f"{name}_data", column("id"), column("block"))
    block = connection.scalar(select(totals.c.block).where(totals.c.id == 1)) or b"\0"
    number = 0
    for byte in block:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    return number
