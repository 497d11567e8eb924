"""Context of an event: published base rates, and the trial's own past."""

import pytest

from ctsync.model import Kind, Level
from ctsync.record.context import (
    PUBLISHED_RATES,
    BaseRates,
    RateId,
    context_of,
    flag_context,
    shown_context,
)
from ctsync.record.context.base_rates import SPONSOR_RATES
from ctsync.record.context.sponsor_past import SponsorPast
from ctsync.record.flags import FlagId
from tests.record.studies import dated, events_between, history, outcome, study, the_event


def texts(event):
    return [note.text for note in context_of(event)]


def status_event(after, **more):
    events = events_between(study(), study(status=after, **more))
    return the_event(events, Kind.STATUS, ".overallStatus")


def slips(*dates, numbers=None):
    *_, last = history(*(study(primary=dated(date)) for date in dates), numbers=numbers)
    return the_event(last, Kind.PRIMARY_COMPLETION_DATE)


def test_every_rate_has_a_number_a_window_and_a_source():
    found = [rate for rates in PUBLISHED_RATES.values() for rate in rates]
    assert set(PUBLISHED_RATES) == set(RateId) - SPONSOR_RATES
    assert all(rate.n and rate.window and rate.source for rate in found)


def test_a_suspension_shows_the_rates_without_covid_19():
    first, still = context_of(status_event("SUSPENDED", why="Drug supply"))
    assert first.text == (
        "51.6 % of 1,475 suspended trials restarted or were completed (2019-12 to 2022-11, without "
        "COVID-19; median 161 days); 56.5 % of 1,415 (2016-12 to 2019-11; median 164 days)"
    )
    assert still.text == (
        "of 1,217 / 1,062 / 882 still suspended after 90 / 180 / 365 days, 41.3 / 32.8 / 19.0 % "
        "did (2019-12 to 2022-11, without COVID-19)"
    )
    assert [(rate.count, rate.n) for rate in first.rates] == [(761, 1475), (800, 1415)]


def test_a_suspension_for_funding_shows_the_rate_of_that_reason():
    *_, last = texts(status_event("SUSPENDED", why="Lack of Funding"))
    assert last == (
        'suspensions with "funding" in the reason restarted: 26.8 % of 127 (2019-12 to 2022-11); '
        "22.3 % of 94 (2016-12 to 2019-11)"
    )


def test_a_termination_shows_reopenings_and_enrollment():
    assert texts(status_event("TERMINATED")) == [
        (
            "1.7 % of 6,216 terminated trials reopened or were completed (2019-12 to 2022-11); "
            "2.9 % of 5,388 (2016-12 to 2019-11)"
        ),
        (
            "206 terminated trials enrolled a median of 30.1 % of the target, middle half 12.9 to "
            "60.0 %"
        ),
    ]


@pytest.mark.parametrize("status", ["COMPLETED", "ACTIVE_NOT_RECRUITING", "UNKNOWN"])
def test_a_step_that_stops_nothing_has_no_context(status):
    assert texts(status_event(status)) == []


@pytest.mark.parametrize(
    ("numbers", "words", "days"),
    [
        ([3, 4, 5, 6], "91 days in 2020", 91),
        # a version may be missing, so the length is not known
        ([3, 4, 6, 7], "recorded on 2020-03-16", None),
        ([3, 4, None, None], "recorded on 2020-03-16", None),
        (None, "recorded on 2020-03-16", None),
    ],
)
def test_a_second_stop_names_the_first(numbers, words, days):
    *_, last = history(
        study(posted="2020-03-01"),
        study(status="SUSPENDED", posted="2020-03-16"),
        study(posted="2020-06-15"),
        study(status="TERMINATED", posted="2021-01-01"),
        numbers=numbers,
    )
    event = the_event(last, Kind.STATUS)
    assert texts(event)[0] == f"suspended before, {words}"
    assert event.inputs["stopped_before"] == [
        {"status": "SUSPENDED", "since": "2020-03-16", "days": days}
    ]


def test_a_slip_shows_the_slips_before_it_and_how_often_another_follows():
    assert texts(slips("2021-06", "2021-09")) == [
        "44.9 % of 49 trials with 1 slip slipped again (histories up to 2022-03)"
    ]
    assert texts(slips("2021-06-01", "2021-09-01", "2021-08-01", "2022-08-01")) == [
        "2nd recorded slip, +1.2 years (426 days) since first seen",
        "45.5 % of 22 trials with 2 slips slipped again (histories up to 2022-03)",
    ]
    assert texts(slips("2021-06", "2021-09", "2022-09", "2023-08-01"))[0].startswith(
        "3rd recorded slip, +"
    )
    with_all = texts(slips("2021-06", "2021-09", "2022-09", "2023-08-01", numbers=range(4)))
    assert with_all[0].startswith("3rd slip, +")
    assert with_all[0].endswith(" in all")


def test_an_actual_date_cannot_slip_again():
    events = events_between(study(), study(primary=dated("2021-09-01", "ACTUAL")))
    assert texts(the_event(events, Kind.PRIMARY_COMPLETION_DATE, "date")) == []


