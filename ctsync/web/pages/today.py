"""The page with the changes of a day, or of the last days, worst first. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ctsync.dates import format_minute
from ctsync.model import Level, Verdict
from ctsync.questions.operation.health import Health, HealthState
from ctsync.questions.operation.load_days import LoadDay
from ctsync.record.value_text import counted
from ctsync.report.report import Fold, LeftOut, Report, ReportLine, ReportTrial
from ctsync.report.sentences import fold_title
from ctsync.report.summary import sentences
from ctsync.report.trial.charts.sparkline import Sparkline, sparkline
from ctsync.report.trial_groups import ARRIVALS
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page

MOST_CARDS = 7
_MOST_LINES = 3
"""Most changes that a card shows."""
_MOST_ARRIVALS = 12
"""Most new trials that are not folded."""
_GOOD = frozenset({HealthState.OK, HealthState.IDLE})


@dataclass(frozen=True, slots=True)
class PeriodLinks:
    """The addresses beside a page of days; empty if there is no such page.

    `all_changes` lists every change of the period. `others` are other periods, with their words.
    """

    all_changes: str
    earlier: str = ""
    later: str = ""
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DaysContent:
    """The content of a page of days.

    `heading` names the days. `report` covers them. `days` are the days to choose from, newest
    first, for the newest page. `day` holds the syncs if the page is about one day. `reasons` says
    what each rule is about, by its id. Of an earlier day, the page says what its own sync could
    check; the coverage of the report is that of the newest sync.
    """

    heading: str
    report: Report
    links: PeriodLinks
    reasons: Mapping[str, str]
    day: LoadDay | None = None
    days: Sequence[LoadDay] = ()
    health: Health | None = None
    is_newest: bool = False


@dataclass(frozen=True, slots=True)
class ChangeCard:
    """One trial with its worst changes; `more` counts those that the card does not show.

    `why` says what the rules that made it critical or notable are about, each with its id. `slip`
    draws how a planned date moved; None if it never did.
    """

    trial: ReportTrial
    lines: tuple[ReportLine, ...]
    more: int
    why: tuple[tuple[str, str], ...]
    compare_url: str
    slip: Sparkline | None


def days_page(frame: Frame, content: DaysContent) -> str:
    """Write the page."""
    report = content.report
    out = report.left_out or LeftOut(0, 0, "")
    arrivals = [trial for trial in report.listed if _is_arrival(trial)]
    changed = [trial for trial in report.listed if not _is_arrival(trial)]
    return fill_page(
        "today.html.j2",
        frame=frame,
        content=content,
        headline=_headline(report, changed, arrivals, out),
        facts=tuple(_facts(content)),
        sentences=tuple(_sentences(content)),
        alarms=_alarms(content.health),
        cards=[_card(trial, content.reasons) for trial in changed[:MOST_CARDS]],
        more=_more(changed[MOST_CARDS:], out),
        arrivals=arrivals,
        most_arrivals=_MOST_ARRIVALS,
        more_arrivals=out.arrivals,
        folds=list(_folds(report, out)),
    )


def _is_arrival(trial: ReportTrial) -> bool:
    """Whether all that happened is that the trial is new in a watched query."""
    kinds = {line.stored.event.kind for line in trial.lines}
    return bool(kinds) and kinds <= ARRIVALS


def _folds(report: Report, out: LeftOut) -> Iterator[tuple[str, tuple[ReportTrial, ...], int]]:
    """Yield the title of each fold, its trials, and the number of others that it stands for."""
    for fold in Fold:
        trials, more = report.folded(fold), out.folds.get(fold, 0)
        if trials or more:
            yield fold_title(report, fold, more=more), trials, more


def _headline(
    report: Report,
    changed: Sequence[ReportTrial],
    arrivals: Collection[ReportTrial],
    out: LeftOut,
) -> str:
    levels = Counter(trial.level for trial in changed) + Counter(out.levels)
    parts = [f"{levels[level]:,} {level}" for level in Level if levels[level]]
    quiet = sum(len(report.folded(fold)) + out.folds.get(fold, 0) for fold in Fold)
    if parts:
        trials = counted(levels.total(), "trial")
        line = f"{trials} changed: {', '.join(parts)}"
    elif quiet:
        line = f"Nothing important: {counted(quiet, 'trial')} changed in small ways"
    else:
        line = f"No change in {counted(report.watched, 'trial')}"
    new = len(arrivals) + out.arrivals
    return f"{line}; {new:,} new" if new else line


def _card(trial: ReportTrial, reasons: Mapping[str, str]) -> ChangeCard:
    lines = sorted(trial.lines, key=lambda line: line.stored.event.level.rank)
    of_level = (line.stored.event for line in lines if line.stored.event.level is trial.level)
    is_explained = trial.level.reaches(Level.NOTABLE)
    rules = dict.fromkeys(event.rule for event in of_level) if is_explained else ()
    slip = sparkline(trial.timeline) if trial.timeline else None
    urls = [step.compare_url for step in trial.steps if step.compare_url]
    return ChangeCard(
        trial=trial,
        lines=tuple(lines[:_MOST_LINES]),
        more=len(lines[_MOST_LINES:]) + trial.administrative + trial.left_out,
        why=tuple((rule, reasons[rule]) for rule in rules if rule in reasons),
        compare_url=urls[-1] if urls else "",
        slip=slip if slip and slip.moved else None,
    )


def _more(rest: Sequence[ReportTrial], out: LeftOut) -> str:
    levels = Counter(trial.level for trial in rest) + Counter(out.levels)
    if not levels:
        return ""
    parts = ", ".join(f"{levels[level]:,} {level}" for level in Level if levels[level])
    return f"{counted(levels.total(), 'more trial')} changed: {parts}"


# --- what was checked -------------------------------------------------------------------------


def _facts(content: DaysContent) -> Iterator[str]:
    if (day := content.day) is not None:
        yield f"Registry data of {format_minute(day.load)}"
        run = day.run
        ended = format_minute(run.finished) if run.finished else format_minute(run.started)
        yield f"{'Last sync' if content.is_newest else 'Synced'} {ended}{_verdict(day)}"
        yield f"{run.answered:,} of {counted(run.asked, 'trial')} checked"


def _verdict(day: LoadDay) -> str:
    run = day.run
    if run.verdict is Verdict.OK:
        return ", complete"
    return f", {run.verdict}" + (f": {run.error}" if run.error else "")


def _sentences(content: DaysContent) -> Iterator[str]:
    """Yield why trials have no card; of an earlier day, as its own sync found them."""
    report = content.report
    if content.is_newest:
        yield from (sentence.text for sentence in report.sentences)
        return
    if content.day is None:
        return
    run = content.day.run
    out = report.left_out or LeftOut(0, 0, "")
    fold = Fold.ADMINISTRATIVE
    administrative = len(report.folded(fold)) + out.folds.get(fold, 0)
    changed = len(report.trials) + out.trials
    still = max(0, run.asked - run.failed - changed - report.welcomed)
    found = sentences(watched=run.asked, still=still, administrative=administrative, coverage=None)
    yield from (sentence.text for sentence in found)
    if run.failed:
        yield f"Could not check: {run.failed:,} of {counted(run.asked, 'trial')}."


def _alarms(health: Health | None) -> tuple[str, ...]:
    if health is None or health.condition in _GOOD:
        return ()
    return tuple(reason[:1].upper() + reason[1:] for reason in health.reasons)


def day_words(day: date) -> str:
    """The day of a page in its title."""
    return f"{day:%A} {day.day} {day:%B %Y}"
