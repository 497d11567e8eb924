"""Types of command-line values: trials, days, points in time and time spans."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import click

from ctsync.cli.app import App
from ctsync.model import NctId
from ctsync.pasted_url import read_trial

_AGO = re.compile(r"(\d+)\s*([hdwmy])\Z")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "m": 24 * 30, "y": 24 * 365}


class MomentParam(click.ParamType[Any]):
    """A day (2026-03-13), an age (12h, 7d, 2w, 6m, 1y), or `all` for the beginning of time."""

    name = "WHEN"
    BEGINNING = datetime.min.replace(tzinfo=UTC)
    END = datetime.max.replace(tzinfo=UTC)

    def __init__(self, *, end_of_day: bool = False) -> None:
        self.end_of_day = end_of_day

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware UTC time; a day means its start, or its end if `end_of_day`."""
        if isinstance(value, datetime):
            return value
        if value.strip().lower() == "all":
            return self.BEGINNING
        if ago := _AGO.match(value.strip().lower()):
            app = (ctx.find_object(App) if ctx else None) or App()
            now = app.clock.now()
            try:
                return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
            except OverflowError:
                self.fail(f"{value!r} is too long ago", param, ctx)
        try:
            day = date.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r} is not a date (2026-03-13) or an age (7d)", param, ctx)
        start = datetime.combine(day, time(), UTC)
        if not self.end_of_day:
            return start
        # date.max has no next day
        return self.END if day == date.max else start + timedelta(days=1)


class SpanParam(click.ParamType[Any]):
    """A time span: 12h, 90d, 2w, 6m, 1y, or `all`, which is None."""

    name = "SPAN"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | None:
        """Return the time span."""
        if isinstance(value, timedelta):
            return value
        text = value.strip().lower()
        found = _AGO.match(text)
        if found is None and text != "all":
            self.fail(f"{value!r} is not a time span; write one such as 90d", param, ctx)
        try:
            return timedelta(hours=int(found[1]) * _HOURS[found[2]]) if found else None
        except OverflowError:
            self.fail(f"{value!r} is too long", param, ctx)


class DayParam(click.ParamType[Any]):
    """A day, as in 2026-03-13."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r} is not a date; write it as 2026-03-13", param, ctx)


class TrialParam(click.ParamType[Any]):
    """A trial: an NCT id in any spelling, or the URL of its page."""

    name = "NCT"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - the signature is click's
        ctx: click.Context | None,  # noqa: ARG002 - the signature is click's
    ) -> NctId:
        """Return the id in canonical form; raises BadNctId."""
        return read_trial(value)
