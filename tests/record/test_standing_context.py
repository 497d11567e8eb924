"""How long a trial has been suspended, and the past of sponsors."""

from datetime import date, timedelta

import pytest

from ctsync.record.context import BaseRates
from ctsync.record.context.sponsor_past import (
    SponsoredTrial,
    SponsorPast,
    count_sponsors,
    read_sponsors,
    sponsor_rows,
)
from ctsync.record.context.standing_context import (
    StatusOnDay,
    current_suspension,
    suspension_context,
)

SINCE = date(2026, 1, 10)


def suspended(days, *, numbers=(3, 4)):
    """Return a trial that was suspended this many days ago; numbers are the registry's."""
    statuses = [
        StatusOnDay("RECRUITING", date(2025, 1, 1), numbers[0]),
        StatusOnDay("SUSPENDED", SINCE, numbers[1]),
        StatusOnDay("SUSPENDED", SINCE + timedelta(days=1), None),
    ]
    found = current_suspension(statuses, as_of=SINCE + timedelta(days=days))
    assert found
    return found


@pytest.mark.parametrize(
    ("days", "rate"),
    [
        (90, "51.6 % of 1,475 suspended trials restarted"),
        (91, "41.3 % of 1,217 trials still suspended after 90 days restarted"),
        (200, "32.8 % of 1,062 trials still suspended after 180 days restarted"),
        (366, "19.0 % of 882 trials still suspended after 365 days restarted"),
    ],
)
def test_a_suspension_shows_the_rate_of_those_suspended_as_long(days, rate):
    (note,) = suspension_context(suspended(days))
    assert note.text == (
        f"suspended for {days} days, recorded since 2026-01-10; {rate} or were completed "
        "(2019-12 to 2022-11, without COVID-19; ctcovidstop (CC BY 4.0))"
    )
    assert note.rates


@pytest.mark.parametrize("numbers", [(3, 5), (None, 4), (3, None)])
def test_the_length_is_a_least_if_a_version_may_be_missing(numbers):
    (note,) = suspension_context(suspended(200, numbers=numbers))
    assert note.text.startswith("suspended for at least 200 days, recorded since 2026-01-10; ")


@pytest.mark.parametrize(("number", "is_exact"), [(0, True), (4, False), (None, False)])
def test_a_trial_first_seen_as_suspended_may_be_suspended_for_longer(number, is_exact):
    found = current_suspension([StatusOnDay("SUSPENDED", SINCE, number)], as_of=SINCE)
    assert found
    assert (found.days, found.is_exact) == (0, is_exact)


def test_a_trial_that_is_not_suspended_today_has_no_suspension():
    statuses = [StatusOnDay("SUSPENDED", SINCE, 0), StatusOnDay("RECRUITING", SINCE, 1)]
    assert current_suspension(statuses, as_of=SINCE) is None
    assert current_suspension([], as_of=SINCE) is None


def test_without_rates_the_length_alone_is_shown_or_nothing():
    (note,) = suspension_context(suspended(1), BaseRates({}))
    assert note.text == "suspended for 1 day, recorded since 2026-01-10"
    assert suspension_context(suspended(1), None) == ()


def trials(sponsor, n, *, status="RECRUITING", slip=None):
    return [SponsoredTrial(sponsor, status, slip)] * n


def test_the_trials_of_a_sponsor_are_counted_from_10_on():
    found = count_sponsors(
        [
            *trials("A", 4, status="TERMINATED", slip=90),
            *trials("A", 2, status="WITHDRAWN", slip=89),
            *trials("A", 4),
            *trials("B", 9, status="TERMINATED"),
        ]
    )
    assert found == {"A": SponsorPast(10, terminated=4, withdrawn=2, dated=6, slipped=4)}
    print(f"sponsors: {len(found)} of 2 shown, the other has 9 trials")


def test_saved_counts_are_read_again_and_a_damaged_row_is_left_out():
    found = count_sponsors(trials("A", 12, slip=100))
    rows = {sponsor: list(row) for sponsor, row in sponsor_rows(found).items()}
    assert read_sponsors(rows) == found
    damaged = [None, [], [1, 2, 3], [-1, 0, 0, 0, 0], [1, "0", 0, 0, 0], [5, 0, 0, 6, 0],
               [5, 3, 3, 0, 0], [5, 0, 0, 1, 2]]  # fmt: skip
    assert read_sponsors({f"{n}": row for n, row in enumerate(damaged)}) == {}
    assert read_sponsors(["A"]) == {}