def test_an_earlier_date_is_no_slip():
    assert texts(slips("2021-06", "2021-03")) == []


@pytest.mark.parametrize(
    ("posted", "found"),
    [
        ("2019-05-20", []),
        (
            "2020-05-20",
            [
                (
                    "11.6 % of 1,402 trials changed a primary outcome while recruiting "
                    "(trials with a published result)"
                )
            ],
        ),
        (
            "2021-07-01",
            [
                (
                    "10.6 % of 1,402 trials changed a primary outcome after completion "
                    "(trials with a published result)"
                )
            ],
        ),
    ],
)
def test_a_primary_outcome_shows_the_rate_of_its_phase(posted, found):
    old = study(primary_outcomes=[outcome("Overall survival")], posted="2019-05-10")
    new = study(primary_outcomes=[outcome("Pain at rest")], posted=posted)
    events = [event for event in events_between(old, new) if event.kind is Kind.OUTCOME]
    assert texts(events[0]) == found


def test_without_rates_there_is_no_context():
    assert context_of(status_event("SUSPENDED"), None) == ()


def rates_with(past):
    return BaseRates(PUBLISHED_RATES.by_id, {"Example Pharma": past}, "versions up to 2026-11")


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("TERMINATED", (4, "4 of 31 stored trials of this sponsor were terminated")),
        ("SUSPENDED", (4, "4 of 31 stored trials of this sponsor were terminated")),
        ("WITHDRAWN", (2, "2 of 31 stored trials of this sponsor were withdrawn")),
    ],
)
def test_a_stop_shows_the_sponsors_stopped_trials(status, found):
    rates = rates_with(SponsorPast(31, terminated=4, withdrawn=2, dated=12, slipped=5))
    *_, note = context_of(status_event(status), rates, sponsor="Example Pharma")
    (rate,) = note.rates
    assert ((rate.count, note.text), rate.n) == (
        (found[0], f"{found[1]} (versions up to 2026-11)"),
        31,
    )
    for other in ("Another", None):
        assert context_of(status_event(status), rates, sponsor=other)[-1] != note


def test_a_slip_shows_how_many_of_the_sponsors_trials_slipped():
    rates = rates_with(SponsorPast(31, terminated=4, withdrawn=2, dated=12, slipped=5))
    *_, note = context_of(slips("2021-06", "2021-09"), rates, sponsor="Example Pharma")
    assert note.text == (
        "5 of 12 trials of this sponsor moved primary completion 90 days or more later "
        "(versions up to 2026-11)"
    )
    earlier = slips("2021-06", "2021-03")
    assert context_of(earlier, rates, sponsor="Example Pharma") == ()


def test_a_share_of_fewer_than_10_trials_of_a_sponsor_is_left_out():
    rates = rates_with(SponsorPast(31, terminated=4, withdrawn=2, dated=9, slipped=5))
    found = context_of(slips("2021-06", "2021-09"), rates, sponsor="Example Pharma")
    assert not any("sponsor" in note.text for note in found)


def test_people_see_rates_beside_notable_and_critical_changes_only():
    event = slips("2021-06-01", "2021-06-20")
    assert event.level is Level.ROUTINE
    assert context_of(event)
    assert shown_context(event) == ()


def test_a_change_after_the_results_shows_the_rate_after_a_publication():
    old = study(primary_outcomes=[outcome("Overall survival")], posted="2019-05-10")
    new = study(
        primary_outcomes=[outcome("Pain at rest")],
        posted="2023-07-01",
        protocolSection__statusModule__resultsFirstPostDateStruct={"date": "2022-06-01"},
    )
    events = [event for event in events_between(old, new) if event.kind is Kind.OUTCOME]
    assert [text[:5] for text in texts(events[0])] == ["10.6 ", "9.0 %"]
    assert "after the publication in a journal" in texts(events[0])[1]


def test_a_reworded_outcome_has_no_context():
    old = study(primary_outcomes=[outcome("Pain at rest, three months")], posted="2020-05-10")
    new = study(primary_outcomes=[outcome("Pain at rest, 3 months")], posted="2020-06-10")
    events = [event for event in events_between(old, new) if event.kind is Kind.OUTCOME]
    assert [event.inputs["nature"] for event in events] == ["wording"]
    assert texts(events[0]) == []


def test_overdue_results_show_how_many_were_not_submitted():
    (note,) = flag_context(FlagId.RESULTS_OVERDUE)
    assert note.text == (
        "36.2 % of 4,209 trials with results due had submitted none "
        "(2019-09-16; fdaaa_trends (EBM Data Lab, MIT))"
    )
    assert [(rate.count, rate.n) for rate in note.rates] == [(1523, 4209)]
    assert flag_context("results_overdue") == (note,)


def test_other_flags_have_no_context_and_none_has_any_without_rates():
    others = set(FlagId) - {FlagId.RESULTS_OVERDUE}
    assert not any(flag_context(flag) for flag in others)
    assert flag_context(FlagId.RESULTS_OVERDUE, None) == ()
