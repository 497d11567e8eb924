"""Resolve the references to secrets in a config file.

A reference is one of
    env:NAME          an environment variable
    file:PATH         a file that only its owner may read
    credential:NAME   a systemd credential (LoadCredential= in the unit)
The secret itself must not be in the file; it may be in an environment variable of ctsync. No
message of this module contains a secret.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ctsync.config.secret_urls import holds_secret
from ctsync.files import NO_HOME

# keys whose value is always a secret, and keys whose value may contain one
SECRET_KEYS = (("smtp", "password"), ("channels", "secret"))
_URLS_OF_SERVICES = (("channels", "url"), ("monitor", "ping_url"))
HIDDEN_KEYS = (*_URLS_OF_SERVICES, ("database", "url"))

_REFERENCE = re.compile(r"(env|file|credential):(.+)\Z", re.DOTALL)
# keys for which an empty text is invalid
_UNAVAILABLE = {("channels", "url"): "unavailable://secret"}
_HOW = '"env:NAME", "file:/path" or "credential:NAME"'

Table = dict[str, Any]
Location = tuple[str | int, ...]
Report = Callable[[Location, str], None]


class BadSecret(Exception):
    """A secret cannot be read; the message says how to fix it."""


def secret_values(table: Table) -> Iterator[tuple[Location, Table, str]]:
    """The places of a config table that may hold a secret: location, table and key."""
    for section, key in SECRET_KEYS + HIDDEN_KEYS:
        held = table.get(section)
        items = list(enumerate(held)) if isinstance(held, list) else [(None, held)]
        for number, item in items:
            if isinstance(item, dict) and isinstance(item.get(key), str):
                yield (section, key) if number is None else (section, number, key), item, key


@dataclass(frozen=True, slots=True)
class FileSource:
    """The file of a table: the folder for its relative paths, and the table that overrides it."""

    base: Path
    over: Table


def follow(
    table: Table,
    report: Report,
    *,
    env: Mapping[str, str],
    required: bool,
    in_file: FileSource | None = None,
) -> None:
    """Replace each reference with its secret; reports and removes references that are wrong.

    A table from a file must not contain a secret itself, and its overridden secrets are not
    read. Unless `required`, a missing secret is not a problem, except that of the database.
    """
    for where, item, key in secret_values(table):
        text, place = item[key], (str(where[0]), key)
        # the file:// URL of a channel is the folder it writes to, not a reference
        is_folder = place == ("channels", "url") and text.startswith("file://")
        named = None if is_folder else _REFERENCE.match(text)
        if named and not (in_file and _overrides(in_file.over, where)):
            try:
                item[key] = _read(named[1], named[2], env, in_file.base if in_file else Path())
            except BadSecret as bad:
                item[key] = _UNAVAILABLE.get(place, "")
                if required or place == ("database", "url"):
                    report(where, str(bad))
        elif not named and in_file and _is_secret(place, text):
            item[key] = _UNAVAILABLE.get(place, "")
            reason = "; the URL contains a token or password" if place in HIDDEN_KEYS else ""
            report(where, f"secrets are not allowed in this file; write {key} = {_HOW}{reason}")


def _overrides(over: Table, where: Location) -> bool:
    """Whether a table has a value for a place, or for the list that contains it."""
    held = over.get(str(where[0]))
    return where[-1] in held if isinstance(held, dict) else held is not None


def _is_secret(place: tuple[str, str], text: str) -> bool:
    """Whether a text that is not a reference must be treated as a secret."""
    if not text:
        return False
    if place in SECRET_KEYS:
        return True
    if place in _URLS_OF_SERVICES:
        return holds_secret(text)
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.password is not None or "password=" in parts.query.lower()


def open_urls(table: Table, path: Path) -> list[Location]:
    """Return the places of web addresses in a config file that all users of the machine can read.

    ctsync takes them for no secret, which it cannot know.
    """
    try:
        is_open = os.name == "posix" and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return []
    return [
        where
        for where, item, key in secret_values(table)
        if is_open
        and (str(where[0]), key) in _URLS_OF_SERVICES
        and item[key].startswith(("http://", "https://"))
    ]


def _read(kind: str, name: str, env: Mapping[str, str], base: Path) -> str:
    if kind == "env":
        found = env.get(name, "")
        if not found:
            raise BadSecret(
                f"the environment variable {name} is not set; set it, or use another of {_HOW}"
            )
        return found
    if kind == "file":
        return _read_file(base / _expanded(name), private=True)
    directory = env.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise BadSecret(
            "no systemd credentials here: the unit needs LoadCredential=, see systemd.exec(5)"
        )
    if Path(name).name != name:
        raise BadSecret("the name of a credential must not contain a slash")
    # systemd protects these with an access list that the mode bits do not show
    return _read_file(Path(directory) / name, private=False)


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise BadSecret(f"{name}: {NO_HOME}") from None


def _read_file(path: Path, *, private: bool) -> str:
    try:
        mode = path.stat().st_mode
        if private and os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise BadSecret(f"other users can read {path}; run `chmod 600 {path}`")
        found = path.read_text(encoding="utf-8").strip("\r\n")
    except UnicodeDecodeError:
        raise BadSecret(f"{path} is not UTF-8 text") from None
    except OSError as failed:
        raise BadSecret(f"cannot read {path}: {failed.strerror}") from None
    except ValueError:
        raise BadSecret("is not a path: it contains a NUL character") from None
    if not found:
        raise BadSecret(f"{path} is empty")
    return found
