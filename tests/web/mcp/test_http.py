"""The tools over HTTP: a real server on loopback, and the SDK's own client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from mcp.client.client import Client
from starlette.applications import Starlette
from starlette.routing import Route

from ctsync.config.loading import load
from ctsync.web.mcp.mcp_server import McpEndpoint
from tests.fakes import FakeClock
from tests.questions.answers import NOW, TRIAL
from tests.web.mcp.asking import Tools, answer_of

pytestmark = pytest.mark.slow


@contextmanager
def serving(url: str) -> Iterator[str]:
    """Serve the tools at /mcp on loopback, and yield the URL."""
    settings = load(None, database_url=url, need_secrets=False)
    endpoint = McpEndpoint(settings, clock=FakeClock(NOW))
    app = Starlette(
        routes=[Route("/mcp", endpoint=endpoint)], lifespan=lambda _: endpoint.running()
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_clients_ask_over_http(tools: Tools, mode: str) -> None:
    async def asking(url: str) -> list[int]:
        async with Client(url, mode=mode) as one, Client(url, mode=mode) as other:
            assert len((await one.list_tools()).tools) == 10
            calls = [client.call_tool("versions", {"nct": TRIAL}) for client in (one, other) * 5]
            return [len(answer_of(found)["rows"]) for found in await asyncio.gather(*calls)]

    with serving(tools.url) as url:
        rows = asyncio.run(asking(url))
    assert rows == [5] * 10
    print(f"http ({mode}): {len(rows)} calls of 2 clients at once, each with the same answer")


def test_a_page_that_pretends_to_be_this_machine_is_refused(tools: Tools, tmp_path: Path) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    sent = {"Accept": "application/json, text/event-stream"}
    with serving(tools.url) as url:
        rebound = httpx.post(url, json=call, headers={**sent, "Host": "attacker.example"})
        foreign = httpx.post(url, json=call, headers={**sent, "Origin": "https://attacker.example"})
        large = httpx.post(url, content=b"x" * 2_000_000, headers=sent)
        right = httpx.post(url, json=call, headers=sent)
    assert [one.status_code for one in (rebound, foreign, large)] == [421, 403, 413]
    assert right.status_code == 200
    assert right.headers["content-type"].startswith("application/json")
