"""The registry history over HTTP: accepted and refused answers, and the choice of the client."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.errors import (
    AnswerTooLarge,
    BadAnswer,
    DeadlineExceeded,
    EdgeRefused,
    RegistryBusy,
    RegistryError,
    RegistryUnreachable,
)
from ctsync.model import JsonObject, NctId
from ctsync.registry.http import curl
from ctsync.registry.http.curl import CurlTransport, find_curl
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import HistoryTransport, RegistryHistory, probe_history
from tests.fakes import FakeClock
from tests.faults.fault_server import (
    Act,
    FaultServer,
    answer,
    cut,
    dripped,
    endless,
    gzip_bomb,
    head,
    reset_at_once,
    said,
    stalled,
)
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.faults import EVERY_TIME
from tests.replay.registry_server import ReplayRegistry

TRIAL, OTHER = NctId("NCT03389919"), NctId("NCT05935098")
INDEX = f"/int/studies/{TRIAL}/history"
needs_curl = pytest.mark.skipif(find_curl() is None, reason="curl is not installed")
CLIENTS = [HistoryTransport.REQUESTS, pytest.param(HistoryTransport.CURL, marks=needs_curl)]

Open = Callable[..., RegistryHistory]


def a_version(day: str, status: str = "RECRUITING", nct_id: str = TRIAL) -> JsonObject:
    posted = {"date": day, "type": "ACTUAL"}
    study = make_study(
        nct_id, overallStatus=status, lastUpdateSubmitDate=day, lastUpdatePostDateStruct=posted
    )
    study["protocolSection"]["descriptionModule"] = {"briefSummary": "<p>A &amp; B</p>"}
    return study


@pytest.fixture
def replay() -> Iterator[ReplayRegistry]:
    """A registry with three versions of a trial, and a fourth the next day."""
    days = ("2025-01-10", "2025-06-04", "2026-02-02", "2026-02-03")
    catalogue = Catalogue("2026-02-02")
    catalogue.set_history(TRIAL, [a_version(day) for day in days])
    with ReplayRegistry(catalogue) as registry:
        yield registry


@pytest.fixture
def open_transport(replay: ReplayRegistry) -> Iterator[Callable[..., Transport]]:
    opened: list[Transport] = []

    def open_one(url: str = "", **settings: Any) -> Transport:
        quick: dict[str, Any] = {"clock": FakeClock(), "requests_per_second": 1e6, "burst": 1000}
        opened.append(Transport(url or replay.url, **(quick | settings)))
        return opened[-1]

    yield open_one
    for transport in opened:
        transport.close()


@pytest.fixture
def open_history(open_transport: Callable[..., Transport]) -> Iterator[Open]:
    opened: list[RegistryHistory] = []

    def open_one(
        way: HistoryTransport = HistoryTransport.REQUESTS, url: str = "", **settings: Any
    ) -> RegistryHistory:
        opened.append(RegistryHistory(open_transport(url, **settings), way=way))
        return opened[-1]

    yield open_one
    for history in opened:
        history.close()


def rewritten(change: Callable[[JsonObject], object]) -> faults.Fault:
    def rewrite(reply: Any) -> Any:
        body = orjson.loads(reply.body)
        change(body)
        return type(reply)(reply.status, orjson.dumps(body), reply.headers)

    return faults.Fault(rewrite=rewrite)


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", CLIENTS)
def test_the_index_and_its_versions_are_read_unchanged(
    way: HistoryTransport, open_history: Open
) -> None:
    history = open_history(way)
    index = history.index(TRIAL)
    assert index is not None
    assert [(e.number, e.date, e.status) for e in index] == [
        (0, "2025-01-10", "RECRUITING"),
        (1, "2025-06-04", "RECRUITING"),
        (2, "2026-02-02", "RECRUITING"),
    ]
    assert index[1].modules == {"Study Status"}
    assert history.version(TRIAL, 1) == a_version("2025-06-04")
    assert history.counts.requests == 2


@pytest.mark.parametrize("way", CLIENTS)
def test_a_trial_without_history_is_not_a_failure(
    way: HistoryTransport, open_history: Open
) -> None:
    assert open_history(way).index(OTHER) is None


@pytest.mark.parametrize("way", CLIENTS)
def test_an_unknown_version_number_is_a_refusal_and_never_means_gone(
    way: HistoryTransport, open_history: Open
) -> None:
    with pytest.raises(EdgeRefused, match="says nothing about any trial"):
        open_history(way).version(TRIAL, 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("changes"),
        lambda body: body["changes"].pop(0),
        lambda body: body["changes"].pop(1),
        lambda body: body["changes"].reverse(),
        lambda body: body["changes"][1].update(version=True),
        lambda body: body["changes"][1].update(version="1"),
        lambda body: body["changes"][1].update(date="2025-06"),
        lambda body: body["changes"][1].update(date=20250604),
        lambda body: body["changes"][1].pop("status"),
        lambda body: body["changes"][1].update(moduleLabels=[1]),
        lambda body: body["changes"].append(None),
        lambda body: body["changes"].extend(body["changes"] * 4000),
    ],
)
def test_an_index_of_a_wrong_shape_is_refused(
    change: Callable[[JsonObject], object], open_history: Open, replay: ReplayRegistry
) -> None:
    replay.faults.add(rewritten(change), path=INDEX, times=EVERY_TIME)
    with pytest.raises(BadAnswer):
        open_history().index(TRIAL)


def test_an_index_without_the_newer_fields_is_read(
    open_history: Open, replay: ReplayRegistry
) -> None:
    def as_in_2023(body: JsonObject) -> None:
        for entry in body["changes"]:
            del entry["studyType"], entry["lastUpdateSubmitQcDate"]

    replay.faults.add(rewritten(as_in_2023), path=INDEX)
    assert len(open_history().index(TRIAL) or ()) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(studyVersion=0),
        lambda body: body.update(studyVersion="1"),
        lambda body: body.update(studyVersion=True),
        lambda body: body.pop("studyVersion"),
        lambda body: body.pop("study"),
        lambda body: body.update(study=a_version("2025-06-04", nct_id=OTHER)),
        lambda body: body["study"]["protocolSection"]["identificationModule"].pop("nctId"),
        lambda body: body.update(study=[body["study"]]),
    ],
)
def test_a_version_other_than_the_requested_one_is_refused(
    change: Callable[[JsonObject], object], open_history: Open, replay: ReplayRegistry
) -> None:
    replay.faults.add(rewritten(change), path=f"{INDEX}/1", times=EVERY_TIME)
    with pytest.raises(BadAnswer):
        open_history().version(TRIAL, 1)


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(404),
        faults.status(404, f"NCT number {TRIAL} not found"),
        faults.status(404, f"No study {OTHER} history summary"),
        faults.status(301),
        faults.html_page(),
        faults.body(b"null"),
        faults.body(b""),
        faults.truncated(100, declare_length=False),
    ],
)
@pytest.mark.parametrize("way", CLIENTS)
def test_only_the_registrys_own_text_means_that_there_is_no_history(
    way: HistoryTransport, fault: faults.Fault, open_history: Open, replay: ReplayRegistry
) -> None:
    replay.faults.add(fault, path=INDEX, times=EVERY_TIME)
    with pytest.raises((BadAnswer, RegistryUnreachable)):
        open_history(way).index(TRIAL)


@pytest.mark.parametrize("way", CLIENTS)
def test_a_temporary_failure_is_retried(
    way: HistoryTransport, open_history: Open, replay: ReplayRegistry
) -> None:
    for fault in (faults.html_page(), faults.truncated(50), faults.reset(), faults.status(503)):
        replay.faults.add(fault, path=INDEX)
    history = open_history(way)
    assert len(history.index(TRIAL) or ()) == 3
    assert (history.counts.requests, history.counts.retries) == (5, 4)


@pytest.mark.parametrize("way", CLIENTS)
def test_a_registry_that_stays_busy_is_reported(
    way: HistoryTransport, open_history: Open, replay: ReplayRegistry
) -> None:
    replay.faults.add(faults.status(429, retry_after="7"), path=INDEX, times=EVERY_TIME)
    with pytest.raises(RegistryBusy, match="requests a pause"):
        open_history(way).index(TRIAL)


# --- clients -------------------------------------------------------------------------------------


def refuse(replay: ReplayRegistry, client: str) -> None:
    replay.faults.add(faults.edge_refusal(), path="/int/.*", client=client, times=EVERY_TIME)


@needs_curl
def test_curl_is_used_from_then_on_if_the_edge_refuses_requests(
    open_history: Open, replay: ReplayRegistry
) -> None:
    refuse(replay, "python-requests/")
    history = open_history(HistoryTransport.AUTO)
    assert len(history.index(TRIAL) or ()) == 3
    history.version(TRIAL, 0)
    history.version(TRIAL, 1)
    clients = [asked.headers["user-agent"].split("/")[0] for asked in replay.requests]
    assert clients == ["python-requests"] * 2 + ["curl"] * 3


def test_if_both_clients_are_refused_the_error_names_the_edge(
    open_history: Open, replay: ReplayRegistry
) -> None:
    refuse(replay, "")
    with pytest.raises(EdgeRefused):
        open_history(HistoryTransport.AUTO).index(TRIAL)


def test_a_chosen_client_is_the_only_one_used(open_history: Open, replay: ReplayRegistry) -> None:
    refuse(replay, "python-requests/")
    with pytest.raises(EdgeRefused):
        open_history(HistoryTransport.REQUESTS).index(TRIAL)
    assert {asked.headers["user-agent"].split("/")[0] for asked in replay.requests} == {
        "python-requests"
    }


def test_without_curl_a_refusal_stays_a_refusal(
    open_history: Open, replay: ReplayRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    refuse(replay, "python-requests/")
    with pytest.raises(EdgeRefused):
        open_history(HistoryTransport.AUTO).index(TRIAL)
    with pytest.raises(RegistryUnreachable, match="curl is not installed"):
        open_history(HistoryTransport.CURL).index(TRIAL)


def test_a_probe_reports_which_client_is_accepted(
    open_transport: Callable[..., Transport], replay: ReplayRegistry
) -> None:
    refuse(replay, "python-requests/")
    by_requests, by_curl = probe_history(open_transport())
    assert (by_requests.way, by_requests.works) == (HistoryTransport.REQUESTS, False)
    assert "403" in by_requests.said
    assert (by_curl.works, by_curl.said) == (
        (True, f"{TRIAL}: 3 versions") if find_curl() else (False, "curl is not installed")
    )


def test_the_history_shares_the_rate_limit_but_not_the_circuit_breaker(
    open_transport: Callable[..., Transport], replay: ReplayRegistry
) -> None:
    clock = FakeClock()
    transport = open_transport(clock=clock, requests_per_second=1.0, burst=1)
    history = RegistryHistory(transport)
    for _ in range(3):
        transport.get("/v2/version")
        history.index(TRIAL)
    assert clock.elapsed == pytest.approx(5.0)
    replay.faults.add(faults.edge_refusal(), path="/int/.*", times=EVERY_TIME)
    for _ in range(4):
        with pytest.raises(RegistryError):
            RegistryHistory(transport, way=HistoryTransport.REQUESTS).index(TRIAL)
    transport.get("/v2/version")  # requests to the API still work
    history.close()


# --- arguments of curl ---------------------------------------------------------------------------


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], JsonObject]:
    """A fake curl that records its input and answers that there is no history."""
    program, record = tmp_path / "curl", tmp_path / "record.json"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "if '--version' in sys.argv: print('curl 7.88.1 (x)'); sys.exit()\n"
        "received = [sys.argv[1:], sys.stdin.read(), dict(os.environ)]\n"
        f"json.dump(received, open({str(record)!r}, 'w'))\n"
        "sys.stdout.write('HTTP/1.1 404 Not Found\\r\\nContent-Type: text/plain\\r\\n\\r\\n"
        f"No study {TRIAL} history summary')\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(curl, "find_curl", lambda: str(program))

    def read() -> JsonObject:
        arguments, settings, environment = json.loads(record.read_text())
        return {"arguments": arguments, "settings": settings, "environment": environment}

    return read


def test_no_secret_is_on_curls_command_line_or_in_its_environment(
    spy: Callable[[], JsonObject], open_history: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "canary-7f3a")
    monkeypatch.setenv("https_proxy", "http://proxy.test")
    history = open_history(HistoryTransport.CURL, "https://me:pa%22ss%5Cword@registry.test/api")
    assert history.index(TRIAL) is None
    received = spy()
    assert received["arguments"] == ["--disable", "--config", "-"]
    assert 'user = "me:pa\\"ss\\\\word"' in received["settings"]
    assert f'url = "https://registry.test/api{INDEX}"' in received["settings"]
    assert 'user-agent = "curl/7.88.1 ctsync/' in received["settings"]
    assert "location" not in received["settings"]
    assert "canary-7f3a" not in json.dumps(received)
    assert received["environment"]["https_proxy"] == "http://proxy.test"


@needs_curl
def test_curl_fetches_by_http_and_https_only(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "version").write_bytes(b"HTTP/1.1 200 OK\r\n\r\n{}")
    transport = CurlTransport("http://registry.test", clock=FakeClock())
    transport.base_url = f"file://{tmp_path}"
    with pytest.raises(RegistryUnreachable, match=r'Protocol "?file"? .*disabled'):
        transport.get("/v2/version")
    transport.close()


NO_LENGTH = head(200, "application/json", "Connection: close")
PACKED = head(200, "application/json", "Content-Encoding: gzip", "Connection: close")
ELSEWHERE = head(302, "text/plain", "Location: file:///etc/passwd", "Content-Length: 0")


@needs_curl
@pytest.mark.parametrize(
    ("act", "settings", "error"),
    [
        (stalled(b"", b""), {"deadline_seconds": 0.3}, DeadlineExceeded),
        (dripped(NO_LENGTH, b" ", every=0.05), {"deadline_seconds": 0.4}, DeadlineExceeded),
        (endless(NO_LENGTH, bytes(2**16)), {"max_bytes": 10_000}, AnswerTooLarge),
        (said(PACKED + gzip_bomb(8), goes_on=False), {"max_bytes": 10_000}, AnswerTooLarge),
        (answer(b"{" + b" " * 20_000 + b"}"), {"max_bytes": 10_000}, AnswerTooLarge),
        (said(PACKED + b"no gzip", goes_on=False), {}, BadAnswer),
        (reset_at_once(), {}, RegistryUnreachable),
        (cut(b"{}" * 50, 20, framing="length"), {}, RegistryUnreachable),
        (cut(b"{}" * 50, 20, framing="chunked"), {}, RegistryUnreachable),
        (cut(b"{}" * 50, 21, framing="none"), {}, BadAnswer),
        (said(b"220 mail.test ESMTP\r\n", goes_on=False), {}, RegistryUnreachable),
        (said(ELSEWHERE), {}, RegistryUnreachable),
    ],
)
def test_curl_respects_deadline_size_limit_and_protocols(
    act: Act, settings: JsonObject, error: type[RegistryError], open_history: Open
) -> None:
    with FaultServer() as server:
        server.script(INDEX, act)
        history = open_history(HistoryTransport.CURL, server.url, retry_seconds=0, **settings)
        with pytest.raises(error):
            history.index(TRIAL)
        assert server.hits["/api" + INDEX] == 1


@needs_curl
def test_a_stop_ends_the_running_curl(open_history: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class InterruptedPipe(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            started.append(self)
            assert self.stdout is not None
            self.stdout.close()
            self.stdout = InterruptedPipe()

    open_history(HistoryTransport.CURL).index(TRIAL)  # reads the version of curl, which is cached
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_history(HistoryTransport.CURL).index(TRIAL)
    assert started != []
    assert all(one.returncode is not None for one in started)
