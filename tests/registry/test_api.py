"""The registry API client: batches, aliases, absences, org study ids and the version."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import PreparedRequest
from responses import RequestsMock

from ctsync.errors import (
    BadAnswer,
    BadNctId,
    BadRecord,
    IdentityMismatch,
    RegistryBusy,
    RegistryUnreachable,
    RequestRefused,
    StalePage,
)
from ctsync.model import (
    Absent,
    Answer,
    Failed,
    JsonObject,
    NctId,
    Observation,
    RegistryVersion,
)
from ctsync.registry.api import LONGEST_URL, RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.registry.interface import Registry
from tests.fakes import FakeClock
from tests.registry_fixtures import an_id
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

BASE = "https://registry.test/api"
LOAD = RegistryVersion("2.0.5", datetime(2026, 3, 13, 9, 0, 5, tzinfo=UTC))
DATA_CHANGED = (
    "The data have probably changed while you were paginating. "
    "Please, start over from the first page."
)
Response = tuple[int, dict[str, str], str]


class Web:
    """A registry in memory: studies by id, aliases, and ids that it refuses."""

    def __init__(self, mock: RequestsMock) -> None:
        self.studies: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.refused_ids: set[str] = set()
        self.hidden_in_batches: set[str] = set()
        self.extra: list[Any] = []
        self.requests: list[PreparedRequest] = []
        url = re.compile(re.escape(f"{BASE}/v2/studies") + r"(/[^/?]*)?(\?.*)?")
        mock.add_callback(responses.GET, url, self._answer, content_type=None)

    def publish(self, *numbers: int, **module: Any) -> None:
        for number in numbers:
            study = a_study(number, **module)
            self.studies[study["protocolSection"]["identificationModule"]["nctId"]] = study

    def merge(self, old: int, new: int) -> None:
        """Make one study's id an alias of another study."""
        self.aliases[an_id(old)] = an_id(new)
        module = self.studies[an_id(new)]["protocolSection"]["identificationModule"]
        module.setdefault("nctIdAliases", []).append(an_id(old))

    @property
    def paths(self) -> list[str]:
        return [urlsplit(str(sent.url)).path.removeprefix("/api/v2") for sent in self.requests]

    def _answer(self, sent: PreparedRequest) -> Response:
        self.requests.append(sent)
        parts = urlsplit(str(sent.url))
        name = parts.path.removeprefix("/api/v2/studies").strip("/")
        return self._one(name) if name else self._listed(parse_qs(parts.query))

    def _listed(self, params: dict[str, list[str]]) -> Response:
        ids = params["filter.ids"][0].split("|")
        if self.refused_ids.intersection(ids):
            return refused("Item 1 in parameter `filter.ids` has incorrect format")
        names = {self.aliases.get(name, name) for name in ids} - self.hidden_in_batches
        found = [study for nct_id, study in self.studies.items() if nct_id in names]
        return in_json({"studies": found + self.extra})

    def _one(self, name: str) -> Response:
        if name in self.refused_ids:
            return refused("Parameter `nctId` has incorrect format")
        if name in self.aliases:
            return 301, {"Location": f"/api/v2/studies/{self.aliases[name]}"}, ""
        if name not in self.studies:
            return 404, {"Content-Type": "text/plain"}, f"NCT number {name} not found"
        return in_json(self.studies[name])


def in_json(value: Any) -> Response:
    return 200, {"Content-Type": "application/json"}, json.dumps(value)


def refused(text: str) -> Response:
    return 400, {"Content-Type": "text/plain"}, text


def a_study(number: int, *, holder: str = "2026-03-13", **module: Any) -> JsonObject:
    return {
        "protocolSection": {"identificationModule": {"nctId": an_id(number), **module}},
        "derivedSection": {"miscInfoModule": {"versionHolder": holder}},
    }


@pytest.fixture
def mock() -> Iterator[RequestsMock]:
    with RequestsMock(assert_all_requests_are_fired=False) as active:
        yield active


@pytest.fixture
def web(mock: RequestsMock) -> Web:
    return Web(mock)


