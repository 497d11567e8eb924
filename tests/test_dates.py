"""Registry dates: intervals, compared at their known precision."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.dates import (
    PartialDate,
    Precision,
    Shift,
    format_minute,
    format_timestamp,
    parse_timestamp,
)

days = st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(lambda day: PartialDate(day.isoformat()))
lengths = st.sampled_from((4, 7, 10))
partial_dates = st.builds(lambda day, length: PartialDate(day.text[:length]), days, lengths)


@pytest.mark.parametrize(
    ("text", "precision", "first", "last"),
    [
        ("2017", Precision.YEAR, date(2017, 1, 1), date(2017, 12, 31)),
        ("2020-02", Precision.MONTH, date(2020, 2, 1), date(2020, 2, 29)),
        ("2017-01-15", Precision.DAY, date(2017, 1, 15), date(2017, 1, 15)),
        ("9999-12", Precision.MONTH, date(9999, 12, 1), date(9999, 12, 31)),
    ],
)
def test_a_partial_date_is_an_interval(text, precision, first, last):
    read = PartialDate(text)
    assert (read.precision, read.first, read.last) == (precision, first, last)


@pytest.mark.parametrize(
    "text",
    ["", "17", "2017-1", "2017-13", "2017-00", "2017-02-30", "2017-1-01", "2017-01-01 ", "2017/01",
     "2017-01-01T00:00", "٢٠١٧", "0000", "0000-01-01", "-2017", "2017\n", None, 2017, [], True],
)  # fmt: skip
def test_parse_returns_none_for_anything_that_is_not_a_date(text):
    assert PartialDate.parse(text) is None
    if isinstance(text, str):
        with pytest.raises(ValueError, match=r"date|day|month|year"):
            PartialDate(text)


@pytest.mark.parametrize(
    ("here", "there", "shift"),
    [
        ("2012-02", "2013-02", Shift(366, 28, precision_only=False)),
        ("2013-02", "2014-04", Shift(424, 29, precision_only=False)),
        ("2014-04", "2014-05", Shift(30, 30, precision_only=False)),
        ("2012-02", "2014-05", Shift(820, 30, precision_only=False)),
        ("2026-10", "2026-10-31", Shift(0, 30, precision_only=True)),
        ("2026-10-31", "2026-10", Shift(0, 30, precision_only=True)),
        ("2026-10-01", "2026-10-31", Shift(30, 0, precision_only=False)),
        ("2026-10-31", "2026-10-31", Shift(0, 0, precision_only=False)),
        ("2026-10", "2026-10", Shift(0, 30, precision_only=False)),
        ("2026-10-31", "2026-11", Shift(31, 30, precision_only=False)),
        ("2026", "2026-11-05", Shift(0, 364, precision_only=True)),
        ("2017-01", "2017-01-01", Shift(0, 30, precision_only=True)),
    ],
)
def test_a_shift_is_measured_at_the_coarser_precision(here, there, shift):
    assert PartialDate(here).shift_to(PartialDate(there)) == shift


@given(partial_dates, partial_dates)
def test_a_shift_back_is_the_negated_shift(here, there):
    out, back = here.shift_to(there), there.shift_to(here)
    assert (out.days, out.precision_only) == (-back.days, back.precision_only)
    assert out.margin == back.margin


@given(partial_dates)
def test_a_date_has_no_shift_to_itself(here):
    shift = here.shift_to(here)
    assert (shift.days, shift.precision_only) == (0, False)


@given(days, days)
def test_a_shift_between_days_is_exact(here, there):
    assert here.shift_to(there) == Shift((there.first - here.first).days, 0, precision_only=False)


@given(partial_dates, lengths)
def test_a_loss_of_precision_is_not_a_shift(here, length):
    coarser = PartialDate(here.text[:length])
    shift = here.shift_to(coarser)
    assert shift.days == 0
    assert shift.precision_only == (coarser.precision is not here.precision)


@given(partial_dates, partial_dates)
def test_the_true_shift_lies_within_the_margin(here, there):
    """The distance between any day of one date and any day of the other is days ± margin."""
    shift = here.shift_to(there)
    for start in (here.first, here.last):
        for end in (there.first, there.last):
            assert abs((end - start).days - shift.days) <= shift.margin


@given(partial_dates, st.sampled_from(Precision))
def test_a_coarsened_date_contains_the_original_interval(here, precision):
    coarse = here.coarsened(precision)
    assert here.text.startswith(coarse.text)
    assert coarse.first <= here.first <= here.last <= coarse.last


def test_registry_timestamps_are_utc():
    stamp = parse_timestamp("2026-09-04T09:00:06")
    assert stamp == datetime(2026, 9, 4, 9, 0, 6, tzinfo=UTC)
    assert parse_timestamp("2026-09-04T11:00:06+02:00") == stamp
    assert format_timestamp(stamp) == "2026-09-04T09:00:06Z"
    with pytest.raises(ValueError, match="soon"):
        parse_timestamp("soon")


def test_a_time_for_people_is_written_to_the_minute_in_utc():
    stamp = datetime(2026, 9, 4, 11, 0, 59, tzinfo=timezone(timedelta(hours=2)))
    assert format_minute(stamp) == "2026-09-04 09:00Z"
    assert format_minute(datetime(201, 1, 2, 3, 4, tzinfo=UTC)) == "0201-01-02 03:04Z"
