"""Column types that keep remote values whole on SQLite and PostgreSQL alike; no tables."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

# PostgreSQL text takes no NUL and neither database takes half of a surrogate pair. Such a
# character is written as DLE, the control character that means "escape", and its four hex
# digits. Real text has no DLE, so what plain SQL sees is the text itself.
_ESCAPED = re.compile("[\0\x10\ud800-\udfff]")
_ESCAPE = re.compile("\x10([0-9a-f]{4})")

_LARGEST = 2**63 - 1
_SHORT = 18

RowId = BigInteger().with_variant(Integer, "sqlite")
"""An integer key; SQLite numbers its rows itself only where the type says INTEGER."""


def escape(text: str) -> str:
    """The form of `text` that every database takes; `unescape` gives `text` back."""
    if text.isprintable():  # what is escaped is not
        return text
    return _ESCAPED.sub(lambda found: f"\x10{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "\x10" in text else text


def _write_text(value: str | None) -> str | None:
    return value if value is None or value.isprintable() else escape(value)


def _read_text(value: str | None) -> str | None:
    return value if value is None or "\x10" not in value else unescape(value)


class RemoteText(TypeDecorator[str]):
    """Text that others wrote, NUL and lone surrogates included."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Escape what a database refuses; by one plain call, there are many such values."""
        return _write_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Give the text back as it came; by one plain call as well."""
        return _read_text


def dump_json(value: Any) -> str:
    """JSON text that `load_json` reads back to an equal value, whatever its strings hold."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # lone surrogates and integers beyond 64 bits
        return json.dumps(value, separators=(",", ":"))


def _write_json(value: Any) -> str | None:
    return None if value is None else dump_json(value)


def load_json(text: str) -> Any:
    """The value `dump_json` wrote; orjson would turn a large integer into a float."""
    if len(text) < _SHORT and "\\" not in text:
        return orjson.loads(text)  # no room for such an integer, nor half of a surrogate pair
    return json.loads(text)


def _read_json(value: str | None) -> Any:
    return None if value is None else load_json(value)


class JsonText(TypeDecorator[Any]):
    """A JSON value as text; None is SQL NULL.

    Text and not JSONB, which refuses NUL and reorders keys; `column::json` reads it in plain SQL.
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
    # the rows of a run share a few moments
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


def _read_text_time(value: str | None) -> datetime | None:
    return None if value is None else _from_text(value)


class Timestamp(TypeDecorator[datetime]):
    """An aware UTC time; on SQLite ISO text of one width, so that text order is time order."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, timestamptz on PostgreSQL."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Any:
        """Refuse a naive time."""
        return _write_text_time if dialect.name == "sqlite" else _write_time

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Give an aware UTC time."""
        return _read_text_time if dialect.name == "sqlite" else _read_time


def pack_digest(digest: str) -> bytes:
    """The 33 bytes that stand for "1:" and 64 hex digits; raises ValueError for no such text."""
    form, colon, sha256 = digest.partition(":")
    try:
        return int(form if colon else "").to_bytes(1) + bytes.fromhex(sha256)
    except (ValueError, OverflowError):
        raise ValueError(f"{digest!r} is not the name of a body") from None


def _write_digest(value: str | None) -> bytes | None:
    return None if value is None else pack_digest(value)


def _read_digest(value: bytes | str | None) -> str | None:
    if value is None or isinstance(value, str):  # a text is what somebody else wrote there
        return value
    return f"{value[0] if value else 0}:{value[1:].hex()}"


class Digest(TypeDecorator[str]):
    """The name of a body: a byte for its form's version and the 32 of its SHA-256.

    In Python it is the text that records have, "1:" and 64 hex digits, which takes twice the room:
    once in the body, once in each version, and again in the index of either.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Bytes; a SQLite column keeps them whatever it says, and says what it said at first."""
        kind = String(80) if dialect.name == "sqlite" else LargeBinary()
        return dialect.type_descriptor(kind)

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Pack it; raises ValueError for a text that names no body."""
        return _write_digest

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Give the text that records have."""
        return _read_digest


class Count(TypeDecorator[int]):
    """A 64-bit number of the registry; one beyond that is NULL here and whole in the body."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Drop what 64 bits cannot hold."""
        return None if value is None or abs(value) > _LARGEST else value
