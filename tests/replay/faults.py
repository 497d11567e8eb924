"""Faults that a test injects: in which requests, how often, and what fails. Uses no sockets."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus

import orjson

from tests.replay.http_messages import HTML, Reply, Request, front_page, plain_text

EVERY_TIME = -1


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one reply. The fields may be combined.

    - `reload`: the registry moves to this load just before it answers.
    - `shift`: the page starts that many rows later. A negative number repeats rows of the
      previous page, a positive one omits rows.
    - `instead`: this reply replaces the true one; `rewrite` changes the true one.
    - `delay`: seconds before the first byte.
    - `cut`: the connection closes after that many bytes of the body. `declare_length` tells
      whether a Content-Length header announces the full length.
    - `drip`: the body is sent that many bytes at a time, `pause` seconds apart.
    - `reset`: the connection is reset without a reply.
    """

    reload: datetime | date | str | None = None
    shift: int = 0
    instead: Reply | None = None
    rewrite: Callable[[Reply], Reply] | None = None
    delay: float = 0.0
    cut: int | None = None
    declare_length: bool = True
    drip: int | None = None
    pause: float = 0.0
    reset: bool = False


def status(code: int, text: str = "", *, retry_after: str | None = None) -> Fault:
    """A status with a text, for example 429, 500 or a 404 that looks like the registry's."""
    reply = plain_text(text, code) if text else front_page(code)
    extra = {} if retry_after is None else {"Retry-After": retry_after}
    return Fault(instead=Reply(reply.status, reply.body, {**reply.headers, **extra}))


def body(content: bytes, *, content_type: str = "application/json") -> Fault:
    """A 200 with that body, for example empty, null, [] or another study."""
    return Fault(instead=Reply(HTTPStatus.OK, content, {"Content-Type": content_type}))


def html_page() -> Fault:
    """A 200 with a web page instead of JSON."""
    page = b"<!DOCTYPE html>\n<html><head><title>ClinicalTrials.gov</title></head></html>\n"
    return Fault(instead=Reply(HTTPStatus.OK, page, {"Content-Type": HTML}))


def edge_refusal() -> Fault:
    """The 403 page of the edge server, which says nothing about any trial."""
    return Fault(instead=front_page(HTTPStatus.FORBIDDEN))


def truncated(after: int, *, declare_length: bool = True) -> Fault:
    """The first `after` bytes of the body, with or without its Content-Length."""
    return Fault(cut=after, declare_length=declare_length)


def delayed(seconds: float) -> Fault:
    """A delay before the first byte."""
    return Fault(delay=seconds)


def dripping(chunk: int = 1, *, pause: float = 0.05) -> Fault:
    """The body, a few bytes at a time."""
    return Fault(drip=chunk, pause=pause)


def reset() -> Fault:
    """A connection reset without a reply."""
    return Fault(reset=True)


def reload(load: datetime | date | str) -> Fault:
    """A data reload just before the reply."""
    return Fault(reload=load)


def shifted(rows: int) -> Fault:
    """A page that starts `rows` later: negative repeats rows, positive omits rows."""
    return Fault(shift=rows)


def emptied() -> Fault:
    """A page of a listing without its rows; the token for the next page stays."""
    return Fault(rewrite=lambda reply: _relisted(reply, {"studies": []}))


def ended_early() -> Fault:
    """A page of a listing without the token for the next page."""
    return Fault(rewrite=lambda reply: _relisted(reply, {"nextPageToken": None}))


def uncounted() -> Fault:
    """The first page of a listing without its totalCount."""
    return Fault(rewrite=lambda reply: _relisted(reply, {"totalCount": None}))


def of_another_load(day: date | str, *, every: int = 2) -> Fault:
    """A page of a listing on which one study in `every` has `day` as its versionHolder.

    This is the reply of a server that has another load than its neighbours.
    """

    def restamp(reply: Reply) -> Reply:
        studies = orjson.loads(reply.body)["studies"]
        for study in studies[::every]:
            study["derivedSection"]["miscInfoModule"]["versionHolder"] = str(day)
        return _relisted(reply, {"studies": studies})

    return Fault(rewrite=restamp)


def repeated(rows: int = 1) -> Fault:
    """A page of a listing whose first rows come twice and whose last rows are missing."""

    def repeat(reply: Reply) -> Reply:
        studies = orjson.loads(reply.body)["studies"]
        return _relisted(reply, {"studies": [*studies[:rows], *studies[: len(studies) - rows]]})

    return Fault(rewrite=repeat)


def _relisted(reply: Reply, changes: dict[str, object]) -> Reply:
    listed = orjson.loads(reply.body) | changes
    kept = {key: value for key, value in listed.items() if value is not None}
    return Reply(reply.status, orjson.dumps(kept), reply.headers)


@dataclass(slots=True)
class _Rule:
    fault: Fault
    path: re.Pattern[str]
    client: re.Pattern[str]
    page: int | None
    skip: int
    times: int
    only: Callable[[Request], bool] | None = None
    met: int = field(default=0)

    def meets(self, request: Request, page: int) -> bool:
        who = request.headers.get("user-agent", "")
        return (
            self.path.fullmatch(request.path) is not None
            and self.client.match(who) is not None
            and self.page in (None, page)
            and (self.only is None or self.only(request))
        )


class FaultScript:
    """The faults to inject, in the order they were added. The first match for a request applies."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(
        self,
        fault: Fault,
        *,
        path: str = ".*",
        client: str = "",
        page: int | None = None,
        skip: int = 0,
        times: int = 1,
        only: Callable[[Request], bool] | None = None,
    ) -> None:
        """Inject `fault` into the next `times` matching requests, after `skip` others.

        `path` is a regular expression that must match the full path below the API's base,
        `client` one that must match the beginning of the User-Agent. `page` counts the pages of a
        listing from 1. With `times=EVERY_TIME` the fault stays. `only` further limits the requests.
        """
        rule = _Rule(fault, re.compile(path), re.compile(client), page, skip, times, only)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._rules.clear()

    def take(self, request: Request, page: int) -> Fault | None:
        """The fault for this request, or None. Counts one use of the fault."""
        with self._lock:
            for rule in self._rules:
                if not rule.meets(request, page):
                    continue
                rule.met += 1
                if rule.met <= rule.skip:
                    continue
                if rule.times == EVERY_TIME or rule.met <= rule.skip + rule.times:
                    return rule.fault
        return None