@pytest.fixture
def open_api() -> Iterator[Callable[..., RegistryApi]]:
    opened: list[Transport] = []

    def open_one(url: str = BASE, *, max_bytes: float = 2**26, **options: Any) -> RegistryApi:
        clock = FakeClock()
        opened.append(
            Transport(url, clock=clock, requests_per_second=1e6, burst=10_000, max_bytes=max_bytes)
        )
        return RegistryApi(opened[-1], clock=clock, **options)

    yield open_one
    for transport in opened:
        transport.close()


@pytest.fixture
def api(open_api: Callable[..., RegistryApi]) -> RegistryApi:
    return open_api()


def ask(api: Registry, numbers: Iterable[int]) -> dict[NctId, Answer]:
    answers = list(api.studies([an_id(number) for number in numbers], LOAD))
    by_name = {one.asked_as if isinstance(one, Observation) else one.nct_id: one for one in answers}
    assert len(by_name) == len(answers), "one answer each"
    return by_name


def of_kind(answers: dict[NctId, Answer], kind: type) -> list[str]:
    return sorted(name for name, one in answers.items() if isinstance(one, kind))


# --- batches -----------------------------------------------------------------------------------


def test_a_batch_is_one_request(web: Web, api: RegistryApi) -> None:
    web.publish(*range(1, 301))
    answers = ask(api, range(1, 301))
    assert len(of_kind(answers, Observation)) == 300
    assert web.paths == ["/studies"]
    url = str(web.requests[0].url)
    assert parse_qs(urlsplit(url).query) == {
        "filter.ids": ["|".join(an_id(number) for number in range(1, 301))],
        "pageSize": ["1000"],
        "format": ["json"],
        "markupFormat": ["markdown"],
    }
    assert len(url) <= LONGEST_URL
    first = answers[an_id(1)]
    assert isinstance(first, Observation)
    assert first.study == web.studies["NCT00000001"]
    assert first.data_timestamp == LOAD.data_timestamp
    assert first.fetched_at == datetime(2026, 3, 13, 15, 2, 11, tzinfo=UTC)


def test_600_trials_take_two_requests(web: Web, api: RegistryApi) -> None:
    web.publish(*range(1, 601))
    assert len(of_kind(ask(api, range(1, 601)), Observation)) == 600
    assert api.counts.requests == 2


def test_answers_stream_batch_by_batch(web: Web, open_api: Callable[..., RegistryApi]) -> None:
    web.publish(1, 2, 3, 4)
    answers = open_api(batch_size=2).studies([an_id(n) for n in (1, 2, 3, 4)], LOAD)
    next(answers)
    assert len(web.requests) == 1
    assert len(list(answers)) == 3
    assert len(web.requests) == 2


def test_a_long_base_url_makes_smaller_batches(
    mock: RequestsMock, open_api: Callable[..., RegistryApi]
) -> None:
    seen = []

    def note(sent: PreparedRequest) -> Response:
        seen.append(str(sent.url))
        ids = parse_qs(urlsplit(seen[-1]).query)["filter.ids"][0].split("|")
        return in_json({"studies": [a_study(int(name[3:])) for name in ids]})

    deep = "https://mirror.test/" + "x" * 2000
    mock.add_callback(responses.GET, f"{deep}/v2/studies", note, content_type=None)
    assert len(ask(open_api(deep), range(1, 1001))) == 1000
    assert max(map(len, seen)) <= LONGEST_URL


def test_an_id_requested_twice_is_answered_once(web: Web, api: RegistryApi) -> None:
    web.publish(1, 2)
    assert len(list(api.studies([an_id(1), an_id(2), an_id(1)], LOAD))) == 2


def test_an_empty_list_of_ids_sends_no_request(web: Web, api: RegistryApi) -> None:
    assert list(api.studies([], LOAD)) == []
    assert web.requests == []


def test_a_malformed_id_fails_alone_and_is_never_sent(web: Web, api: RegistryApi) -> None:
    web.publish(1, 2)
    ids = [an_id(1), NctId("NCT|1"), NctId(""), NctId("../version"), an_id(2)]
    answers = list(api.studies(ids, LOAD))
    bad = [one for one in answers if isinstance(one, Failed)]
    assert [one.nct_id for one in bad] == ["NCT|1", "", "../version"]
    assert all(isinstance(one.error, BadNctId) for one in bad)
    assert len(answers) == 5
    assert web.paths == ["/studies"]


