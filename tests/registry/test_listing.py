"""Listings over real HTTP: each matching trial exactly once, or the reason for the problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from ctsync.errors import RegistryError
from ctsync.model import NctId
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.registry.listing import Cursor, Listing
from tests.fakes import FakeClock
from tests.registry_fixtures import an_id, make_study, publish
from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.http_messages import Reply
from tests.replay.registry_server import ReplayRegistry

TODAY, TOMORROW = "2026-03-12", "2026-03-13"
STUDIES = "/v2/studies"
SIZE = 5
QUERY = {"filter.overallStatus": "RECRUITING", "fields": "NCTId|VersionHolder"}
List = Callable[..., Listing]


def ids(*numbers: int) -> frozenset[NctId]:
    return frozenset(map(an_id, numbers))


@pytest.fixture
def replay() -> Iterator[ReplayRegistry]:
    with ReplayRegistry(Catalogue(TODAY)) as registry:
        yield registry


@pytest.fixture
def api(replay: ReplayRegistry) -> Iterator[RegistryApi]:
    clock = FakeClock()
    transport = Transport(replay.url, clock=clock, requests_per_second=10, retry_seconds=5)
    yield RegistryApi(transport, clock=clock)
    transport.close()


@pytest.fixture
def listed(api: RegistryApi) -> List:
    """Return a function that reads a complete listing, `size` studies per page."""

    def read(*, size: int = SIZE, **more: Any) -> Listing:
        listing = api.listing(QUERY, page_size=size, **more)
        for _ in listing:
            pass
        return listing

    return read


def publish_first(replay: ReplayRegistry, count: int) -> frozenset[NctId]:
    truth = ids(*range(1, count + 1))
    publish(replay, *sorted(truth))
    return truth


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 9, 10, 15, 16])
def test_a_listing_of_any_size_is_exact(count: int, replay: ReplayRegistry, listed: List) -> None:
    truth = publish_first(replay, count)
    publish(replay, an_id(99), overallStatus="COMPLETED")
    listing = listed()
    assert (listing.problem, listing.ids, listing.total) == (None, truth, count)
    # a full last page has a token that leads to an empty page
    assert len(replay.requests) == count // SIZE + 1
    print(f"sizes: {count} studies on pages of {SIZE}: {len(listing.ids)} listed")


def test_a_reload_at_any_page_gives_the_new_data(replay: ReplayRegistry, listed: List) -> None:
    pages, exact, most = 5, 0, 0
    publish_first(replay, pages * SIZE)
    for page in range(2, pages + 2):  # a full last page leads to an empty page
        day = f"2026-04-{page:02d}"
        replay.catalogue.publish(make_study(an_id(1000 + page)), load=day)
        replay.catalogue.withdraw(an_id(page), load=day)
        replay.faults.add(faults.reload(day), path=STUDIES, page=page)
        listing = listed()
        truth = frozenset(replay.catalogue.view().ids)
        exact += (listing.problem, listing.ids) == (None, truth)
        most = max(most, listing.begun - 1)
        assert replay.load.date().isoformat() == day
    assert (exact, most) == (pages, 1)
    print(f"reload: at each of {pages} pages, {exact} final sets exact, at most {most} restart")


def test_a_listing_gives_up_after_repeated_reloads(replay: ReplayRegistry, listed: List) -> None:
    publish_first(replay, 10)
    for n in range(5):
        replay.faults.add(faults.reload(f"2026-05-0{n + 1}"), path=STUDIES, page=2)
    listing = listed()
    assert listing.problem is not None
    assert "probably changed" in listing.problem
    assert listing.begun == 3


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["skipped", "emptied", "cut short"])
def test_a_lost_page_is_detected_at_any_position(
    sort: str, replay: ReplayRegistry, listed: List
) -> None:
    pages = 50
    truth = publish_first(replay, pages)
    faulty = {
        "skipped": faults.shifted(1),
        "emptied": faults.emptied(),
        "cut short": faults.ended_early(),
    }[sort]
    lost = (1, 2, 25, 49)
    noticed = 0
    for page in lost:
        replay.faults.add(faulty, path=STUDIES, page=page)
        listing = listed(size=1, restarts=0)
        noticed += listing.problem is not None and listing.ids < truth
    assert noticed == len(lost)
    for page in (1, 25, 49):
        replay.faults.add(faulty, path=STUDIES, page=page)
        listing = listed(size=1)
        assert (listing.problem, listing.ids, listing.begun) == (None, truth, 2)
    print(f"lost page of {pages}, {sort}: {len(lost)} lost, {noticed} noticed; then exact")


def test_rows_repeated_across_pages_count_once(replay: ReplayRegistry, listed: List) -> None:
    truth = publish_first(replay, 100)
    for page in range(2, 21):
        replay.faults.add(faults.shifted(-1), path=STUDIES, page=page)
    listing = listed()
    assert (listing.problem, listing.ids, listing.begun) == (None, truth, 1)
    # if rows are repeated in place of others, the others are missing
    replay.faults.add(faults.repeated(2), path=STUDIES, page=3, times=faults.EVERY_TIME)
    listing = listed()
    assert listing.problem == "98 studies were listed, but the registry counts 100"
    print("repeats: 19 of 20 pages began with a row of the page before: 100 listed of 100")


def test_the_rows_of_several_attempts_on_one_load_add_up(
    replay: ReplayRegistry, listed: List
) -> None:
    """If the order changes between calls, each call loses different rows."""
    truth = publish_first(replay, 100)
    replay.faults.add(faults.repeated(2), path=STUDIES, page=3)
    replay.faults.add(faults.repeated(2), path=STUDIES, page=7)
    listing = listed()
    assert (listing.problem, listing.ids, listing.begun) == (None, truth, 2)


def test_a_total_that_changes_between_attempts_discards_the_rows_so_far(
    replay: ReplayRegistry, listed: List
) -> None:
    """Rows of the first attempt, one of them withdrawn since, would hide a row lost twice."""
    publish_first(replay, 10)
    first, other = (NctId(one) for one in in_order(replay)[:2])

    def withdraw(reply: Reply) -> Reply:
        replay.catalogue.withdraw(other)
        return reply

    replay.faults.add(faults.shifted(1), path=STUDIES, page=1, times=2)
    replay.faults.add(faults.Fault(rewrite=withdraw), path=STUDIES, page=2)
    listing = listed()
    assert first in listing.ids
    assert other not in listing.ids
    assert (listing.problem, len(listing.ids), listing.begun) == (None, 9, 3)
    print("total 10, then 9, the same row lost twice: 9 listed of 9, 1 withdrawn row discarded")


def in_order(replay: ReplayRegistry) -> list[str]:
    """Return the ids in the order in which the registry lists them."""
    with requests.get(f"{replay.url}{STUDIES}", params=QUERY, timeout=10) as reply:
        listed = reply.json()["studies"]
    return [one["protocolSection"]["identificationModule"]["nctId"] for one in listed]


@pytest.mark.slow
def test_pages_from_different_loads_are_detected(replay: ReplayRegistry, listed: List) -> None:
    truth, noticed = publish_first(replay, 40), 0
    for page in range(1, 9):
        replay.faults.add(faults.of_another_load(TOMORROW), path=STUDIES, page=page, times=3)
        listing = listed()
        noticed += listing.problem == (
            f"the registry answered from different loads: {TODAY} and {TOMORROW}"
        )
        replay.faults.clear()
        replay.faults.add(faults.of_another_load(TOMORROW), path=STUDIES, page=page)
        assert (listed().problem, listed().ids) == (None, truth)
    assert noticed == 8
    print(f"mixed loads: at each of 8 pages, {noticed} noticed, 8 fixed by another request")


def test_an_answer_without_a_count_is_never_complete(replay: ReplayRegistry, listed: List) -> None:
    publish_first(replay, 7)
    short = [b'{"studies":[]}', b'{"studies":[],"totalCount":null}', b'{"studies":[{}]}']
    for body in short:
        replay.faults.add(faults.body(body), path=STUDIES, times=3)
        assert listed().problem is not None
    replay.faults.add(faults.uncounted(), path=STUDIES, page=1, times=3)
    assert listed().problem == "the registry did not send the number of studies"


def test_an_answer_that_is_not_a_page_raises_an_error(replay: ReplayRegistry, listed: List) -> None:
    publish_first(replay, 7)
    for body in (b"", b"null", b"[]", b"{}", b"<html>", b'{"studies":{}}'):
        replay.faults.add(faults.body(body), path=STUDIES, page=2, times=faults.EVERY_TIME)
        with pytest.raises(RegistryError):
            listed()
        replay.faults.clear()


def stop_after(api: RegistryApi, pages: int) -> tuple[Cursor, frozenset[NctId]]:
    """Return the cursor of a listing after some of its pages, and the ids listed so far."""
    listing = api.listing(QUERY, page_size=SIZE)
    cursor = next(page.following for page in listing if page.number == pages)
    assert cursor is not None
    return cursor, listing.ids


def test_a_listing_resumes_after_the_page_where_it_stopped(
    replay: ReplayRegistry, api: RegistryApi, listed: List
) -> None:
    pages = 10
    truth = publish_first(replay, pages * SIZE)
    for stop in range(1, pages + 1):
        replay.forget_requests()
        cursor, seen = stop_after(api, stop)
        rest = listed(resume=cursor, seen=seen)
        assert (rest.problem, rest.ids) == (None, truth)
        assert len(replay.requests) == pages + 1
    print(f"resumed: after each of {pages} pages, all exact, 0 pages requested again")


def test_a_listing_starts_again_if_the_registry_has_reloaded_since(
    replay: ReplayRegistry, api: RegistryApi, listed: List
) -> None:
    publish_first(replay, 20)
    cursor, seen = stop_after(api, 2)
    replay.load = TOMORROW
    for nct_id in ids(*range(1, 8)):
        replay.catalogue.withdraw(nct_id)
    rest = listed(resume=cursor, seen=seen)
    assert (rest.problem, rest.ids) == (None, ids(*range(8, 21)))


def test_a_cursor_of_another_query_is_ignored(
    replay: ReplayRegistry, api: RegistryApi, listed: List
) -> None:
    """The registry accepts a page token with any query, and would answer wrongly."""
    truth = publish_first(replay, 20)
    cursor, seen = stop_after(api, 2)
    other = replace(cursor, question="0" * 32)
    rest = listed(resume=other, seen=seen)
    assert (rest.problem, rest.ids) == (None, truth)
    assert "pageToken" not in replay.requests[2].params
