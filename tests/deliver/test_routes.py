"""The routes from the settings, and when messages are due."""

from __future__ import annotations

import itertools
import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest

from ctsync.deliver.routes import routes_from
from ctsync.route import Cadence, Route
from tests.given_settings import given_settings


def test_routes_come_from_recipients_channels_and_the_log() -> None:
    settings = given_settings(
        {
            "recipients": [{"email": "anna@example.org", "cadence": "weekly"}],
            "channels": [
                {"name": "team", "url": "https://hooks.example.org/x"},
                {"name": "chat", "url": "slack://a/b/c"},
                {"name": "feed", "url": "file:///srv/feed?format=atom"},
            ],
        }
    )

    routes = [(route.channel, route.recipient) for route in routes_from(settings)]

    assert routes == [
        ("log", "log"),
        ("mail", "anna@example.org"),
        ("webhook:team", "team"),
        ("notify:chat", "chat"),
        ("file:feed", "feed"),
    ]


def test_every_route_has_context_unless_the_setting_removes_it() -> None:
    given = {
        "recipients": [{"email": "anna@example.org"}],
        "channels": [{"name": "team", "url": "https://hooks.example.org/x"}],
    }
    off = given_settings({**given, "reports": {"context": False}})

    assert [route.context for route in routes_from(given_settings(given))] == [True] * 3
    assert [route.context for route in routes_from(off)] == [False] * 3


@pytest.mark.parametrize(
    ("cadence", "due"),
    [
        (Cadence.IMMEDIATE, "2026-03-13T15:00"),
        (Cadence.DAILY, "2026-03-14T07:00"),
        (Cadence.WEEKLY, "2026-03-16T07:00"),
    ],
)
def test_a_message_is_due_at_its_hour_in_its_time_zone(cadence: Cadence, due: str) -> None:
    route = Route("mail", "a@b.example", cadence=cadence, at="08:00", timezone="Europe/Berlin")
    friday = datetime(2026, 3, 13, 15, tzinfo=UTC)

    assert route.due(friday) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_daily_message_is_due_once_per_day_across_clock_changes_in_every_zone() -> None:
    zones = sorted(zoneinfo.available_timezones())[::7]
    wrong = []
    for zone in zones:
        route = Route("mail", "a@b.example", cadence=Cadence.DAILY, at="02:30", timezone=zone)
        for day in (datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
            dues, now = [], day
            while now < day + timedelta(days=10):
                now = route.due(now) + timedelta(seconds=1)
                dues.append(now)
            gaps = {round((b - a) / timedelta(hours=1)) for a, b in itertools.pairwise(dues)}
            wrong += [zone] if not gaps <= {23, 24, 25} else []
    print(f"daily hour: {len(zones)} zones x 2 clock changes, {len(wrong)} wrong")
    assert not wrong
