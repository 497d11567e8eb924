"""Every page of the server reads, links only to pages that exist, and refuses bad parameters."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET
from urllib.parse import urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

from ctsync.questions.changes import feed_page
from ctsync.web.server.application import PAGES
from tests.web.html_pages import REGISTRY, HtmlFaults
from tests.web.server.conftest import FIRST, SECOND, THIRD, client_of

ADDRESSES = (
    "/", "/?day=2026-02-03", "/?day=2026-02-09", "/?days=7", "/trials",
    "/trials?q=trial&sort=slip&dir=desc", "/trials?where=status%3DSUSPENDED&where=start%3E2001",
    "/trials?watch=another&status=recruiting&all=sponsor",
    f"/trials/{FIRST}", f"/trials/{SECOND}/compare?from=1&to=2",
    f"/trials/{SECOND}/compare?from=2026-02-02&to=2026-02-05",
    f"/trials/{SECOND}/record?as_of=2026-02-03", f"/trials/{SECOND}/record?version=2",
    "/changes", "/changes?level=notable&kind=status&watch=a%20watch&sponsor=spons",
    "/changes?week=2026-01-26", "/changes?from=2026-02-01&to=2026-02-04&text=trial", "/watches",
    "/runs", "/deliveries", "/rules",
)  # fmt: skip
WRONG = {
    "/?day=soon": "'soon' is not a date",
    "/?day=2026-02-03&days=7": "not both",
    "/?days=0": "not a number from 1 to 92",
    "/?day=2026-02-03&day=2026-02-04": "is given 2 times",
    "/trials?sponser=x": "there is no parameter 'sponser'; did you mean sponsor?",
    "/trials?sort=size": "there is no column 'size'",
    "/trials?dir=up": "write asc or desc",
    "/trials?page=2": "the last is 1",
    "/trials?page=-1": "not a number",
    "/trials?sponsor=nobody": "no followed trial has the sponsor",
    "/trials?q=%00": "NUL",
    f"/trials/{FIRST}?x=1": "this page takes none",
    f"/trials/{FIRST}/compare?from=first%20one": "is not a version",
    f"/trials/{FIRST}/compare?to=2": "no version `from`",
    f"/trials/{FIRST}/record?as_of=2026": "is not a date",
    f"/trials/{FIRST}/record?as_of=2026-02-03&version=1": "not both",
    "/changes?level=bad": "there is no level 'bad'",
    "/changes?from=2026-02-04&to=2026-02-01": "is after",
    "/changes?week=2026-02-04&from=2026-02-01": "not both",
    "/changes?to=9999-12-31": "there is no day after",
    "/changes?watch=none": "none",
    "/feed.atom?text=x": "there is no parameter 'text'",
}
MISSING = (
    "/trials/NCT99999999", "/trials/NCT123", "/trials/NCT99999999/compare", "/no/such/page",
    f"/trials/{FIRST}/compare?from=1&to=9", f"/trials/{FIRST}/record?version=9", "/?day=2020-01-01",
    "/assets/none.js", "/trials/",
)  # fmt: skip


def page_faults(text: str) -> list[str]:
    """Return the faults of a page that a server may not send, such as inline styles."""
    inline = re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text)
    return HtmlFaults(text).faults + inline


def test_every_page_is_valid_and_every_link_leads_to_a_page(client: TestClient) -> None:
    faults: dict[str, list[str]] = {}
    links = set()
    for address in ADDRESSES:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text[:500])
        faults[address] = page_faults(answer.text)
        links |= set(HtmlFaults(answer.text).links)
    own = sorted(link for link in links if not REGISTRY.fullmatch(link))
    local = {link.partition("#")[0] for link in own} - {""} - set(ADDRESSES)
    broken = [one for one in local if client.get(f"/{one.lstrip('/')}").status_code != 200]
    print(f"{len(ADDRESSES)} addresses, {len(local)} links: {len(broken)} broken")
    assert {address: found for address, found in faults.items() if found} == {}
    assert broken == []


def test_bad_parameters_are_refused_with_one_sentence(client: TestClient) -> None:
    for address, words in WRONG.items():
        answer = client.get(address)
        assert answer.status_code == 400, address
        assert page_faults(answer.text) == []
        (sentence,) = re.findall(r"</h1>\n<p>(.*)</p>", answer.text)
        assert words.replace("'", "&#39;").lower() in sentence.lower(), (address, sentence)


def test_what_does_not_exist_is_not_found_with_a_readable_page(client: TestClient) -> None:
    for address in MISSING:
        answer = client.get(address)
        assert answer.status_code == 404, address
        assert page_faults(answer.text) == []
        assert "<h1>Not found</h1>" in answer.text


def test_the_server_filters_sorts_and_pages_trials_without_a_script(client: TestClient) -> None:
    def ids(query: str) -> list[str]:
        text = client.get(f"/trials?{query}").text
        return re.findall(r'<span class="id">(NCT\d{8})</span>', text)

    assert set(ids("")) == {FIRST, SECOND, THIRD}
    assert ids("watch=another") == [SECOND]
    assert ids("status=SUSPENDED") == ids("status=suspended") == [FIRST]
    assert ids(f"q={THIRD}") == [THIRD]
    assert ids("sort=slip")[0] == SECOND
    assert ids("sort=nct_id&dir=desc") == [THIRD, SECOND, FIRST]
    text = client.get("/trials?status=SUSPENDED&sort=slip&dir=asc").text
    assert 'aria-sort="ascending"' in text
    assert 'name="status" value="SUSPENDED" checked' in text
    assert 'href="portfolio.csv?status=SUSPENDED&amp;sort=slip&amp;dir=asc"' in text
    table = client.get("/portfolio.csv?status=SUSPENDED&sort=slip&dir=asc")
    assert FIRST in table.text
    assert SECOND not in table.text
    assert table.headers["content-disposition"] == 'attachment; filename="portfolio.csv"'


def test_trials_meet_conditions_on_the_page_in_its_links_and_in_its_downloads(
    client: TestClient,
) -> None:
    slipped, suspended = "primary_completion=2029-06", "status=SUSPENDED"
    query = urlencode([("where", slipped), ("where", "status!=SUSPENDED")])
    page = client.get(f"/trials?{query}").text
    assert re.findall(r'<span class="id">(NCT\d{8})</span>', page) == [SECOND]
    assert f'name="where" value="{slipped}"' in page
    assert "<b>1 of 3</b> trials" in page
    assert f'href="portfolio.csv?{html.escape(query)}"' in page
    assert f'href="/trials?{html.escape(query)}&amp;sort=slip&amp;dir=desc"' in page
    for form in ("csv", "json", "ics"):
        text = client.get(f"/portfolio.{form}?{query}").text
        assert [one for one in (FIRST, SECOND, THIRD) if one in text] == [SECOND], form
    assert client.get(f"/portfolio.xlsx?{query}").status_code == 200
    both = urlencode([("where", suspended), ("watch", "another")])
    assert "<b>0 of 3</b> trials" in client.get(f"/trials?{both}").text
    rows = client.get(f"/api/v1/trials?{query}").json()["rows"]
    assert [row["nct_id"] for row in rows] == [SECOND]


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("enrolment>100", "There is no field 'enrolment'; did you mean enrollment?"),
        ("status>SUSPENDED", "Status takes = != ~ !~, not >"),
        ("suspended", "'suspended' is not a condition: write FIELD, an operator and a value"),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_beside_its_field(
    client: TestClient, condition: str, sentence: str
) -> None:
    query = urlencode([("where", condition), ("watch", "another")])
    answer = client.get(f"/trials?{query}")
    assert answer.status_code == 400
    said = re.search(r'id="where-said" data-said>(.*?)</output>', answer.text)
    assert said is not None
    assert html.unescape(said[1]).startswith(sentence)
    field = f'name="where" value="{html.escape(condition)}"'.replace("&#x27;", "&#39;")
    assert field in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert 'name="watch" value="another" checked' in answer.text
    assert not re.findall(r'<span class="id">NCT', answer.text)
    refused = client.get(f"/portfolio.csv?{query}")
    assert (refused.status_code, sentence[1:20] in html.unescape(refused.text)) == (400, True)


def test_trials_of_a_watch_or_a_sponsor_link_to_the_feed_of_their_changes(
    client: TestClient,
) -> None:
    sponsor = client.get("/api/v1/trials").json()["rows"][0]["sponsor"]
    query = urlencode([("watch", "another"), ("sponsor", sponsor)])
    page = client.get(f"/trials?{query}").text
    # in the head, and to be seen
    assert page.count(f'href="/feed.atom?{html.escape(query)}"') == 2
    assert SECOND in client.get(f"/feed.atom?{query}").text
    two = client.get("/trials?watch=another&watch=a+watch").text
    assert 'href="/feed.json?watch=another"' in two
    assert 'href="/feed.json?watch=a+watch"' in two
    assert "Feed of changes" not in client.get("/trials?status=SUSPENDED").text


def test_changes_and_feeds_have_the_same_filters(client: TestClient) -> None:
    def ids(text: str) -> set[str]:
        return set(re.findall(r"NCT\d{8}", text))

    for query, found in {
        "": {FIRST, SECOND},
        "kind=primary_completion_date": {SECOND},
        "watch=another": {SECOND},
        "level=critical&kind=status": {FIRST},
        "sponsor=SPONSOR": {FIRST, SECOND},
    }.items():
        assert ids(client.get(f"/changes?{query}").text) == found, query
        assert ids(client.get(f"/feed.atom?{query}").text) == found, query
        assert {
            one for item in client.get(f"/feed.json?{query}").json()["items"]
            for one in ids(json.dumps(item))
        } == found  # fmt: skip
    assert "No change in these days" in client.get("/changes?sponsor=other").text


def test_a_feed_names_itself_and_its_next_page_with_the_same_filters(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_page, "FEED_PAGE", 1)
    atom, url = "{http://www.w3.org/2005/Atom}", "https://trials.example.org"
    path, ids = "/feed.atom?level=routine&from=2026-02-01&to=2026-02-04", []
    with client_of(filled, web={"url": url}) as client:
        while path:
            feed = ET.fromstring(client.get(path).text)
            links = {link.get("rel"): link.get("href", "") for link in feed.findall(f"{atom}link")}
            ids.append([entry.findtext(f"{atom}id") for entry in feed.iter(f"{atom}entry")])
            assert links["self"] == f"{url}{path}"
            path = links.get("next", "").removeprefix(url)
        first = client.get("/feed.json?level=routine").json()
        second = client.get(first["next_url"].removeprefix(url)).json()
    assert [[f"{one}"[-14:] for one in page] for page in ids] == [
        [f"{SECOND}#v2"], [f"{FIRST}#v2"]
    ]  # fmt: skip
    assert first["feed_url"] == f"{url}/feed.json?level=routine"
    assert second["feed_url"] == first["next_url"]
    assert "next_url" not in second
    assert [[one["id"] for one in page["items"]] for page in (first, second)] == ids


@pytest.mark.parametrize("after", ["2026-02-03", "2026-02-03.NCT1", "x.NCT00000001", "."])
def test_a_place_that_no_feed_has_is_refused_in_a_sentence(client: TestClient, after: str) -> None:
    answer = client.get(f"/feed.atom?after={after}")
    assert answer.status_code == 400
    assert f"After={after} is no place in a feed; begin with its first page" in answer.text


def test_the_list_of_changes_names_the_feed_of_all_its_filters(client: TestClient) -> None:
    for query in (
        "level=critical&category=status&kind=status&watch=a+watch&sponsor=Sponsor",
        "from=2026-02-03&to=2026-02-04",
        "kind=status&kind=primary_completion_date",
    ):
        page = client.get(f"/changes?{query}").text
        assert f'href="/feed.atom?{html.escape(query)}"' in page
        assert f'href="/feed.json?{html.escape(query)}"' in page
        assert client.get(f"/feed.json?{query}").status_code == 200
    week = client.get("/changes?week=2026-01-21").text
    assert 'href="/feed.atom?from=2026-01-19&amp;to=2026-01-25"' in week
    assert 'href="/feed.atom"' in client.get("/changes?week=2026-02-04").text
    titles = [
        client.get(f"/feed.json?{query}").json()["title"]
        for query in ("", "from=2026-02-03", "to=2026-02-03", "level=critical", "watch=another")
    ]
    assert len(set(titles)) == len(titles)


def test_a_feed_links_to_the_pages_of_the_server(filled: str) -> None:
    with client_of(filled, web={"url": "https://trials.example.org/ct"}) as client:
        feed = ET.fromstring(client.get("/feed.atom").text)
        links = {link.get("href", "") for link in feed.iter("{http://www.w3.org/2005/Atom}link")}
    assert f"https://trials.example.org/ct/trials/{SECOND}#v2" in links
    assert {urlsplit(link).netloc for link in links} == {"trials.example.org"}


def test_the_addresses_of_the_files_of_a_site_lead_to_the_same_pages(client: TestClient) -> None:
    for file, address in {
        "index.html": "/",
        "trials.html": "/trials",
        f"trials/{FIRST}.html": f"/trials/{FIRST}",
        f"trials/{FIRST}-1-2.html": f"/trials/{FIRST}/compare?from=1&to=2",
        "days/2026-02-03.html": "/?day=2026-02-03",
        "days/last-7.html": "/?days=7",
        "changes/2026-02-02.html": "/changes?week=2026-02-02",
    }.items():
        answer = client.get(f"/{file}")
        assert (answer.status_code, answer.headers["location"]) == (308, address)
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("path", ["/portfolio.csv", "/portfolio.json", "/portfolio.ics"])
def test_downloads_hold_every_trial(client: TestClient, path: str) -> None:
    text = client.get(path).text.replace("\r\n ", "")
    assert {one for one in (FIRST, SECOND, THIRD) if one in text} == {FIRST, SECOND, THIRD}


def test_each_page_has_an_address_of_the_contract() -> None:
    assert set(PAGES) == {
        "/", "/trials", "/trials/{nct_id}", "/trials/{nct_id}/compare", "/trials/{nct_id}/record",
        "/changes", "/watches", "/runs", "/deliveries", "/rules", "/feed.atom", "/feed.json",
        "/calendar.ics",
    }  # fmt: skip
