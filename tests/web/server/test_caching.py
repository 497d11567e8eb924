"""What the server keeps, when it answers 304, and how it follows changes of the database."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import ctsync
from ctsync.config.settings import Settings
from ctsync.model import Verdict
from ctsync.questions.portfolio.portfolio_trials import PortfolioTrial, read_portfolio
from ctsync.store.store import Store, open_for_reading, open_store
from ctsync.web.server import page_request
from ctsync.web.server.application import create_app
from ctsync.web.server.kept_values import Content, NewestValues, PageCache, RecentValues
from tests.conftest import StillClock
from tests.web.server.conftest import FIRST, NOW, SECOND, client_of, fill_database

PATHS = ("/", "/trials", f"/trials/{FIRST}", "/changes", "/feed.atom", "/portfolio.csv", "/rules")


@pytest.fixture
def own_file(filled: str, tmp_path: Path) -> Path:
    """A copy of the database that the test may change."""
    return Path(shutil.copy(filled.removeprefix("sqlite:///"), tmp_path / "ctsync.db"))


def tag_of(client: TestClient, path: str = "/trials") -> str:
    return str(client.get(path).headers["etag"])


def test_a_page_that_did_not_change_is_answered_with_304_and_is_not_made(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_of(filled) as client:
        tags = {path: tag_of(client, path) for path in PATHS}
        # a reader may keep a page over a restart of the server
        with client_of(filled) as restarted:
            monkeypatch.setattr(PageCache, "get", lambda *_: pytest.fail("made a page"))
            answers = [
                restarted.get(path, headers={"If-None-Match": f'"other", {tag}'})
                for path, tag in tags.items()
            ]
    print(f"{len(answers)} addresses asked again: {len(answers)} answers 304, 0 pages made")
    assert {(one.status_code, one.content) for one in answers} == {(304, b"")}
    assert [one.headers["etag"] for one in answers] == list(tags.values())
    assert len(set(tags.values())) == len(PATHS)


def test_the_tag_changes_with_all_that_pages_depend_on(
    own_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, clock = f"sqlite:///{own_file}", StillClock(NOW)
    with open_store(url, clock=clock) as store, client_of(url) as client:
        tags = {"nothing": tag_of(client)}
        assert tag_of(client) == tags["nothing"]
        writes: dict[str, Callable[[], object]] = {
            "run": lambda: _finished_run(store, clock),
            "watch": lambda: _watch(store, clock),
        }
        for name, write in writes.items():
            write()
            tags[name] = tag_of(client)
    with client_of(url, rules={"slip_notable_days": 10}) as client:
        tags["settings"] = tag_of(client)
    monkeypatch.setattr(ctsync, "__version__", "99")
    with client_of(url) as client:
        tags["version"] = tag_of(client)
    clock.elapsed = 24 * 3600
    app = create_app(lambda: open_for_reading(url, clock=clock), Settings(), clock=clock)
    with TestClient(app) as client:
        tags["day"] = tag_of(client)
    assert len(set(tags.values())) == len(tags), tags


def _finished_run(store: Store, clock: StillClock) -> None:
    with store.unit() as unit:
        run = unit.runs.begin("sync", clock.now())
        unit.runs.finish(run, finished=clock.now(), verdict=Verdict.OK)


def _watch(store: Store, clock: StillClock) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("a third one", {FIRST: None}, clock.now())


def test_pages_follow_the_database_and_the_list_is_kept_while_a_sync_writes(
    own_file: Path,
) -> None:
    url, clock = f"sqlite:///{own_file}", StillClock(NOW)
    app = create_app(lambda: open_for_reading(url, clock=clock), Settings(), clock=clock)
    with open_store(url, clock=clock) as store, TestClient(app) as client:
        assert "a third one" not in client.get("/watches").text
        _watch(store, clock)
        assert "a third one" in client.get("/watches").text
        with store.unit() as unit:
            unit.runs.begin("sync", clock.now())
        during = tag_of(client)
        assert tag_of(client) == during
        clock.elapsed += 60
        assert tag_of(client) != during


def test_an_older_value_is_there_only_while_a_newer_one_is_made() -> None:
    values = NewestValues()
    during: list[object] = []

    def make() -> str:
        during.append(values.older("list"))
        return "new"

    assert values.older("list") is None
    assert values.get("list", 1, lambda: "old") == "old"
    assert values.older("list") is None
    assert values.get("list", 2, make, keeps_older=True) == "new"
    assert values.get("list", 3, make) == "new"
    assert during == ["old", None]  # two large values at a time only if a reader may have the older
    assert values.older("list") is None


def test_a_reader_has_the_list_of_a_minute_ago_while_another_request_reads_the_next(
    own_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, clock = f"sqlite:///{own_file}", StillClock(NOW)
    is_reading, may_end = threading.Event(), threading.Event()

    def slow(*args: Any, **options: Any) -> list[PortfolioTrial]:
        is_reading.set()
        assert may_end.wait(20)
        return read_portfolio(*args, **options)

    app = create_app(lambda: open_for_reading(url, clock=clock), Settings(), clock=clock)
    with open_store(url, clock=clock) as store, TestClient(app) as client:
        with store.unit() as unit:
            run = unit.runs.begin("sync", clock.now())
        before = tag_of(client)
        monkeypatch.setattr("ctsync.web.server.served_site.read_portfolio", slow)
        clock.elapsed += 60
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(tag_of, client)
            assert is_reading.wait(20)
            meanwhile = tag_of(client)
            searched = client.get("/trials?q=nothing")
            with store.unit() as unit:
                unit.runs.finish(run, finished=clock.now(), verdict=Verdict.OK)
            after = pool.submit(tag_of, client)
            time.sleep(0.05)
            is_waiting = not after.done()
            may_end.set()
            made = first.result(20)
        assert meanwhile == before
        assert searched.status_code == 200
        assert made != before
        assert is_waiting  # a finished run has its own list only
        assert after.result(20) not in {before, made}
        assert tag_of(client) == after.result()


def test_a_database_that_is_missing_or_replaced_is_found_without_a_restart(
    missing_file: Path, filled: str
) -> None:
    url = f"sqlite:///{missing_file}"
    with client_of(url) as client:
        for path in ("/", "/trials", f"/trials/{FIRST}", "/feed.atom"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "ctsync watch add" in answer.text
            assert "Traceback" not in answer.text
        assert client.get("/healthz").status_code == 503
        assert "ctsync_database_up 0" in client.get("/metrics").text
        shutil.copy(filled.removeprefix("sqlite:///"), missing_file)
        assert FIRST in client.get("/trials").text
        missing_file.unlink()
        open_store(url, clock=StillClock(NOW)).close()
        assert FIRST not in client.get("/trials").text
        missing_file.write_bytes(b"no database at all" * 100)
        assert client.get("/trials").status_code == 503


def test_health_and_metrics_say_what_a_monitor_needs(filled: str) -> None:
    with client_of(filled) as client:
        client.get("/trials")
        client.get("/trials")
        client.get("/none")
        assert client.get("/healthz").json() == {"status": "ok"}
        text = client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines["ctsync_watched_trials"] == "3"
    assert lines["ctsync_database_up"] == "1"
    assert lines['ctsync_http_requests_total{status="404"}'] == "1"
    assert lines['ctsync_pages_total{from="memory"}'] == "1"
    conditions = [float(n) for name, n in lines.items() if name.startswith("ctsync_health")]
    assert sum(conditions) == 1


@pytest.mark.slow
def test_the_pages_are_the_same_on_postgresql(filled: str, postgres_url: str) -> None:
    fill_database(postgres_url)
    with client_of(filled) as one, client_of(postgres_url) as other:
        for path in (*PATHS, f"/trials/{SECOND}/compare", f"/trials/{SECOND}/record", "/watches"):
            assert other.get(path).text == one.get(path).text, path


def test_requests_for_one_page_wait_for_the_first_and_the_cache_is_bounded() -> None:
    cache = PageCache(1000, most_of_page=400)
    made: list[str] = []

    def make(name: str, size: int) -> Content:
        made.append(name)
        time.sleep(0.05)
        return Content(b"x" * size)

    threads = [
        threading.Thread(target=lambda: cache.get("a", lambda: make("a", 300))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"]
    for name in ("b", "c", "d", "large", "large"):
        cache.get(name, lambda name=name: make(name, 500 if name == "large" else 300))  # type: ignore[misc]  # mypy has no type for it
    assert made == ["a", "b", "c", "d", "large", "large"]
    cache.get("d", lambda: make("d", 300))
    cache.get("a", lambda: make("a", 300))
    assert made[-1] == "a"  # the oldest page was dropped
    with pytest.raises(ZeroDivisionError):
        cache.get("e", lambda: make("e", 1 // 0))
    cache.get("e", lambda: make("e", 1))
    values, keys = NewestValues(), []
    for key in (1, 1, 2, 1):
        values.get("list", key, lambda key=key: keys.append(key))  # type: ignore[misc]  # as above
    assert keys == [1, 2, 1]


def test_values_that_never_change_are_made_once_and_the_oldest_leave_first() -> None:
    kept: RecentValues[str] = RecentValues(2)
    made: list[str] = []

    def value(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key

        return kept.get(key, make)

    assert [value(key) for key in "abacab"] == list("abacab")
    assert "".join(made) == "abcb"


def test_days_coverage_and_health_are_read_once_for_all_pages_of_a_revision(
    own_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, clock, read = f"sqlite:///{own_file}", StillClock(NOW), list[str]()
    for name in ("load_days", "coverage_of", "health_facts"):
        real = getattr(page_request, name)

        def noted(*given: Any, name: str = name, real: Any = real, **named: Any) -> Any:
            read.append(name)
            return real(*given, **named)

        monkeypatch.setattr(page_request, name, noted)
    with open_store(url, clock=clock) as store, client_of(url) as client:
        for path in ("/", "/?days=7", "/changes", "/changes?level=notable", "/?day=2026-02-03"):
            assert client.get(path).status_code == 200
        assert sorted(read) == ["coverage_of", "health_facts", "load_days"]
        _finished_run(store, clock)
        assert client.get("/").status_code == 200
    assert len(read) == 6