def test_a_trial_missing_from_its_batch_is_requested_alone(web: Web, api: RegistryApi) -> None:
    web.publish(1, 2, 3)
    web.hidden_in_batches = {"NCT00000002"}
    answers = ask(api, [1, 2, 3, 4])
    assert of_kind(answers, Observation) == ["NCT00000001", "NCT00000002", "NCT00000003"]
    assert of_kind(answers, Absent) == ["NCT00000004"]
    assert web.paths == ["/studies", "/studies/NCT00000002", "/studies/NCT00000004"]


def test_one_id_the_registry_refuses_fails_alone(web: Web, api: RegistryApi) -> None:
    web.publish(*range(1, 501))
    allowed = 2 * math.ceil(math.log2(500))
    for bad in (1, 137, 250, 251, 500):
        web.refused_ids = {an_id(bad)}
        before = api.counts.requests
        answers = ask(api, range(1, 501))
        extra = api.counts.requests - before - 1
        assert of_kind(answers, Failed) == [an_id(bad)]
        assert len(of_kind(answers, Observation)) == 499
        assert extra <= allowed
        print(f"1 bad id in 500 (number {bad}): 499 fetched, {extra} extra requests of {allowed}")


def test_a_failed_batch_fails_its_ids_and_no_others(
    mock: RequestsMock, open_api: Callable[..., RegistryApi]
) -> None:
    def answer(sent: PreparedRequest) -> Response:
        ids = parse_qs(urlsplit(str(sent.url)).query)["filter.ids"][0].split("|")
        if "NCT00000003" in ids:
            return 503, {}, ""
        return in_json({"studies": [a_study(int(name[3:])) for name in ids]})

    mock.add_callback(responses.GET, f"{BASE}/v2/studies", answer, content_type=None)
    answers = ask(open_api(batch_size=2), [1, 2, 3, 4, 5, 6])
    assert of_kind(answers, Failed) == ["NCT00000003", "NCT00000004"]
    assert len(of_kind(answers, Observation)) == 4
    failed = answers[an_id(3)]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RegistryBusy)


def test_a_batch_too_large_is_fetched_in_parts(
    web: Web, open_api: Callable[..., RegistryApi]
) -> None:
    web.publish(*range(1, 41), officialTitle="x" * 10_000)
    api = open_api(max_bytes=130_000)
    assert len(of_kind(ask(api, range(1, 41)), Observation)) == 40
    assert api.counts.requests == 2 + 4  # batches of 40 and 20 are too large


# --- identity ----------------------------------------------------------------------------------


def test_an_alias_is_answered_with_the_trial_that_owns_it(web: Web, api: RegistryApi) -> None:
    web.publish(1, 2)
    web.merge(9, 2)
    answers = ask(api, [1, 9])
    moved = answers[an_id(9)]
    assert isinstance(moved, Observation)
    assert (moved.asked_as, moved.nct_id) == ("NCT00000009", "NCT00000002")
    assert api.counts.requests == 1


def test_alias_and_trial_requested_together_each_get_an_answer(web: Web, api: RegistryApi) -> None:
    web.publish(1, 2)
    web.merge(8, 2)
    web.merge(9, 2)
    answers = ask(api, [9, 1, 2, 8])
    assert {name: one.nct_id for name, one in answers.items()} == {
        "NCT00000001": "NCT00000001",
        "NCT00000002": "NCT00000002",
        "NCT00000008": "NCT00000002",
        "NCT00000009": "NCT00000002",
    }
    assert api.counts.requests == 1


def test_a_trial_that_still_has_its_own_record_is_not_treated_as_an_alias(
    web: Web, api: RegistryApi
) -> None:
    web.publish(1)
    web.publish(2, nctIdAliases=["NCT00000001"])
    answers = ask(api, [1, 2])
    assert answers[an_id(1)].nct_id == "NCT00000001"


def test_an_alias_that_two_trials_list_is_requested_alone(web: Web, api: RegistryApi) -> None:
    web.publish(2, 3, nctIdAliases=["NCT00000009"])
    web.aliases["NCT00000009"] = "NCT00000003"
    answers = ask(api, [2, 3, 9])
    assert answers[an_id(9)].nct_id == "NCT00000003"
    assert web.paths == ["/studies", "/studies/NCT00000009", "/studies/NCT00000003"]


