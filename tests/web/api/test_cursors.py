"""Cursors: rows stored between two pages change no page, and a wrong cursor is an error."""

from __future__ import annotations

import base64
import random
from typing import Any

import httpx
import orjson
import pytest

from ctsync.errors import UsageError
from ctsync.model import NctId, Source, State, StoredEvent
from ctsync.questions.changes import change_pages
from ctsync.questions.changes.change_pages import ChangePlace, change_page
from ctsync.questions.changes.changes import find_changes
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store, open_store
from ctsync.web import kept_answers
from ctsync.web.api.long_lists import NOT_COUNTED
from ctsync.web.api.paging import read_cursor, sum_of
from tests.conftest import StillClock
from tests.questions.answers import NOW
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history
from tests.web.api.served import TRIAL, all_rows, new_api, pages, serving

OLD = NctId("NCT00000013")


def write_between_pages(url: str) -> None:
    """Store a trial whose changes are older than all others, and follow it."""
    studies = [
        make_study(OLD, overallStatus=status, lastUpdatePostDateStruct={"date": posted})
        for posted, status in (("2001-01-13", "RECRUITING"), ("2001-02-13", "TERMINATED"))
    ]
    with open_store(url, clock=StillClock()) as store:
        keep_history(store, studies, source=Source.LIVE)
        with store.unit() as unit:
            unit.watches.add_trials("mine", {OLD: None}, NOW)


def store_termination(url: str, nct_id: str) -> None:
    """Store one more version of a trial, with another status."""
    with open_store(url, clock=StillClock()) as store, store.unit() as unit:
        record = canonicalize(make_study(NctId(nct_id), overallStatus="TERMINATED"))
        key = key_fields(record.body)
        head = store.trials.heads([record.nct_id])[record.nct_id]
        unit.versions.add(
            record.nct_id, after=head.snapshot_id, record=record, key=key, state=State.PRESENT,
            source=Source.LIVE, posted=key.posted, submitted=key.submitted, observed=NOW,
            fetched=NOW, run_id=None,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/changes", {"level": "routine"}),
        ("/trials", {"sort": "nct_id"}),
        ("/find", {"condition": "enrollment>1", "ever": "true"}),
        ("/flags", {"all": "true"}),
    ],
)
def test_rows_stored_between_pages_change_no_page(
    written: str, path: str, asked: dict[str, Any]
) -> None:
    with serving(new_api(written)) as client:
        before = all_rows(client, path, **asked)
        half = (len(before) + 1) // 2
        first = client.get(f"/api/v1{path}", params={**asked, "limit": half}).json()
        write_between_pages(written)
        following = {**asked, "limit": 1000, "cursor": first["next"]}
        second = client.get(f"/api/v1{path}", params=following).json()
        after = all_rows(client, path, **asked)
    print(f"{path}: {half} rows, then {len(after) - len(before)} stored, then "
          f"{len(second['rows'])}; none twice, none left out")  # fmt: skip
    assert first["rows"] + second["rows"] == before
    assert (first["total"], second["total"], second["next"]) == (len(before), len(before), None)
    assert len(after) > len(before)


def test_a_run_that_begins_between_two_pages_is_on_no_later_page(written: str) -> None:
    def begin(number: int) -> None:
        with open_store(written, clock=StillClock()) as store, store.unit() as unit:
            for _ in range(number):
                unit.runs.begin("sync", NOW)

    begin(5)
    with serving(new_api(written)) as client:
        before = all_rows(client, "/runs")
        found = [client.get("/api/v1/runs", params={"limit": 2}).json()]
        while following := found[-1]["next"]:
            begin(2)
            page = client.get("/api/v1/runs", params={"limit": 2, "cursor": following})
            found.append(page.json())
        after = all_rows(client, "/runs")
    print(
        f"/runs: {len(found)} pages of {len(before)} runs, {len(after) - len(before)} began since"
    )
    assert [row for page in found for row in page["rows"]] == before
    assert {page["total"] for page in found} == {len(before)}
    assert len(after) > len(before)
    assert [row["id"] for row in after] == sorted((row["id"] for row in after), reverse=True)


def test_a_cursor_expires_if_the_data_changed_and_nothing_is_kept(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "MOST_ANSWERS", 0)
    with serving(new_api(written)) as client:
        asked: dict[str, Any] = {"all": "true", "limit": 2}
        cursor = client.get("/api/v1/flags", params=asked).json()["next"]
        still = client.get("/api/v1/flags", params={**asked, "cursor": cursor})
        write_between_pages(written)
        gone = client.get("/api/v1/flags", params={**asked, "cursor": cursor})
    assert still.status_code == 200
    assert gone.status_code == 410
    assert gone.json()["detail"].endswith("ask again without cursor")


