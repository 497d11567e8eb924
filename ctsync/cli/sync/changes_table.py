"""The changes that a sync found, as a table with one row per trial, worst first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click

from ctsync.cli.terminal_table import show_table
from ctsync.model import Kind, Level, NctId, StoredEvent
from ctsync.record.value_text import counted
from ctsync.report.words.net_changes import NetChange, net_changes
from ctsync.report.words.trial_row import trial_row
from ctsync.text import for_terminal

MOST_ROWS = 20
LEAST_WHAT = 56
"""Least width of the column of changes; in a narrower terminal it includes the titles."""


@dataclass(frozen=True, slots=True)
class _ChangedTrial:
    """A trial with its net changes, worst first."""

    nct_id: NctId
    title: str
    changes: tuple[NetChange, ...]

    @property
    def level(self) -> Level:
        return self.changes[0].level

    @property
    def order(self) -> tuple[int, int, float, NctId]:
        """Worst level first; then the status, dates and enrollment by size, and other changes."""
        worst = self.changes[0]
        days, percent = abs(worst.event.days or 0), abs(worst.event.percent or 0)
        is_state = worst.is_headline and not (days or percent)
        group = 0 if is_state else 1 if worst.is_headline else 2
        return worst.level.rank, group, -max(days / 365, percent / 100), self.nct_id


def show_changes(events: Iterable[StoredEvent], *, command: str) -> None:
    """Write the changes of one sync to stdout: at most MOST_ROWS trials, and a count of the rest.

    Needs all events of the sync. Baselines are not changes. `command` lists every change.
    """
    by_trial: dict[NctId, list[StoredEvent]] = defaultdict(list)
    for stored in events:
        if stored.event.kind is not Kind.FIRST_SEEN:
            by_trial[stored.nct_id].append(stored)
    found = [_changed_trial(nct_id, own) for nct_id, own in by_trial.items()]
    trials = sorted((one for one in found if one.changes), key=lambda one: one.order)
    show_table(
        ("LEVEL", "TRIAL", "WHAT", "TITLE"),
        [
            (one.level, one.nct_id, trial_row(one.changes), one.title or "-")
            for one in trials[:MOST_ROWS]
        ],
        drop=("TITLE",),
        shorten=("TITLE",),
        wrap=("WHAT",),
        least=LEAST_WHAT,
        is_drop_noted=False,
        append={"TITLE": "WHAT"},
    )
    rest = "; ".join(_rest(trials[MOST_ROWS:], administrative=len(found) - len(trials)))
    if rest:
        click.echo(for_terminal(f"{rest}: {command}"))


def _changed_trial(nct_id: NctId, events: Sequence[StoredEvent]) -> _ChangedTrial:
    title = next((stored.brief_title for stored in events if stored.brief_title), "")
    return _ChangedTrial(nct_id, title, tuple(net_changes(events)))


def _rest(trials: Sequence[_ChangedTrial], *, administrative: int) -> Iterator[str]:
    """Yield the numbers of trials without a row."""
    if trials:
        counts = Counter(one.level for one in trials)
        levels = ", ".join(f"{counts[level]:,} {level}" for level in Level if counts[level])
        yield f"and {counted(len(trials), 'more trial')} ({levels})"
    if administrative:
        yield f"{counted(administrative, 'trial')} with administrative changes only"