def test_a_study_that_was_not_requested_is_ignored_and_logged(
    web: Web, api: RegistryApi, caplog: pytest.LogCaptureFixture
) -> None:
    web.publish(1, 2)
    web.extra = [a_study(77), None, 5, "x", [], {}, {"protocolSection": None}]
    with caplog.at_level(logging.WARNING, logger="ctsync"):
        answers = ask(api, [1, 2])
    assert sorted(answers) == ["NCT00000001", "NCT00000002"]
    ignored = [record.getMessage() for record in caplog.records]
    assert len(ignored) == 7
    assert ignored[0] == "ignored a record that was not requested: NCT00000077"


def test_a_single_answer_for_another_trial_is_a_mismatch(web: Web, api: RegistryApi) -> None:
    web.studies["NCT00000001"] = a_study(2)
    found = api.study(an_id(1), LOAD)
    assert isinstance(found, Failed)
    assert isinstance(found.error, IdentityMismatch)
    assert orjson.loads(found.raw) == a_study(2)


def test_a_single_answer_that_names_the_id_as_an_alias_is_that_trial(
    web: Web, api: RegistryApi
) -> None:
    web.studies["NCT00000001"] = a_study(2, nctIdAliases=["NCT00000001"])
    found = api.study(an_id(1), LOAD)
    assert isinstance(found, Observation)
    assert (found.asked_as, found.nct_id) == ("NCT00000001", "NCT00000002")


def test_a_study_without_an_id_fails_and_keeps_the_answer(web: Web, api: RegistryApi) -> None:
    web.studies["NCT00000001"] = {"hasResults": False}
    found = api.study(an_id(1), LOAD)
    assert isinstance(found, Failed)
    assert isinstance(found.error, BadRecord)
    assert orjson.loads(found.raw) == {"hasResults": False}


def test_a_refused_single_id_is_a_failure_not_an_absence(web: Web, api: RegistryApi) -> None:
    web.refused_ids = {"NCT00000001"}
    found = api.study(an_id(1), LOAD)
    assert isinstance(found, Failed)
    assert isinstance(found.error, RequestRefused)


def test_an_absence_keeps_the_registrys_text_and_its_load(web: Web, api: RegistryApi) -> None:
    assert api.study(an_id(1), LOAD) == Absent(
        nct_id=an_id(1),
        said="NCT number NCT00000001 not found",
        fetched_at=datetime(2026, 3, 13, 15, 2, 11, tzinfo=UTC),
        data_timestamp=LOAD.data_timestamp,
    )


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("NCT00000001"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("protocolSection", "identificationModule", "nctId", "nctIdAliases"),
                    *("derivedSection", "miscInfoModule", "versionHolder", "orgStudyIdInfo", "id"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(HOSTILE, max_size=3))
def test_a_study_of_any_shape_fails_only_itself(
    open_api: Callable[..., RegistryApi], studies: list[Any]
) -> None:
    with RequestsMock(assert_all_requests_are_fired=False) as mock:
        web = Web(mock)
        web.publish(2, 3)
        web.extra = studies
        if studies:
            web.studies["NCT00000001"] = studies[0]
            web.hidden_in_batches = {"NCT00000001"}
        answers = ask(open_api(), [1, 2, 3])
    assert of_kind(answers, Observation)[-2:] == ["NCT00000002", "NCT00000003"]
    assert len(answers) == 3


# --- loads -------------------------------------------------------------------------------------


def test_a_study_of_another_load_is_counted_by_its_day(web: Web, api: RegistryApi) -> None:
    web.publish(1, 2, 3)
    web.publish(4, 5, holder="2026-03-12")
    web.publish(6, holder="2026-03-16")
    web.publish(7, holder="soon")
    ask(api, range(1, 8))
    assert api.other_loads == {date(2026, 3, 12): 2, date(2026, 3, 16): 1}
    ask(api, [1, 2])
    assert api.other_loads == {}


# --- paging ------------------------------------------------------------------------------------


def serve_pages(
    mock: RequestsMock,
    answers: dict[str, Response],
    *,
    before: dict[str, Callable[[], None]] | None = None,
) -> list[str]:
    """Answer each page token, "" for the first page. Return the list of requested tokens.

    A function in `before` runs when its token is requested.
    """
    tokens: list[str] = []

    def answer(sent: PreparedRequest) -> Response:
        token = parse_qs(urlsplit(str(sent.url)).query).get("pageToken", [""])[0]
        tokens.append(token)
        if before and token in before:
            before[token]()
        return answers[token]

    mock.add_callback(responses.GET, f"{BASE}/v2/studies", answer, content_type=None)
    return tokens


def page(*numbers: int, following: str | None = None) -> Response:
    token = {"nextPageToken": following} if following is not None else {}
    return in_json({"studies": [a_study(number) for number in numbers], **token})


def test_a_listing_ends_at_the_page_without_a_token(mock: RequestsMock, api: RegistryApi) -> None:
    tokens = serve_pages(
        mock,
        {"": page(1, following="a"), "a": page(following="b"), "b": page(2, 1, following="c")}
        | {"c": page()},
    )
    assert of_kind(ask(api, [1, 2]), Observation) == ["NCT00000001", "NCT00000002"]
    assert tokens == ["", "a", "b", "c"]


def test_a_reload_while_paging_restarts_the_listing(mock: RequestsMock, api: RegistryApi) -> None:
    answers = {"": page(1, following="old"), "old": refused(DATA_CHANGED), "new": page(2)}

    def reload() -> None:
        answers[""] = page(1, following="new")

    tokens = serve_pages(mock, answers, before={"old": reload})
    assert len(of_kind(ask(api, [1, 2]), Observation)) == 2
    assert tokens == ["", "old", "", "new"]


def test_a_listing_that_is_stale_at_every_attempt_fails_its_ids(
    mock: RequestsMock, api: RegistryApi
) -> None:
    tokens = serve_pages(mock, {"": page(1, following="a"), "a": refused(DATA_CHANGED)})
    answers = ask(api, [1, 2])
    assert of_kind(answers, Failed) == ["NCT00000001", "NCT00000002"]
    failed = answers[an_id(1)]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, StalePage)
    assert tokens == ["", "a"] * 3


