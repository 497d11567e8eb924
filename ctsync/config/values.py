"""The types of values of settings, each with its check. Does no I/O.

The message of a check is about the value only; loading.py adds its place. No message repeats a
value that may contain a secret.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from ctsync.config.paths import read_database_url
from ctsync.dates import time_zone
from ctsync.errors import BadNctId, BadQuery
from ctsync.files import NO_HOME
from ctsync.model import NctId
from ctsync.pasted_url import read_trial
from ctsync.query import read_query
from ctsync.text import nearest, nearest_words


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


def _channel_url(secret: SecretStr) -> SecretStr:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", secret.get_secret_value()):
        raise ValueError("must be a URL: https://… for a webhook, or one of apprise's")
    return secret


def _ping_url(secret: SecretStr) -> SecretStr:
    if secret:
        _web_url(secret.get_secret_value())
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


Line = Annotated[str, AfterValidator(_one_line)]
Name = Annotated[str, AfterValidator(_name), Field(max_length=100)]
HttpHeaderText = Annotated[str, AfterValidator(_ascii_line), Field(max_length=200)]
Address = Annotated[str, AfterValidator(_address)]
Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
ClockTime = Annotated[str, AfterValidator(_clock_time)]
FilePath = Annotated[Path, AfterValidator(_expanded)]
Trial = Annotated[NctId, AfterValidator(_trial)]
Rules = Annotated[dict[str, Annotated[float, Field(ge=0)]], AfterValidator(_thresholds)]
QueryParams = Annotated[dict[str, Any], AfterValidator(_query)]
RegistryUrl = Annotated[str, AfterValidator(_registry_url)]
SiteUrl = Annotated[str, AfterValidator(_site_url)]
DatabaseUrl = Annotated[str, AfterValidator(read_database_url)]
ChannelUrl = Annotated[SecretStr, AfterValidator(_channel_url)]
PingUrl = Annotated[SecretStr, AfterValidator(_ping_url)]
Positive = Annotated[float, Field(gt=0)]
