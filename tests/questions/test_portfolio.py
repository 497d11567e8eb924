"""The portfolio: rows, order, filters, facets and pages, with and without stored facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ctsync.errors import UsageError
from ctsync.model import JsonObject, Level, NctId, RegistryVersion, Source, State
from ctsync.questions.portfolio.portfolio import (
    PortfolioPageRow,
    PortfolioQuestion,
    PortfolioRow,
    find_portfolio,
    portfolio_page,
)
from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet, PortfolioSort
from ctsync.questions.portfolio.portfolio_index import PortfolioIndex
from ctsync.questions.portfolio.portfolio_trials import Milestone, read_portfolio
from ctsync.record.flags import FlagId
from ctsync.store.store import Store
from ctsync.sync.watches.refresh_facts import refresh_facts
from tests.registry_fixtures import make_study
from tests.store.samples import FETCHED
from tests.sync.histories import keep_history

LOAD = datetime(2026, 2, 2, 9, 0, 5, tzinfo=UTC)
TODAY = date(2026, 12, 1)
SLIPPED, DONE, PLAIN, GONE = (NctId(f"NCT0000000{n}") for n in range(1, 5))
ALL = [SLIPPED, DONE, PLAIN, GONE]


def dates(primary: str, completion: str, kind: str = "ESTIMATED") -> JsonObject:
    return {
        "primaryCompletionDateStruct": {"date": primary, "type": kind},
        "completionDateStruct": {"date": completion, "type": kind},
    }


def slipped(primary: str, posted: str, count: int, kind: str = "ESTIMATED") -> JsonObject:
    return make_study(
        SLIPPED,
        identificationModule={"nctId": SLIPPED, "briefTitle": "A study of Drugomab"},
        overallStatus="RECRUITING",
        statusVerifiedDate=posted[:7],
        startDateStruct={"date": "2023-01-05", "type": "ACTUAL"},
        lastUpdatePostDateStruct={"date": posted},
        designModule={
            "studyType": "INTERVENTIONAL",
            "enrollmentInfo": {"count": count, "type": kind},
        },
        conditionsModule={"conditions": ["Asthma", "Eczema"]},
        contactsLocationsModule={"locations": [{"country": "France"}, {"country": "Spain"}]},
        **dates(primary, "2027-06"),
    )


@pytest.fixture
def kept(store: Store) -> Store:
    """Keep a trial that slipped twice, a completed one, a plain one and one that is gone."""
    keep_history(
        store,
        [
            slipped("2025-01", "2023-01-10", 200),
            slipped("2026-01", "2024-03-01", 200),
            slipped("2026-06", "2026-01-20", 150, "ACTUAL"),
        ],
    )
    sponsor = {"leadSponsor": {"name": "Zeta Pharma"}}
    conditions = {"conditions": ["asthma, severe"]}
    keep_history(
        store,
        [
            make_study(
                DONE,
                overallStatus="COMPLETED",
                sponsorCollaboratorsModule=sponsor,
                conditionsModule=conditions,
                **dates("2024-10", "2024-11", "ACTUAL"),
            )
        ],
        source=Source.LIVE,
    )
    for nct_id in (PLAIN, GONE):
        keep_history(store, [make_study(nct_id)], source=Source.LIVE)
    with store.unit() as unit:
        head = store.trials.heads([GONE])[GONE].snapshot_id
        unit.versions.add(
            GONE, after=head, record=None, key=store.versions.of(GONE)[0].key, state=State.GONE,
            source=Source.LIVE, posted=None, submitted=None, observed=LOAD, fetched=FETCHED,
            run_id=None,
        )  # fmt: skip
        for name, ids in (("every", ALL), ("asthma", [SLIPPED, DONE, NctId("NCT00000009")])):
            unit.watches.add(name)
            unit.watches.add_trials(name, dict.fromkeys(ids), LOAD)
        unit.runs.set_load(unit.runs.begin("sync", LOAD), RegistryVersion("2.0.5", LOAD))
    return store


def ask(store: Store, **asked: Any) -> PortfolioPageRow:
    return find_portfolio(store, PortfolioQuestion(**asked), today=TODAY)


def ids(found: PortfolioPageRow) -> Sequence[NctId]:
    return [row.nct_id for row in found.rows]


def row_of(store: Store, nct_id: NctId) -> PortfolioRow:
    return next(row for row in ask(store).rows if row.nct_id == nct_id)


def test_a_row_says_how_far_the_date_slipped_and_what_comes_next(kept: Store) -> None:
    found = ask(kept)
    assert (found.as_of, found.followed, found.total) == (date(2026, 2, 2), 4, 4)
    row = row_of(kept, SLIPPED)
    assert (row.slip_days, row.slip_since) == (516, "registration")
    assert [(f"{one.day}", one.planned.text) for one in row.primary_completion_history] == [
        ("2023-01-10", "2025-01"), ("2024-03-01", "2026-01"), ("2026-01-20", "2026-06"),
    ]  # fmt: skip
    assert (row.milestone, f"{row.milestone_on}") == (Milestone.PRIMARY_COMPLETION, "2026-06-30")
    assert row.milestone_days == 148
    assert (row.enrollment, row.enrollment_type, row.enrollment_target) == (150, "ACTUAL", 200)
    assert row.last_change
    assert f"{row.last_change.day}" == "2026-01-20"
    # all changes of that day, in the words of a report, worst first
    assert row.last_change.summary == "150 of 200 enrolled; primary completion +5 months"
    assert row.last_change.level is Level.CRITICAL
    assert row.watches == ("asthma", "every")
    assert row.countries == ("France", "Spain")


def test_a_trial_that_is_gone_shows_its_last_record(kept: Store) -> None:
    row = row_of(kept, GONE)
    assert (row.state, row.title) == (State.GONE, f"A trial called {GONE}")
    assert row_of(kept, PLAIN).state is State.PRESENT


def test_the_answer_is_the_same_with_and_without_stored_facts(kept: Store) -> None:
    derived = ask(kept)
    assert refresh_facts(kept) == 3  # the trial that is gone has no record now
    assert ask(kept) == derived
    with kept.unit() as unit:
        unit.facts.delete(ALL)
    assert ask(kept) == derived


def test_rows_sort_both_ways_with_missing_values_last(kept: Store) -> None:
    slips = ask(kept, sort=PortfolioSort.SLIP, descending=True)
    assert [row.slip_days for row in slips.rows] == [516, 0, 0, 0]
    for sort in PortfolioSort:
        up, down = (ask(kept, sort=sort, descending=one) for one in (False, True))
        assert sorted(ids(up)) == sorted(ids(down)) == ALL
    changed = ask(kept, sort=PortfolioSort.CHANGED, descending=False)
    assert [row.last_change is None for row in changed.rows] == sorted(
        row.last_change is None for row in changed.rows
    )


def test_a_facet_counts_the_rows_that_pass_all_other_filters(kept: Store) -> None:
    found = ask(kept, chosen={PortfolioFacet.STATUS: ["completed"]})
    counts = {
        facet.facet: {value.value: value.trials for value in facet.values} for facet in found.facets
    }
    assert ids(found) == [DONE]
    assert counts[PortfolioFacet.STATUS]["COMPLETED"] == 1
    assert counts[PortfolioFacet.STATUS]["RECRUITING"] >= 1  # can be chosen beside it
    assert counts[PortfolioFacet.WATCH] == {"asthma": 1, "every": 1}
    assert counts[PortfolioFacet.SPONSOR] == {"Zeta Pharma": 1}


@pytest.mark.parametrize(
    ("facet", "value", "expected"),
    [
        (PortfolioFacet.WATCH, "asthma", [SLIPPED, DONE]),
        (PortfolioFacet.SPONSOR, "zeta pharma", [DONE]),
        (PortfolioFacet.CONDITION, "eczema", [SLIPPED]),
        (PortfolioFacet.COUNTRY, "Spain", [SLIPPED]),
        (PortfolioFacet.FLAG, FlagId.OPEN_PAST_COMPLETION, []),  # a flag that no trial has today
    ],
)
def test_filters(kept: Store, facet: PortfolioFacet, value: str, expected: Sequence[NctId]) -> None:
    assert sorted(ids(ask(kept, chosen={facet: [value]}))) == expected


def test_a_value_that_no_trial_has_is_refused_with_likely_ones(kept: Store) -> None:
    with pytest.raises(UsageError, match=r"no followed trial has the sponsor 'Zeta Farma'; .*Zeta"):
        ask(kept, chosen={PortfolioFacet.SPONSOR: ["Zeta Farma"]})


def test_a_search_reads_ids_titles_and_conditions(kept: Store) -> None:
    assert ids(ask(kept, text="drugomab ASTHMA")) == [SLIPPED]
    assert sorted(ids(ask(kept, text="asthma"))) == [SLIPPED, DONE]
    assert ids(ask(kept, text=PLAIN)) == [PLAIN]
    assert ask(kept, text="nothing like it").total == 0


def pages(store: Store, **asked: Any) -> Iterator[PortfolioPageRow]:
    after = None
    while True:
        found = ask(store, limit=3, after=after, **asked)
        yield found
        after = found.next_after
        if after is None:
            return


def test_pages_and_cursors_give_every_row_once(kept: Store) -> None:
    by_cursor = [one for found in pages(kept) for one in ids(found)]
    by_page = [one for page in (1, 2) for one in ids(ask(kept, limit=3, page=page))]
    assert by_cursor == by_page == ids(ask(kept))
    assert ask(kept, limit=3, page=9).rows == ()
    with pytest.raises(UsageError, match="is not in this portfolio"):
        ask(kept, after=NctId("NCT00000099"))


def test_a_trial_that_another_took_over_is_left_out(kept: Store) -> None:
    with kept.unit() as unit:
        unit.trials.mark_moved(DONE, PLAIN)
        unit.watches.add_trials("asthma", {PLAIN: None}, LOAD)
    assert DONE not in ids(ask(kept))
    assert ask(kept).followed == 3


def test_a_start_that_moved_across_the_registration_has_its_flag(kept: Store) -> None:
    nct_id = NctId("NCT00000007")
    keep_history(
        kept,
        [
            make_study(
                nct_id,
                studyFirstSubmitDate="2020-03-01",
                startDateStruct={"date": day},
                lastUpdatePostDateStruct={"date": posted},
            )
            for day, posted in (("2020-01", "2020-03-05"), ("2020-04", "2020-04-05"))
        ],
    )
    with kept.unit() as unit:
        unit.watches.add_trials("every", {nct_id: None}, LOAD)
    assert FlagId.RETROACTIVELY_PROSPECTIVE in row_of(kept, nct_id).flags


def test_nothing_is_followed(store: Store) -> None:
    found = ask(store)
    assert (found.total, found.rows, found.next_after) == (0, (), None)


def test_an_index_that_is_asked_again_answers_as_a_new_one_does(kept: Store) -> None:
    as_of = date(2026, 2, 2)
    trials = read_portfolio(kept, as_of=as_of)
    index = PortfolioIndex(trials)
    questions = [
        PortfolioQuestion(chosen, text, sort=sort, descending=descending)
        for chosen in ({}, {PortfolioFacet.WATCH: ["asthma"]})
        for text in ("", "drugomab", "asthma SEVERE", "nothing")
        for sort in (PortfolioSort.SLIP, PortfolioSort.TITLE)
        for descending in (True, False)
    ]
    for asked in [*questions, *reversed(questions)]:
        found = portfolio_page(kept, index, asked, as_of=as_of)
        assert found == portfolio_page(kept, PortfolioIndex(trials), asked, as_of=as_of)
        assert found == find_portfolio(kept, asked, today=TODAY)
