"""Base rates counted from versions, and when they replace the published ones."""

from datetime import date, timedelta

import pytest

from ctsync.model import KeyFields
from ctsync.record.context import PUBLISHED_RATES, RateId
from ctsync.record.context.own_rates import (
    LARGE_ENOUGH,
    TrialCourse,
    count_rates,
    preferred,
    read_rates,
    sponsored_trial,
    stage_of_change,
)
from ctsync.record.context.sponsor_past import SponsoredTrial
from ctsync.report.rows.row_json import to_json

FIRST, UNTIL = date(2020, 1, 1), date(2024, 1, 1)


def course(*steps, complete=True, **fields):
    """Return a trial from pairs of the days since its first version and its status."""
    days = [FIRST + timedelta(days=day) for day, _ in steps]
    return TrialCourse(days, [KeyFields(status=status, **fields) for _, status in steps], complete)


def suspended(days, then="RECRUITING", **fields):
    return course((0, "RECRUITING"), (100, "SUSPENDED"), (100 + days, then), **fields)


def counts(rates, rate):
    return [(one.count, one.n) for one in rates.get(rate, ())]


def test_suspensions_are_counted_with_their_length():
    rates = count_rates(
        [
            suspended(50),
            suspended(200, "COMPLETED"),
            suspended(400, "TERMINATED"),
            course((0, "RECRUITING"), (100, "SUSPENDED")),
            # first seen as suspended: nobody knows since when
            course((0, "SUSPENDED"), (100, "RECRUITING")),
            # stopped less than a year before the end
            course((0, "RECRUITING"), (1400, "SUSPENDED")),
        ],
        until=UNTIL,
    )
    assert counts(rates, RateId.SUSPENDED_RESTARTED) == [(2, 4)]
    assert counts(rates, RateId.SUSPENDED_90_DAYS_RESTARTED) == [(1, 3)]
    assert counts(rates, RateId.SUSPENDED_365_DAYS_RESTARTED) == [(0, 2)]
    (rate,) = rates[RateId.SUSPENDED_RESTARTED]
    assert (rate.percent, rate.median_days) == (50.0, 125)
    assert rate.window == "up to 2024-01, without COVID-19"


def test_a_suspension_for_covid_19_is_left_out():
    given = [suspended(50, why_stopped="COVID-19 pandemic"), suspended(60, why_stopped="Funding")]
    rates = count_rates(given, until=UNTIL)
    assert counts(rates, RateId.SUSPENDED_RESTARTED) == [(1, 1)]
    assert counts(rates, RateId.SUSPENDED_FOR_FUNDING_RESTARTED) == [(1, 1)]


def test_slips_are_counted_in_trials_with_all_versions():
    def slipping(*dates, complete=True):
        keys = [KeyFields(status="RECRUITING", primary_completion_date=one) for one in dates]
        return TrialCourse([FIRST] * len(keys), keys, complete)

    rates = count_rates(
        [
            slipping("2021-01", "2022-01", "2023-01"),
            slipping("2021-01", "2021-06"),
            slipping("2021-01", "2020-06"),
            slipping("2021-01", "2022-01", complete=False),
        ],
        until=UNTIL,
    )
    assert counts(rates, RateId.FIRST_SLIP) == [(2, 3)]
    assert counts(rates, RateId.SLIP_AFTER_1) == [(1, 2)]


def test_the_enrollment_of_terminated_trials_is_a_share_of_the_last_target():
    keys = [
        KeyFields(status="RECRUITING", enrollment=100, enrollment_type="ESTIMATED"),
        KeyFields(status="TERMINATED", enrollment=30, enrollment_type="ACTUAL"),
    ]
    rates = count_rates([TrialCourse([FIRST, FIRST], keys, is_complete=True)], until=UNTIL)
    assert [(one.percent, one.n) for one in rates[RateId.TERMINATED_ENROLLMENT]] == [(30.0, 1)]


@pytest.mark.parametrize(("n", "is_own"), [(LARGE_ENOUGH - 1, False), (LARGE_ENOUGH, True)])
def test_a_rate_of_your_own_is_preferred_from_400_trials_on(n, is_own):
    own = count_rates([suspended(50)] * n, until=UNTIL)
    found = preferred(own)
    assert (found[RateId.SUSPENDED_RESTARTED][0].n == n) is is_own
    assert found[RateId.TERMINATED_REOPENED] == PUBLISHED_RATES[RateId.TERMINATED_REOPENED]


def test_saved_rates_are_read_again_and_a_damaged_row_is_left_out():
    own = count_rates([suspended(50)], until=UNTIL)
    rows = [to_json(one) for rates in own.values() for one in rates]
    assert read_rates(rows) == own
    damaged: list[dict[str, object]] = [
        {name: "many"} for name in ("n", "percent", "median_days", "low")
    ]
    damaged += [{"window": None}, {"id": "another"}, {"id": []}, {"more": 1}]
    assert read_rates([{}, *({**rows[0], **wrong} for wrong in damaged)]) == {}


def planned(completion, *stages, complete=True):
    keys = [KeyFields(primary_completion_date=completion)]
    return TrialCourse([FIRST], keys, complete, frozenset(stages))


def test_changes_of_primary_outcomes_are_counted_in_the_trials_that_passed_the_stage():
    rates = count_rates(
        [
            planned("2021-06", "while recruiting"),
            planned("2021-06", "after recruitment", "after completion"),
            planned("2021-06", "before the start"),
            # completed for less than a year
            planned("2023-06", "after completion"),
            # not completed
            planned("2024-06", "while recruiting"),
            planned("2021-06", "while recruiting", complete=False),
        ],
        until=UNTIL,
    )
    assert counts(rates, RateId.PRIMARY_OUTCOME_CHANGED_RECRUITING) == [(2, 4)]
    assert counts(rates, RateId.PRIMARY_OUTCOME_CHANGED_COMPLETED) == [(1, 3)]


@pytest.mark.parametrize(
    "other",
    [
        {"rank": "secondary"},
        {"nature": "wording"},
        {"change": "unresolved"},
        {"change": "duplicate added"},
        {"stage": None},
    ],
)
def test_only_a_resolved_change_of_a_primary_outcome_has_a_stage(other):
    inputs = {"rank": "primary", "nature": "change", "change": "dropped", "stage": "x"}
    assert stage_of_change(inputs) == "x"
    assert stage_of_change({**inputs, **other}) is None


def test_a_trial_counts_for_its_newest_sponsor_with_the_slip_since_registration():
    keys = [
        KeyFields(lead_sponsor="A", primary_completion_date="2021-01"),
        KeyFields(lead_sponsor="A", primary_completion_date="2022-01"),
        KeyFields(lead_sponsor="B", primary_completion_date="2021-04", status="TERMINATED"),
    ]
    course = TrialCourse([FIRST] * 3, keys, is_complete=True)
    assert sponsored_trial(course) == SponsoredTrial("B", "TERMINATED", 90)
    partly = TrialCourse([FIRST] * 3, keys, is_complete=False)
    assert sponsored_trial(partly) == SponsoredTrial("B", "TERMINATED", None)
    assert sponsored_trial(TrialCourse([FIRST], [KeyFields()], is_complete=True)) is None
