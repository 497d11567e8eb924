"""The portfolio while a sync commits: read once a minute, and exact as soon as the run ends."""

from __future__ import annotations

from datetime import date

import httpx
import pytest

from ctsync.model import Verdict
from ctsync.questions.portfolio.portfolio_trials import PortfolioTrial, read_portfolio
from ctsync.store.store import Store, open_store
from ctsync.web.kept_answers import RECENT_SECONDS
from tests.conftest import StillClock
from tests.questions.answers import NOW
from tests.web.api.served import MADE, new_api, serving
from tests.web.api.test_cursors import store_termination


def statuses(client: httpx.Client) -> tuple[list[str | None], bool]:
    """Return the status of each made trial, and whether the answer has an ETag."""
    answer = client.get("/api/v1/trials", params={"limit": 1000})
    found = {row["nct_id"]: row["status"] for row in answer.json()["rows"]}
    return [found.get(nct_id) for nct_id in MADE], "etag" in answer.headers


def test_commits_of_a_run_do_not_make_each_request_read_all_trials(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[date] = []

    def counted(store: Store, *, as_of: date) -> list[PortfolioTrial]:
        reads.append(as_of)
        return read_portfolio(store, as_of=as_of)

    monkeypatch.setattr("ctsync.web.api.long_lists.read_portfolio", counted)
    clock = StillClock()
    with open_store(written, clock=clock) as store, serving(new_api(written, clock=clock)) as api:
        with store.unit() as unit:
            run = unit.runs.begin("sync", NOW)
        before, has_tag = statuses(api)
        assert (has_tag, len(reads)) == (True, 1)
        assert "TERMINATED" not in before

        store_termination(written, MADE[0])
        during = [statuses(api) for _ in range(5)]
        assert during == [(before, False)] * 5
        assert len(reads) == 1

        clock.sleep(RECENT_SECONDS)
        assert statuses(api) == (["TERMINATED", before[1]], True)

        store_termination(written, MADE[1])
        assert statuses(api) == (["TERMINATED", before[1]], False)
        with store.unit() as unit:
            unit.runs.finish(run, finished=clock.now(), verdict=Verdict.OK)
        assert statuses(api) == (["TERMINATED"] * 2, True)
    print(f"portfolio during a run: 2 commits, 9 requests, {len(reads)} reads")
    assert len(reads) == 3


def test_a_trial_that_is_followed_during_a_run_is_listed_at_once(written: str) -> None:
    clock = StillClock()
    with open_store(written, clock=clock) as store, serving(new_api(written, clock=clock)) as api:
        with store.unit() as unit:
            unit.runs.begin("sync", NOW)
        before, _ = statuses(api)
        with store.unit() as unit:
            unit.watches.remove_trials("mine", [MADE[0]])
        after, has_tag = statuses(api)
    assert (after, has_tag) == ([None, before[1]], True)
