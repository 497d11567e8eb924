"""Faults a test scripts: which request they meet, how often, and what goes wrong. No sockets."""

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
    """What goes wrong with one answer; faults of several sorts may go together.

    `reload` shows another load just before the request is answered. `shift` moves the page by
    that many rows: negative repeats rows of the page before, positive leaves rows out.
    `instead` is answered in place of the true reply, `rewrite` changes the true one. `delay`
    holds back the first byte. `cut` sends that many bytes of the body and closes, with the
    full length declared or with none. `drip` sends that many bytes at a time, `pause` seconds
    apart. `reset` ends the connection without an answer.
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
    """A status with a text, for example 429, 500 or a 404 that looks like a true one."""
    reply = plain_text(text, code) if text else front_page(code)
    extra = {} if retry_after is None else {"Retry-After": retry_after}
    return Fault(instead=Reply(reply.status, reply.body, {**reply.headers, **extra}))


def body(content: bytes, *, content_type: str = "application/json") -> Fault:
    """A 200 with that body: empty, null, [] or another study."""
    return Fault(instead=Reply(HTTPStatus.OK, content, {"Content-Type": content_type}))


def html_page() -> Fault:
    """A 200 that is a web page where JSON was asked for."""
    page = b"<!DOCTYPE html>\n<html><head><title>ClinicalTrials.gov</title></head></html>\n"
    return Fault(instead=Reply(HTTPStatus.OK, page, {"Content-Type": HTML}))


def edge_refusal() -> Fault:
    """The 403 page of the edge, which says nothing about any trial."""
    return Fault(instead=front_page(HTTPStatus.FORBIDDEN))


def truncated(after: int, *, declare_length: bool = True) -> Fault:
    """The first `after` bytes of the body, with or without its length declared."""
    return Fault(cut=after, declare_length=declare_length)


def delayed(seconds: float) -> Fault:
    """Silence before the first byte."""
    return Fault(delay=seconds)


def dripping(chunk: int = 1, *, pause: float = 0.05) -> Fault:
    """The body a few bytes at a time."""
    return Fault(drip=chunk, pause=pause)


def reset() -> Fault:
    """The connection reset without an answer."""
    return Fault(reset=True)


def reload(load: datetime | date | str) -> Fault:
    """Another load shown just before the request is answered."""
    return Fault(reload=load)


def shifted(rows: int) -> Fault:
    """The page moved: fewer than 0 rows repeats some of the page before, more leaves some out."""
    return Fault(shift=rows)


def emptied() -> Fault:
    """A listing's page without its rows; its token, if any, still leads on."""
    return Fault(rewrite=lambda reply: _relisted(reply, {"studies": []}))


def ended_early() -> Fault:
    """A listing's page without the token that leads on."""
    return Fault(rewrite=lambda reply: _relisted(reply, {"nextPageToken": None}))


def uncounted() -> Fault:
    """A listing's first page without its totalCount."""
    return Fault(rewrite=lambda reply: _relisted(reply, {"totalCount": None}))


def of_another_load(day: date | str, *, every: int = 2) -> Fault:
    """A listing's page from a server that shows another load: every second study is of `day`."""

    def restamp(reply: Reply) -> Reply:
        studies = orjson.loads(reply.body)["studies"]
        for study in studies[::every]:
            study["derivedSection"]["miscInfoModule"]["versionHolder"] = str(day)
        return _relisted(reply, {"studies": studies})

    return Fault(rewrite=restamp)


def repeated(rows: int = 1) -> Fault:
    """A listing's page whose first rows come twice, in the place of its last."""

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
    met: int = field(default=0)

    def meets(self, request: Request, page: int) -> bool:
        who = request.headers.get("user-agent", "")
        return (
            self.path.fullmatch(request.path) is not None
            and self.client.match(who) is not None
            and self.page in (None, page)
        )


class FaultScript:
    """The faults to come, in the order they were added; the first that meets a request wins."""

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
    ) -> None:
        """Let `fault` meet the next `times` requests, after `skip` others, that fit.

        `path` is a regular expression for the whole path below the API's base, `client` one for
        the beginning of the User-Agent; `page` counts a listing's pages from 1. EVERY_TIME never
        wears out.
        """
        rule = _Rule(fault, re.compile(path), re.compile(client), page, skip, times)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._rules.clear()

    def take(self, request: Request, page: int) -> Fault | None:
        """The fault that meets this request, used up by that."""
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
