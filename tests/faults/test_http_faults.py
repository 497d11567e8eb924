"""Every way in which an answer can fail between two sockets. Each test prints its figure."""

from __future__ import annotations

import gzip
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.dates import SystemClock
from ctsync.errors import (
    BadAnswer,
    BadRecord,
    DeadlineExceeded,
    IdentityMismatch,
    RegistryBusy,
    RegistryError,
    RegistryUnreachable,
)
from ctsync.model import Absent, Answer, Failed, NctId, Observation, RegistryVersion
from ctsync.nct_id import parse_nct_id
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from tests.fakes import FakeClock
from tests.faults.fault_server import (
    Act,
    FaultServer,
    Line,
    Request,
    answer,
    chunk,
    closed,
    cut,
    dripped,
    endless,
    gzip_bomb,
    head,
    reset_after,
    reset_at_once,
    said,
    stalled,
    whole,
)
from tests.registry_fixtures import an_id

# sockets that stall and drip; the fast tests of these rooms are in tests/registry
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOAD = RegistryVersion("2.0.5", datetime(2026, 3, 13, 9, 0, 5, tzinfo=UTC))
CHUNKED = "Transfer-Encoding: chunked"
NGINX_404 = b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>nginx</body></html>\r\n"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def open_transport(server: FaultServer) -> Iterator[Callable[..., Transport]]:
    """Return a function that opens fast transports to the server, closed at the end of the test."""
    opened: list[Transport] = []

    def open_one(**settings: Any) -> Transport:
        usual: dict[str, Any] = {"clock": FakeClock(), "requests_per_second": 1e6, "burst": 1000}
        settings = usual | settings
        opened.append(Transport(settings.pop("url", server.url), **settings))
        return opened[-1]

    yield open_one
    for transport in opened:
        transport.close()


@pytest.fixture
def transport(open_transport: Callable[..., Transport]) -> Transport:
    return open_transport()


def a_study(number: int, **module: Any) -> dict[str, Any]:
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": an_id(number),
                "briefTitle": f"Study {number} of something rather rare",
                **module,
            }
        },
        "derivedSection": {"miscInfoModule": {"versionHolder": "2026-03-13"}},
        "hasResults": False,
    }


def registry(transport: Transport) -> RegistryApi:
    return RegistryApi(transport, clock=FakeClock())


def kinds(answers: list[Answer]) -> dict[str, int]:
    return {
        kind.__name__: sum(isinstance(one, kind) for one in answers)
        for kind in (Observation, Absent, Failed)
    }


# --- truncated bodies --------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["plain", "gzip"])
def test_a_truncated_body_never_becomes_a_record_and_is_fetched_again(
    coding: str, server: FaultServer, transport: Transport
) -> None:
    chance = random.Random(20260313)
    framings = ["none"] * 200 + ["length"] * 100 + ["chunked"] * 100
    from_cut_bodies = recovered = 0
    for number, framing in enumerate(framings, start=1):
        study = a_study(number)
        body = orjson.dumps(study)
        path = f"/v2/studies/{an_id(number)}"
        at = chance.randrange(len(body))
        if coding == "gzip":
            packed = gzip.compress(body)
            at = chance.randrange(len(packed) - 12)  # before the checksum
            first = said(cut_gzip(packed, at, framing), goes_on=False)
        else:
            first = cut(body, at, framing=framing)
        server.script(path, first, answer(body))
        _, value = transport.get_json(path)
        from_cut_bodies += value != study
        recovered += value == study and server.hits["/api" + path] == 2
    print(
        f"truncation ({coding}): {len(framings)} injected (200 without length), "
        f"{from_cut_bodies} records from them, {recovered} recovered"
    )
    assert (from_cut_bodies, recovered) == (0, 400)


def cut_gzip(packed: bytes, at: int, framing: str) -> bytes:
    lines = ["Content-Encoding: gzip"]
    if framing == "length":
        lines.append(f"Content-Length: {len(packed)}")
    if framing == "chunked":
        lines.append(CHUNKED)
        return head(200, "application/json", *lines) + chunk(packed)[: at + 4]
    return head(200, "application/json", *lines) + packed[:at]


def test_a_page_that_is_always_truncated_gives_no_record_and_no_absence(
    server: FaultServer, transport: Transport
) -> None:
    page = orjson.dumps({"studies": [a_study(number) for number in range(1, 6)]})
    server.script("/v2/studies", cut(page, 400, framing="none"))
    for number in range(1, 6):
        server.script(
            f"/v2/studies/{an_id(number)}", cut(orjson.dumps(a_study(number)), 90, framing="none")
        )
    answers = list(registry(transport).studies([an_id(n) for n in range(1, 6)], LOAD))
    print(f"page always truncated: 5 requested, {kinds(answers)}")
    assert kinds(answers) == {"Observation": 0, "Absent": 0, "Failed": 5}


