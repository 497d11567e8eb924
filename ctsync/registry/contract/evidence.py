"""The answers of an inquiry as JSON, for a bug report. Does no I/O.

Contains no personal data. Of a record, only ids, dates, statuses and similar values are included.
Every other text is replaced with its length, so that names, addresses and telephone numbers of a
trial's contacts are not written. Mail addresses, such as our own contact, and IP addresses, which
an edge server may repeat in its error page, are removed too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ctsync.errors import BadAnswer
from ctsync.model import JsonObject
from ctsync.registry.contract.inquiry import Exchange
from ctsync.registry.http.response import Response, parse_json
from ctsync.text import shorten

LONGEST_TEXT = 2_000
MOST_ITEMS = 3

_KEPT_HEADERS = frozenset(
    {"accept-ranges", "age", "content-disposition", "content-encoding", "content-length"}
    | {"content-range", "content-type", "date", "etag", "last-modified", "location"}
    | {"retry-after", "server", "transfer-encoding"}
)
_KEPT_VALUES = frozenset(
    {"apiVersion", "dataTimestamp", "nextPageToken", "nctId", "nctIdAliases", "versionHolder"}
    | {"overallStatus", "lastKnownStatus", "statusVerifiedDate", "date", "type", "status"}
    | {"studyType", "moduleLabels", "lastUpdateSubmitQcDate", "lastUpdateSubmitDate"}
)
_ADDRESSES = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b"  # IPv4
    r"|\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{0,4}"  # IPv6
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # mail
)


def evidence(exchanges: Iterable[Exchange]) -> list[JsonObject]:
    """Return each request with its answer, without personal data."""
    return [_exchange(one) for one in exchanges]


def _exchange(exchange: Exchange) -> JsonObject:
    asked = {
        "path": exchange.path,
        "parameters": {name: shorten(text, 300) for name, text in exchange.params.items()},
        "client": "curl" if exchange.by_curl else "requests",
    }
    if exchange.answer is None:
        return {**asked, "error": _without_addresses(exchange.error)}
    return {**asked, **_answer(exchange.answer)}


def _answer(answer: Response) -> JsonObject:
    return {
        "status": answer.status,
        "headers": _headers(answer.headers),
        "bytes": len(answer.body),
        "body": _body(answer),
    }


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the names of all headers, and the values of headers without personal data."""
    return {
        name: _without_addresses(value) if name.lower() in _KEPT_HEADERS else "(left out)"
        for name, value in headers.items()
    }


def _body(answer: Response) -> Any:
    if answer.media_type == "application/json":
        try:
            return _outline(parse_json(answer.body))
        except BadAnswer as error:
            return str(error)
    if answer.media_type.startswith("text/"):
        return shorten(_without_addresses(answer.text), LONGEST_TEXT)
    return f"begins with {answer.body[:4].hex()}"


def _outline(value: Any, name: str = "") -> Any:
    """Return the shape of a JSON value, with the values of _KEPT_VALUES."""
    if isinstance(value, dict):
        return {key: _outline(item, key) for key, item in value.items()}
    if isinstance(value, list):
        rest = [f"and {len(value) - MOST_ITEMS:,} more"] if len(value) > MOST_ITEMS else []
        return [*(_outline(item, name) for item in value[:MOST_ITEMS]), *rest]
    if isinstance(value, str) and name not in _KEPT_VALUES:
        return f"({len(value):,} characters)"
    return _without_addresses(value) if isinstance(value, str) else value


def _without_addresses(text: str) -> str:
    return _ADDRESSES.sub("(address)", text)
