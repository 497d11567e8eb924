"""Errors as problem documents (RFC 9457): one sentence that says what is wrong and what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from ctsync.errors import (
    ConfigError,
    CorruptBody,
    CtsyncError,
    NewerDatabase,
    NoDatabase,
    OldDatabase,
    StoreBusy,
    StoreLocked,
    StoreUnavailable,
    StoreUnreachable,
    UnknownTrial,
    UnknownVersion,
    UsageError,
)
from ctsync.report.rows.row_json import dump

PROBLEM_TYPE = "application/problem+json"
RETRY_SECONDS = 5
"""Seconds after which a database that is busy or away may answer."""

log = logging.getLogger(__name__)


class ExpiredCursor(UsageError):
    """The answer that a cursor belongs to has changed and is no longer kept."""


class NotAcceptable(UsageError):
    """The client accepts no form in which the answer can be written."""


_STATUS: tuple[tuple[type[CtsyncError], HTTPStatus], ...] = (
    (ExpiredCursor, HTTPStatus.GONE),
    (NotAcceptable, HTTPStatus.NOT_ACCEPTABLE),
    (UnknownTrial, HTTPStatus.NOT_FOUND),
    (UnknownVersion, HTTPStatus.NOT_FOUND),
    (ConfigError, HTTPStatus.INTERNAL_SERVER_ERROR),  # of the server: no client can correct it
    (UsageError, HTTPStatus.BAD_REQUEST),
)
# these messages have the path of the database, which is nobody's business outside of the server
_OF_SERVER: tuple[tuple[type[CtsyncError], HTTPStatus, str], ...] = (
    (StoreLocked, HTTPStatus.SERVICE_UNAVAILABLE, "the database is locked; try again later"),
    (StoreBusy, HTTPStatus.SERVICE_UNAVAILABLE, "too many questions at once; try again later"),
    (StoreUnreachable, HTTPStatus.SERVICE_UNAVAILABLE, "the database is away; try again later"),
    (NoDatabase, HTTPStatus.SERVICE_UNAVAILABLE, "nothing is stored yet; run: ctsync sync"),
    (
        OldDatabase,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database must be upgraded first; the next sync upgrades it",
    ),
    (
        NewerDatabase,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "a later ctsync wrote the database; install that version on the server",
    ),
    (
        StoreUnavailable,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database cannot be read now; the log of the server says why",
    ),
    (
        CorruptBody,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "a stored record is damaged; run on the server: ctsync check",
    ),
    (
        CtsyncError,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the database cannot be used; the log of the server says why",
    ),
)
_INTERNAL = "ctsync failed; the log of the server has the cause"


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document; `detail` is one sentence."""
    body = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    return Response(
        dump(body),
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=PROBLEM_TYPE,
    )


def problem_of(error: Exception) -> Response:
    """Return the answer for an error, and log it if the server is at fault."""
    for kind, status in _STATUS:
        if isinstance(error, kind) and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return problem(status, str(error))
    for kind, status, words in _OF_SERVER:
        if isinstance(error, kind):
            log.warning("%s: %s", type(error).__name__, error)
            away = status is HTTPStatus.SERVICE_UNAVAILABLE
            return problem(status, words, {"Retry-After": f"{RETRY_SECONDS}"} if away else None)
    log.error("a request failed", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL)
