"""The types of values of settings, each with its check. Does no I/O.

The message of a check is about the value only; value_reader.py adds its place. No message repeats
a value that may contain a secret.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from ctsync.config.paths import read_database_url
from ctsync.config.value_reader import Check
from ctsync.dates import time_zone
from ctsync.errors import BadNctId, BadQuery
from ctsync.files import NO_HOME
from ctsync.model import NctId
from ctsync.pasted_url import read_trial
from ctsync.query import read_query
from ctsync.text import nearest, nearest_words

MASK = "***"
"""What is shown of a secret."""


class Secret:
    """A text that prints as stars; false if it is empty."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MASK if self else ''})"


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("contains a line break or another unprintable character")
    return text


def _name(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return _one_line(text)


def _ascii_line(text: str) -> str:
    if not text.isascii():
        raise ValueError("must be plain ASCII: it is sent in an HTTP header")
    return _one_line(text)


def _address(text: str) -> str:
    """One mail address, with or without a display name. Raises BadAddress."""
    from ctsync.config.mail_address import read_address  # noqa: PLC0415 - few settings need it

    read_address(_one_line(text))
    return text


def _zone(name: str) -> str:
    try:
        time_zone(name)
    except ValueError as error:
        known = zoneinfo.available_timezones()
        if not known:
            raise
        hint = nearest_words(name, known)
        example = f"did you mean {hint[0]}?" if hint else "write one such as Europe/Berlin"
        raise ValueError(f"{error}; {example}") from None
    return name


def _cron(text: str) -> str:
    from ctsync.config.cron import read_cron  # noqa: PLC0415 - few settings need it

    read_cron(text)
    return " ".join(text.split())


def _clock_time(text: str) -> str:
    try:
        hour_and_minute = time.fromisoformat(text)
    except ValueError:
        hour_and_minute = None
    if hour_and_minute is None or not re.fullmatch(r"\d{2}:\d{2}", text):
        raise ValueError(f"{text!r} is not a time of day; write one such as 08:00")
    return text


def _trial(text: str) -> NctId:
    try:
        return read_trial(text)
    except BadNctId as bad:
        raise ValueError(str(bad)) from None


def _web_url(text: str) -> str:
    """An http or https URL without user or password; drops a slash at the end."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  reading it is what checks it
    except ValueError:
        raise ValueError("is not a web address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "\\" in text:
        raise ValueError("must be a web address that begins with https:// or http://")
    if parts.username is not None:
        raise ValueError("must not contain a user name or password")
    return _one_line(text).rstrip("/")


def _registry_url(text: str) -> str:
    url = _web_url(text)
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("must end with the path: remove ? or # and what follows")
    if url.endswith(("/v2", "/int")):
        raise ValueError("must end before /v2 or /int: ctsync adds them itself")
    return url


def _site_url(text: str) -> str:
    url = _web_url(text) if text else text
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("must end with the path: remove ? or # and what follows")
    return url


def _expanded(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(NO_HOME) from None


def _channel_url(secret: Secret) -> Secret:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", secret.reveal()):
        raise ValueError("must be a URL: https://… for a webhook, or one of apprise's")
    return secret


def _ping_url(secret: Secret) -> Secret:
    if secret:
        _web_url(secret.reveal())
    return secret


def _thresholds(rules: dict[str, float]) -> dict[str, float]:
    if not rules:
        return rules
    from ctsync.record.rules.rules import Thresholds  # noqa: PLC0415  few settings need it

    known = Thresholds.__dataclass_fields__
    wrong = [
        f"no threshold {name!r}; {nearest(name, known)}" for name in rules if name not in known
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return rules


def _query(given: dict[str, object]) -> Mapping[str, str]:
    """A registry query by the long names of its parameters; empty if there is none."""
    try:
        return read_query(given).params if given else {}
    except BadQuery as bad:
        raise ValueError(str(bad)) from None


Line = Annotated[str, Check(_one_line)]
Name = Annotated[str, Check(_name), Meta(max_length=100)]
HttpHeaderText = Annotated[str, Check(_ascii_line), Meta(max_length=200)]
Address = Annotated[str, Check(_address)]
Zone = Annotated[str, Check(_zone)]
Cron = Annotated[str, Check(_cron)]
ClockTime = Annotated[str, Check(_clock_time)]
FilePath = Annotated[Path, Check(_expanded)]
Trial = Annotated[NctId, Check(_trial)]
Rules = Annotated[dict[str, Annotated[float, Meta(ge=0)]], Check(_thresholds)]
QueryParams = Annotated[dict[str, Any], Check(_query)]
RegistryUrl = Annotated[str, Check(_registry_url)]
SiteUrl = Annotated[str, Check(_site_url)]
DatabaseUrl = Annotated[str, Check(read_database_url)]
ChannelUrl = Annotated[Secret, Check(_channel_url)]
PingUrl = Annotated[Secret, Check(_ping_url)]
Positive = Annotated[float, Meta(gt=0)]
