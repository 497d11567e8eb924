"""The time of a warm call over MCP to a database of 100,000 followed trials.

CTSYNC_BENCH_TRIALS sets a smaller number of trials.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client

from ctsync.config.loading import load
from ctsync.dates import SystemClock
from ctsync.web.mcp.mcp_server import tool_server
from tests.bench.test_questions import TRIALS, big_file
from tests.registry_fixtures import an_id

__all__ = ["big_file"]
pytestmark = pytest.mark.bench_registry

ROUNDS = 5
TRIAL = an_id(TRIALS // 2)
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("versions", {"nct": TRIAL}),
    ("record_as_of", {"nct": TRIAL}),
    ("compare", {"nct": TRIAL}),
    ("field_history", {"nct": TRIAL, "field": "overall status"}),
    ("timeline", {"nct": TRIAL}),
    ("flags", {"nct": [TRIAL]}),
    ("changes", {}),
    ("changes", {"nct": [TRIAL]}),
    ("changes", {"since": "7d", "level": "notable"}),
    ("find", {"conditions": ["status=UNKNOWN"]}),
)


def test_the_cost_of_warm_calls(big_file: Path) -> None:
    settings = load(None, database_url=f"sqlite:///{big_file}", need_secrets=False)

    async def measuring() -> None:
        async with Client(tool_server(settings, clock=SystemClock())) as client:
            for name, given in CALLS:
                taken = []
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    found = await client.call_tool(name, given)
                    taken.append(time.perf_counter() - began)
                    assert not found.is_error
                print(f"MCP {name} {given}: first {taken[0]:.3f} s, warm {min(taken[1:]):.3f} s")

    asyncio.run(measuring())
