"""What a trial's page and the comparisons of a site read from the stored records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from ctsync.model import JsonObject, NctId, Source
from ctsync.questions.trial.compare import CompareQuestion, compare_versions, site_comparisons
from ctsync.questions.trial.trial_page import trial_page
from ctsync.report.addresses import Addresses
from ctsync.report.report import Window
from ctsync.store.store import Store, open_store
from ctsync.web.frame import Frame
from ctsync.web.pages.trial import render_page
from tests.conftest import StillClock
from tests.record.studies import study
from tests.sync.histories import keep_history, leave
from tests.web.html_pages import HtmlFaults, html_faults

NOW = datetime(2026, 3, 13, 15, tzinfo=UTC)
PLACES = [("A", "Gdańsk", "Poland"), ("B", "Madrid", "Spain"), ("C", "Lima", "Peru")]


def sites(*names: str) -> JsonObject:
    found = [
        {"facility": name, "city": city, "country": country, "status": "RECRUITING"}
        for name, city, country in PLACES
        if name in names
    ]
    return {"locations": found}


def outcomes(time_frame: str) -> JsonObject:
    return {"primaryOutcomes": [{"measure": "Overall survival", "timeFrame": time_frame}]}


def a_version(day: str, time_frame: str, *names: str, **values: Any) -> JsonObject:
    return study(
        protocolSection__statusModule__lastUpdatePostDateStruct={"date": day, "type": "ACTUAL"},
        protocolSection__statusModule__lastUpdateSubmitDate=day,
        protocolSection__outcomesModule=outcomes(time_frame),
        protocolSection__contactsLocationsModule=sites(*names),
        **values,
    )


LIFE = [
    a_version("2020-01-10", "12 months", "A"),
    a_version("2020-03-10", "12 months", "A", "B"),
    a_version("2020-05-10", "6 months", "A", "B"),
    a_version("2020-07-10", "6 months", "B", "C"),
    a_version("2020-09-10", "6 months", "B", "C", newField="x"),
]


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    """A SQLite store."""
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.fixture(params=[Source.LIVE, Source.HISTORY])
def trial(store: Store, request: pytest.FixtureRequest) -> NctId:
    """A trial of five versions."""
    return keep_history(store, LIFE, source=request.param)


def counts_of_bodies(store: Store, trial: NctId) -> list[dict[str, int]]:
    found = []
    for version in store.versions.of(trial):
        body = orjson.loads(store.bodies.read(version.digest or ""))
        locations = body["protocolSection"]["contactsLocationsModule"]["locations"]
        found.append(dict(Counter(site["country"] for site in locations)))
    return found


def test_counts_of_sites_equal_those_of_the_stored_records(store: Store, trial: NctId) -> None:
    content = trial_page(store, trial, until=NOW)

    assert [dict(one.by_country) for one in content.parts.sites] == counts_of_bodies(store, trial)


def test_the_page_says_what_was_done_to_an_outcome_and_links_to_the_version(
    store: Store, trial: NctId
) -> None:
    page = render_page(trial_page(store, trial, until=NOW), Window(None, NOW))

    assert '<a class="id" href="#v3">2020-05-10</a> time frame 12 months → 6 months' in page
    assert "First 1 site, now 2 sites in 2 countries: Peru 1, Spain 1." in page
    assert html_faults(page) == []


def test_a_page_says_what_the_trial_is(store: Store, trial: NctId) -> None:
    facts = dict(trial_page(store, trial, until=NOW).parts.facts)

    assert facts["Primary completion"] == "2021-06 (estimated)"
    assert "Start" in facts


def test_a_page_forecasts_one_year(store: Store, trial: NctId) -> None:
    days = {
        until: [line.day for line in trial_page(store, trial, until=until).forecast]
        for until in (NOW.replace(year=2019), NOW.replace(year=2020, month=9))
    }

    soon, later = days.values()
    assert soon == []
    assert later
    assert all(day <= date(2021, 9, 14) for day in later)


def test_a_trial_that_is_gone_keeps_the_parts_of_its_last_record(store: Store) -> None:
    trial = keep_history(store, LIFE, source=Source.LIVE)
    leave(store, trial)
    content = trial_page(store, trial, until=NOW)

    assert content.parts.outcomes[0].measure == "Overall survival"
    assert content.forecast == ()


def test_a_site_compares_each_version_with_the_one_before_and_first_with_last(
    store: Store, trial: NctId
) -> None:
    found = list(site_comparisons(store, trial))
    pairs = [(one.before.version, one.after.version) for one in found]

    assert pairs == [(1, 2), (2, 3), (3, 4), (4, 5), (1, 5)]
    for one, (older, newer) in zip(found, pairs, strict=True):
        assert one == compare_versions(store, CompareQuestion(trial, str(older), str(newer)))


def test_the_page_of_a_site_links_to_each_comparison(store: Store, trial: NctId) -> None:
    content = trial_page(store, trial, until=NOW)
    frame = Frame(Addresses("../", frozenset({trial})))
    page = render_page(content, Window(None, NOW), frame=frame, has_comparisons=True)
    links = {link for link in HtmlFaults(page).links if link.startswith(f"../trials/{trial}-")}

    pairs = [(1, 2), (2, 3), (3, 4), (4, 5), (1, 5)]
    assert links == {
        f"../trials/{trial}-record.html",
        *(f"../trials/{trial}-{older}-{newer}.html" for older, newer in pairs),
    }
