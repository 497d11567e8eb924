"""The time of a warm call over MCP to a database of 100,000 followed trials.

CTSYNC_BENCH_TRIALS sets a smaller number of trials.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from sqlalchemy import text

from ctsync.config.loading import load
from ctsync.dates import SystemClock
from ctsync.store.store import open_store
from ctsync.sync.watches.refresh_facts import refresh_facts
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
FOLLOWED = 600
OF_FOLLOWED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("flags", {}),
    ("flags", {"all": True}),
    ("forecast", {}),
    ("forecast", {"within": "all"}),
    ("portfolio", {}),
)


def test_the_cost_of_warm_calls(big_file: Path) -> None:
    measure(big_file, CALLS)


def test_the_cost_of_warm_calls_about_600_followed_trials(big_file: Path) -> None:
    with open_store(f"sqlite:///{big_file}", clock=SystemClock()) as store:
        followed = [an_id(trial) for trial in range(FOLLOWED)]
        with store.unit() as unit:
            unit.connection.execute(
                text("DELETE FROM watched_trials WHERE nct_id > :last"), {"last": max(followed)}
            )
        print(f"\n{refresh_facts(store)} trials have facts")
    measure(big_file, OF_FOLLOWED)


def measure(file: Path, calls: Sequence[tuple[str, dict[str, Any]]]) -> None:
    settings = load(None, database_url=f"sqlite:///{file}", need_secrets=False)

    async def measuring() -> None:
        async with Client(tool_server(settings, clock=SystemClock())) as client:
            for name, given in calls:
                taken = []
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    found = await client.call_tool(name, given)
                    taken.append(time.perf_counter() - began)
                    assert not found.is_error
                print(f"MCP {name} {given}: first {taken[0]:.3f} s, warm {min(taken[1:]):.3f} s")

    asyncio.run(measuring())
