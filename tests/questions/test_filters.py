"""The filters of reports, read from text and from the outbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ctsync.errors import UsageError
from ctsync.model import Category, Kind, Level, RegistryVersion, Verdict
from ctsync.questions.changes.filters import last_report_end, parse_word
from ctsync.questions.parameters import MOST, read_number, read_period
from ctsync.store.data.runs import SYNC
from ctsync.store.store import Store
from tests.store.samples import FETCHED, LOAD, add, add_events, delivery

NOW = datetime(2026, 3, 13, 15, 2, tzinfo=UTC)  # a Friday
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC), DAY),
        ("yesterday", datetime(2026, 3, 12, tzinfo=UTC), DAY),
        ("Last week", datetime(2026, 3, 2, tzinfo=UTC), 7 * DAY),
        ("7d", NOW - 7 * DAY, timedelta()),
        ("12 h", NOW - timedelta(hours=12), timedelta()),
    ],
)
def test_a_period_is_a_day_an_age_or_a_name(text: str, start: datetime, length: timedelta) -> None:
    assert read_period(text, NOW) == (start, length)


@pytest.mark.parametrize("text", ["soon", "", "2026-02-30", "7", "99999999999y"])
def test_another_period_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_period(text, NOW)


def test_words_are_read_in_any_case_with_blanks_or_underscores() -> None:
    assert parse_word("Critical", Level) is Level.CRITICAL
    assert parse_word("results qc", Category) is Category.RESULTS_QC
    assert parse_word("primary completion date", Kind) is Kind.PRIMARY_COMPLETION_DATE


def sync(store: Store, load: datetime, started: datetime) -> None:
    with store.unit() as unit:
        run = unit.runs.begin(SYNC, started)
        unit.runs.set_load(run, RegistryVersion("2.0.5", load))
        unit.runs.finish(run, finished=started + timedelta(minutes=1), verdict=Verdict.OK)


def send(store: Store, channel: str, at: datetime) -> None:
    with store.unit() as unit:
        (event_id,) = add_events(unit, None, add(unit, 1, None))
        key = f"{channel}{event_id}"
        unit.outbox.enqueue([delivery(event_id, channel=channel, dedup_key=key)])
        rows = unit.outbox.claim(FETCHED, lease=DAY, limit=1, worker="me")
        unit.outbox.mark_sent([row.delivery_id for row in rows], now=at)


def test_the_last_report_ends_with_the_data_of_the_sync_before_it(store: Store) -> None:
    sync(store, LOAD - DAY, FETCHED - DAY)
    sync(store, LOAD, FETCHED)
    send(store, "mail", FETCHED + timedelta(minutes=5))
    sync(store, LOAD + DAY, FETCHED + DAY)

    # what the report had happened in that load; what it had not, in a later one
    assert last_report_end(store, FETCHED + DAY) == LOAD + timedelta(seconds=1)


def test_a_report_sent_by_a_clock_that_ran_ahead_is_ignored(store: Store) -> None:
    sync(store, LOAD, FETCHED)
    send(store, "mail", FETCHED + 400 * DAY)

    with pytest.raises(UsageError, match="no report was sent yet"):
        last_report_end(store, FETCHED + DAY)


def test_a_line_in_the_event_log_is_not_a_report(store: Store) -> None:
    sync(store, LOAD, FETCHED)
    send(store, "log", FETCHED + timedelta(minutes=5))

    with pytest.raises(UsageError, match="no report was sent yet"):
        last_report_end(store, FETCHED + DAY)


def test_a_report_that_no_sync_preceded_ends_when_it_was_sent(store: Store) -> None:
    send(store, "mail", FETCHED)

    assert last_report_end(store, FETCHED + DAY) == FETCHED


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "1e3", "1_0", "٣", "9" * 5000, str(MOST + 1)]
)
def test_what_is_not_a_whole_number_in_bounds_is_refused(text: str) -> None:
    is_large = text.isascii() and text.isdigit() and len(text) > 1
    bounds = f"from 1 to {MOST:,}" if is_large else "of at least 1"
    with pytest.raises(UsageError, match=f"is not a whole number {bounds}$"):
        read_number(text)
    assert read_number("0" * 30 + "7") == 7
    assert (read_number(" 7 "), read_number("-1", least=-1), read_number(str(MOST))) == (
        7,
        -1,
        MOST,
    )
