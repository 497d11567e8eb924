"""The registry clients with answers in the format of the live registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctsync.errors import EdgeRefused, RegistryBusy, RegistryUnreachable, RequestRefused, StalePage
from ctsync.model import Absent, Failed, NctId, Observation, RegistryVersion
from ctsync.registry.api import RegistryApi
from ctsync.registry.archive_download import ArchiveDownload
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import HistoryTransport, RegistryHistory
from tests.fakes import FakeClock
from tests.faults.fault_server import Act, FaultServer, head, said, whole
from tests.replay import recorded_answers as recorded
from tests.replay.recorded_answers import RecordedAnswer

TRIAL, ALIAS, NOWHERE = map(NctId, (recorded.TRIAL, recorded.ALIAS, recorded.NOWHERE))
LOAD = RegistryVersion("2.0.5", datetime(2026, 10, 2, 9, 0, 4, tzinfo=UTC))
HISTORY = f"/int/studies/{TRIAL}/history"
Serve = Callable[..., None]


def act(one: RecordedAnswer) -> Act:
    return said(whole(one.body, *one.headers, status=one.status, media_type=one.media_type))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def serve(server: FaultServer) -> Serve:
    """Return a function that answers the requests to a path with recorded answers, in order."""

    def script(path: str, *answers: RecordedAnswer) -> None:
        server.script(path, *map(act, answers))

    return script


@pytest.fixture
def transport(server: FaultServer) -> Iterator[Transport]:
    opened = Transport(server.url, clock=FakeClock(), requests_per_second=1e6, burst=1000)
    yield opened
    opened.close()


@pytest.fixture
def api(transport: Transport) -> RegistryApi:
    return RegistryApi(transport, clock=FakeClock(LOAD.data_timestamp))


@pytest.fixture
def history(transport: Transport) -> Iterator[RegistryHistory]:
    opened = RegistryHistory(transport, way=HistoryTransport.REQUESTS)
    yield opened
    opened.close()


# --- API v2 --------------------------------------------------------------------------------------


def test_the_version_is_read(serve: Serve, api: RegistryApi) -> None:
    serve("/v2/version", recorded.VERSION)
    assert api.version() == LOAD


def test_an_unknown_path_is_no_registry(serve: Serve, api: RegistryApi) -> None:
    serve("/v2/version", recorded.UNKNOWN_PATH)
    with pytest.raises(RegistryUnreachable, match=r"check registry\.url"):
        api.version()


def test_ids_that_do_not_exist_are_absent(serve: Serve, api: RegistryApi) -> None:
    serve("/v2/studies", recorded.EMPTY_BATCH)
    serve(f"/v2/studies/{NOWHERE}", recorded.NOT_FOUND)
    other = NctId("NCT99999998")
    answers = list(api.studies([NOWHERE, other], LOAD, known_absent=[other]))
    assert [type(one) for one in answers] == [Absent, Absent]


def test_an_alias_gives_the_trial_that_took_it_over(serve: Serve, api: RegistryApi) -> None:
    serve(f"/v2/studies/{ALIAS}", recorded.ALIAS_MOVED)
    serve(f"/v2/studies/{TRIAL}", recorded.STUDY)
    found = api.study(ALIAS, LOAD)
    assert isinstance(found, Observation)
    assert (found.asked_as, found.nct_id) == (ALIAS, TRIAL)


@pytest.mark.parametrize("one", recorded.REFUSALS, ids=lambda one: one.body.decode()[:30])
def test_a_refusal_is_reported_in_the_words_of_the_registry(
    one: RecordedAnswer, serve: Serve, api: RegistryApi
) -> None:
    serve("/v2/studies", one)
    with pytest.raises(RequestRefused) as refused:
        next(iter(api.listing({"query.cond": "a"})))
    assert refused.value.body == one.body.decode()


def test_fields_that_are_refused_with_ids_are_left_out(
    serve: Serve, api: RegistryApi, server: FaultServer
) -> None:
    serve("/v2/studies", recorded.FIELDS_REFUSED, recorded.json({"studies": [recorded.study()]}))
    asked = {"filter.ids": TRIAL, "fields": "NCTId"}
    (page,) = api.listing(asked, restarts=0)
    assert page.studies == [recorded.study()]
    assert ["fields" in one.params for one in server.requests] == [True, False]


@pytest.mark.parametrize("stale", recorded.STALE_PAGES, ids=["text", "JSON"])
def test_a_page_of_changed_data_starts_the_listing_again(
    stale: RecordedAnswer, serve: Serve, api: RegistryApi
) -> None:
    pages = (recorded.FIRST_PAGE, recorded.SECOND_PAGE, recorded.EMPTY_BATCH)
    serve("/v2/studies", recorded.FIRST_PAGE, stale, *pages)
    listing = api.listing({"query.cond": "a"}, page_size=1)
    assert sum(len(page.studies) for page in listing) == 3
    assert (listing.problem, listing.total, listing.begun) == (None, 2, 2)
    serve("/v2/studies", stale)
    with pytest.raises(StalePage):
        api.matching({"query.cond": "a"}, [TRIAL])


def test_errors_of_the_edge_say_nothing_about_trials(serve: Serve, api: RegistryApi) -> None:
    expected = {recorded.EDGE_REFUSAL: EdgeRefused, recorded.TOO_MANY: RegistryBusy}
    for answer, error in expected.items():
        serve("/v2/studies", answer)
        failed = list(api.studies([TRIAL, ALIAS], LOAD))
        assert [type(one.error) for one in failed if isinstance(one, Failed)] == [error] * 2
        api.transport.reset()


def test_a_url_that_is_too_long_halves_the_batch(serve: Serve, api: RegistryApi) -> None:
    serve("/v2/studies", recorded.URL_TOO_LONG)
    serve(f"/v2/studies/{TRIAL}", recorded.STUDY)
    serve(f"/v2/studies/{NOWHERE}", recorded.NOT_FOUND)
    answers = list(api.studies([TRIAL, NOWHERE], LOAD))
    assert [type(one) for one in answers] == [Observation, Absent]


def test_a_download_without_a_length_is_complete(
    serve: Serve, transport: Transport, server: FaultServer, tmp_path: Path
) -> None:
    sent = recorded.archive(TRIAL, "NCT01203437")
    unmeasured = head(200, sent.media_type, *sent.headers, "Connection: close") + sent.body
    server.script("/v2/studies/download", said(unmeasured, goes_on=False))
    serve("/v2/stats/size", recorded.SIZE)
    download = ArchiveDownload(transport)
    found = download.fetch(tmp_path / "ctg-studies.json.zip")
    download.close()
    assert found is not None
    assert [member.nct_id for member in found.members()] == [TRIAL, "NCT01203437"]
    assert download.total() == found.count == 2


# --- the record history --------------------------------------------------------------------------


def test_an_index_is_the_same_for_any_order_of_its_labels(
    serve: Serve, history: RegistryHistory
) -> None:
    serve(HISTORY, recorded.INDEX, recorded.INDEX_IN_ANOTHER_ORDER)
    first, second = history.index(TRIAL), history.index(TRIAL)
    assert first is not None
    assert len(first) == 3
    assert first == second


def test_an_index_of_2023_lacks_newer_fields(serve: Serve, history: RegistryHistory) -> None:
    serve(HISTORY, recorded.INDEX_OF_2023)
    (version,) = history.index(TRIAL) or ()
    assert (version.number, version.status, version.modules) == (0, "COMPLETED", frozenset())


def test_a_trial_may_have_no_versions_or_no_history(serve: Serve, history: RegistryHistory) -> None:
    serve(HISTORY, recorded.EMPTY_INDEX, recorded.NO_HISTORY)
    assert history.index(TRIAL) == ()
    assert history.index(TRIAL) is None


def test_a_version_is_read_and_a_patch_beside_it_ignored(
    serve: Serve, history: RegistryHistory
) -> None:
    serve(f"{HISTORY}/1", recorded.HISTORY_VERSION, recorded.PATCHED_VERSION)
    assert history.version(TRIAL, 1) == recorded.study()
    assert history.version(TRIAL, 1) == recorded.study()


def test_every_recorded_answer_is_used_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    values = {
        name
        for name, value in vars(recorded).items()
        if isinstance(value, RecordedAnswer) or name in {"REFUSALS", "STALE_PAGES"}
    }
    unused = sorted(name for name in values if f"recorded.{name}" not in source)
    print(f"recorded answers: {len(values)} fixtures, {len(unused)} unused")
    assert unused == []
