"""The tools are loaded at the first request to them, and end with the app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ctsync.web.mcp.late_endpoint import LateMcpEndpoint


class NotedEndpoint:
    """Stands for the tools: notes when it is made, begun and ended."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes
        notes.append("made")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.notes.append("begun")
        yield
        self.notes.append("ended")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("an answer")(scope, receive, send)


def app_with(make: Any) -> Starlette:
    endpoint = LateMcpEndpoint(make)
    return Starlette(
        routes=[Route("/mcp", endpoint=endpoint)], lifespan=lambda _: endpoint.running()
    )


def test_the_tools_are_made_once_at_the_first_request_and_end_with_the_app() -> None:
    notes: list[str] = []
    with TestClient(app_with(lambda: NotedEndpoint(notes))) as client:
        assert notes == []
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: client.post("/mcp").text, range(8)))
        assert answers == ["an answer"] * 8
        assert notes == ["made", "begun"]
    assert notes == ["made", "begun", "ended"]


def test_an_app_whose_tools_nobody_asks_never_makes_them() -> None:
    notes: list[str] = []
    with TestClient(app_with(lambda: NotedEndpoint(notes))):
        pass
    assert notes == []


def test_tools_that_could_not_be_made_are_made_at_the_next_request() -> None:
    notes: list[str] = []
    failures = [ImportError("no library")]

    def make() -> NotedEndpoint:
        if failures:
            raise failures.pop()
        return NotedEndpoint(notes)

    with TestClient(app_with(make)) as client:
        with pytest.raises(ImportError):
            client.post("/mcp")
        assert client.post("/mcp").text == "an answer"
    assert notes == ["made", "begun", "ended"]
