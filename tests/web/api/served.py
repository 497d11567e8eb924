"""The API served by uvicorn, and a small database for it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Thread
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from ctsync.config.settings import Settings
from ctsync.dates import Clock
from ctsync.model import NctId, Source
from ctsync.store.store import Store, open_for_reading
from ctsync.web.api.api_application import create_api
from ctsync.web.api.client_rates import RequestRate
from tests.conftest import StillClock
from tests.python.conftest import fill as fill_with_histories
from tests.questions.answers import NOW
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history

TRIAL = "NCT01352702"
MADE = (NctId("NCT00000011"), NctId("NCT00000012"))
WIDE = RequestRate(per_second=1e6, burst=10**6)


def fill(store: Store) -> None:
    """Store published histories, and two trials with a sponsor, conditions, sites and a slip."""
    fill_with_histories(store)
    for nct_id in MADE:
        _fill_trial(store, nct_id)
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(MADE), NOW)


def _fill_trial(store: Store, nct_id: NctId) -> None:
    studies = [
        make_study(
            nct_id,
            lastUpdatePostDateStruct={"date": posted},
            primaryCompletionDateStruct={"date": primary, "type": "ESTIMATED"},
            conditionsModule={"conditions": ["Asthma"]},
            contactsLocationsModule={"locations": [{"country": "France"}]},
        )
        for posted, primary in (("2026-01-13", "2027-06"), ("2026-02-13", "2028-12"))
    ]
    keep_history(store, studies, source=Source.LIVE)


def new_api(url: str, *, clock: Clock | None = None, rate: RequestRate | None = WIDE) -> FastAPI:
    """Return the API over a database that each request opens; its clock stands still."""
    still = clock or StillClock()
    return create_api(
        lambda: open_for_reading(url, clock=still), settings=Settings(), clock=still, rate=rate
    )


def api_of(store: Store) -> FastAPI:
    """Return the API over a store that stays open."""
    return create_api(
        lambda: nullcontext(store), settings=Settings(), clock=StillClock(), rate=WIDE
    )


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """Serve an application on a free port of the loopback address; yield a client of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    host, port = listener.getsockname()
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def pages(client: httpx.Client, path: str, limit: int, **asked: Any) -> Iterator[dict[str, Any]]:
    """Yield the pages of a list up to the last one."""
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(f"/api/v1{path}", params={**asked, "limit": limit, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield page
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def all_rows(client: httpx.Client, path: str, limit: int = 1000, **asked: Any) -> list[Any]:
    """Return the rows of all pages."""
    return [row for page in pages(client, path, limit, **asked) for row in page["rows"]]
