"""Batches and pages that the registry cannot answer: their final size, and the requests needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import pytest

from ctsync.errors import BadAnswer, RegistryError, RequestRefused
from ctsync.model import Failed, NctId, Observation
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.registry.id_batches import IdBatches
from ctsync.sync.watches.query_preview import look_up
from tests.fakes import FakeClock
from tests.registry_fixtures import an_id, publish
from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.faults import EVERY_TIME
from tests.replay.http_messages import Request
from tests.replay.registry_server import ReplayRegistry

STUDIES = "/v2/studies"
RECRUITING = {"filter.overallStatus": "RECRUITING"}


@pytest.fixture
def replay() -> Iterator[ReplayRegistry]:
    """A registry with 120 recruiting trials."""
    with ReplayRegistry(Catalogue("2026-03-12")) as registry:
        publish(registry, *map(an_id, range(1, 121)))
        yield registry


@pytest.fixture
def open_api(replay: ReplayRegistry) -> Iterator[Callable[..., RegistryApi]]:
    opened: list[Transport] = []

    def open_one(url: str = "", **settings: Any) -> RegistryApi:
        clock = FakeClock()
        quick: dict[str, Any] = {"clock": clock, "requests_per_second": 1e6, "burst": 1000}
        opened.append(Transport(url or replay.url, **(quick | settings)))
        return RegistryApi(opened[-1], clock=clock)

    yield open_one
    for transport in opened:
        transport.close()


def ids_in(request: Request) -> int:
    """The number of ids in a request."""
    listed = request.params.get("filter.ids") or request.params.get("postFilter.ids") or ""
    return len(listed.split("|")) if listed else 0


def above(limit: int) -> Callable[[Request], bool]:
    return lambda request: ids_in(request) > limit


def fetched(api: RegistryApi, ids: range) -> int:
    """Request trials, which each get exactly one answer. Return how many were observed."""
    answers = list(api.studies([an_id(n) for n in ids], api.version()))
    assert len(answers) == len(ids)
    return sum(isinstance(one, Observation) for one in answers)


def batches(replay: ReplayRegistry) -> list[int]:
    """The sizes of the batches requested so far, in order."""
    return [n + 1 for one in replay.requests if (n := one.params.get("filter.ids", "").count("|"))]


LIMITS = {
    "refused": faults.status(400, "Too many ids in parameter `filter.ids`"),
    "HTML": faults.html_page(),
    "an HTML error": faults.status(414),
    "unusable": faults.truncated(2000, declare_length=False),
}
SLIM_LIMITS = LIMITS | {"unusable": faults.truncated(200, declare_length=False)}
"""The same for answers of a few fields, which are smaller."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "limit"), [*((what, 50) for what in LIMITS), ("HTML", 10), ("HTML", 1)]
)
def test_a_batch_that_the_registry_cannot_answer_is_halved_and_its_size_is_kept(
    what: str, limit: int, replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(LIMITS[what], path=STUDIES, only=above(limit), times=EVERY_TIME)
    api = open_api()
    assert fetched(api, range(1, 121)) == 120
    first = api.counts.requests
    assert fetched(api, range(1, 121)) == 120
    again = api.counts.requests - first - 1
    kept = max(1, limit // 2)
    print(f"at most {limit} ids: 120 fetched in {first} requests, then again in {again}")
    assert again <= -(-120 // kept)


@pytest.mark.slow
def test_a_batch_past_its_deadline_is_halved_at_once(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(faults.delayed(20), path=STUDIES, only=above(40), times=EVERY_TIME)
    api = open_api(deadline_seconds=0.5)
    assert fetched(api, range(1, 121)) == 120
    first = batches(replay)
    replay.forget_requests()
    assert fetched(api, range(1, 121)) == 120
    print(f"past the deadline above 40 ids: batches {first}, then {batches(replay)}")
    assert first == [120, 60, 30, 30, 30, 30]
    assert batches(replay) == [30] * 4


def test_one_bad_id_leaves_the_size_of_the_batches_as_it_was(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    for bad in (1, 47, 119):
        has_it = f"{an_id(bad)}".__eq__

        def asks_for_it(request: Request, has_it: Callable[[str], bool] = has_it) -> bool:
            named = request.params.get("filter.ids", request.path.rpartition("/")[2])
            return any(map(has_it, named.split("|")))

        replay.faults.add(
            faults.status(400, "no"), path=f"{STUDIES}.*", only=asks_for_it, times=EVERY_TIME
        )
        api = open_api()
        assert fetched(api, range(1, 121)) == 119
        replay.faults.clear()
        replay.forget_requests()
        assert fetched(api, range(1, 121)) == 120
        assert batches(replay) == [120]


def test_an_edge_that_answers_everything_with_html_is_given_up_soon(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(faults.html_page(), path=f"{STUDIES}.*", times=EVERY_TIME)
    api = open_api()
    answers = list(api.studies([an_id(n) for n in range(1, 5001)], api.version()))
    assert all(isinstance(one, Failed) for one in answers)
    print(f"only HTML: 5,000 asked for, {api.counts.requests} requests")
    assert api.counts.requests <= 40


# --- ids together with other parameters ----------------------------------------------------------


def has(*names: str) -> Callable[[Request], bool]:
    return lambda request: all(name in request.params for name in names)


@pytest.mark.parametrize(
    "refused",
    [(), ("postFilter.ids", "fields"), ("postFilter.ids",), ("filter.ids", "fields")],
    ids=["nothing", "postFilter.ids with fields", "postFilter.ids", "filter.ids with fields"],
)
def test_the_trials_that_match_are_found_whatever_the_registry_refuses_with_ids(
    refused: tuple[str, ...], replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    publish(replay, an_id(7), overallStatus="COMPLETED")
    if refused:
        text = f"`{refused[0]}` cannot be used here"
        replay.faults.add(
            faults.status(400, text), path=STUDIES, only=has(*refused), times=EVERY_TIME
        )
    api = open_api()
    assert api.matching(RECRUITING, [an_id(6), an_id(7), an_id(8), an_id(999)]) == {
        an_id(6): an_id(6),
        an_id(8): an_id(8),
    }
    first = api.counts.requests
    api.matching(RECRUITING, [an_id(6)])
    print(f"refused {' with '.join(refused) or 'nothing'}: {first} requests, then 1")
    assert api.counts.requests == first + 1


def test_a_listing_of_ids_is_complete_if_fields_are_refused_with_ids(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(
        faults.status(400, "`fields` cannot be used with `filter.ids`"),
        path=STUDIES,
        only=has("filter.ids", "fields"),
        times=EVERY_TIME,
    )
    named = {"filter.ids": "|".join(map(an_id, range(1, 31))), "fields": "NCTId|VersionHolder"}
    listing = open_api().listing(named, page_size=10)
    for _ in listing:
        pass
    assert (listing.problem, len(listing.ids)) == (None, 30)


def test_a_query_that_the_registry_refuses_is_reported_in_its_words(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(faults.status(400, "Too complicated query"), path=STUDIES, times=EVERY_TIME)
    api = open_api()
    with pytest.raises(RequestRefused, match="Too complicated query"):
        api.matching(RECRUITING, [an_id(n) for n in range(1, 121)])
    with pytest.raises(RequestRefused, match="Too complicated query"):
        next(iter(api.listing({"query.cond": "a OR b", "fields": "NCTId"})))
    assert api.counts.requests <= 30


def test_the_trials_that_match_are_found_in_smaller_batches(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(faults.html_page(), path=STUDIES, only=above(20), times=EVERY_TIME)
    ids: list[NctId] = [an_id(n) for n in range(1, 121)]
    assert len(open_api().matching(RECRUITING, ids)) == 120
    replay.faults.add(faults.edge_refusal(), path=STUDIES, times=EVERY_TIME)
    with pytest.raises(RegistryError):
        open_api().matching(RECRUITING, ids)


@pytest.mark.parametrize("what", SLIM_LIMITS)
def test_named_trials_are_looked_up_in_smaller_batches(
    what: str, replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(SLIM_LIMITS[what], path=STUDIES, only=above(20), times=EVERY_TIME)
    api = open_api()
    ids = [an_id(n) for n in range(1, 122)]
    named = look_up(api, ids)
    assert (set(named.found), named.failed) == (set(ids[:120]), {})
    first = api.counts.requests
    look_up(api, ids)
    again = api.counts.requests - first
    print(f"look-up of 121 ids, at most 20: {first} requests, then {again}")
    assert again <= 13


def test_one_bad_id_leaves_the_other_named_trials_visible(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(
        faults.html_page(), path=STUDIES, times=EVERY_TIME,
        only=lambda request: an_id(47) in request.params["filter.ids"],
    )  # fmt: skip
    named = look_up(open_api(), [an_id(n) for n in range(1, 122)])
    assert (len(named.found), list(named.failed)) == (119, [an_id(47)])
    with pytest.raises(BadAnswer, match="text/html"):
        look_up(open_api(), [an_id(47)])


# --- pages of a listing --------------------------------------------------------------------------


def larger_than(size: int) -> Callable[[Request], bool]:
    return lambda request: int(request.params["pageSize"]) > size


def page_sizes(replay: ReplayRegistry) -> list[int]:
    """The sizes of the pages requested so far, in order, each once in a row."""
    sizes = [int(one.params["pageSize"]) for one in replay.requests]
    return [size for size, _ in groupby(sizes)]


def listed(api: RegistryApi) -> int:
    """The number of trials of a complete listing."""
    listing = api.listing({"fields": "NCTId|VersionHolder"}, page_size=100)
    for _ in listing:
        pass
    assert (listing.problem, listing.begun) == (None, 1)
    return len(listing.ids)


@pytest.mark.parametrize("what", SLIM_LIMITS)
def test_a_page_that_the_registry_cannot_answer_is_halved_and_its_size_is_kept(
    what: str, replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(SLIM_LIMITS[what], path=STUDIES, only=larger_than(30), times=EVERY_TIME)
    api = open_api()
    assert listed(api) == 120
    first = page_sizes(replay)
    replay.forget_requests()
    assert listed(api) == 120
    print(f"{what} above 30 studies: pages of {first}, then of {page_sizes(replay)}")
    assert first == [100, 10, 50, 10, 25]
    assert page_sizes(replay) == [25]


def test_a_page_that_is_too_large_is_halved(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    api = open_api(max_bytes=10_000)
    listing = api.listing({}, page_size=100)
    for _ in listing:
        pass
    print(f"too large: pages of {page_sizes(replay)}")
    assert (listing.problem, len(listing.ids)) == (None, 120)
    assert page_sizes(replay)[:2] == [100, 10]


def test_a_page_past_its_deadline_is_halved_at_once(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(faults.delayed(20), path=STUDIES, only=larger_than(60), times=EVERY_TIME)
    api = open_api(deadline_seconds=0.3)
    assert listed(api) == 120
    print(f"past the deadline above 60 studies: pages of {page_sizes(replay)}")
    assert page_sizes(replay) == [100, 10, 50]
    assert len(replay.requests) == 5


def test_a_size_that_worked_is_given_up_only_after_all_retries(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(faults.html_page(), path=STUDIES, page=2, times=2)
    assert listed(open_api()) == 120
    assert page_sizes(replay) == [100]


def test_small_pages_of_full_records_leave_pages_of_few_fields_as_they_were(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(
        faults.html_page(), path=STUDIES, times=EVERY_TIME,
        only=lambda request: "fields" not in request.params and larger_than(30)(request),
    )  # fmt: skip
    api = open_api()
    for _ in api.listing({}, page_size=100):
        pass
    replay.forget_requests()
    listed(api)
    assert page_sizes(replay) == [100]


@pytest.mark.parametrize("what", SLIM_LIMITS)
def test_a_listing_that_fails_at_every_size_is_given_up_soon(
    what: str, replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(SLIM_LIMITS[what], path=STUDIES, times=EVERY_TIME)
    api = open_api()
    with pytest.raises(RegistryError):
        listed(api)
    print(f"{what} at every size: {api.counts.requests} requests")
    assert api.counts.requests <= 6


def test_a_study_id_is_found_on_smaller_pages(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    replay.faults.add(faults.html_page(), path=STUDIES, only=larger_than(500), times=EVERY_TIME)
    assert open_api().find_org_id("ORG-007") == (an_id(7),)


def test_a_batch_that_is_divided_is_logged_in_plain_words_and_not_as_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fetch(batch: Sequence[NctId]) -> int:
        if len(batch) > 1:
            raise RequestRefused("HTTP 414")
        return len(batch)

    ids = [NctId(f"NCT0000000{n}") for n in (1, 2)]
    with caplog.at_level(logging.INFO, logger="ctsync"):
        assert [found for _, found in IdBatches(2).each(ids, fetch, most=2)] == [1, 1]
    ((level, text),) = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert level == "INFO"
    assert text == (
        "the registry did not answer a request for 2 trials; requesting them in two halves: "
        "HTTP 414"
    )
