"""Answers over HTTP: pages, chosen keys, CSV, tags, and the same rows as Python."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

import ctsync
from ctsync.python.database import TrialDatabase
from ctsync.record.rules.rules import Thresholds
from ctsync.store.store import open_for_reading, open_store
from ctsync.web.api.endpoints import ENDPOINTS
from tests.conftest import StillClock
from tests.python.conftest import LISTED
from tests.same_questions import answer_in_python, answer_over_http, questions, rows_in
from tests.web.api.served import TRIAL, all_rows, new_api, pages, serving


@pytest.mark.slow
def test_every_question_has_the_answer_of_python(api: httpx.Client, api_file: Path) -> None:
    clock = StillClock()
    asked: Counter[str] = Counter()
    rows = 0
    with open_for_reading(f"sqlite:///{api_file}", clock=clock) as store:
        db: ctsync.TrialDatabase = TrialDatabase(
            store, context=True, thresholds=Thresholds, clock=clock
        )
        for question in questions([TRIAL, LISTED], "mine"):
            if question.address is None or question.in_python is None:
                continue
            answer = answer_over_http(question.address, api, limit=7)
            assert answer == answer_in_python(question.in_python, db), question
            asked[question.address[0].split("/")[-1]] += 1
            rows += rows_in(answer)
    print(f"same answers over HTTP and in Python: {asked.total()} questions, {rows:,} rows")
    assert len(asked) >= 10


def test_each_page_has_the_notes_of_the_answer_in_python(api: httpx.Client, api_file: Path) -> None:
    """Each answer about a trial with versions that are not fetched says so."""
    clock, noted = StillClock(), 0
    with open_for_reading(f"sqlite:///{api_file}", clock=clock) as store:
        db: ctsync.TrialDatabase = TrialDatabase(
            store, context=True, thresholds=Thresholds, clock=clock
        )
        for question in questions([TRIAL, LISTED], "mine"):
            answer = question.in_python(db) if question.address and question.in_python else None
            if not isinstance(answer, ctsync.Rows):
                continue
            path, given = question.address or ("", {})
            found = api.get(f"/api/v1{path}", params=dict(given)).json()
            assert found["notes"] == list(answer.notes), question
            noted += any("listed by the registry" in note for note in found["notes"])
    print(f"{noted} answers name the versions that are listed and not fetched")
    assert noted >= 6


def test_a_record_has_its_note_in_a_header(api: httpx.Client, api_file: Path) -> None:
    clock, path = StillClock(), f"/api/v1/trials/{LISTED}/record"
    with open_for_reading(f"sqlite:///{api_file}", clock=clock) as store:
        db: ctsync.TrialDatabase = TrialDatabase(
            store, context=True, thresholds=Thresholds, clock=clock
        )
        record, first = db.record(LISTED), db.record(LISTED, version=1)
        on_day = db.record(LISTED, as_of="2016-12-31")
    assert on_day.note not in {"", record.note}
    for asked, wanted in (
        ({}, record),
        ({"version": "1"}, first),
        ({"as_of": "2016-12-31"}, on_day),
        ({"field": "overall status"}, record),
    ):
        found = api.get(path, params=asked)
        assert json.loads(found.headers["X-Notes"]) == [wanted.note], asked
    assert found.json() == record.value("overall status")
    assert "X-Notes" not in api.get(f"/api/v1/trials/{TRIAL}/record").headers


def test_an_answer_as_csv_has_its_notes_in_a_header(api: httpx.Client) -> None:
    path = f"/api/v1/trials/{LISTED}/compare"
    notes = api.get(path).json()["notes"]
    found = api.get(path, headers={"Accept": "text/csv"})
    assert json.loads(found.headers["X-Notes"]) == notes
    assert notes[0].startswith("between these versions, 1 version is listed by the registry")


def test_a_page_has_the_total_and_the_cursor_of_the_next(api: httpx.Client) -> None:
    found = list(pages(api, f"/trials/{TRIAL}/versions", 2))
    assert [len(page["rows"]) for page in found] == [2, 2, 1]
    assert {page["total"] for page in found} == {5}
    assert [page["next"] is None for page in found] == [False, False, True]
    assert [row["version"] for page in found for row in page["rows"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("path", "asked"), [("/changes", {"nct": TRIAL}), ("/trials", {"watch": "mine"})]
)
def test_pages_of_any_length_have_the_same_rows(
    api: httpx.Client, path: str, asked: dict[str, Any]
) -> None:
    at_once = all_rows(api, path, **asked)
    for limit in (3, 7, len(at_once)):
        assert all_rows(api, path, limit, **asked) == at_once
    assert len(at_once) > 7


def test_only_the_chosen_keys_are_written(api: httpx.Client) -> None:
    answer = api.get(f"/api/v1/trials/{TRIAL}/versions?fields=posted,version&limit=1")
    assert answer.json()["rows"] == [{"posted": "2011-05-11", "version": 1}]
    one = api.get(f"/api/v1/trials/{TRIAL}?fields=status")
    assert one.json() == {"status": "TERMINATED"}


def test_csv_has_the_columns_of_the_exports(api: httpx.Client) -> None:
    address = f"/api/v1/trials/{TRIAL}/versions?limit=2"
    answer = api.get(address, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["version"] for row in rows] == ["1", "2"]
    assert rows[0]["posted_precision"] == "day"
    assert answer.headers["x-total-count"] == "5"
    address_of_next = answer.url.join(answer.links["next"]["url"])
    following = api.get(address_of_next, headers={"Accept": "text/csv"})
    assert [row["version"] for row in csv.DictReader(io.StringIO(following.text))] == ["3", "4"]
    chosen = api.get(f"{address}&fields=posted,status", headers={"Accept": "text/csv"})
    assert chosen.text.splitlines()[0] == '"posted","posted_precision","posted_text","status"'


def test_the_accepted_form_decides(api: httpx.Client) -> None:
    for accept, expected in (
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("application/json;q=0.1, text/csv", "text/csv"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/html", "application/problem+json"),
    ):
        found = api.get("/api/v1/runs", headers={"Accept": accept})
        assert found.headers["content-type"].split(";")[0] == expected, accept
        assert found.headers["vary" if found.is_success else "cache-control"]


def test_an_unchanged_answer_is_not_sent_again(written: str) -> None:
    with serving(new_api(written)) as client:
        tag = client.get("/api/v1/watches").headers["etag"]
        again = client.get("/api/v1/watches", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        other = client.get("/api/v1/watches?fields=name", headers={"If-None-Match": tag})
        assert other.status_code == 200
        with open_store(written, clock=StillClock()) as store, store.unit() as unit:
            unit.watches.add("another")
        changed = client.get("/api/v1/watches", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert [row["name"] for row in changed.json()["rows"]] == ["another", "mine"]


def test_an_answer_that_changes_with_time_has_no_tag(api: httpx.Client) -> None:
    assert "etag" not in api.get("/api/v1/changes?since=7d").headers
    assert "etag" in api.get("/api/v1/changes?since=2026-01-01").headers


@pytest.mark.slow
def test_head_has_the_headers_of_get(api: httpx.Client) -> None:
    for endpoint in ENDPOINTS:
        path = f"/api/v1{endpoint.path}".replace("{nct}", TRIAL)
        needed = {"field": "overall status"} if path.endswith("/fields") else {}
        needed |= {"condition": "status=RECRUITING"} if path.endswith("/find") else {}
        got, head = api.get(path, params=needed), api.head(path, params=needed)
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("content-length", "content-type", "etag"):
            assert head.headers[name] == got.headers[name], path


def test_a_record_is_that_of_a_day_a_version_or_a_field(api: httpx.Client) -> None:
    path = f"/api/v1/trials/{TRIAL}/record"
    newest = api.get(path).json()
    assert newest == api.get(f"{path}?version=-1").json()
    assert api.get(f"{path}?as_of=2012-01-01&field=overall status").json() == "RECRUITING"
    assert api.get(path, headers={"Accept": "text/csv"}).status_code == 406
