"""The processor time of a warm call over MCP to a database of 100,000 followed trials.

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
from ctsync.model import JsonObject, NctId, Source
from ctsync.store.store import open_store
from ctsync.sync.watches.refresh_facts import refresh_facts
from ctsync.web.mcp.mcp_server import tool_server
from tests.bench.big_database import WATCHED
from tests.bench.test_questions import TRIALS, big_file
from tests.registry_fixtures import an_id, make_study
from tests.sync.histories import keep_history

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
MOST_PAGES = 40
"""Pages that are read of an answer with more."""
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
    follow(big_file)
    measure(big_file, OF_FOLLOWED)


def follow(file: Path) -> None:
    """Store 600 more trials, whose records have flags, and follow only these."""
    with open_store(f"sqlite:///{file}", clock=SystemClock()) as store:
        followed = [
            keep_history(store, [flagged_study(an_id(TRIALS + number))], source=Source.LIVE)
            for number in range(FOLLOWED)
        ]
        with store.unit() as unit:
            unit.connection.execute(text("DELETE FROM watched_trials"))
            unit.watches.add_trials(WATCHED, dict.fromkeys(followed), SystemClock().now())
        print(f"\n{refresh_facts(store)} trials have facts")


def flagged_study(nct_id: NctId) -> JsonObject:
    """Return a record that is stale, open past its completion, and whose results are overdue."""
    return make_study(
        nct_id,
        oversightModule={"isFdaRegulatedDrug": True},
        statusVerifiedDate="2023-11",
        studyFirstSubmitDate="2020-01-02",
        studyFirstPostDateStruct={"date": "2020-01-05"},
        startDateStruct={"date": "2020-01-02"},
        primaryCompletionDateStruct={"date": "2023-10"},
        completionDateStruct={"date": "2030-10"},
        armsInterventionsModule={"interventions": [{"name": "Drug", "type": "DRUG"}]},
    )


def measure(file: Path, calls: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Print the processor time of the first call, of calls repeated, and of the last page."""
    settings = load(None, database_url=f"sqlite:///{file}", need_secrets=False)

    async def measuring() -> None:
        async with Client(tool_server(settings, clock=SystemClock())) as client:

            async def call(name: str, given: dict[str, Any]) -> tuple[float, dict[str, Any]]:
                began = time.process_time()
                found = await client.call_tool(name, given)
                assert not found.is_error
                return time.process_time() - began, found.structured_content or {}

            for name, given in calls:
                taken = [(await call(name, given))[0] for _ in range(ROUNDS)]
                pages, rows, slowest = 0, 0, 0.0
                more: dict[str, Any] | None = {}
                while more is not None and pages < MOST_PAGES:
                    worked, answer = await call(name, {**given, **more})
                    pages, rows, more = pages + 1, rows + len(answer["rows"]), answer["next"]
                    slowest = max(slowest, worked)
                print(
                    f"MCP {name} {given}: CPU first {taken[0]:.3f} s, warm {min(taken[1:]):.3f} s; "
                    f"{pages} pages of {rows:,} rows, slowest {slowest:.3f} s"
                )

    asyncio.run(measuring())
