"""Types of command-line values: trials, numbers, days, points in time and time spans."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import click
from click.shell_completion import CompletionItem

from ctsync.cli.app import App
from ctsync.errors import UsageError
from ctsync.model import NctId
from ctsync.pasted_url import read_trial
from ctsync.questions.changes.filters import LAST_REPORT, parse_phase, parse_word
from ctsync.questions.parameters import (
    BEGINNING,
    MOST,
    read_day,
    read_moment,
    read_number,
    read_span,
)


class MomentParam(click.ParamType[Any]):
    """A day (2026-03-13, yesterday), an age (12h, 7d, 2w, 6m, 1y), "last week" or `all`.

    `all` is the beginning of time. With `or_last_report`, "last report" is returned as text: only
    the database knows when that was.
    """

    name = "WHEN"
    BEGINNING = BEGINNING

    def __init__(self, *, end_of_day: bool = False, or_last_report: bool = False) -> None:
        self.end_of_day = end_of_day
        self.or_last_report = or_last_report

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | str:
        """Return an aware UTC time; a day means its start, or its end if `end_of_day`."""
        if isinstance(value, datetime):
            return value
        if self.or_last_report and " ".join(value.lower().split()) == LAST_REPORT:
            return LAST_REPORT
        app = (ctx.find_object(App) if ctx else None) or App()
        try:
            return read_moment(value, app.clock.now(), end_of_day=self.end_of_day)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class NumberParam(click.ParamType[Any]):
    """A whole number in bounds."""

    name = "NUMBER"

    def __init__(self, *, least: int = 1, most: int = MOST) -> None:
        self.least = least
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            return read_number(str(value), least=self.least, most=self.most)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class WordParam(click.ParamType[Any]):
    """A level, category, kind or flag; the error for a wrong value names the likely ones."""

    def __init__(self, words: type[StrEnum]) -> None:
        self.words = words
        self.name = words.__name__.removesuffix("Id").upper()

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - the signature is click's
        ctx: click.Context | None,  # noqa: ARG002 - the signature is click's
    ) -> StrEnum:
        """Return the member; raises UsageError."""
        return parse_word(value, self.words)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - the signature is click's
        param: click.Parameter,  # noqa: ARG002 - the signature is click's
        incomplete: str,
    ) -> list[CompletionItem]:
        """Complete a value."""
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class PhaseParam(click.ParamType[Any]):
    """A phase as people write it: 2, "phase 2", PHASE2, "early 1", NA."""

    name = "PHASE"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - the signature is click's
        ctx: click.Context | None,  # noqa: ARG002 - the signature is click's
    ) -> str:
        """Return the phase in the registry's form; raises UsageError."""
        return parse_phase(value)


class SpanParam(click.ParamType[Any]):
    """A time span: 12h, 90d, 2w, 6m, 1y, or `all`, which is None."""

    name = "SPAN"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | None:
        """Return the time span."""
        if isinstance(value, timedelta):
            return value
        try:
            return read_span(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class DayParam(click.ParamType[Any]):
    """A day, as in 2026-03-13."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day."""
        if isinstance(value, date):
            return value
        try:
            return read_day(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


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
