"""The tools over HTTP, loaded at the first request to them: their library takes 25 MB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from ctsync.web.mcp.mcp_server import McpEndpoint


class LateMcpEndpoint:
    """An ASGI app that makes its `McpEndpoint` at the first request and then passes all to it.

    Answers only inside `running()`, which the lifespan of the app with the route enters once.
    `make` imports and makes the endpoint; it is called once, in a thread, unless it raises.
    """

    def __init__(self, make: Callable[[], McpEndpoint]) -> None:
        self._make = make
        self._endpoint: McpEndpoint | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the endpoint begin when it is needed, and end it with the app."""
        self._lock, self._is_over = anyio.Lock(), anyio.Event()
        async with anyio.create_task_group() as self._tasks:
            try:
                yield
            finally:
                self._is_over.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        async with self._lock:
            if self._endpoint is None:
                endpoint = await anyio.to_thread.run_sync(self._make)
                # the sessions must end in the task that began them, which no request is
                await self._tasks.start(self._run, endpoint)
                self._endpoint = endpoint
        await self._endpoint(scope, receive, send)

    async def _run(
        self, endpoint: McpEndpoint, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async with endpoint.running():
            task_status.started()
            await self._is_over.wait()
