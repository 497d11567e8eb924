"""URLs of SQLite databases: `sqlite:///`, a path, and optional parameters. Does no I/O.

In the path, %XX is the byte XX. A question mark begins the parameters, so one in a file name is
written %3F.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

PREFIX = "sqlite:///"
MODES = ("ro", "rw", "rwc")
"""SQLite's names: only read; also write; also create, which is the default."""

_NAMES_NO_FILE = "must name a file: give the file, as in sqlite:////var/lib/ctsync.db"
# a scheme, or a reference to a secret such as env:NAME; one letter is a drive of Windows
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_ENCODED = {"%": "%25", "?": "%3F", "#": "%23"}


def sqlite_url(file: Path) -> str:
    """Return the URL of a file; its path may contain any characters."""
    return PREFIX + "".join(_ENCODED.get(letter, letter) for letter in file.as_posix())


def named_url(name: str) -> str:
    """Return the URL of a database that is named by its file; other text as it is."""
    return name if not name.strip() or _SCHEME.match(name) else sqlite_url(Path(name))


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """A parsed URL. `timeout` is how many seconds a statement waits for another program."""

    path: str
    mode: str = "rwc"
    timeout: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a URL. Raises ValueError with the error and its correction."""
        if not text.startswith(PREFIX):
            raise ValueError(_NAMES_NO_FILE)
        raw, mark, query = text.removeprefix(PREFIX).partition("?")
        path = unquote(raw, errors="surrogateescape")
        if path in {"", ":memory:"}:
            raise ValueError(_NAMES_NO_FILE)
        if "\0" in path:
            raise ValueError("must not contain %00: no file has such a name")
        given = dict(_parameters(query)) if mark else {}
        mode, timeout = given.get("mode", "rwc"), given.get("timeout")
        if mode not in MODES:
            raise ValueError(f"must have mode=ro, mode=rw or mode=rwc, not mode={mode}")
        return cls(path, mode, None if timeout is None else _seconds(timeout))

    @property
    def is_read_only(self) -> bool:
        """Whether the database is opened only for reading."""
        return self.mode == "ro"


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for item in query.split("&"):
        name, equals, value = item.partition("=")
        if not equals or name not in {"mode", "timeout"}:
            raise ValueError(
                f"has the unknown parameter {item!r}: only mode=ro, mode=rw and timeout=SECONDS "
                "are known, and a question mark in a file name is written %3F"
            )
        if name in seen:
            raise ValueError(f"has the parameter {name} twice")
        seen.add(name)
        yield name, unquote(value)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ValueError(f"must have a timeout of 0 to 3600 seconds, not {text!r}")
    return seconds
