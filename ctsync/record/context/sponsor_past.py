"""The past of one sponsor over the stored trials. Does no I/O.

The counts are of trials whose newest version names the sponsor as lead sponsor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

FEWEST_TRIALS = 10
"""The smallest number of trials of a sponsor for which a share is shown. With fewer, one trial
more or less moves it by over 10 percentage points."""

SLIP_DAYS = 90
"""A trial counts as slipped if its primary completion is this many days later than at first."""


@dataclass(frozen=True, slots=True)
class SponsorPast:
    """Counts of a sponsor's trials.

    `terminated` and `withdrawn` count among all its `trials`. `slipped` counts among `dated`: the
    trials whose versions begin with the registration and give a primary completion.
    """

    trials: int
    terminated: int
    withdrawn: int
    dated: int
    slipped: int


@dataclass(frozen=True, slots=True)
class SponsoredTrial:
    """One trial for the counts; `slip_days` is None if its first plan is not known."""

    sponsor: str
    status: str | None
    slip_days: int | None


def count_sponsors(trials: Iterable[SponsoredTrial]) -> dict[str, SponsorPast]:
    """Count the trials of each sponsor; a sponsor with fewer than FEWEST_TRIALS is left out."""
    counts: dict[str, list[int]] = {}
    for trial in trials:
        found = counts.setdefault(trial.sponsor, [0] * 5)
        found[0] += 1
        found[1] += trial.status == "TERMINATED"
        found[2] += trial.status == "WITHDRAWN"
        if trial.slip_days is not None:
            found[3] += 1
            found[4] += trial.slip_days >= SLIP_DAYS
    return {
        sponsor: SponsorPast(*found)
        for sponsor, found in sorted(counts.items())
        if found[0] >= FEWEST_TRIALS
    }


def sponsor_rows(sponsors: Mapping[str, SponsorPast]) -> dict[str, tuple[int, ...]]:
    """Return the counts in the form in which they are stored."""
    return {sponsor: astuple(past) for sponsor, past in sponsors.items()}


def read_sponsors(rows: Any) -> dict[str, SponsorPast]:
    """Read counts from their stored form; leaves out a row that is damaged."""
    if not isinstance(rows, dict):
        return {}
    return {sponsor: SponsorPast(*row) for sponsor, row in rows.items() if _is_row(row)}


def _is_row(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != len(SponsorPast.__dataclass_fields__):
        return False
    if not all(type(number) is int and number >= 0 for number in row):
        return False
    trials, terminated, withdrawn, dated, slipped = row
    return bool(max(terminated + withdrawn, dated) <= trials and slipped <= dated)
