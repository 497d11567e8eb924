"""A browser, and the site of the real trials, served with the policy that forbids foreign code."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ctsync.report.report import Window
from ctsync.store.store import open_for_reading, open_store
from ctsync.sync.watches.refresh_facts import refresh_facts
from ctsync.web.site import site_files
from ctsync.web.site_folder import write_site
from ctsync.web.site_question import SiteQuestion
from tests.conftest import StillClock
from tests.corpus.conftest import corpus, followed_days
from tests.corpus.load_days import trials_of
from tests.made_once import made_once
from tests.web.server.conftest import running_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["corpus", "followed_days"]  # fixtures

LAST_DAY = datetime(2026, 3, 13, 12, tzinfo=UTC)
CHROMIUM = os.environ.get("CTSYNC_TEST_CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip the test if it or Playwright is not installed.

    Playwright runs an event loop in this thread until it is stopped, so no test of another file may
    run meanwhile: a mail server would not start.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium; install it or set CTSYNC_TEST_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
    with pytest.raises(RuntimeError):  # no loop is left for the tests of other files
        asyncio.get_running_loop()


class _Pages(SimpleHTTPRequestHandler):
    """Serves files as a careful web server does."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", "default-src 'self'")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
        """Write nothing."""


@pytest.fixture(scope="session")
def real_trials(corpus: Path, followed_days: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a database with 25 days of the 600 real trials. Half of them are in two watches."""

    def make(folder: Path) -> None:
        clock = StillClock(LAST_DAY)
        file = shutil.copy(followed_days, folder / "ctsync.db")
        with open_store(f"sqlite:///{file}", clock=clock) as store:
            with store.unit() as unit:
                unit.watches.add_trials("half", dict.fromkeys(trials_of(corpus)[:300]), clock.now())
            refresh_facts(store)

    return f"sqlite:///{made_once(tmp_path_factory, 'real-trials', make) / 'ctsync.db'}"


@pytest.fixture(scope="session")
def site_of_real_trials(real_trials: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the site of the 600 real trials."""

    def make(folder: Path) -> None:
        clock = StillClock(LAST_DAY)
        window = Window(clock.now() - timedelta(days=40), clock.now() + timedelta(days=1))
        with open_for_reading(real_trials, clock=clock) as store:
            write_site(folder / "pages", site_files(store, SiteQuestion(window, limit=200)))

    return made_once(tmp_path_factory, "site", make) / "pages"


@pytest.fixture(scope="session")
def served_address(real_trials: str) -> Iterator[str]:
    """Serve the pages of the 600 real trials as `ctsync serve` does."""
    with running_server(real_trials, StillClock(LAST_DAY)) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="session")
def address(site_of_real_trials: Path) -> Iterator[str]:
    """Serve the site on a free port."""
    pages = partial(_Pages, directory=str(site_of_real_trials))
    server = ThreadingHTTPServer(("127.0.0.1", 0), pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
