"""The facts of the portfolio follow from one record and hold for every day."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from ctsync.model import JsonObject
from ctsync.record.flags import FlagId, flags_of, shown_flags, true_ids
from ctsync.record.portfolio_facts import (
    PortfolioFacts,
    facts_from_json,
    facts_to_json,
    portfolio_facts,
)
from tests.record.reconstructed import FOLDER, studies
from tests.registry_fixtures import make_study

TRIAL = "NCT00000001"
DUE: JsonObject = make_study(
    TRIAL,
    oversightModule={"isFdaRegulatedDrug": True},
    overallStatus="RECRUITING",
    statusVerifiedDate="2024-11",
    studyFirstSubmitDate="2020-01-02",
    studyFirstPostDateStruct={"date": "2020-01-05"},
    startDateStruct={"date": "2020-01-02"},
    primaryCompletionDateStruct={"date": "2024-10"},
    completionDateStruct={"date": "2024-10"},
    conditionsModule={"conditions": ["Asthma", "  Lung\nCancer "]},
    armsInterventionsModule={"interventions": [{"name": "Drug", "type": "DRUG"}]},
    contactsLocationsModule={"locations": [{"country": "France"}, {"country": "France"}, {}]},
)
POSTED: JsonObject = DUE | {
    "hasResults": True,
    "protocolSection": DUE["protocolSection"] | {
        "statusModule": DUE["protocolSection"]["statusModule"] | {
            "statusVerifiedDate": "2021-03",
            "completionDateStruct": {"date": "2026-06"},
        }
    },
}  # fmt: skip
"""Results are posted before the completion, until which the verification is stale."""
DAYS = [date(year, month, 1) for year in range(2005, 2031) for month in (1, 6, 11)]


def test_names_are_listed_once_and_on_one_line() -> None:
    facts = portfolio_facts(DUE)
    assert facts.conditions == ("Asthma", "Lung Cancer")
    assert facts.interventions == ("Drug",)
    assert facts.countries == ("France",)
    assert (facts.results_due, facts.unknown_on) == ("2025-11-01", "2026-12-01")


def test_facts_are_the_same_after_json() -> None:
    facts = portfolio_facts(DUE)
    assert facts.flags
    written = orjson.loads(orjson.dumps(facts_to_json(facts)))
    assert facts_to_json(facts_from_json(written)) == written
    assert facts_from_json({}) == PortfolioFacts()


@pytest.mark.parametrize("trial", sorted(file.stem for file in FOLDER.glob("NCT*.json")))
def test_the_flags_of_each_day_are_those_of_the_rules(trial: str) -> None:
    compared = wrong = 0
    for body in [*studies(trial)[::5], DUE, POSTED]:
        facts = portfolio_facts(body)
        for day in DAYS:
            # a flag is shown if it is true, also before results are posted
            expected = true_ids(shown_flags(flags_of(body, as_of=day)))
            expected -= {FlagId.RETROACTIVELY_PROSPECTIVE}
            compared += 1
            wrong += set(facts.flags_on(f"{day}")) != expected
    print(f"facts: {compared} records on a day, {wrong} with other flags")
    assert wrong == 0


def test_a_verification_is_stale_until_a_later_completion_if_results_are_posted() -> None:
    facts = portfolio_facts(POSTED)
    found = {
        day: FlagId.VERIFICATION_STALE in facts.flags_on(day)
        for day in ("2022-03-31", "2022-04-01", "2026-06-30", "2026-07-01")
    }
    assert list(found.values()) == [False, True, True, False]
    assert facts_to_json(facts)["last_days"] == {FlagId.VERIFICATION_STALE.value: "2026-06-30"}


@pytest.mark.parametrize("value", [None, 1, "x", [], [None, 1, "x"], {"a": []}, [{"name": 3}]])
def test_a_record_with_values_of_other_types_has_facts(value: Any) -> None:
    names = ("conditionsModule", "armsInterventionsModule", "contactsLocationsModule")
    inner = ("conditions", "interventions", "locations")
    for body in (
        {"protocolSection": value},
        {"protocolSection": dict.fromkeys((*names, "statusModule"), value)},
        {"protocolSection": {one: {two: value} for one, two in zip(names, inner, strict=True)}},
    ):
        assert portfolio_facts(body).flags_on("2026-01-01") == ()
