"""A small database of three trials over three days, and a server of its pages."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from ctsync.config.settings import Settings
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.store.store import open_for_reading, open_store
from ctsync.sync.trial_pass import TrialPass
from ctsync.web.server.application import create_app
from ctsync.web.server.gate import Access
from ctsync.web.server.listen import accepted_hosts, make_server, open_socket
from tests.conftest import StillClock
from tests.given_settings import given_settings
from tests.registry_fixtures import an_id, make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

NOW = datetime(2026, 2, 5, 15, tzinfo=UTC)
DAYS = ("2026-02-02", "2026-02-03", "2026-02-04")
TRIALS = tuple(an_id(number) for number in (1, 2, 3))
FIRST, SECOND, THIRD = TRIALS


def fill_database(url: str) -> None:
    """Follow three trials over three days: one is suspended, one slips, one stays the same."""
    clock = StillClock(datetime(2026, 2, 2, 15, tzinfo=UTC))
    catalogue = Catalogue(DAYS[0])
    later = {"date": "2029-06", "type": "ESTIMATED"}
    for nct_id in TRIALS:
        catalogue.publish(make_study(nct_id), load=DAYS[0])
    suspended = make_study(FIRST, overallStatus="SUSPENDED", whyStopped="no funds")
    catalogue.publish(suspended, load=DAYS[1])
    catalogue.publish(make_study(SECOND, primaryCompletionDateStruct=later), load=DAYS[2])
    with open_store(url, clock=clock) as store, ReplayRegistry(catalogue) as registry:
        with store.unit() as unit:
            unit.watches.add_trials("a watch", dict.fromkeys(TRIALS), clock.now())
            unit.watches.add_trials("another", {SECOND: None}, clock.now())
        for day in DAYS:
            registry.load = day
            transport = Transport(registry.url, clock=clock, requests_per_second=1000)
            api = RegistryApi(transport, clock=clock, accept_load=True)
            TrialPass(store=store, registry=api, clock=clock).run(list(TRIALS))
            transport.close()
            clock.sleep(24 * 3600)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> str:
    """The URL of a database that no test may change."""
    file = shutil.copy(migrated_file, tmp_path_factory.mktemp("served") / "ctsync.db")
    url = f"sqlite:///{file}"
    fill_database(url)
    return url


def client_of(url: str, access: Access | None = None, **settings: object) -> TestClient:
    """A client of the application on a database, in this process."""
    clock = StillClock(NOW)
    app = create_app(
        lambda: open_for_reading(url, clock=clock),
        given_settings(settings),
        clock=clock,
        access=access,
    )
    return TestClient(app, base_url="http://localhost:8337", follow_redirects=False)


@pytest.fixture(scope="module")
def client(filled: str) -> Iterator[TestClient]:
    """A client of the pages."""
    with client_of(filled) as opened:
        yield opened


@dataclass
class RunningServer:
    """A server on a port of this machine."""

    port: int

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a page, over a new connection."""
        return self.ask("GET", path, **headers)

    def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        """Send a request, over a new connection."""
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, headers=headers, timeout=20)


@contextmanager
def running_server(url: str, clock: StillClock) -> Iterator[RunningServer]:
    """Run a real server of the pages of a database, with the limits of `ctsync serve`."""
    bound = open_socket("127.0.0.1", 0)
    port = bound.getsockname()[1]
    app = create_app(
        lambda: open_for_reading(url, clock=clock),
        Settings(),
        clock=clock,
        access=Access(hosts=accepted_hosts("127.0.0.1", port)),
    )
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield RunningServer(port)
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def served(filled: str) -> Iterator[RunningServer]:
    """A real server of the pages."""
    with running_server(filled, StillClock(NOW)) as running:
        yield running


@pytest.fixture
def missing_file(tmp_path: Path) -> Path:
    """The path of a database that does not exist yet."""
    return tmp_path / "later.db"