@pytest.mark.parametrize("how", [{}, {"ever": "true"}, {"as_of": "2030-01-01"}])
def test_pages_of_a_search_leave_out_versions_stored_since_the_first_one(
    written: str, how: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"condition": "status!=TERMINATED", **how}
    with serving(new_api(written)) as client:
        before = all_rows(client, "/find", **asked)
        found = [client.get("/api/v1/find", params={**asked, "limit": 2}).json()]
        write_between_pages(written)
        store_termination(written, before[-1]["nct_id"])
        while following := found[-1]["next"]:
            more = client.get("/api/v1/find", params={**asked, "limit": 3, "cursor": following})
            found.append(more.json())
        after = all_rows(client, "/find", **asked)
    print(f"a search of {len(before)} results in {len(found)} pages, with 3 versions stored since")
    assert [row for page in found for row in page["rows"]] == before != after
    assert {page["total"] for page in found} == {len(before)}


def test_a_search_that_reads_records_has_its_total_on_the_last_page(api: httpx.Client) -> None:
    """Counting them would read every record before the first page is shown."""
    asked: dict[str, Any] = {"condition": "country!=Iceland", "ever": "true"}
    at_once = api.get("/api/v1/find", params={**asked, "limit": 1000})
    found = list(pages(api, "/find", 4, **asked))
    assert [row for page in found for row in page["rows"]] == at_once.json()["rows"]
    assert [page["total"] for page in found] == [None] * (len(found) - 1) + [
        len(at_once.json()["rows"])
    ]
    assert [NOT_COUNTED in page["notes"] for page in found] == [True] * (len(found) - 1) + [False]
    assert at_once.headers["X-Total-Count"] == str(at_once.json()["total"])
    first = api.get("/api/v1/find", params={**asked, "limit": 4})
    assert "X-Total-Count" not in first.headers


def test_a_damaged_cursor_is_an_error(api: httpx.Client) -> None:
    cursor = api.get("/api/v1/changes?limit=2").json()["next"]
    question = '["/changes",[]]'
    assert len(read_cursor(cursor, question, NOW)[1]) == 5
    drawn = random.Random(7)
    damaged = ["", "x", "%", "é" * 9, cursor[:-1], cursor + "A", cursor + "=", cursor.swapcase()]
    for _ in range(500):
        place = drawn.randrange(len(cursor))
        other = drawn.choice([one for one in "AZaz09_-" if one != cursor[place]])
        damaged.append(cursor[:place] + other + cursor[place + 1 :])
    refused = 0
    for text in damaged:
        with pytest.raises(UsageError, match="the cursor is damaged"):
            read_cursor(text, question, NOW)
        refused += 1
    print(f"cursors: {len(damaged)} damaged, {refused} refused")
    answer = api.get("/api/v1/changes", params={"limit": 2, "cursor": damaged[-1]})
    assert (answer.status_code, answer.json()["detail"][:22]) == (400, "the cursor is damaged,")


def test_a_cursor_belongs_to_its_question(api: httpx.Client) -> None:
    cursor = api.get("/api/v1/changes?watch=mine&limit=2").json()["next"]
    other = [f"changes?limit=2&cursor={cursor}", f"runs?limit=1&cursor={cursor}"]
    assert [api.get(f"/api/v1/{one}").status_code for one in other] == [400, 400]
    longer = api.get(f"/api/v1/changes?watch=mine&limit=3&fields=rule&cursor={cursor}")
    assert longer.status_code == 200


def test_a_cursor_that_somebody_made_up_is_an_error(api: httpx.Client) -> None:
    question = '["/changes",[]]'
    for content in (
        ["2026-03-13T15:02:11+00:00", 1, 2, "2026-02-31", TRIAL, 5],
        ["2026-03-13T15:02:11+00:00", "1"],
        ["0001-01-01T00:00:00+00:00", 1, 2, "2026-02-01", TRIAL, 5],
        ["2999-01-01T00:00:00+00:00", 1, 2, "2026-02-01", TRIAL, 5],
        ["now"],
        [],
        7,
    ):
        packed = orjson.dumps(content)
        summed = sum_of(question, packed) + packed
        cursor = base64.urlsafe_b64encode(summed).decode().rstrip("=")
        answer = api.get("/api/v1/changes", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["status"]) == (400, 400), content


@pytest.mark.parametrize("most", [1, 4, 50])
def test_pages_of_a_day_with_many_events_are_those_of_all_changes(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Days with more than two events are read trial by trial."""
    monkeypatch.setattr(change_pages, "EVENTS_AT_ONCE", 2)
    monkeypatch.setattr(change_pages, "TRIALS_AT_ONCE", 2)
    for number in range(1, 6):
        nct_id = f"NCT0000{number:04d}"
        counts = (100, 300, 50)
        keep_history(
            store,
            [
                make_study(
                    nct_id,
                    lastUpdatePostDateStruct={"date": f"2026-01-{13 + step}"},
                    designModule={"enrollmentInfo": {"count": count, "type": "ESTIMATED"}},
                    overallStatus="RECRUITING" if step % 2 else "SUSPENDED",
                )
                for step, count in enumerate(counts)
            ],
            source=Source.LIVE,
        )
    for wanted in (EventFilter(), EventFilter(nct_ids=(NctId("NCT00000003"),))):
        after: ChangePlace | None = None
        found: list[StoredEvent] = []
        while True:
            page = change_page(store, wanted, after=after, most=most)
            found += page.events
            after = page.last
            if after is None:
                break
        assert tuple(found) == find_changes(store, wanted).events
    assert found