def test_a_listing_that_never_ends_is_abandoned(mock: RequestsMock, api: RegistryApi) -> None:
    tokens = serve_pages(mock, {"": page(following="a"), "a": page(following="a")})
    assert len(of_kind(ask(api, [1, 2]), Failed)) == 2
    assert len(tokens) < 10

    mock.reset()
    count = iter(range(10_000))
    mock.add_callback(
        responses.GET,
        f"{BASE}/v2/studies",
        lambda _sent: page(following=f"token {next(count)}"),
        content_type=None,
    )
    assert len(of_kind(ask(api, [1, 2]), Failed)) == 2
    assert next(count) <= 300


# --- the version -------------------------------------------------------------------------------


def test_the_version_is_read_as_utc(mock: RequestsMock, api: RegistryApi) -> None:
    stamp = "2026-03-13T09:00:05"
    mock.get(f"{BASE}/v2/version", json={"apiVersion": "2.0.5", "dataTimestamp": stamp})
    assert api.version() == LOAD


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"apiVersion": "2.0.5"},
        {"dataTimestamp": "2026-03-13T09:00:05"},
        {"apiVersion": 2, "dataTimestamp": "2026-03-13T09:00:05"},
        {"apiVersion": "2.0.5", "dataTimestamp": 1},
        {"apiVersion": "2.0.5", "dataTimestamp": "2026-03-13"},
        {"apiVersion": "2.0.5", "dataTimestamp": "today at T"},
        {"apiVersion": "2.0.5", "dataTimestamp": "2026-13-13T09:00:05"},
        {"apiVersion": "2.0.5", "dataTimestamp": "0001-01-01T00:00:00+14:00"},
    ],
    ids=repr,
)
def test_a_version_answer_of_a_wrong_shape_is_a_bad_answer(
    body: Any, mock: RequestsMock, api: RegistryApi
) -> None:
    mock.get(f"{BASE}/v2/version", json=body)
    with pytest.raises(BadAnswer):
        api.version()


def test_a_url_without_a_registry_is_reported_as_such(mock: RequestsMock, api: RegistryApi) -> None:
    mock.get(f"{BASE}/v2/version", status=404, body="<html>", content_type="text/html")
    with pytest.raises(
        RegistryUnreachable,
        match=rf"^no registry at {re.escape(BASE)}: .* status 404; check registry\.url$",
    ):
        api.version()


