"""The registry's rule for the status UNKNOWN: recognition and forecast."""

from datetime import date

import pytest

from ctsync.model import KeyFields
from ctsync.record.registry.unknown_status import Outlook, forecast, is_registry_flip

TODAY = date(2026, 3, 1)


def key(**given):
    usual = {"status": "RECRUITING", "verified": "2024-02", "completion_date": "2025-06-30",
             "posted": "2024-02-20"}  # fmt: skip
    return KeyFields(**{**usual, **given})


@pytest.mark.parametrize(
    ("given", "outlook", "on"),
    [
        ({}, Outlook.DUE, date(2026, 3, 2)),
        ({"verified": "2024-01"}, Outlook.OVERDUE, date(2026, 2, 2)),
        ({"verified": "2024-04"}, Outlook.DUE, date(2026, 5, 1)),
        ({"verified": "2024-04-17"}, Outlook.DUE, date(2026, 5, 1)),
        ({"completion_date": None}, Outlook.DUE, date(2026, 3, 2)),
        ({"completion_date": "someday"}, Outlook.DUE, date(2026, 3, 2)),
        ({"completion_date": "2026-02"}, Outlook.DUE, date(2026, 3, 2)),
        ({"completion_date": "2026-06-30"}, Outlook.DUE, date(2026, 7, 1)),
        ({"completion_date": "2026-07-31"}, Outlook.DUE, date(2026, 8, 3)),
        ({"completion_date": "2026-03"}, Outlook.DUE, date(2026, 4, 1)),
        ({"completion_date": "2027"}, Outlook.DUE, date(2028, 1, 3)),
        ({"status": "NOT_YET_RECRUITING"}, Outlook.DUE, date(2026, 3, 2)),
        ({"status": "COMPLETED"}, Outlook.NEVER, None),
        ({"status": "SUSPENDED"}, Outlook.NEVER, None),
        ({"status": None}, Outlook.NEVER, None),
        ({"status": "UNKNOWN"}, Outlook.ALREADY, None),
        ({"verified": None}, Outlook.NEVER, None),
        ({"verified": "never"}, Outlook.NEVER, None),
        ({"completion_date": "9999-12-31"}, Outlook.NEVER, None),
        ({"verified": "9999-12"}, Outlook.DUE, None),
    ],
)
def test_the_forecast_gives_the_outlook_and_the_day(given, outlook, on):
    expected = forecast(key(**given), TODAY)
    assert expected.outlook is outlook
    assert on is None or expected.on == on
    assert expected.why


def test_the_forecast_matches_the_observed_day():
    """Both observed changes to UNKNOWN came with the load of 2026-03-02, verified in 2024-02."""
    for completion in ("2025-02-03", "2026-01"):
        assert forecast(key(completion_date=completion), TODAY).on == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("before", "after", "flip"),
    [
        ({}, {"status": "UNKNOWN", "last_known_status": "RECRUITING"}, True),
        ({}, {"status": "UNKNOWN"}, True),
        ({}, {"status": "UNKNOWN", "last_known_status": "COMPLETED"}, False),
        ({}, {"status": "UNKNOWN", "last_known_status": "RECRUITING", "posted": "2026"}, False),
        ({"status": "UNKNOWN"}, {"status": "UNKNOWN"}, False),
        ({}, {"status": "COMPLETED"}, False),
    ],
)
def test_a_step_to_unknown_without_an_update_is_registry_derived(before, after, flip):
    assert is_registry_flip(key(**before), key(**after)) is flip
