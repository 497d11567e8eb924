"""Pasted URLs: the trial that a page shows, and the query of a search."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.errors import BadNctId, BadQuery
from ctsync.model import NctId, compare_url
from ctsync.pasted_url import is_url, query_of, read_trial, trial_of
from ctsync.query import PARAMETERS, read_query

PAGES = [
    "https://clinicaltrials.gov/study/{}",
    "https://www.clinicaltrials.gov/study/{}/",
    "clinicaltrials.gov/study/{}",
    "www.clinicaltrials.gov/study/{}?cond=asthma&rank=2",
    "<HTTPS://CLINICALTRIALS.GOV/study/{}>",
    "https://clinicaltrials.gov/study/{}?tab=history&a=4",
    "https://clinicaltrials.gov/study/{}?tab=history&a=4&b=5#version-content-panel",
    "https://clinicaltrials.gov/ct2/show/{}",
    "https://classic.clinicaltrials.gov/ct2/show/results/{}?term=x",
    "https://clinicaltrials.gov/ct2/history/{}?A=1&B=2&C=merged#StudyPageTop",
    "https://clinicaltrials.gov/api/v2/studies/{}",
    "https://clinicaltrials.gov/api/v2/studies/{}?format=json&fields=NCTId",
    "https://clinicaltrials.gov/api/int/studies/{}?history=true",
    "https://clinicaltrials.gov/api/int/studies/{}/history",
    "https://clinicaltrials.gov/api/int/studies/{}/history/3",
    "https://cdn.clinicaltrials.gov/large-docs/19/{}/Prot_SAP_000.pdf",
    "https://ichgcp.net/clinical-trials-registry/{}",
    "https://clinicaltrials.gov/search?term={}&viewType=Table",
    "https://clinicaltrials.gov/api/v2/studies?filter.ids={}&pageSize=10",
]
IDS = st.integers(min_value=1, max_value=99_999_999).map(lambda number: f"NCT{number:08d}")


@given(IDS, st.sampled_from(PAGES), st.booleans())
def test_every_page_of_a_trial_names_it(nct_id: str, page: str, is_lower: bool) -> None:
    url = page.format(nct_id.lower() if is_lower else nct_id)
    assert is_url(url)
    assert read_trial(url) == trial_of(url) == nct_id


@given(IDS, IDS)
def test_the_compare_page_that_reports_link_to_is_understood(nct_id: str, other: str) -> None:
    assert read_trial(compare_url(NctId(nct_id), 3, 4)) == nct_id
    assert read_trial(nct_id.replace("NCT", "nct-")) == nct_id
    if nct_id != other:
        with pytest.raises(BadNctId, match="names several trials"):
            read_trial(f"https://clinicaltrials.gov/study/{nct_id}/{other}")


@given(
    st.sampled_from(PAGES),
    st.text(alphabet="0123456789", min_size=1, max_size=15).filter(lambda text: len(text) != 8),
)
def test_a_url_whose_number_has_not_eight_digits_is_refused(page: str, digits: str) -> None:
    with pytest.raises(BadNctId, match="is not an NCT id"):
        read_trial(page.format(f"NCT{digits}"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://clinicaltrials.gov/search?cond=asthma", "is a search, not a trial; to follow"),
        ("https://clinicaltrials.gov/", " names no trial; write an NCT id"),
        ("https://example.org/search?cond=asthma", " names no trial; write an NCT id"),
        ("https://example.org/?term=NCT03389919", " names no trial; write an NCT id"),
        ("http://[", " is not a web address"),
    ],
)
def test_a_url_without_a_trial_is_refused(url: str, reason: str) -> None:
    with pytest.raises(BadNctId) as caught:
        read_trial(url)
    assert reason in str(caught.value)


def test_study_ids_of_sponsors_are_not_urls() -> None:
    assert not any(map(is_url, ("BM-MSC-01", "x/clinicaltrials.gov", "clinicaltrials.government")))


SEARCHES = {
    "cond=asthma": {"query.cond": "asthma"},
    "cond=Type+2%20Diabetes&term=&intr=insulin&viewType=Table&page=2&rank=3&sort=@relevance": {
        "query.cond": "Type 2 Diabetes",
        "query.intr": "insulin",
    },
    "titles=a&outc=b&spons=c&lead=d&id=e&locn=f&patient=g": {
        "query.titles": "a",
        "query.outc": "b",
        "query.spons": "c",
        "query.lead": "d",
        "query.id": "e",
        "query.locn": "f",
        "query.patient": "g",
    },
    "cond=x&aggFilters=phase:2%203,status:not%20rec": {
        "query.cond": "x",
        "aggFilters": "phase:2 3,status:not rec",
    },
    "cond=x&start=2020-01-01_2021-12-31": {
        "query.cond": "x",
        "filter.advanced": "AREA[StartDate]RANGE[2020-01-01,2021-12-31]",
    },
    "primComp=2026-01-01_&lastUpdPost=_2026-02-01": {
        "filter.advanced": "(AREA[PrimaryCompletionDate]RANGE[2026-01-01,MAX]) AND "
        "AREA[LastUpdatePostDate]RANGE[MIN,2026-02-01]"
    },
    "locStr=Boston,%20MA&country=United%20States&state=Massachusetts&city=Boston"
    "&lat=42.3600825&lng=-71.0588801&distance=50": {
        "filter.geo": "distance(42.3600825,-71.0588801,50mi)"
    },
    "cond=x&locStr=Germany&country=Germany&distance=50": {
        "query.cond": "x",
        "filter.advanced": 'AREA[LocationCountry]"Germany"',
    },
    "state=Maine&city=Portland&country=": {
        "filter.advanced": 'SEARCH[Location](AREA[LocationCity]"Portland" AND '
        'AREA[LocationState]"Maine")'
    },
    "locStr=Moscow": {"query.locn": "Moscow"},
    "query.cond=a&filter.overallStatus=RECRUITING&pageSize=5&fields=NCTId&countTotal=true": {
        "query.cond": "a",
        "filter.overallStatus": "RECRUITING",
    },
    "query.cond=a&postFilter.overallStatus=RECRUITING": {
        "query.cond": "a",
        "filter.overallStatus": "RECRUITING",
    },
    "cond=x&utm_source=mail&checkSpell=false": {"query.cond": "x"},
}


@pytest.mark.parametrize(
    "place", ["search", "expert-search", "api/v2/studies", "api/rss", "ct2/results"]
)
@pytest.mark.parametrize("search", SEARCHES)
def test_the_url_of_a_search_is_a_query(place: str, search: str) -> None:
    url = f"https://clinicaltrials.gov/{place}?{search}"
    assert trial_of(url) is None
    assert query_of(url) == SEARCHES[search]
    assert read_query(query_of(url)) == read_query(SEARCHES[search])


@given(
    st.dictionaries(
        st.sampled_from(sorted(PARAMETERS)),
        st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != ""),
        min_size=1,
    )
)
def test_each_parameter_of_a_search_keeps_its_value(given_values: dict[str, str]) -> None:
    encoded = urlencode(given_values, errors="replace")
    wanted = {
        PARAMETERS[name]: text.encode("utf-8", "replace").decode()
        for name, text in given_values.items()
    }
    assert query_of(f"https://clinicaltrials.gov/search?{encoded}") == wanted


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ("cond=x&ageRange=18y_65y", "ageRange: the API has no such filter; remove it from"),
        ("cond=x&cond=y", "cond: given twice"),
        ("cond=x&start=2020", "start: '2020' is not a range of days"),
    ],
)
def test_a_filter_that_ctsync_cannot_follow_is_refused(search: str, problem: str) -> None:
    with pytest.raises(BadQuery) as caught:
        query_of(f"https://clinicaltrials.gov/search?{search}")
    assert problem in str(caught.value)
    with pytest.raises(BadNctId, match="names no trial"):
        query_of("https://clinicaltrials.gov/search?viewType=Table")