# --- slow servers ------------------------------------------------------------------------------

BODY = orjson.dumps(a_study(1))
START = whole(BODY)[:-100]  # without the last hundred bytes
END = whole(BODY)[-100:]
CHUNKS = head(200, "application/json", CHUNKED)
SLOW: dict[str, Act] = {
    "silence instead of an answer": stalled(b"", whole(BODY)),
    "silence within the status line": stalled(b"HTTP/1.", b"1 200 OK\r\n\r\n"),
    "silence within the headers": stalled(START[:60], START[60:] + END),
    "silence before the body": stalled(head(200, "application/json", CHUNKED), chunk(BODY)),
    "silence within the body": stalled(START, END),
    "silence within a chunk": stalled(CHUNKS + chunk(BODY)[:100], chunk(BODY)[100:]),
    "silence between chunks": stalled(CHUNKS + chunk(BODY), b"0\r\n\r\n"),
    "silence within a chunk's length": stalled(CHUNKS + b"1", b"0\r\n"),
    "silence within a trailer": stalled(CHUNKS + chunk(BODY) + b"0\r\nX: ", b"y\r\n\r\n"),
    "silence within an error text": stalled(
        whole(BODY, status=400, media_type="text/plain")[:-20], BODY[-20:]
    ),
    "silence within a 404": stalled(whole(b"x" * 99, status=404)[:-20], b"x" * 20),
    "dripping status line": dripped(b"", b"HTTP/1.1 200 " + b"O" * 999, every=0.02),
    "dripping header": dripped(START[:30] + b"\r\nX: ", b"x", every=0.02, after=b"\r\n\r\n"),
    "dripping many headers": dripped(START[:20], b"\r\nX: y", every=0.02, after=b"\r\n\r\n"),
    "dripping body": dripped(head(200, "application/json"), b" ", every=0.02, after=BODY),
    "dripping body of a known length": dripped(
        head(200, "application/json", "Content-Length: 99999"), b" ", every=0.02
    ),
    "dripping gzip": dripped(
        head(200, "application/json", "Content-Encoding: gzip"),
        gzip_bomb(1),
        every=0.02,
    ),
    "dripping chunks": dripped(CHUNKS, chunk(b" "), every=0.02),
    "dripping in one chunk": dripped(CHUNKS + b"fffff\r\n", b" ", every=0.02),
    "dripping 100 Continue": dripped(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.02),
    "an endless 100 Continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an endless trailer": endless(CHUNKS + chunk(BODY) + b"0\r\n", b"X: y\r\n"),
}


