"""Changes of fields without figures, in a few words."""

from __future__ import annotations

from typing import Any

import pytest

from ctsync.model import Event
from ctsync.report.words.event_text import short
from ctsync.report.words.net_changes import net_changes
from ctsync.report.words.trial_row import trial_row
from tests.record.studies import events_between, outcome, study
from tests.report.examples import stored

ARMS = "protocolSection__armsInterventionsModule__armGroups"
IPD = "protocolSection__ipdSharingStatementModule"
TITLE = "protocolSection__identificationModule__briefTitle"
ACRONYM = "protocolSection__identificationModule__acronym"
PART_B = "Arm 3, Part B: Gocatamig and atezolizumab"
PLAN = "Participants receive tablets twice a day until disease progression or death"
LONG = "Number of participants who stop treatment because of an adverse event of any grade"


def event_of(before: dict[str, Any], after: dict[str, Any]) -> Event:
    (event,) = events_between(study(**before), study(**after))
    return event


def arm(description: str, label: str = PART_B) -> dict[str, Any]:
    return {ARMS: [{"label": label, "type": "EXPERIMENTAL", "description": description}]}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        # a name with a colon is whole, and a verb follows it
        (arm(PLAN), arm(f"{PLAN}, then one year of follow-up by telephone, e-mail or visits"),
         f'Arm description of "{PART_B}" edited (1 word removed, 11 words added)'),
        (arm(PLAN), arm(PLAN.replace("twice", "once")),
         f'Arm description of "{PART_B}" edited: "twice" -> "once"'),
        (arm(PLAN), arm(PLAN.upper()), f'Arm description of "{PART_B}" changed in form only'),
        # one colon
        ({IPD: {"ipdSharing": "YES"}}, {IPD: {"ipdSharing": "YES", "accessCriteria": "See plan"}},
         'IPD Access Criteria added: "See plan"'),
        ({ACRONYM: "FLAURA"}, {}, 'Acronym removed: "FLAURA"'),
        # a value instead of (none)
        ({}, {IPD: {"ipdSharing": "YES"}}, "Plan to Share IPD now given: Yes"),
        ({IPD: {"ipdSharing": "NO"}}, {}, "Plan to Share IPD no longer given (was No)"),
        # the item has its name, cut at a word
        ({"primary_outcomes": [outcome("A")]},
         {"primary_outcomes": [outcome("A"), outcome(LONG)]},
         'Primary outcome added: "Number of participants who stop treatment because…"'),
        ({"primary_outcomes": [outcome(LONG, "about 59 months after the first dose")]},
         {"primary_outcomes": [outcome(LONG, "about 58 months after the first dose")]},
         ('Primary outcome time frame of "Number of participants who stop treatment because…" '
          'edited: "59" -> "58"')),
        ({"primary_outcomes": [outcome(LONG), outcome("B")]},
         {"primary_outcomes": [outcome("B"), outcome(LONG)]},
         "Primary outcomes in another order"),
        ({"sponsor": {"name": "University of Utah", "class": "OTHER"}},
         {"sponsor": {"name": "University of Wisconsin, Madison and partners", "class": "OTHER"}},
         'Sponsor changed to "University of Wisconsin, Madison and partners"'),
        ({"why": "slow accrual"}, {"why": "no funds"},
         'Reason for stopping changed: "slow accrual" -> "no funds"'),
        ({"keywords": ["A"]}, {"keywords": ["A", "B"]}, 'Keyword added: "B"'),
        ({"primary": None}, {}, "primary completion now given: 2021-06 (estimated)"),
        ({}, {"enrollment": None}, "enrollment no longer given (was 100 (estimated))"),
        ({}, {"protocolSection__newModule": {"a": 1}},
         "Field unknown to ctsync changed: newModule"),
    ],
)  # fmt: skip
def test_a_phrase_names_the_item_and_what_happened_to_it(
    before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    assert short(event_of(before, after)) == words


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (outcome("Pain score", "1 year", description="On a scale"),
         outcome("Pain score", "6 months", description="On the scale"),
         'Primary outcome with another time frame: "Pain score"'),
        (outcome("Mortality at 3 years", ""), outcome("Mortality", "3 years"),
         'Primary outcome reworded: "Mortality at 3 years"'),
        (outcome("AUC(0-24)"), outcome("AUC(0-12)"),
         'Primary outcome measure of "AUC(0-24)" edited: "24" -> "12" (perhaps in substance)'),
        (outcome("Mortality"), outcome("Morbidity", description="Of any kind"),
         'Primary outcome perhaps changed in substance: "Mortality"'),
    ],
)  # fmt: skip
def test_a_primary_outcome_is_said_with_its_verdict(
    before: dict[str, str], after: dict[str, str], words: str
) -> None:
    assert short(event_of({"primary_outcomes": [before]}, {"primary_outcomes": [after]})) == words


def test_primary_outcomes_with_one_verdict_share_a_phrase() -> None:
    before, after = (
        study(primary_outcomes=[outcome(f"Outcome {n} of many", frame, description=text)
                                for n in range(4)])
        for frame, text in (("12 months", "On a scale"), ("6 months", "On the scale"))
    )  # fmt: skip
    events = [stored(event) for event in events_between(before, after)]

    assert len(events) == 4
    assert trial_row(net_changes(events)) == (
        '4 primary outcomes with another time frame ("Outcome 0 of many" and 3 others)'
    )


def test_three_items_that_changed_alike_share_a_phrase() -> None:
    frames = ["about 59 months after the first dose", "about 58 months after the first dose"]
    before, after = (
        study(secondary_outcomes=[outcome(f"Outcome {n} of many", frame) for n in range(11)])
        for frame in frames
    )
    events = [stored(event) for event in events_between(before, after)]

    assert len(events) == 11
    assert trial_row(net_changes(events)) == (
        '11 secondary outcome time frames edited ("Outcome 0 of many" and 10 others)'
    )
    two = trial_row(net_changes(events[:2]))
    assert two.count("Secondary outcome time frame of ") == 2
