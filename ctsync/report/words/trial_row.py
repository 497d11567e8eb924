"""The changes of one trial as a table cell. Does no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ctsync.model import Level
from ctsync.report.words.net_changes import NetChange, phrase
from ctsync.report.words.short_change import short_change

LEAST_FOLDED = 3
"""Fewest changes of list items that one phrase names together, with their number."""
MOST_PHRASES = 3
"""Most phrases in a row, besides those that are always shown."""


def trial_row(changes: Sequence[NetChange]) -> str:
    """The changes of one trial as a table cell; `changes` are sorted, worst first.

    The moves of the status, the enrollment and the dates are all shown. Others may be counted.
    """
    return "; ".join(_first(changes))


def _first(changes: Sequence[NetChange]) -> list[str]:
    """The first phrases without repetitions, those always shown, and a count of the rest."""
    by_phrase: dict[str, Sequence[NetChange]] = {}
    for words, alike in _phrases(changes):
        by_phrase.setdefault(words, alike)
    shown: list[str] = []
    rest: list[NetChange] = []
    for n, (words, alike) in enumerate(by_phrase.items()):
        if n < MOST_PHRASES or alike[0].is_headline:
            shown.append(words)
        else:
            rest += alike
    return [*shown, _more(rest, changes[0].level)] if rest else shown


def _phrases(changes: Sequence[NetChange]) -> Iterator[tuple[str, Sequence[NetChange]]]:
    """Each phrase with its changes: one, or those of several list items that changed alike."""
    groups: dict[object, list[NetChange]] = defaultdict(list)
    for change in changes:
        groups[_sameness(change)].append(change)
    for alike in groups.values():
        is_many = len(alike) >= LEAST_FOLDED
        folded = short_change(alike[0].event).of_several(len(alike)) if is_many else ""
        if folded:
            yield folded, alike
        else:
            yield from ((phrase(change), (change,)) for change in alike)


def _sameness(change: NetChange) -> object:
    """Return a key that is equal for changes that one phrase names together."""
    if change.is_headline or len(change.steps) > 1 or not change.event.path:
        return id(change)
    short = short_change(change.event)
    return change.level, short.label, short.verb


def _more(rest: Sequence[NetChange], worst: Level) -> str:
    alike = sum(change.level is worst for change in rest)
    of_level = f" ({alike} {worst})" if alike and worst.reaches(Level.NOTABLE) else ""
    return f"+{len(rest)} more{of_level}"
