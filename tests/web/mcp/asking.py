"""Calls of the tools with the SDK's own client, in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mcp.client.client import Client

from ctsync.config.loading import load
from ctsync.dates import Clock
from ctsync.web.mcp.mcp_server import tool_server
from tests.fakes import FakeClock
from tests.questions.answers import NOW

AnswerT = TypeVar("AnswerT")
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Tools:
    """The tools on a database, asked by a client that checks answers against their schemas."""

    url: str
    clock: Clock = field(default_factory=lambda: FakeClock(NOW))

    def talk(self, conversation: Callable[[Client], Awaitable[AnswerT]]) -> AnswerT:
        """Let a client talk to a new server."""

        async def talking() -> AnswerT:
            settings = load(None, database_url=self.url, need_secrets=False)
            async with Client(tool_server(settings, clock=self.clock)) as client:
                return await conversation(client)

        return asyncio.run(talking())

    def answers(self, *calls: tuple[str, Given]) -> list[dict[str, Any]]:
        """Return the answers to calls, or {"error": ...}, from one server."""

        async def asking(client: Client) -> list[dict[str, Any]]:
            return [answer_of(await client.call_tool(name, dict(given))) for name, given in calls]

        return self.talk(asking)

    def answer(self, name: str, **given: Any) -> dict[str, Any]:
        """Return the answer to one call."""
        (found,) = self.answers((name, given))
        return found

    def error(self, name: str, **given: Any) -> str:
        """Return the error of one call."""
        text = self.answer(name, **given)["error"]
        assert isinstance(text, str)
        return text

    def rows(self, name: str, **given: Any) -> list[dict[str, Any]]:
        """Return the rows of all pages of an answer."""

        async def asking(client: Client) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = []
            more: dict[str, Any] | None = {}
            while more is not None:
                page = answer_of(await client.call_tool(name, {**given, **more}))
                rows += page["rows"]
                # a cursor that does not move on would be followed for ever
                assert page["next"] != more, f"{name}: the next page is this one"
                more = page["next"]
            return rows

        return self.talk(asking)


def answer_of(result: Any) -> dict[str, Any]:
    """Return the JSON of a result, which its text and its structured content both have."""
    (content,) = result.content
    answer: dict[str, Any] = json.loads(content.text)
    if result.is_error:
        assert set(answer) == {"error", "notice"}
        assert "\n" not in answer["error"]
    else:
        assert answer == result.structured_content
    return answer
