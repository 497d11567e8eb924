"""The published base rates agree with the tables they were counted from."""

import csv
from datetime import date
from statistics import median, quantiles

import pytest

from ctsync.record.compare.canonical import key_fields
from ctsync.record.context import PUBLISHED_RATES, RateId
from ctsync.record.context.own_rates import TrialCourse, count_rates
from tests.rule_rates import tabulated

WINDOWS = {"2019-2022": 0, "2016-2019": 1}


def stops(corpus, window):
    path = corpus / "history" / f"stops-{window}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def days_stopped(row):
    if row["restart_date"] == "NA":
        return None
    return (date.fromisoformat(row["restart_date"]) - date.fromisoformat(row["stop_date"])).days


@pytest.mark.parametrize("window", WINDOWS)
def test_the_rates_of_stopped_trials_are_those_of_the_table(corpus, window):
    rows = stops(corpus, window)
    suspended = [
        days_stopped(row)
        for row in rows
        if row["stop_status"] == "Suspended" and row.get("covid19_explicit") != "TRUE"
    ]
    restarted = [days for days in suspended if days is not None]

    def published(rate):
        return PUBLISHED_RATES[rate][WINDOWS[window]]

    rate = published(RateId.SUSPENDED_RESTARTED)
    assert (rate.count, rate.n) == (len(restarted), len(suspended))
    low, _, high = quantiles(restarted, n=4, method="inclusive")
    assert (rate.median_days, rate.low, rate.high) == (
        median(restarted), pytest.approx(low, abs=0.6), pytest.approx(high, abs=0.6),
    )  # fmt: skip
    for days in (90, 180, 365):
        still = [one for one in suspended if one is None or one > days]
        rate = published(RateId(f"suspended_{days}_days_restarted"))
        assert (rate.count, rate.n) == (sum(one is not None for one in still), len(still)), days
    for status, name in (
        ("Terminated", RateId.TERMINATED_REOPENED),
        ("Withdrawn", RateId.WITHDRAWN_REOPENED),
    ):
        found = [days_stopped(row) for row in rows if row["stop_status"] == status]
        rate = published(name)
        assert (rate.count, rate.n) == (sum(one is not None for one in found), len(found))


def test_the_enrollment_of_terminated_trials_is_that_of_the_table(corpus):
    path = corpus / "history" / "terminated-enrollment.csv"
    with path.open(encoding="utf-8", newline="") as file:
        shares = [
            float(row["enrollment_percentage"])
            for row in csv.DictReader(file)
            if row["enrollment_percentage"].replace(".", "", 1).isdigit()
        ]
    (rate,) = PUBLISHED_RATES[RateId.TERMINATED_ENROLLMENT]
    print(f"terminated: {len(shares)} trials, median {median(shares):.1f} % of the target")
    assert rate.n == len(shares)
    assert rate.percent == pytest.approx(median(shares), abs=0.06)


def test_the_slips_of_the_tabulated_trials_are_near_the_published_counts(corpus):
    """The published counts read a month as its first day; ctsync reads it as a month."""
    found = count_rates(courses(corpus), until=date(2022, 3, 29))
    for rate in (RateId.FIRST_SLIP, RateId.SLIP_AFTER_1, RateId.SLIP_AFTER_2):
        (own,), (published,) = found[rate], PUBLISHED_RATES[rate]
        print(f"{rate}: {own.count} of {own.n}, published {published.count} of {published.n}")
        assert abs((own.count or 0) - (published.count or 0)) <= 1
        assert abs(own.n - published.n) <= 1


def courses(corpus):
    for bodies in tabulated(corpus):
        keys = [key_fields(body) for body in bodies]
        days = [date.fromisoformat(key.posted or "") for key in keys]
        yield TrialCourse(days, keys, is_complete=True)
