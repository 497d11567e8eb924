"""Bad requests: each gets one problem document with one sentence, and changes nothing."""

from __future__ import annotations

import re
import sqlite3
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from ctsync.config.settings import Settings
from ctsync.errors import CorruptBody, NoDatabase, StoreLocked
from ctsync.web.api.api_application import create_api
from tests.conftest import StillClock
from tests.web.api.served import TRIAL, new_api, serving

INJECTION = "x'; DROP TABLE trials; --"
BAD = {
    "changes?sinse=7d": "there is no parameter 'sinse' here; did you mean since?",
    "changes?since=2026-13-01": "'2026-13-01' is not a date",
    "changes?since=last+report": "no report was sent yet",
    "changes?since=99999y": "'99999y' is longer ago than there are dates",
    "changes?since=": "since has no value; write one, or leave since out",
    "trials?search=": "search has no value; write one, or leave search out",
    "trials?search=%17": "search contains a control character; remove it",
    f"trials/{TRIAL}/compare?to=": "to has no value; write one, or leave to out",
    "changes?until=soon": "'soon' is not a date",
    "changes?limit=0": "limit=0: write a number from 1 to 1000",
    "changes?limit=1001": "limit=1001: write a number from 1 to 1000",
    f"changes?limit={'9' * 5000}": "limit=999",
    "changes?limit=%D9%A3": "limit=٣: write a number from 1 to 1000",
    "changes?limit=1&limit=2": "limit is given 2 times; give it once",
    "changes?kind=statos": "there is no kind 'statos'; did you mean status?",
    "changes?level=bad": "there is no level 'bad'; known: ",
    "changes?category=x": "there is no category 'x'; known: ",
    "changes?fields=nct": "there is no field 'nct' in these rows; did you mean nct_id?",
    "changes?fields=": "fields has no value; write one, or leave fields out",
    "changes?fields=,": "there is no field '' in these rows",
    "changes?watch=minee": "there is no watch 'minee'; did you mean 'mine'?",
    "changes?watch=%00": "watch contains a control character; remove it",
    "changes?watch=%ff": "the address is not UTF-8; encode its values as UTF-8",
    "changes?nct=NCT1": "'NCT1' is not an NCT id",
    "changes?cursor=x": "the cursor is damaged, or belongs to another question",
    "trials?phase=9": "there is no phase '9'; known: ",
    "trials?flag=bad": "there is no flag 'bad'; known: ",
    "trials?sort=size": "there is no portfolio sort 'size'; known: ",
    "trials?reverse=yes": "reverse=yes: write true or false",
    "trials?country=Frence": "no followed trial has the country 'Frence'; did you mean France?",
    "find": "condition is missing: ",
    "find?condition=status": "'status' is not a condition: ",
    "find?condition=statos=X": "there is no field 'statos'; did you mean status?",
    "find?condition=status=RECRUITING&as_of=7d": "'7d' is not a date; write it as 2026-03-13",
    "flags?flag=x": "there is no flag 'x'; known: ",
    "flags?all=1": "all=1: write true or false",
    "forecast?within=long": "'long' is not a time span; write one such as 90d",
    "forecast?what=rain": "there is no expectation 'rain'; known: ",
    "watches?watch=mine": "there is no parameter 'watch' here; known: ",
    "runs?limit=many": "limit=many: write a number from 1 to 1000",
    "trials/x": "'x' is not an NCT id",
    "trials/NCT99999999": "no version of NCT99999999 is stored",
    "trials/NCT99999999/versions": "no version of NCT99999999 is stored",
    "trials/NCT99999999/timeline": "no version of NCT99999999 is stored",
    f"trials/{TRIAL}/versions?substantive=maybe": "substantive=maybe: write true or false",
    f"trials/{TRIAL}/record?version=99": "there is no version 99; stored: versions 1 to 5",
    f"trials/{TRIAL}/record?version=1.5": "version=1.5: write a number",
    f"trials/{TRIAL}/record?as_of=1999-01-01": "not ",
    f"trials/{TRIAL}/record?as_of=2015-01-01&version=1": "specify --as-of or --version",
    f"trials/{TRIAL}/record?field=nonsense": "there is no field",
    f"trials/{TRIAL}/compare?from=77": "there is no version 77; stored: versions 1 to 5",
    f"trials/{TRIAL}/compare?from=x": "",
    f"trials/{TRIAL}/fields": "field is missing: ",
    f"trials/{TRIAL}/fields?field=nonsense": "there is no field",
    "trials/../../etc/passwd": "there is no address",
    "chnages": "there is no address /api/v1/chnages; did you mean /api/v1/changes?",
    "": "there is no address /api/v1/; ",
}  # fmt: skip
TEXTS = {
    "changes": ("watch", "since", "until", "kind", "level", "category", "nct", "fields", "cursor"),
    "trials": ("watch", "sponsor", "phase", "condition", "country", "flag", "level", "sort"),
    "find": ("condition", "as_of", "watch"),
    "flags": ("watch", "flag", "sponsor", "since", "nct"),
    "forecast": ("within", "watch", "what"),
    f"trials/{TRIAL}/fields": ("field",),
    f"trials/{TRIAL}/compare": ("from", "to", "level", "category"),
    f"trials/{TRIAL}/record": ("as_of", "version", "field"),
}


