"""What every request passes first: who may ask, what may be asked, and the headers of answers."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ctsync.dates import Clock
from ctsync.web.api.problems import RETRY_SECONDS, problem
from ctsync.web.server.metrics import AnswerCounts

LONGEST_ADDRESS = 8 * 1024
LONGEST_HEAD = 2 * LONGEST_ADDRESS
_MOST_HEADERS = 100
_LONGEST_CLIENT = 64
MCP_PATH = "/mcp"
CROWDED = "ctsync.crowded"
"""The key of a request that came over a connection above the limit of the server."""
_API = "/api/"
_METHODS = ("GET", "HEAD")
_MCP_METHODS = ("POST",)
"""A client sends the question of a tool as a body; the tools only read, and there is no stream."""
_OPEN = frozenset({"/healthz"})
"""Paths that need no token: a load balancer asks them, and they say nothing about trials."""

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask. `root_path` is the prefix that a proxy puts before each path; often empty.

    `hosts` are the accepted values of the Host header, in lower case; None accepts any. `token` is
    needed for every page; None if there is none. `is_behind_proxy` takes the address of a client
    from X-Forwarded-For: the last one, which the proxy itself has added.
    """

    root_path: str = ""
    hosts: frozenset[str] | None = None
    token: str | None = field(default=None, repr=False)
    is_behind_proxy: bool = False


class Gate:
    """Refuses requests before any page is made, counts them, and adds the headers."""

    def __init__(self, app: ASGIApp, access: Access, counts: AnswerCounts, *, clock: Clock) -> None:
        self._app = app
        self._access = access
        self._counts = counts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        began = self._clock.monotonic()
        statuses: list[int] = []

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._crowd_refusal(scope) or self._refusal(scope)
        try:
            if refusal is not None:
                await refusal(scope, receive, send_guarded)
            else:
                await self._app(self._inner(scope), receive, send_guarded)
        finally:
            self._counts.add(statuses[0] if statuses else 500, self._clock.monotonic() - began)

    def _inner(self, scope: Scope) -> Scope:
        """Return the request as the pages see it: the path without the prefix of the proxy."""
        prefix, path = self._access.root_path, str(scope["path"])
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            path = path[len(prefix) :] or "/"
        inner: dict[str, Any] = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        if self._access.hosts is not None:
            inner["ctsync.host"] = Headers(scope=scope).get("host", "")
        if self._access.is_behind_proxy and (client := _forwarded_for(Headers(scope=scope))):
            inner["client"] = (client, 0)
        return inner

    def _crowd_refusal(self, scope: Scope) -> Response | None:
        if not scope.get(CROWDED):
            return None
        path = self._inner(scope)["path"]
        sentence = "This server has too many connections at once; try again later."
        headers = {"Retry-After": f"{RETRY_SECONDS}", "Connection": "close"}
        return _refused(path, HTTPStatus.SERVICE_UNAVAILABLE, sentence, **headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        access = self._access
        path = self._inner(scope)["path"]
        if access.hosts is not None and headers.get("host", "").lower() not in access.hosts:
            # a page of another site could otherwise read this one under its own name
            known = " or ".join(sorted(access.hosts))
            return _refused(path, 421, f"This server answers only for {known}.")
        methods = _MCP_METHODS if path == MCP_PATH else _METHODS
        if scope["method"] not in methods:
            sentence = f"This server only reads: use {' or '.join(methods)}."
            return _refused(path, 405, sentence, Allow=", ".join(methods))
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
            return _refused(path, 414, f"The address is longer than {LONGEST_ADDRESS:,} bytes.")
        sizes = [len(name) + len(value) for name, value in scope["headers"]]
        if len(sizes) > _MOST_HEADERS or sum(sizes) > LONGEST_HEAD:
            limit = f"{_MOST_HEADERS} or are longer than {LONGEST_HEAD:,} bytes"
            return _refused(path, 431, f"The headers are more than {limit}.")
        if access.token is not None and path not in _OPEN:
            given = _given_token(headers.get("authorization", ""))
            if not hmac.compare_digest(given, access.token.encode()):
                return _refused(
                    path,
                    401,
                    "This server needs its token: as the password of any user name, or as "
                    "`Authorization: Bearer TOKEN`.",
                    **{"WWW-Authenticate": 'Basic realm="ctsync", charset="UTF-8"'},
                )
        return None


def _forwarded_for(headers: Headers) -> str:
    """Return the last address that proxies have added; empty if there is none."""
    # each proxy may add a header of its own; a client can only send what stands before
    last = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    # Azure adds a port; 4,096 names of a client are kept, so that none may be long
    host = re.fullmatch(r"\[([^]]+)\](?::\d+)?|([^:]+):\d+", last)
    name = (host[1] or host[2]) if host else last
    return name if len(name) <= _LONGEST_CLIENT else ""


def _given_token(header: str) -> bytes:
    """Return the token of an Authorization header: a bearer token, or a password."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode()
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _refused(path: str, status: int, sentence: str, **headers: str) -> Response:
    """Return the refusal: a problem document below /api/, as all errors there; otherwise text."""
    if path.startswith(_API):
        return problem(HTTPStatus(status), sentence, headers)
    return PlainTextResponse(f"{sentence}\n", status, {"Cache-Control": "no-store", **headers})
