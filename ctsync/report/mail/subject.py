"""The subject line of a report: what happened, the worst trial first. Does no I/O.

A subject has about 100 characters. It is shortened by leaving out complete parts: first minor
changes and further trials, which are counted; then the words about a trial and the new dates; then
changes of the worst level, which are also counted. The sponsor is shortened before it is left out,
because a number alone says nothing to a reader of many trials. Only a sponsor and a change that is
too long by itself are cut, at a word and with "…", so that a shortened value never reads like
another value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ctsync.model import Level, NctId
from ctsync.record.value_text import counted
from ctsync.report.report import Coverage, ReportTrial
from ctsync.report.words.net_changes import NetChange, subject_phrase
from ctsync.report.words.trial_heading import cut_at_word

LONGEST = 100
_MOST_PHRASES = 3
_SHORTEST_CHANGE = 30
_SHORT_SPONSOR = 18


def subject_of(
    trials: Sequence[ReportTrial],
    counts: Mapping[Level, int],
    *,
    notices: Sequence[str] = (),
    welcomed: int = 0,
    coverage: Coverage | None = None,
) -> str:
    """Return the subject of a report with changes; `trials` are sorted, worst first.

    `counts` holds the trials by level, also those beyond the size limit. Trials with only
    administrative changes are not counted. The subject says how many trials were not checked.
    """
    total = sum(n for level, n in counts.items() if level is not Level.ADMINISTRATIVE)
    tail = "".join(f"; {part}" for part in _tail(welcomed, coverage))
    head = "".join(f"{title}; " for title in notices)
    room = LONGEST - len(head) - len(tail)
    if total == 1:
        return f"{head}{subject_of_trial(trials[0], room)}{tail}"
    worst = trials[0].level
    head += f"{counts[worst]:,} {worst}: "
    room = LONGEST - len(head) - len(tail)
    named = [subject_of_trial(trials[0], room - len(_rest(total - 1)), phrases=1)]
    for trial in trials[1 : counts[worst]]:
        more = [*named, subject_of_trial(trial, LONGEST, phrases=1)]
        if len("; ".join(more)) + len(_rest(total - len(more))) > room:
            break
        named = more
    return head + "; ".join(named) + _rest(total - len(named)) + tail


def trial_subject(
    nct_id: NctId,
    about: Sequence[str],
    changes: Sequence[NetChange],
    *,
    room: int = LONGEST,
    phrases: int | None = None,
) -> str:
    """Return "AstraZeneca, NSCLC, Phase 2: primary completion +2.0 years, … (NCT07098338)".

    `about` are words about the trial, the most important first. `changes` are sorted, worst
    first: the moves that gave the trial its level come before others, and changes that do not fit
    are counted. `phrases` is the most changes to name; the others are then not counted.
    """
    parts = _Parts.of(changes)
    end, what = f" ({nct_id})", ""
    start = ""
    for shown, words, has_dates in _attempts(parts, about, phrases):
        start = f"{', '.join(words)}: " if words else ""
        what = parts.first(shown, has_dates=has_dates, is_counted=phrases is None)
        if len(start) + len(what) + len(end) <= room:
            return start + what + end
    start = start if len(start) + _SHORTEST_CHANGE + len(end) <= room else ""
    return start + cut_at_word(what, max(_SHORTEST_CHANGE, room - len(start) - len(end))) + end


_Attempt = tuple[int, Sequence[str], bool]


def _attempts(parts: _Parts, about: Sequence[str], phrases: int | None) -> Iterator[_Attempt]:
    """Yield what to try, longest first: a number of phrases, words about the trial, and dates."""
    needed = phrases or parts.needed
    yield from ((shown, about, True) for shown in range(phrases or parts.most, needed - 1, -1))
    yield from ((needed, about[:words], True) for words in range(len(about) - 1, 0, -1))
    yield needed, about[:1], False
    sponsor = [cut_at_word(one, _SHORT_SPONSOR) for one in about[:1]]
    yield needed, sponsor, False
    if needed > 1:
        # each of several changes that gave the trial its level says more than the sponsor
        yield needed, (), False
    yield from ((shown, sponsor, False) for shown in range(needed - 1, 0, -1))


@dataclass(frozen=True, slots=True)
class _Parts:
    """The phrases of a trial's changes: the `needed` ones, then others; `most` are shown."""

    changes: tuple[NetChange, ...]
    needed: int

    @classmethod
    def of(cls, changes: Sequence[NetChange]) -> _Parts:
        by_phrase: dict[str, NetChange] = {}
        for change in changes:
            by_phrase.setdefault(subject_phrase(change), change)
        worst = changes[0].level
        needed = [one for one in by_phrase.values() if one.is_headline and one.level is worst]
        others = [one for one in by_phrase.values() if one not in needed]
        return cls((*needed, *others), max(1, len(needed)))

    @property
    def most(self) -> int:
        return min(len(self.changes), max(self.needed, _MOST_PHRASES))

    def first(self, number: int, *, has_dates: bool, is_counted: bool) -> str:
        """The first phrases, and the number of the others with their level if it is as bad."""
        shown = [subject_phrase(one, has_date=has_dates) for one in self.changes[:number]]
        rest = self.changes[number:]
        if rest and is_counted:
            worst = self.changes[0].level
            alike = sum(one.level is worst for one in rest)
            of_level = f" ({alike} {worst})" if alike and worst.reaches(Level.NOTABLE) else ""
            shown.append(f"+{len(rest)} more{of_level}")
        return "; ".join(shown)


def subject_of_trial(trial: ReportTrial, room: int = LONGEST, *, phrases: int | None = None) -> str:
    """Return the subject of one trial with changes, as `trial_subject` does."""
    return trial_subject(trial.nct_id, trial.about, trial.changes, room=room, phrases=phrases)


def _tail(welcomed: int, coverage: Coverage | None) -> Iterator[str]:
    if welcomed:
        yield f"{welcomed:,} newly followed"
    if coverage is not None and coverage.failed:
        of_all = f"{len(coverage.failed):,} of {counted(coverage.watched, 'trial')}"
        yield f"INCOMPLETE: {of_all} not checked"


def _rest(trials: int) -> str:
    return f"; {trials:,} more" if trials else ""
