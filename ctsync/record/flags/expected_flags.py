"""The flags that a record will have by time alone, as facts to store. Pure, does no I/O.

They hold for every day: a forecast takes those whose day is still to come.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from ctsync.model import JsonObject
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import coming_flags
from ctsync.record.flags.flag import Flag, FlagId


class ExpectedFlag(NamedTuple):
    """A flag that will be true from a day on, why, and where its rule is published.

    `on` is an ISO text.
    """

    flag: str
    on: str
    why: str
    rule: str


def expected_flags(body: JsonObject) -> Iterator[ExpectedFlag]:
    """Yield the flags that become true on some day by time alone, soonest first.

    Results due without submitted results are also overdue, and are yielded once.
    """
    coming = coming_flags(body, after=date.min)
    is_overdue = any(flag.id is FlagId.RESULTS_OVERDUE for flag in coming)
    for flag in coming:
        if flag.id is not FlagId.RESULTS_OVERDUE and flag.since is not None:
            why = _why(flag, is_submitted=not is_overdue)
            yield ExpectedFlag(flag.id.value, f"{flag.since}", why, flag.source)


def _why(flag: Flag, *, is_submitted: bool) -> str:
    values = flag.inputs
    status = enum_words(f"{values.get('status')}")
    match flag.id:
        case FlagId.RESULTS_DUE:
            submitted = "submitted, not posted" if is_submitted else "none submitted"
            return f"42 CFR 11.44 counts from completion {values['completion_date']}; {submitted}"
        case FlagId.OPEN_PAST_COMPLETION:
            return f"completion {values['completion_date']} passes; status {status}"
        case FlagId.RECRUITING_PAST_PRIMARY_COMPLETION:
            return f"primary completion {values['primary_completion_date']} passes; status {status}"
        case _:
            return flag.words
