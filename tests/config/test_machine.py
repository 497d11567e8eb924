"""What the machine lacks: a time zone database, files of certificates, days of the calendar."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.config.cron import read_cron
from ctsync.config.environment import CA_VARIABLES
from ctsync.config.loading import load
from ctsync.daemon import Schedule
from ctsync.errors import ConfigError
from ctsync.route import Cadence, Route

FRIDAY = datetime(2026, 3, 13, 15, tzinfo=UTC)
MISSING_DATABASE = "no time zone database; install one: pip install tzdata; UTC works without it"


@pytest.fixture
def no_zones(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without a time zone database."""
    for name in {"tzdata", *(one for one in sys.modules if one.startswith("tzdata."))}:
        monkeypatch.setitem(sys.modules, name, None)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)


@pytest.mark.usefixtures("no_zones")
def test_utc_works_without_a_time_zone_database() -> None:
    with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        zoneinfo.ZoneInfo("UTC")
    settings = load(env={"CTSYNC_SCHEDULE__TIMEZONE": "UTC"})
    schedule = Schedule(settings.schedule.cron, settings.schedule.timezone)
    assert schedule.was_missed(datetime(2026, 3, 12, 9, tzinfo=UTC), FRIDAY)
    route = Route("mail", "anna@example.org", cadence=Cadence.DAILY)
    assert route.due(FRIDAY) == datetime(2026, 3, 14, 8, tzinfo=UTC)


@pytest.mark.usefixtures("no_zones")
def test_another_zone_says_that_the_database_is_missing() -> None:
    with pytest.raises(ConfigError, match=MISSING_DATABASE):
        load(env={"CTSYNC_SCHEDULE__TIMEZONE": "Europe/Berlin"})
    with pytest.raises(ConfigError, match=MISSING_DATABASE):
        Schedule("0 10 * * *", "Europe/Berlin").trigger()


def test_with_a_database_a_wrong_zone_gets_a_hint() -> None:
    with pytest.raises(ConfigError, match="'Europe/Berlyn' is not a time zone; did you mean"):
        load(env={"CTSYNC_SCHEDULE__TIMEZONE": "Europe/Berlyn"})


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "5 5 31 feb,jun *"])
def test_a_cron_expression_that_never_runs_is_refused(cron: str) -> None:
    with pytest.raises(ConfigError, match="never runs: there is no day 3"):
        load(env={"CTSYNC_SCHEDULE__CRON": cron})


@given(st.integers(1, 31), st.integers(1, 12))
def test_a_day_is_refused_only_if_its_month_never_has_it(day: int, month: int) -> None:
    cron = f"0 12 {day} {month} *"
    try:
        datetime(2028, month, day, tzinfo=UTC)  # a leap year
    except ValueError:
        with pytest.raises(ValueError, match="never runs"):
            read_cron(cron)
    else:
        assert Schedule(cron).trigger().get_next_fire_time(None, FRIDAY) is not None


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_a_file_of_certificates_that_does_not_exist_is_named(variable: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(ConfigError, match=f"^{variable}: there is no file {file}"):
        load(env={variable: str(file)})
    # a command that sends nothing needs no certificates
    load(env={variable: str(file)}, need_secrets=False)
    file.touch()
    load(env={variable: str(file)})