def is_one_sentence(answer: httpx.Response) -> bool:
    """Whether the answer is a problem document with one line that hides no path or traceback."""
    problem = answer.json()
    keys = list(problem) == ["type", "title", "status", "detail"]
    is_problem = answer.headers["content-type"] == "application/problem+json"
    line = problem["detail"]
    return (
        keys
        and is_problem
        and problem["status"] == answer.status_code
        and bool(line)
        and not re.search(r"[\n\r]|Traceback|sqlite:|SELECT|/tmp", line)
    )


@pytest.mark.slow
def test_each_bad_request_gets_one_clear_error(api: httpx.Client) -> None:
    wrong = []
    for address, expected in BAD.items():
        answer = api.get(f"/api/v1/{address}")
        is_right = answer.status_code in (400, 404) and is_one_sentence(answer)
        if not is_right or not answer.json()["detail"].startswith(expected):
            wrong.append((address[:60], answer.status_code, answer.text[:300]))
    print(f"bad requests: {len(BAD)}, each with one sentence: {len(BAD) - len(wrong)}")
    assert wrong == []


@pytest.mark.slow
def test_injected_text_is_only_a_value(api: httpx.Client) -> None:
    before = api.get("/api/v1/trials").json()
    asked = [(path, name) for path, names in TEXTS.items() for name in names]
    refused = 0
    for path, name in asked:
        for text in (INJECTION, "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "a" * 3000):
            answer = api.get(f"/api/v1/{path}", params={name: text})
            assert answer.status_code in (400, 404), (path, name, answer.text)
            refused += is_one_sentence(answer)
    print(f"injected texts: {len(asked) * 5}, each refused with one sentence: {refused}")
    assert refused == len(asked) * 5
    assert api.get("/api/v1/trials", params={"search": INJECTION}).json()["rows"] == []
    assert api.get("/api/v1/trials").json() == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "XYZ"])
def test_only_get_and_head_are_allowed(api: httpx.Client, method: str) -> None:
    for path in ("/api/v1/changes", "/openapi.json", "/api/v1/none"):
        answer = api.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
        assert is_one_sentence(answer)


def test_an_address_outside_of_the_api_is_a_problem_too(api: httpx.Client) -> None:
    answer = api.get("/docs")
    assert (answer.status_code, is_one_sentence(answer)) == (404, True)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (NoDatabase("/secret/place does not exist"), 503, "nothing is stored yet"),
        (StoreLocked("/secret/place is locked"), 503, "the database is locked; try again later"),
        (CorruptBody("/secret/place: digest"), 500, "a stored record is damaged"),
        (OSError("/secret/place"), 500, "ctsync failed"),
    ],
)
def test_a_fault_of_the_server_names_no_path(error: Exception, status: int, words: str) -> None:
    def fails() -> nullcontext[None]:
        raise error

    app = create_api(fails, settings=Settings(), clock=StillClock())  # type: ignore[arg-type]  # opens nothing
    with serving(app) as client:
        answer = client.get("/api/v1/runs")
    assert (answer.status_code, "secret" in answer.text) == (status, False)
    assert answer.json()["detail"].startswith(words)
    assert ("retry-after" in answer.headers) is (status == 503)


def test_no_request_creates_a_database(tmp_path: Path) -> None:
    with serving(new_api(f"sqlite:///{tmp_path / 'none.db'}")) as client:
        assert client.get("/api/v1/runs").status_code == 503
    assert list(tmp_path.iterdir()) == []


def test_an_old_database_is_not_upgraded(written: str) -> None:
    file = written.removeprefix("sqlite:///")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    with serving(new_api(written)) as client:
        answer = client.get("/api/v1/runs")
    assert answer.status_code == 503
    assert "must be upgraded" in answer.json()["detail"]
