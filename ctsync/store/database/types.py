"""Column types that store remote values unchanged on SQLite and PostgreSQL. Knows no tables."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

# PostgreSQL refuses NUL in text, and both databases refuse half of a surrogate pair. Such a
# character is written as DLE, the control character that means "escape", and four hex digits. Real
# text contains no DLE, so plain SQL reads it unchanged.
_ESCAPED = re.compile("[\0\x10\ud800-\udfff]")
_ESCAPE = re.compile("\x10([0-9a-f]{4})")

_LARGEST = 2**63 - 1
_SHORT = 18

RowId = BigInteger().with_variant(Integer, "sqlite")
"""An integer key. SQLite numbers rows itself only if the type is INTEGER."""


def escape(text: str) -> str:
    """Escape the characters that a database refuses. `unescape` reverses it."""
    if text.isprintable():  # no character that is escaped is printable
        return text
    return _ESCAPED.sub(lambda found: f"\x10{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """Reverse `escape`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "\x10" in text else text


def _write_text(value: str | None) -> str | None:
    return value if value is None or value.isprintable() else escape(value)


def _read_text(value: str | None) -> str | None:
    return value if value is None or "\x10" not in value else unescape(value)


class RemoteText(TypeDecorator[str]):
    """Text from outside ctsync. It may contain NUL and lone surrogates."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Escape refused characters, with one plain call per value because there are many."""
        return _write_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the original text, with one plain call per value as well."""
        return _read_text


def dump_json(value: Any) -> str:
    """Write JSON text that `load_json` reads back as an equal value, for strings of any content."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # lone surrogates and integers beyond 64 bits
        return json.dumps(value, separators=(",", ":"))


def _write_json(value: Any) -> str | None:
    return None if value is None else dump_json(value)


def load_json(text: str) -> Any:
    """Read what `dump_json` wrote. Large integers stay integers, unlike with orjson."""
    if len(text) < _SHORT and "\\" not in text:
        return orjson.loads(text)  # too short for such an integer, and without \u escapes
    return json.loads(text)


def _read_json(value: str | None) -> Any:
    return None if value is None else load_json(value)


class JsonText(TypeDecorator[Any]):
    """A JSON value as text. None is SQL NULL.

    Not JSONB, which refuses NUL and reorders keys. In plain SQL `column::json` reads it.
    """

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Write JSON."""
        return _write_json

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Read JSON."""
        return _read_json


@lru_cache(maxsize=64)
def _as_text(moment: datetime) -> str:
    # cached: the rows of a run share a few timestamps
    if moment.tzinfo is None:
        raise ValueError(f"a stored time needs a zone: {moment!r}")
    # strftime would write the year 201 with three digits
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _write_time(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a stored time needs a zone: {value!r}")
    return value.astimezone(UTC)


def _write_text_time(value: datetime | None) -> str | None:
    return None if value is None else _as_text(value)


def _read_time(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


@lru_cache(maxsize=64)
def _from_text(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def read_time(value: str | datetime) -> datetime:
    """Return a time as UTC that a driver has read: SQLite's reads text."""
    return _from_text(value) if isinstance(value, str) else value.astimezone(UTC)


def _read_text_time(value: str | None) -> datetime | None:
    return None if value is None else _from_text(value)


class Timestamp(TypeDecorator[datetime]):
    """An aware UTC time. On SQLite it is ISO text of fixed width, which sorts in time order."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, timestamptz on PostgreSQL."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Any:
        """Refuse a time without a zone."""
        return _write_text_time if dialect.name == "sqlite" else _write_time

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return an aware UTC time."""
        return _read_text_time if dialect.name == "sqlite" else _read_time


def pack_digest(digest: str) -> bytes:
    """Pack "1:" and 64 hex digits into 33 bytes. Raises ValueError for any other text."""
    form, colon, sha256 = digest.partition(":")
    try:
        return int(form if colon else "").to_bytes(1) + bytes.fromhex(sha256)
    except (ValueError, OverflowError):
        raise ValueError(f"{digest!r} is not the digest of a body") from None


def is_digest(digest: str) -> bool:
    """Whether a text is the digest of a body. Another program may have written anything."""
    try:
        pack_digest(digest)
    except ValueError:
        return False
    return True


def _write_digest(value: str | None) -> bytes | None:
    return None if value is None else pack_digest(value)


def _read_digest(value: bytes | str | None) -> str | None:
    if value is None or isinstance(value, str):  # text was written by another program
        return value
    return f"{value[0] if value else 0}:{value[1:].hex()}"


class Digest(TypeDecorator[str]):
    """The digest of a body: a byte for the version of its canonical form, and 32 of SHA-256.

    In Python it is text: "1:" and 64 hex digits. Stored as text, it would take twice the space in
    `bodies`, `snapshots` and their indexes: 4 % of a mirror's file.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Bytes. On SQLite the column has a text type in the schema, and stores bytes anyway."""
        kind = String(80) if dialect.name == "sqlite" else LargeBinary()
        return dialect.type_descriptor(kind)

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Pack it. Raises ValueError for text that is not a digest."""
        return _write_digest

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text form."""
        return _read_digest


class Count(TypeDecorator[int]):
    """An integer from the registry. If it exceeds 64 bits, it is NULL here; the body keeps it."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Replace a number beyond 64 bits with NULL."""
        return None if value is None or abs(value) > _LARGEST else value
