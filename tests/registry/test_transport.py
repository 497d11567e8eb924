"""The transport: user agent, rate limit, retries, and the meaning of each answer."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import RequestsMock

import ctsync
from ctsync.errors import (
    AnswerTooLarge,
    BadAnswer,
    DeadlineExceeded,
    EdgeRefused,
    RegistryBusy,
    RegistryError,
    RegistryUnreachable,
    RequestRefused,
    StalePage,
    Stopped,
)
from ctsync.registry.http.circuit_breaker import CLOSES_AFTER_SECONDS
from ctsync.registry.http.rate_limit import RateLimit
from ctsync.registry.http.response import parse_json
from ctsync.registry.http.retry_after import LONGEST_SECONDS, read_retry_after
from ctsync.registry.http.session import user_agent
from ctsync.registry.http.transport import Transport
from tests.fakes import FakeClock

BASE = "https://registry.test/api"
URL = f"{BASE}/v2/version"
NOW = datetime(2026, 3, 13, 15, 2, 11, tzinfo=UTC)
DATA_CHANGED = (
    "The data have probably changed while you were paginating. "
    "Please, start over from the first page."
)


@pytest.fixture
def web() -> Iterator[RequestsMock]:
    with RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def open_transport(clock: FakeClock) -> Iterator[Callable[..., Transport]]:
    opened: list[Transport] = []

    def open_one(url: str = BASE, **settings: Any) -> Transport:
        opened.append(Transport(url, **({"clock": clock} | settings)))
        return opened[-1]

    yield open_one
    for transport in opened:
        transport.close()


@pytest.fixture
def transport(open_transport: Callable[..., Transport]) -> Transport:
    return open_transport(requests_per_second=1e6, burst=1000)


# --- user agent --------------------------------------------------------------------------------


def test_the_user_agent_names_the_true_client_first() -> None:
    own = f"python-requests/{requests.__version__} ctsync/{ctsync.__version__}"
    assert user_agent() == own
    assert user_agent("https://example.org/us") == f"{own} (+https://example.org/us)"
    assert user_agent("me@example.org\r\nX-Forged: yes") == f"{own} (+me@example.org X-Forged: yes)"
    assert user_agent("Zoë ✉ (team)") == f"{own} (+Zo  (team)"


def test_a_request_names_its_client_and_accepted_types(
    web: RequestsMock, open_transport: Callable[..., Transport]
) -> None:
    web.get(URL, json={})
    open_transport(contact="me@example.org").get("/v2/version", {"a": "b|c"})
    sent = web.calls[0].request
    assert sent.url == f"{URL}?a=b%7Cc"
    assert sent.headers["User-Agent"] == user_agent("me@example.org")
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["Accept-Encoding"] == "gzip, deflate"
    assert sent.method == "GET"


@pytest.mark.parametrize(
    "url", ["", "ftp://x/api", "file:///etc", "https://", "clinicaltrials.gov"]
)
def test_a_registry_url_must_be_http_or_https(
    url: str, open_transport: Callable[..., Transport]
) -> None:
    with pytest.raises(ValueError, match="a registry URL begins with https://"):
        open_transport(url)


# --- meaning of an answer ----------------------------------------------------------------------


def test_an_answer_is_read_completely(web: RequestsMock, transport: Transport) -> None:
    web.get(URL, json={"apiVersion": "2.0.5"}, headers={"ETag": '"a/b/c"'})
    reply, value = transport.get_json("/v2/version")
    assert (reply.status, reply.url, value) == (200, URL, {"apiVersion": "2.0.5"})
    assert reply.headers["etag"] == '"a/b/c"'
    assert reply.media_type == "application/json"


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308, 404])
def test_not_found_and_redirects_are_left_to_the_caller(
    status: int, web: RequestsMock, transport: Transport
) -> None:
    location = {"Location": "https://elsewhere.test/"}
    body = "" if status == 304 else "gone"
    web.get(URL, status=status, body=body, content_type="text/plain", headers=location)
    reply, value = transport.get_json("/v2/version")
    assert (reply.status, reply.text, value) == (status, body, None)
    assert len(web.calls) == 1


@pytest.mark.parametrize(
    ("status", "error", "requests_made"),
    [
        (400, RequestRefused, 1),
        (401, BadAnswer, 1),
        (403, EdgeRefused, 2),
        (405, BadAnswer, 1),
        (408, RegistryBusy, 6),
        (410, BadAnswer, 1),
        (414, BadAnswer, 1),
        (429, RegistryBusy, 6),
        (500, RegistryBusy, 6),
        (502, RegistryBusy, 6),
        (503, RegistryBusy, 6),
        (504, RegistryBusy, 6),
        (520, RegistryBusy, 6),
        (206, BadAnswer, 1),
    ],
)
def test_each_status_has_its_error_and_number_of_retries(
    status: int,
    error: type[RegistryError],
    requests_made: int,
    web: RequestsMock,
    transport: Transport,
) -> None:
    web.get(URL, status=status, json={})
    with pytest.raises(error) as caught:
        transport.get("/v2/version")
    assert type(caught.value) is error
    assert "registry.test" in str(caught.value)
    assert len(web.calls) == transport.counts.requests == requests_made
    assert transport.counts.retries == requests_made - 1


def test_retries_can_be_turned_off(web: RequestsMock, transport: Transport) -> None:
    web.get(URL, status=503, headers={"Retry-After": "0"})
    with pytest.raises(RegistryBusy):
        transport.get("/v2/version", retry=False)
    assert len(web.calls) == 1


def test_a_refusal_carries_the_registrys_text(web: RequestsMock, transport: Transport) -> None:
    text = "Item 1 in parameter `filter.ids` has incorrect format\n\x1b[31m" + "x" * 1000
    web.get(URL, status=400, body=text, content_type="text/plain")
    with pytest.raises(RequestRefused) as caught:
        transport.get("/v2/version")
    assert caught.value.body == text
    assert str(caught.value).startswith(
        "registry.test refused the request: Item 1 in parameter `filter.ids` has incorrect format"
    )
    assert len(str(caught.value)) < 400
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [DATA_CHANGED, json.dumps({"message": DATA_CHANGED})])
def test_a_page_of_data_that_has_changed_is_stale(
    body: str, web: RequestsMock, transport: Transport
) -> None:
    web.get(URL, status=400, body=body)
    with pytest.raises(StalePage, match="start over"):
        transport.get("/v2/version")
    assert len(web.calls) == 1


def test_an_html_answer_is_retried(web: RequestsMock, transport: Transport) -> None:
    web.get(URL, body="<html>", content_type="text/html; charset=UTF-8")
    web.get(URL, body="<html>", content_type="text/html")
    web.get(URL, json={"apiVersion": "2.0.5"})
    assert transport.get_json("/v2/version")[1] == {"apiVersion": "2.0.5"}
    assert transport.counts.retries == 2


def test_another_media_type_can_be_requested(web: RequestsMock, transport: Transport) -> None:
    web.get(URL, body=b"PK", content_type="Application/Zip; x=y")
    assert transport.get("/v2/version", accept=("application/zip",)).body == b"PK"
    with pytest.raises(BadAnswer, match="answered with application/zip for application/json"):
        transport.get("/v2/version")


def test_an_unreadable_answer_is_kept(web: RequestsMock, transport: Transport) -> None:
    web.get(URL, body=b'{"apiVersion": ', content_type="application/json")
    with pytest.raises(BadAnswer) as caught:
        transport.get_json("/v2/version")
    assert caught.value.raw == b'{"apiVersion": '
    assert transport.counts.requests == 3


def test_a_value_that_is_not_an_object_is_retried(web: RequestsMock, transport: Transport) -> None:
    web.get(URL, json=[])
    web.get(URL, json={"fine": True})
    assert transport.get_json("/v2/version")[1] == {"fine": True}


def test_an_answer_larger_than_the_limit_is_refused(
    web: RequestsMock, open_transport: Callable[..., Transport]
) -> None:
    web.get(URL, body=b'{"a":"%s"}' % (b"x" * 2**20), content_type="application/json")
    with pytest.raises(AnswerTooLarge, match=r"an answer of registry\.test is larger than 1 MB"):
        open_transport(max_bytes=2**20).get("/v2/version")
    assert open_transport(max_bytes=2**21).get("/v2/version").status == 200


def test_the_deadline_follows_the_given_clock(
    web: RequestsMock, open_transport: Callable[..., Transport], clock: FakeClock
) -> None:
    def late(_request: Any) -> tuple[int, dict[str, str], str]:
        clock.elapsed += 61
        return 200, {}, "{}"

    web.add_callback(responses.GET, URL, late, content_type="application/json")
    with pytest.raises(DeadlineExceeded, match="did not answer in full within 60 s"):
        open_transport(retry_seconds=0).get("/v2/version")


def test_a_stop_while_waiting_is_not_a_registry_failure(
    web: RequestsMock, open_transport: Callable[..., Transport]
) -> None:
    class StoppingClock(FakeClock):
        def sleep(self, seconds: float) -> None:
            raise Stopped("interrupted by a signal")

    web.get(URL, status=503)
    with pytest.raises(Stopped):
        open_transport(clock=StoppingClock()).get("/v2/version")
    assert len(web.calls) == 1


def test_a_retry_is_logged_in_one_line(
    web: RequestsMock, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    web.get(URL, status=503)
    web.get(URL, json={})
    with caplog.at_level(logging.INFO, logger="ctsync"):
        transport.get("/v2/version")
    [line] = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"retry wait=\d\.\ds reason=registry\.test is busy .*", line)


# --- retries -----------------------------------------------------------------------------------


def test_waits_grow_and_are_random(
    web: RequestsMock, open_transport: Callable[..., Transport]
) -> None:
    web.get(URL, status=500)
    all_waits = set()
    for _ in range(5):
        clock = FakeClock()
        with pytest.raises(RegistryBusy):
            open_transport(clock=clock, burst=20).get("/v2/version")
        for wait, least in zip(clock.sleeps, (1, 2, 4, 8, 16), strict=True):
            assert least <= wait <= least + 1
        all_waits |= set(clock.sleeps)
    assert len(all_waits) == 25


@pytest.mark.parametrize("seconds", [0, 1, 5, 10, 30])
def test_no_attempt_starts_after_the_time_limit_for_retries(
    seconds: float, web: RequestsMock, open_transport: Callable[..., Transport], clock: FakeClock
) -> None:
    web.get(URL, status=500)
    with pytest.raises(RegistryBusy):
        open_transport(retry_seconds=seconds, burst=20).get("/v2/version")
    assert clock.elapsed <= seconds


FORMS = [
    ("7", 7.0),
    ("0", 0.0),
    ("1.5", 1.5),
    ("-5", 0.0),
    ("+3", 3.0),
    ("Fri, 13 Mar 2026 15:02:31 GMT", 20.0),
    ("Friday, 13-Mar-26 15:02:41 GMT", 30.0),
    ("Fri Mar 13 15:02:51 2026", 40.0),
    ("Fri, 13 Mar 2020 15:02:31 GMT", 0.0),
    ("5, 9", 9.0),
    ("  8 ", 8.0),
    ("soon", None),
    ("", None),
    ("nan", None),
    ("inf", None),
    ("٣", None),
    ("5 seconds", None),
    ("Fri, 99 Foo 2026 15:02:31 GMT", None),
]
TOO_LONG = ["3600", "999999999999999999999", "9" * 400, "Fri, 13 Mar 2037 15:02:31 GMT"]


def test_retry_after_is_respected_in_every_form(
    web: RequestsMock, open_transport: Callable[..., Transport]
) -> None:
    wrong = 0
    for status in (429, 503):
        for form, expected in FORMS:
            web.reset()
            web.get(URL, status=status, headers={"Retry-After": form})
            web.get(URL, json={})
            clock = FakeClock()
            open_transport(clock=clock).get("/v2/version")
            waited = clock.elapsed
            wrong += not (1 <= waited <= 2 if expected is None else waited == expected)
    print(f"Retry-After: {len(FORMS)} forms on 429 and 503, {wrong} wrong waits, 0 exceptions")
    assert wrong == 0


def test_a_wait_longer_than_the_limit_ends_the_request_and_names_the_time(
    web: RequestsMock, open_transport: Callable[..., Transport]
) -> None:
    for form in TOO_LONG:
        web.reset()
        web.get(URL, status=429, headers={"Retry-After": form})
        clock = FakeClock()
        with pytest.raises(RegistryBusy, match=r"try again after 2026-03-13T15:17:11Z"):
            open_transport(clock=clock).get("/v2/version")
        assert (clock.sleeps, len(web.calls)) == ([], 1)
    print(f"Retry-After: {len(TOO_LONG)} forms over the limit, 0 waits, 1 request each")


def test_the_longest_wait_of_repeated_headers_counts() -> None:
    assert read_retry_after(["3", "soon", "5"], NOW) == 5
    assert read_retry_after([], NOW) is None


@given(st.lists(st.text() | st.integers().map(str) | st.floats().map(str), max_size=3))
def test_no_retry_after_value_raises_or_exceeds_the_limit(values: list[str]) -> None:
    wait = read_retry_after(values, NOW)
    assert wait is None or 0 <= wait <= LONGEST_SECONDS


# --- circuit breaker ---------------------------------------------------------------------------


def test_three_failed_requests_in_a_row_open_the_circuit(
    web: RequestsMock, transport: Transport
) -> None:
    web.get(URL, status=503)
    for _ in range(3):
        with pytest.raises(RegistryBusy, match="is busy"):
            transport.get("/v2/version")
    with pytest.raises(RegistryBusy, match=r"not requested, because too many requests failed.*503"):
        transport.get("/v2/version")
    assert len(web.calls) == 18
    transport.reset()
    with pytest.raises(RegistryBusy, match="is busy"):
        transport.get("/v2/version")
    assert len(web.calls) == 24


def test_one_answer_in_between_resets_the_count(web: RequestsMock, transport: Transport) -> None:
    web.get(f"{BASE}/bad", status=403)
    web.get(f"{BASE}/good", json={})
    for _ in range(10):
        for path in ("/bad", "/bad"):
            with pytest.raises(EdgeRefused):
                transport.get(path)
        assert transport.get("/good").status == 200


def test_an_open_circuit_closes_by_itself(
    web: RequestsMock, transport: Transport, clock: FakeClock
) -> None:
    web.get(f"{BASE}/bad", status=403)
    web.get(f"{BASE}/good", json={})
    for _ in range(3):
        with pytest.raises(EdgeRefused):
            transport.get("/bad")
    with pytest.raises(RegistryUnreachable, match=r"not requested.*\(403\)"):
        transport.get("/good")
    clock.elapsed += CLOSES_AFTER_SECONDS
    assert transport.get("/good").status == 200


def test_unreadable_trials_do_not_open_the_circuit(web: RequestsMock, transport: Transport) -> None:
    web.get(f"{BASE}/poison", body="{", content_type="application/json")
    web.get(f"{BASE}/refused", status=400, body="no")
    for path, error in [("/poison", BadAnswer), ("/refused", RequestRefused)] * 10:
        with pytest.raises(error):
            transport.get_json(path)


# --- rate limit --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "burst"), [(1.0, 3), (0.3, 1), (7.0, 5)])
def test_no_time_window_holds_more_requests_than_the_rate_limit_allows(
    rate: float, burst: int
) -> None:
    clock = FakeClock()
    limit = RateLimit(rate, burst, clock=clock)
    times = []
    for number in range(1000):
        if number % 100 == 0:
            clock.elapsed += number / 3  # a pause earns at most one burst
        limit.wait()
        times.append(clock.elapsed)
    above = sum(
        later - first + 1 > burst + rate * (times[later] - times[first]) + 1e-6
        for first in range(1000)
        for later in range(first, min(first + 50, 1000))
    )
    print(f"rate limit {rate}/s, burst {burst}: 1000 requests, {above} windows above the limit")
    assert above == 0


def test_threads_share_one_rate_limit() -> None:
    class PlannedClock(FakeClock):
        """A clock that stands still and records the length of each sleep."""

        def sleep(self, seconds: float) -> None:
            with self._lock:
                self.sleeps.append(seconds)

    clock = PlannedClock()
    limit = RateLimit(1.0, 3, clock=clock)

    def wait_often() -> None:
        for _ in range(25):
            limit.wait()

    threads = [threading.Thread(target=wait_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(clock.sleeps) == [float(second) for second in range(1, 98)]


def test_retries_respect_the_rate_limit(
    web: RequestsMock, open_transport: Callable[..., Transport], clock: FakeClock
) -> None:
    web.get(URL, status=503, headers={"Retry-After": "0"})
    transport = open_transport(requests_per_second=0.1, burst=1)
    with pytest.raises(RegistryBusy):
        transport.get("/v2/version")
    assert clock.elapsed == pytest.approx(50)


# --- JSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": 1} \n', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", float(2**64)),
        (b"-9223372036854775809", -float(2**63)),
        (b'"\\u0000"', "\0"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"[" * 200 + b"]" * 200, None),
    ],
)
def test_unusual_json_has_one_meaning(text: bytes, value: Any) -> None:
    assert value is None or parse_json(text) == value
    orjson.dumps(parse_json(text))


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b" ", b"{", b'{"a": 1', b'{"a": 1}x', b'{"a": 1}{"a": 1}', b'{"a": 1}\0', b"[1,]"),
        *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5000, b"01", b"+1", b"nul"),
        *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b'"\n"', b'"\\x"'),
        *(b"[" * 100_000, b"[" * 2000 + b"]" * 2000, b"[" * 300 + b"]" * 300, b"\xef\xbb\xbf{}"),
        *('{"ä": 1}'.encode("latin-1"), '{"a": 1}'.encode("utf-16"), b"<html></html>", b"\0"),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_bad_json_is_a_bad_answer(text: bytes) -> None:
    with pytest.raises(BadAnswer, match="is not usable JSON"):
        parse_json(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_json_that_is_read_can_be_written_again(text: bytes) -> None:
    try:
        value = parse_json(text)
    except BadAnswer:
        return
    assert orjson.loads(orjson.dumps(value)) == value


@pytest.mark.slow
@given(JSON_VALUES.map(lambda value: json.dumps(value).encode()), st.data())
def test_a_truncated_object_is_never_read(text: bytes, data: st.DataObject) -> None:
    complete = b'{"a":' + text + b"}"
    truncated = complete[: data.draw(st.integers(0, len(complete) - 1))]
    with pytest.raises(BadAnswer):
        parse_json(truncated)
