"""The parameters of an address, read from its query. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from urllib.parse import parse_qsl

from ctsync.errors import UsageError
from ctsync.questions.parameters import read_day
from ctsync.text import nearest

_MOST_FIELDS = 200


class QueryParameters:
    """The parameters of one request. An empty value counts as missing, as forms send it.

    Each method raises UsageError, with one sentence for people.
    """

    def __init__(self, query: bytes) -> None:
        try:
            found = parse_qsl(query.decode("latin-1"), max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise UsageError(f"the address has more than {_MOST_FIELDS} parameters") from None
        if any("\0" in text for pair in found for text in pair):
            raise UsageError("a parameter contains the character NUL")
        self._values: dict[str, list[str]] = {}
        for name, value in found:
            if value.strip():
                self._values.setdefault(name, []).append(value.strip())

    def require_known(self, names: Sequence[str]) -> None:
        """Refuse parameters with other names: ignoring a mistyped filter would mislead."""
        for name in self._values:
            if name not in names:
                hint = nearest(name, names) if names else "this page takes none"
                raise UsageError(f"there is no parameter {name!r}; {hint}")

    def many(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return self._values.get(name, [])

    def one(self, name: str, default: str = "") -> str:
        """Return the value of a parameter that may be given once."""
        values = self.many(name)
        if len(values) > 1:
            raise UsageError(f"the parameter {name} is given {len(values)} times; give it once")
        return values[0] if values else default

    def number(self, name: str, default: int, *, most: int) -> int:
        """Return a number from 1 to `most`."""
        text = self.one(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise UsageError(f"{name}={text[:40]} is not a number from 1 to {most:,}")
        return int(text)

    def day(self, name: str) -> date | None:
        """Return a day, as in 2026-03-13; None if it is missing."""
        text = self.one(name)
        return read_day(text) if text else None