# --- org study ids -----------------------------------------------------------------------------


def serve_org_ids(mock: RequestsMock, org_ids: dict[int, Any]) -> list[dict[str, list[str]]]:
    requests: list[dict[str, list[str]]] = []

    def answer(sent: PreparedRequest) -> Response:
        requests.append(parse_qs(urlsplit(str(sent.url)).query))
        studies = [a_study(number, orgStudyIdInfo=info) for number, info in org_ids.items()]
        return in_json({"studies": studies})

    mock.add_callback(responses.GET, f"{BASE}/v2/studies", answer, content_type=None)
    return requests


def test_an_org_study_id_is_searched_for_and_must_then_match_exactly(
    mock: RequestsMock, api: RegistryApi
) -> None:
    look_alikes = {
        1: {"id": "BM-MSC-01"},
        2: {"id": "BM-MSC-011"},
        3: {"id": "BM-MSC-01-EXT"},
        4: {"id": "BM MSC 01"},
        5: {"id": "X BM-MSC-01"},
        6: {"id": "BM-MSC-0１"},
        7: {"id": 5},
        8: {},
        9: None,
        10: "BM-MSC-01",
    }
    requests = serve_org_ids(mock, look_alikes)
    assert api.find_org_id(" bm-msc-01\n") == ("NCT00000001",)
    assert requests == [
        {
            "filter.advanced": ['AREA[OrgStudyId]"bm-msc-01"'],
            "fields": ["NCTId|OrgStudyId"],
            "format": ["json"],
            "markupFormat": ["markdown"],
            "pageSize": ["1000"],
        }
    ]
    print(f"org id: {len(look_alikes) - 1} look-alikes, 0 mistaken for the trial")


def test_an_org_study_id_of_several_trials_returns_all_of_them(
    mock: RequestsMock, api: RegistryApi
) -> None:
    serve_org_ids(mock, {3: {"id": "Study  1"}, 1: {"id": "STUDY 1 "}, 2: {"id": "Study 12"}})
    assert api.find_org_id("study 1") == ("NCT00000001", "NCT00000003")


def test_an_org_study_id_of_no_trial_returns_none(mock: RequestsMock, api: RegistryApi) -> None:
    requests = serve_org_ids(mock, {1: {"id": "A"}})
    assert api.find_org_id("B") == ()
    assert [api.find_org_id(text) for text in ("", "  ", '""', "x" * 201)] == [()] * 4
    assert len(requests) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(['"', "\\", "[", "]", "(", " OR ", "AREA[NCTId]", "x", "\n", "\ud800"])
    ).map("".join)
)
def test_any_text_is_sent_as_a_phrase_and_never_as_query_syntax(
    open_api: Callable[..., RegistryApi], text: str
) -> None:
    with RequestsMock(assert_all_requests_are_fired=False) as mock:
        requests = serve_org_ids(mock, {})
        assert open_api().find_org_id(text) == ()
    for params in requests:
        assert re.fullmatch(
            r'AREA\[OrgStudyId\]"[^"\\\[\]\x00-\x1f]+"', params["filter.advanced"][0]
        )


# --- with the replay registry, which implements the complete API ---------------------------------


@pytest.fixture
def replay() -> Iterator[ReplayRegistry]:
    catalogue = Catalogue("2026-03-13")
    for number in range(1, 31):
        catalogue.publish(a_study(number, orgStudyIdInfo={"id": f"ORG-{number}"}))
    with ReplayRegistry(catalogue) as served:
        yield served


def test_every_id_gets_its_answer_over_real_http(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    api = open_api(replay.url, batch_size=10)
    load = api.version()
    assert load.data_timestamp.date() == date(2026, 3, 13)
    answers = ask(api, [*range(1, 31), 99])
    assert len(of_kind(answers, Observation)) == 30
    assert of_kind(answers, Absent) == ["NCT00000099"]
    assert api.other_loads == {}


def test_an_org_study_id_is_found_over_real_http(
    replay: ReplayRegistry, open_api: Callable[..., RegistryApi]
) -> None:
    api = open_api(replay.url)
    assert api.find_org_id("org-1") == ("NCT00000001",)
    assert api.find_org_id('ORG-1" OR AREA[OrgStudyId]"ORG-2') == ()