def test_a_slow_server_cannot_hold_a_request_past_its_deadline(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    clock, deadline = SystemClock(), 0.4
    for number, act in enumerate(SLOW.values()):
        server.script(f"/slow/{number}", act)

    def time_out(number: int) -> float | None:
        transport = open_transport(clock=clock, deadline_seconds=deadline)
        began = clock.monotonic()
        try:
            transport.get(f"/slow/{number}", retry=False)
        except DeadlineExceeded:
            return clock.monotonic() - began
        return None

    with ThreadPoolExecutor(len(SLOW)) as pool:
        times = dict(zip(SLOW, pool.map(time_out, range(len(SLOW))), strict=True))
    ended = [time for time in times.values() if time is not None]
    print(
        f"slow server: {len(SLOW)} ways, {len(ended)} ended by the deadline of {deadline} s, "
        f"the last after {max(ended):.2f} s"
    )
    assert [name for name, time in times.items() if time is None] == []


def test_a_slow_proxy_cannot_hold_a_request_past_its_deadline(
    server: FaultServer, open_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://user:canary@{server.host}")
    server.script("/slow", SLOW["dripping header"])
    transport = open_transport(
        url="http://registry.test/api", clock=SystemClock(), deadline_seconds=0.3
    )
    with pytest.raises(DeadlineExceeded, match=r"registry\.test"):
        transport.get("/slow", retry=False)
    assert server.hits["/api/slow"] == 1


# --- connections -------------------------------------------------------------------------------


def test_a_lost_connection_is_opened_again(server: FaultServer, transport: Transport) -> None:
    losses = {
        "reset before the answer": reset_at_once(),
        "closed before the answer": closed(),
        "reset after the headers": reset_after(head(200, "application/json", "Content-Length: 99")),
        "reset within the body": reset_after(whole(BODY)[:-20]),
        "no HTTP at all": said(b"SSH-2.0-OpenSSH_9.2p1\r\n", goes_on=False),
    }
    recovered = 0
    for kind, loss in enumerate(losses.values()):
        for times in range(10):
            path = f"/lost/{kind}/{times}"
            server.script(path, *[loss] * (times % 5 + 1), answer(BODY))
            _, study = transport.get_json(path)
            recovered += study == a_study(1)
    injected = transport.counts.retries
    print(f"lost connections: {injected} injected, {recovered} of 50 requests recovered")
    assert (injected, recovered) == (150, 50)


def test_a_failed_name_lookup_is_retried(
    server: FaultServer, open_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 3
    look_up = socket.getaddrinfo

    def flaky(host: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal failures
        if host != "registry.test":
            return look_up(host, *args, **kwargs)
        failures -= 1
        if failures >= 0:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", flaky)
    server.script("/v2/version", answer(b"{}"))
    port = server.host.rpartition(":")[2]
    transport = open_transport(url=f"http://registry.test:{port}/api")
    assert transport.get_json("/v2/version")[1] == {}

    failures = 1000
    transport = open_transport(url="http://user:canary@registry.test/api")
    with pytest.raises(RegistryUnreachable) as caught:
        transport.get_json("/v2/version")
    assert str(caught.value) == (
        "the connection to registry.test failed or was lost: Temporary failure in name resolution"
    )


def test_a_closed_port_is_reported_as_unreachable(
    open_transport: Callable[..., Transport],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    clock = FakeClock()
    transport = open_transport(url=f"http://127.0.0.1:{port}/api", clock=clock)
    with pytest.raises(RegistryUnreachable, match="Connection refused"):
        transport.get("/v2/version")
    assert transport.counts.requests == 6
    assert sum(clock.sleeps) < 120


# --- invalid answers ---------------------------------------------------------------------------

INVALID_ANSWERS: dict[str, Act] = {
    "a web page": answer(b"<!DOCTYPE html><html></html>", media_type="text/html; charset=UTF-8"),
    "a web page declared as JSON": answer(b"<!DOCTYPE html><html></html>"),
    "JSON declared as a web page": answer(b'{"studies": []}', media_type="text/html"),
    "JSON without a media type": answer(b'{"studies": []}', media_type=""),
    "an empty body": answer(b""),
    "an empty body without a length": said(head(200, "application/json"), goes_on=False),
    "null": answer(b"null"),
    "a list": answer(b"[]"),
    "a number": answer(b"5"),
    "a text": answer(b'"studies"'),
    "an empty object": answer(b"{}"),
    "no list of studies": answer(b'{"studies": {}}'),
    "a token that is not text": answer(b'{"studies": [], "nextPageToken": 5}'),
    "204": said(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "206": answer(b'{"studies": []}', status=206),
    "an encoding that was not requested": answer(b'{"studies": []}', "Content-Encoding: br"),
    "a gzip body that is not gzip": answer(b'{"studies": []}', "Content-Encoding: gzip"),
    "403": answer(b"<html></html>", status=403, media_type="text/html"),
    "404": answer(NGINX_404, status=404, media_type="text/html"),
    "302": answer(b"", "Location: /maintenance.html", status=302),
    "304 without a condition": said(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "500": answer(b"<html></html>", status=500, media_type="text/html"),
}


def test_an_invalid_answer_gives_no_record_and_no_absence(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    total = {"Observation": 0, "Absent": 0, "Failed": 0}
    ids = [an_id(number) for number in range(1, 6)]
    for act in INVALID_ANSWERS.values():
        server.scripts.clear()
        server.fallback = act
        answers = list(registry(open_transport()).studies(ids, LOAD))
        assert sorted(one.nct_id for one in answers) == ids
        total = {kind: total[kind] + number for kind, number in kinds(answers).items()}
    print(f"invalid answers: {len(INVALID_ANSWERS)} forms for 5 trials each, {total}")
    assert total == {"Observation": 0, "Absent": 0, "Failed": 5 * len(INVALID_ANSWERS)}


LOOK_ALIKES: dict[str, Act] = {
    "the page of nginx": answer(NGINX_404, status=404, media_type="text/html"),
    "another id": answer(b"NCT number NCT00000002 not found", status=404, media_type="text/plain"),
    "no id": answer(b"NCT number not found", status=404, media_type="text/plain"),
    "the text as a web page": answer(
        b"NCT number NCT00000001 not found", status=404, media_type="text/html"
    ),
    "the text in JSON": answer(b'"NCT number NCT00000001 not found"', status=404),
    "the text among others": answer(
        b"Gateway: NCT number NCT00000001 not found in cache", status=404, media_type="text/plain"
    ),
    "other words": answer(b"NCT00000001 not found", status=404, media_type="text/plain"),
    "nothing": answer(b"", status=404, media_type="text/plain"),
    "the text, but 410": answer(
        b"NCT number NCT00000001 not found", status=410, media_type="text/plain"
    ),
    "the text, but 200": answer(b"NCT number NCT00000001 not found", media_type="text/plain"),
    "the text cut short": answer(
        b"NCT number NCT00000001 not f", status=404, media_type="text/plain"
    ),
    "an unknown path": answer(b"Unknown path", status=404, media_type="text/plain"),
}


def test_only_the_registrys_own_404_text_makes_a_trial_absent(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    answers = []
    for act in LOOK_ALIKES.values():
        server.script("/v2/studies/NCT00000001", act)
        answers.append(registry(open_transport()).study(an_id(1), LOAD))
    server.script(
        "/v2/studies/NCT00000001",
        answer(
            b"NCT number NCT00000001 not found", status=404, media_type="text/plain; charset=UTF-8"
        ),
    )
    genuine = registry(open_transport()).study(an_id(1), LOAD)
    print(f"404: {len(LOOK_ALIKES)} look-alikes, {kinds(answers)}; 1 genuine: {kinds([genuine])}")
    assert kinds(answers) == {"Observation": 0, "Absent": 0, "Failed": len(LOOK_ALIKES)}
    assert isinstance(genuine, Absent)
    assert genuine.said == "NCT number NCT00000001 not found"


def named(answer: Answer) -> NctId:
    """The id that was asked for."""
    return answer.asked_as if isinstance(answer, Observation) else answer.nct_id


def tell_attacks(group: str, answers: Iterable[Answer]) -> None:
    """Print how many attacks passed for an absent trial (lost) or for a record (stored)."""
    found = kinds(list(answers))
    lost, stored = found["Absent"], found["Observation"]
    print(f"{group}: {sum(found.values())} attacks, {lost} lost, {stored} stored wrongly")
    assert (lost, stored) == (0, 0)


# --- a busy registry ---------------------------------------------------------------------------


def test_a_storm_of_503_ends_after_a_bounded_number_of_requests(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    clock = FakeClock()
    transport = open_transport(clock=clock, requests_per_second=1.0, burst=3)
    storm = answer(b"busy", status=503, media_type="text/plain")
    server.fallback = storm
    failed = 0
    for number in range(1, 1001):
        with pytest.raises(RegistryBusy, match="503"):
            transport.get_json(f"/v2/studies/{an_id(number)}")
        failed += 1
    sent, spent = transport.counts.requests, clock.elapsed
    transport.reset()
    server.fallback = answer(orjson.dumps(a_study(1)))
    well = sum(transport.get_json(f"/v2/studies/{n}")[0].status == 200 for n in range(20))
    print(
        f"storm: {failed} x 503, {sent} requests in {spent:.0f} s of waiting; "
        f"after it {well} of 20 answered"
    )
    assert (failed, sent, well) == (1000, 18, 20)


def test_a_storm_returns_a_failure_for_every_trial(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    transport = open_transport()
    server.fallback = answer(b"", status=502)
    answers = list(registry(transport).studies([an_id(n) for n in range(1, 10_001)], LOAD))
    print(f"storm over 10,000 trials: {kinds(answers)}, {transport.counts.requests} requests")
    assert kinds(answers) == {"Observation": 0, "Absent": 0, "Failed": 10_000}
    assert transport.counts.requests == 18
    assert all(isinstance(one, Failed) and isinstance(one.error, RegistryBusy) for one in answers)


@pytest.mark.parametrize(
    "refusal",
    [
        answer(b"`filter.ids` is unknown parameter", status=400, media_type="text/plain"),
        answer(b'{"studies": ['),
        answer(NGINX_404, status=404, media_type="text/html"),
        answer(b"<html></html>", status=414, media_type="text/html"),
    ],
    ids=["all refused", "all unusable", "no registry here", "all too long"],
)
def test_the_search_for_a_bad_id_ends_if_every_batch_is_refused(
    refusal: Act, server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    transport = open_transport()
    server.fallback = refusal
    answers = list(registry(transport).studies([an_id(n) for n in range(1, 2001)], LOAD))
    print(f"only refusals: 2,000 requested, {transport.counts.requests} requests")
    assert kinds(answers) == {"Observation": 0, "Absent": 0, "Failed": 2000}
    assert transport.counts.requests <= 90


# --- redirects ---------------------------------------------------------------------------------


def moved(location: str) -> Act:
    return answer(b"", f"Location: {location}", status=301, media_type="")


REDIRECTS = {
    "relative to the host": "/api/v2/studies/NCT00000002",
    "relative to the path": "NCT00000002",
    "relative, with dots": "./NCT00000002",
    "absolute": "https://clinicaltrials.gov/api/v2/studies/NCT00000002",
    "with www": "https://www.clinicaltrials.gov/api/v2/studies/NCT00000002",
    "http": "http://clinicaltrials.gov/api/v2/studies/NCT00000002",
    "without a scheme": "//clinicaltrials.gov/api/v2/studies/NCT00000002",
    "another port and user": "http://user:canary@127.0.0.1:1/api/v2/studies/NCT00000002",
    "the page of the study": "https://clinicaltrials.gov/study/NCT00000002",
    "with a query and a fragment": "/api/v2/studies/NCT00000002?fields=NCTId#NCT00000009",
    "in small letters, with a slash": "/api/v2/studies/nct00000002/",
    "a file": "file:///api/v2/studies/NCT00000002",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_any_form_gives_the_id_of_a_trial_that_is_then_requested(
    status: int, server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    server.script(
        "/v2/studies/NCT00000002",
        answer(orjson.dumps(a_study(2, nctIdAliases=["NCT00000001"]))),
    )
    found = 0
    for name, location in REDIRECTS.items():
        server.script(
            "/v2/studies/NCT00000001",
            answer(b"", f"Location: {location}", status=status, media_type=""),
        )
        one = registry(open_transport()).study(an_id(1), LOAD)
        assert isinstance(one, Observation), name
        assert (one.asked_as, one.nct_id) == ("NCT00000001", "NCT00000002")
        found += 1
    print(f"alias redirects: {found} forms of {len(REDIRECTS)} found by status {status}")
    assert server.hits["/api/v2/studies/NCT00000002"] == len(REDIRECTS)


def test_a_redirect_that_names_no_other_trial_is_a_bad_answer(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    refused = {
        "itself": "/api/v2/studies/NCT00000001",
        "a circle": "/api/v2/studies/NCT00000003",
        "no study": "/maintenance.html",
        "another host": "https://elsewhere.test/",
        "a bad id": "/api/v2/studies/NCT00000000",
        "an id in the query": "/maintenance?next=/studies/NCT00000002",
        "an id in the middle": "/api/v2/studies/NCT00000002/history",
        "nowhere": "",
        "a broken address": "http://[::1/api/v2/studies/NCT00000002",
    }
    server.script("/v2/studies/NCT00000002", answer(orjson.dumps(a_study(2))))
    server.script("/v2/studies/NCT00000003", moved("/api/v2/studies/NCT00000001"))
    answers: dict[str, Answer] = {}
    for name, location in refused.items():
        server.script("/v2/studies/NCT00000001", moved(location))
        answers[name] = registry(open_transport()).study(an_id(1), LOAD)
    tell_attacks("redirects", answers.values())
    for name, found in answers.items():
        assert isinstance(found, Failed), name
        assert isinstance(found.error, BadAnswer), name
    assert server.hits["/api/v2/studies/NCT00000002"] == 0


def test_a_redirect_is_followed_with_the_query_that_it_drops(
    server: FaultServer, transport: Transport
) -> None:
    server.script("/v2/studies/NCT00000001", moved("/api/v2/studies/NCT00000002"))
    server.script("/v2/studies/NCT00000002", moved(f"{server.url}/v2/studies/NCT00000003"))
    server.script(
        "/v2/studies/NCT00000003",
        answer(orjson.dumps(a_study(3, nctIdAliases=["NCT00000002", "NCT00000001"]))),
    )
    found = registry(transport).study(an_id(1), LOAD)
    assert isinstance(found, Observation)
    assert (found.asked_as, found.nct_id) == ("NCT00000001", "NCT00000003")
    assert {request.params.get("markupFormat") for request in server.requests} == {"markdown"}


def test_a_redirect_to_a_trial_that_does_not_list_the_alias_is_a_mismatch(
    server: FaultServer, transport: Transport
) -> None:
    server.script("/v2/studies/NCT00000001", moved("/api/v2/studies/NCT00000002"))
    server.script("/v2/studies/NCT00000002", answer(orjson.dumps(a_study(2))))
    found = registry(transport).study(an_id(1), LOAD)
    assert isinstance(found, Failed)
    assert isinstance(found.error, IdentityMismatch)


def test_an_endless_chain_of_redirects_fails_after_a_few(
    server: FaultServer, transport: Transport
) -> None:
    for number in range(1, 50):
        server.script(f"/v2/studies/{an_id(number)}", moved(f"/studies/{an_id(number + 1)}"))
    found = registry(transport).study(an_id(1), LOAD)
    assert isinstance(found, Failed)
    assert transport.counts.requests == 6


# --- large answers -----------------------------------------------------------------------------

MEASURE = """
import re, sys
from pathlib import Path
from ctsync.dates import SystemClock
from ctsync.registry.http.transport import Transport

def peak():
    # getrusage would start at the peak of the parent process
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

transport = Transport(sys.argv[1], clock=SystemClock(), requests_per_second=1e6, burst=1000)
transport.get("/small", retry=False)
before = peak()
for number in range(int(sys.argv[2])):
    try:
        transport.get(f"/large/{number}", retry=False)
        print("taken")
    except Exception as error:
        print(type(error).__name__, error)
    transport.reset()
print(f"{peak() - before:.0f}")
"""


def bombs() -> dict[str, tuple[Act, str]]:
    """Answers that never end or grow without limit, each with the error that it gives."""
    coded = "Content-Encoding: "
    return {
        "gzip": (answer(gzip_bomb(600), coded + "gzip"), "AnswerTooLarge"),
        "gzip in chunks": (
            said(
                head(200, "application/json", coded + "gzip", CHUNKED)
                + chunk(gzip_bomb(400))
                + b"0\r\n\r\n"
            ),
            "AnswerTooLarge",
        ),
        "gzip twice": (answer(gzip_bomb(600, layers=2), coded + "gzip, gzip"), "BadAnswer"),
        "gzip five times": (
            answer(gzip_bomb(600, layers=5), coded + "gzip, gzip, gzip, gzip, gzip"),
            "BadAnswer",
        ),
        "gzip six times": (
            answer(gzip_bomb(600, layers=6), coded + "gzip, gzip, gzip, gzip, gzip, gzip"),
            "BadAnswer",
        ),
        "endless": (endless(head(200, "application/json"), bytes(2**20)), "AnswerTooLarge"),
        "endless chunks": (
            endless(head(200, "application/json", CHUNKED), chunk(bytes(2**20))),
            "AnswerTooLarge",
        ),
        "a chunk of negative length": (
            endless(head(200, "application/json", CHUNKED) + b"-1\r\n", bytes(2**20)),
            "RegistryUnreachable",
        ),
        "a redirect": (
            answer(gzip_bomb(400), coded + "gzip", "Location: /x", status=301),
            "AnswerTooLarge",
        ),
        "a 404": (answer(gzip_bomb(400), coded + "gzip", status=404), "AnswerTooLarge"),
        "a 400": (answer(gzip_bomb(400), coded + "gzip", status=400), "AnswerTooLarge"),
        "a 503": (endless(head(503), bytes(2**20)), "RegistryBusy"),
        "a web page": (
            endless(head(200, "text/html"), bytes(2**20)),
            "AnswerTooLarge",
        ),
        "headers": (endless(head(200)[:-2], b"X: y\r\n"), "RegistryUnreachable"),
        "one header": (endless(head(200)[:-2] + b"X: ", b"y" * 2**16), "RegistryUnreachable"),
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_decompression_bomb_is_refused_before_it_fills_the_memory(server: FaultServer) -> None:
    sent = bombs()
    server.script("/small", answer(b"{}"))
    for number, (act, _) in enumerate(sent.values()):
        server.script(f"/large/{number}", act)
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, server.url, str(len(sent))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,  # without its guard, unpacking the zeros would take hours
    )
    *lines, growth = run.stdout.splitlines()
    errors = dict(zip(sent, (line.split()[0] for line in lines), strict=True))
    print(f"bombs: {len(sent)} sent, {lines.count('taken')} taken, memory grew by {growth} MB")
    assert errors == {name: error for name, (_, error) in sent.items()}
    assert int(growth) < 150


def test_no_answer_beyond_a_limit_is_taken_for_a_record_or_an_absent_trial(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    begun = OPEN % an_id(1).encode()
    late = {
        "a byte at a time": dripped(head(), b" ", every=0.05),
        "silence": stalled(head() + begun, CLOSE),
        "a wait of a year": answer(b"", "Retry-After: 31536000", status=503),
    }
    attacks = {name: act for name, (act, _) in bombs().items()} | late
    answers: list[Answer] = []
    for act in attacks.values():
        server.fallback = act
        api = registry(open_transport(deadline_seconds=0.5, max_bytes=2**20, retry_seconds=0))
        found = list(api.studies([an_id(1), an_id(2)], LOAD))
        assert sorted(map(named, found)) == [an_id(1), an_id(2)]
        answers += found[:1] if all(isinstance(one, Failed) for one in found) else found
    tell_attacks("limits", answers)
    assert len(answers) == len(attacks) == 18


# --- hostile records ---------------------------------------------------------------------------

OPEN, CLOSE = b'{"protocolSection":{"identificationModule":{"nctId":"%s"', b"}}}"


def hostile(number: int) -> list[bytes]:
    """Texts in place of one study. None of them is a record of that trial."""
    nct_id = an_id(number).encode()
    start = OPEN % nct_id
    values = [
        *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5000, b"01", b"+1", b".5", b"0x1F"),
        *(b"[" * 100_000, b"[" * 1200 + b"]" * 1200, b'{"a":' * 300 + b"1" + b"}" * 300),
        *(b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xff\xfe"', b'"\xc0\xaf"', b'"\x00"', b'"a\nb"'),
        *(b'"\\x41"', b"'single'", b"undefined", b"True", b"{,}", b"[1,]", b'"unfinished', b""),
    ]
    broken = [start + b',"briefTitle":' + value + CLOSE for value in values]
    other_shapes = [
        *(b"null", b"[]", b"5", b'"text"', b"{}", b'{"protocolSection":null}'),
        *(b'{"protocolSection":[]}', b'{"protocolSection":{"identificationModule":"x"}}'),
        OPEN.replace(b'"%s"', b"5") + CLOSE,
        OPEN.replace(b'"%s"', b"[1]") + CLOSE,
        OPEN % b"NCT0" + CLOSE,
        OPEN % b"../../etc/passwd" + CLOSE,
        OPEN % b"NCT99999999" + CLOSE,
        OPEN % b"NCT99999999" + b',"nctIdAliases":"%s"' % nct_id + CLOSE,
    ]
    return broken + other_shapes


def odd(number: int) -> list[bytes]:
    """Strange studies that are valid records."""
    start = OPEN % an_id(number).encode() + b',"briefTitle":'
    values = [b'"\\u0000"', b"18446744073709551616", b'"a","briefTitle":"b"', b"[" * 99 + b"]" * 99]
    return [start + value + CLOSE for value in [*values, b'"%s"' % (b"x" * 10 * 2**20)]]


class StudyTexts:
    """An act that answers with the given texts of studies, valid or not."""

    def __init__(self, texts: dict[str, bytes]) -> None:
        self.texts = texts

    def __call__(self, line: Line, request: Request) -> bool:
        if request.path == "/api/v2/studies":
            asked = request.params["filter.ids"].split("|")
            line.send(whole(b'{"studies":[' + b",\n".join(self.texts[i] for i in asked) + b"]}"))
        else:
            line.send(whole(self.texts[request.path.rpartition("/")[2]]))
        return True


def test_forty_hostile_records_do_not_affect_a_thousand_others(
    server: FaultServer, open_transport: Callable[..., Transport]
) -> None:
    bad = {number: hostile(number)[number - 1] for number in range(1, len(hostile(1)) + 1)}
    strange = {2000 + n: odd(2000 + n)[n] for n in range(len(odd(1)))}
    good = {number: orjson.dumps(a_study(number)) for number in range(3001, 4001)}
    texts: dict[str, bytes] = {an_id(n): text for n, text in (bad | strange | good).items()}
    ids = [parse_nct_id(nct_id) for nct_id in texts]
    random.Random(7).shuffle(ids)
    server.fallback = StudyTexts(texts)
    transport = open_transport()
    answers = list(registry(transport).studies(ids, LOAD))
    kept = [one for one in answers if isinstance(one, Observation)]
    failed_answers = [one for one in answers if isinstance(one, Failed)]
    print(
        f"hostile: {len(bad)} among {len(good)} good and {len(strange)} odd, {len(kept)} kept, "
        f"{len(failed_answers)} failed, {transport.counts.requests} requests"
    )
    tell_attacks(
        "hostile records", (one for one in answers if named(one) in {an_id(n) for n in bad})
    )
    assert len(bad) == 40
    assert sorted(one.nct_id for one in failed_answers) == [an_id(n) for n in bad]
    assert sorted(one.nct_id for one in kept) == [an_id(n) for n in (strange | good)]
    assert all(isinstance(one.error, RegistryError | BadRecord) for one in failed_answers)
    assert [one.raw for one in failed_answers if one.raw != texts[one.nct_id]] == []
    for one in kept:
        orjson.dumps(one.study)


# --- credentials and certificates --------------------------------------------------------------


def test_credentials_are_sent_only_to_the_host_they_were_given_for(
    server: FaultServer,
    open_transport: Callable[..., Transport],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.script("/v2/version", answer(b"{}", "Set-Cookie: session=canary; Path=/"))
    transport = open_transport()
    transport.get("/v2/version")
    transport.get("/v2/version")
    assert all(
        not {"Authorization", "Cookie"} & request.headers.keys() for request in server.requests
    )
    server.script("/v2/version", answer(b"no", status=503))
    secret = open_transport(url=server.url.replace("://", "://me%40home:p%C3%A4ss@"))
    with pytest.raises(RegistryBusy) as caught:
        secret.get("/v2/version", retry=False)
    assert server.requests[-1].headers["Authorization"].startswith("Basic ")
    assert "home" not in str(caught.value) + secret.base_url


def certificate(folder: Path, name: str, *, ends: str) -> tuple[Path, Path]:
    """A self-signed certificate from openssl, which can also make an expired one."""
    key, cert, request = folder / "key.pem", folder / "cert.pem", folder / "request.pem"
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
        "default_md=sha256\npolicy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n"
        f"[x]\nbasicConstraints=CA:TRUE\nsubjectAltName={name}\n"
    )
    subject = f"/CN={name.partition(':')[2]}"
    new_key = f"req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj {subject}"
    sign = f"ca -batch -config ca.cnf -selfsign -startdate 20200101000000Z -enddate {ends}"
    for command in (
        f"{new_key} -keyout {key} -out {request}",
        f"{sign} -keyfile {key} -in {request} -out {cert} -notext",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return key, cert


needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl makes the certificates of this test"
)


@needs_openssl
@pytest.mark.parametrize(
    ("name", "ends", "trusted", "refusal"),
    [
        ("IP:127.0.0.1", "20991231000000Z", True, None),
        ("IP:127.0.0.1", "20991231000000Z", False, "self-signed"),
        ("IP:127.0.0.2", "20991231000000Z", True, "IP address mismatch"),
        ("IP:127.0.0.1", "20200102000000Z", True, "expired"),
    ],
    ids=["good", "self-signed", "another host", "expired"],
)
def test_a_certificate_that_does_not_verify_is_refused(
    name: str,
    ends: str,
    trusted: bool,
    refusal: str | None,
    tmp_path: Path,
    open_transport: Callable[..., Transport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, cert = certificate(tmp_path, name, ends=ends)
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    with FaultServer(tls=(cert, key)) as secure:
        secure.script("/v2/version", answer(b"{}"))
        transport = open_transport(url=secure.url)
        if refusal is None:
            assert transport.get("/v2/version").status == 200
            return
        with pytest.raises(RegistryUnreachable, match=rf"cannot be trusted: .*{refusal}"):
            transport.get("/v2/version")
    print(f"certificate ({refusal}): refused, {len(secure.requests)} requests sent through")
    assert (secure.requests, transport.counts.requests) == ([], 1)


@needs_openssl
def test_a_slow_tls_server_cannot_hold_a_request_past_its_deadline(
    tmp_path: Path, open_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, cert = certificate(tmp_path, "IP:127.0.0.1", ends="20991231000000Z")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    ended = 0
    with FaultServer(tls=(cert, key)) as secure:
        for number, name in enumerate(("dripping header", "dripping chunks", "dripping gzip")):
            secure.script(f"/slow/{number}", SLOW[name])
            transport = open_transport(url=secure.url, clock=SystemClock(), deadline_seconds=0.3)
            with pytest.raises(DeadlineExceeded):
                transport.get(f"/slow/{number}", retry=False)
            ended += 1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        transport = open_transport(url=f"https://127.0.0.1:{port}/api", deadline_seconds=0.3)
        with pytest.raises(RegistryError):
            transport.get("/v2/version", retry=False)
        ended += 1
    print(f"slow server over TLS: 4 ways, {ended} ended by the deadline")
