"""The limit on the requests of each client."""

from __future__ import annotations

import pytest

from ctsync.web.api.client_rates import MOST_CLIENTS, ClientRates, RequestRate, rate_of
from tests.fakes import FakeClock
from tests.web.api.served import new_api, serving


def test_a_client_waits_when_its_tokens_are_used_up() -> None:
    clock = FakeClock()
    rates = ClientRates(RequestRate(per_second=2, burst=3), clock=clock)
    assert [rates.seconds_to_wait("10.0.0.1") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.seconds_to_wait("10.0.0.2") == 0
    clock.sleep(0.5)
    assert [rates.seconds_to_wait("10.0.0.1") for _ in range(2)] == [0, 0.5]
    clock.sleep(60)
    assert [rates.seconds_to_wait("10.0.0.1") for _ in range(4)] == [0, 0, 0, 0.5]


@pytest.mark.parametrize(
    ("first", "second", "is_shared"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("", "", True),
    ],
)
def test_a_network_of_one_customer_is_one_client(first: str, second: str, is_shared: bool) -> None:
    rates = ClientRates(RequestRate(per_second=1, burst=1), clock=FakeClock())
    assert rates.seconds_to_wait(first) == 0
    assert (rates.seconds_to_wait(second) > 0) is is_shared


def test_the_number_of_clients_in_memory_is_bounded() -> None:
    rates = ClientRates(RequestRate(), clock=FakeClock())
    for number in range(MOST_CLIENTS + 500):
        rates.seconds_to_wait(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    print(f"clients: {MOST_CLIENTS + 500:,} asked, {len(rates):,} in memory")
    assert len(rates) == MOST_CLIENTS


@pytest.mark.parametrize(("per_second", "at_once"), [(20, 200), (0.5, 5), (0.1, 1), (0.04, 1)])
def test_a_rate_lets_a_client_send_ten_seconds_of_requests_at_once(
    per_second: float, at_once: int
) -> None:
    rates = ClientRates(rate_of(per_second), clock=FakeClock())
    waits = [rates.seconds_to_wait("10.0.0.1") for _ in range(at_once + 1)]
    assert waits == [*[0] * at_once, 1 / per_second]


def test_too_many_requests_get_a_problem_with_the_time_to_wait(written: str) -> None:
    with serving(new_api(written, rate=RequestRate(per_second=0.1, burst=2))) as client:
        answers = [client.get("/openapi.json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "10"
    assert answers[-1].json()["detail"] == "too many requests; send the next one in 10 s"
