"""Sentences with the figures of a report, the same in every format. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctsync.dates import format_day_or_minute, format_minute
from ctsync.record.value_text import counted
from ctsync.report.report import Fold, Report, ReportLine, ReportStep, ReportTrial
from ctsync.report.words.event_text import since_what
from ctsync.report.words.flag_line import flag_line
from ctsync.report.words.trial_heading import short_title


def about_line(report: Report) -> str:
    """The title of the report and the number of followed trials."""
    return f"ctsync report: {report.title} ({counted(report.watched, 'trial')} followed)"


def window_line(report: Report) -> str:
    """Return the time window of the report."""
    window = report.window
    since = format_day_or_minute(window.since) if window.since else "the first version"
    return f"Window: {since} to {format_minute(window.until)}"


def coverage_line(report: Report) -> str:
    """The load and the number of checked trials; empty if unknown."""
    if report.coverage is None:
        return ""
    load = report.coverage.load
    data = f"Registry data of {format_minute(load)}; " if load else ""
    return f"{data}checked {report.coverage.checked:,} of {report.watched:,}"


def step_title(step: ReportStep) -> str:
    """The version, its post date, when ctsync saw it, and versions before that are not fetched."""
    posted = f"posted {step.posted}" if step.posted else "no post date"
    gap = f"; {step.gap}" if step.gap else ""
    if step.observed is not None:
        return f"version {step.number}, {posted}, seen {step.observed:%Y-%m-%d}{gap}"
    return f"version {step.number}, {posted}, fetched {step.fetched:%Y-%m-%d}{gap}"


def since_first_of(line: ReportLine) -> str:
    """The move since the first version; empty if the move of this version is the same."""
    is_same = line.since_first in {line.move, line.move.rpartition(", ")[2]}
    return "" if is_same else line.since_first


def since_heading(report: Report) -> str:
    """Return the heading of the column of moves: "Since first seen" if all count from there."""
    found = {trial.since_what for trial in report.listed if trial.since_first}
    return (found.pop() if len(found) == 1 else "since registration").capitalize()


def since_cell(trial: ReportTrial, heading: str) -> str:
    """Return the moves since the first version; says from when if the heading does not."""
    if not trial.since_first or heading == trial.since_what.capitalize():
        return trial.since_first
    return f"{trial.since_what}: {trial.since_first}"


def moves_of(line: ReportLine) -> str:
    """The moves of a value: "+45 days, +60 days since registration"; empty if it has none.

    A first move is given once.
    """
    figure = since_first_of(line)
    since = f"{figure} {since_what([line.stored.event])}" if figure else ""
    return ", ".join(part for part in (line.move, since) if part)


def aside_sentence(trial: ReportTrial) -> str:
    """The number of administrative changes, and the command that shows them."""
    changes = counted(trial.administrative, "administrative change")
    versions = counted(trial.administrative_versions, "version")
    return f"{changes} in {versions}, not shown: {trial.command}"


def watches_line(trial: ReportTrial) -> str:
    """The watches that a trial is in; empty if the report covers only one watch."""
    name = "Watch" if len(trial.watches) == 1 else "Watches"
    return f"{name}: {', '.join(trial.watches)}" if trial.watches else ""


def flags_of_trial(trial: ReportTrial, report: Report, *, has_command: bool = True) -> str:
    """The flags of a trial on the day of the report in one line; empty if there are none.

    If some are only counted, the line ends with the command that shows them; in a mail with links
    to pages it ends with the page.
    """
    shows_all = trial.url if report.site else f"ctsync flags {trial.nct_id}"
    return flag_line(trial.flags, report.flagged_on, more_at=shows_all if has_command else "")


def trial_left_out_sentence(trial: ReportTrial) -> str:
    """The number of changes of a trial beyond the size limit."""
    command = trial.command.replace(" --level administrative", "")
    return f"{counted(trial.left_out, 'more change')} left out for size: {command}"


_FOLDED = {
    Fold.SITES: "changed sites only",
    Fold.ADMINISTRATIVE: "changed administrative fields only",
}
FOLDED_TITLE = 48
MOST_FOLDED = 5
"""Most trials that a line of folded trials names."""


def fold_title(report: Report, fold: Fold, *, more: int = 0) -> str:
    """How many trials one line shows together: "12 trials changed sites only".

    `more` trials of this kind have no row.
    """
    return f"{counted(len(report.folded(fold)) + more, 'trial')} {_FOLDED[fold]}"


def fold_lines(report: Report) -> Iterator[str]:
    """One line for the trials that changed sites only, and one for the administrative ones."""
    for fold in Fold:
        trials = report.folded(fold)
        if not trials:
            continue
        named = [f"{_folded_name(trial)} ({folded_what(trial)})" for trial in named_in_fold(trials)]
        more = len(trials) - len(named)
        rest = [f"and {more:,} more: {fold_command(report, fold)}"] if more else []
        yield f"{fold_title(report, fold)}: {'; '.join([*named, *rest])}"


def named_in_fold(trials: Sequence[ReportTrial], most: int = MOST_FOLDED) -> Sequence[ReportTrial]:
    """The trials that a line of folded trials names; "and 1 more" would be as long as its name."""
    return trials if len(trials) <= most + 1 else trials[:most]


def _folded_name(trial: ReportTrial) -> str:
    """The number of a folded trial, with its title if a site of it changed."""
    title = short_title(trial.heading, FOLDED_TITLE) if trial.fold is Fold.SITES else ""
    return f"{trial.nct_id} {title}".rstrip()


def folded_what(trial: ReportTrial) -> str:
    """What changed in a folded trial, and its watches if the report covers several."""
    parts = (trial.what.removesuffix(" (collapsed)"), watches_line(trial))
    return "; ".join(part for part in parts if part)


def fold_command(report: Report, fold: Fold) -> str:
    """The command that lists the changes of the folded trials; in a mail, the pages."""
    if report.site:
        return f"{report.site}/"
    since = report.window.since
    option = "--category sites" if fold is Fold.SITES else "--level administrative"
    return f"ctsync changes {option}" + (f" --since {since:%Y-%m-%d}" if since else "")


def left_out_sentence(report: Report) -> str:
    """The number of changes and trials beyond the size limit; empty if none."""
    out = report.left_out
    if out is None:
        return ""
    trials = f", {counted(out.trials, 'trial')} not listed" if out.trials else ""
    return (
        f"Shown {report.shown:,} of {report.total:,} changes; {report.collapsed:,} administrative "
        f"collapsed, {out.events:,} left out for size{trials}: {out.command}"
    )


WELCOME = "Newly followed. Later changes are reported against these baselines:"
"""Heading of the newly followed trials."""


LIST_COMMAND = "ctsync watch show NAME --all"
"""The command that lists the trials of a watch; `ctsync watch list` has the names."""


def welcomes_left_out_sentence(report: Report) -> str:
    """The number of newly followed trials beyond the size limit; empty if none."""
    more = report.welcomed - len(report.welcomes)
    return f"and {counted(more, 'more trial')}, not shown: {LIST_COMMAND}" if more else ""


def closing_sentences(report: Report) -> Iterator[str]:
    """Yield what follows the changes: welcomes, sentences, unchecked trials and the footer."""
    if report.welcomes:
        yield WELCOME
    for one in report.welcomes:
        yield f"{one.nct_id} {one.title}: {one.state}"
    yield welcomes_left_out_sentence(report)
    for sentence in report.sentences:
        yield sentence.text
    for unchecked in report.coverage.failed if report.coverage else ():
        yield f"{unchecked.nct_id}: {unchecked.reason}"
    yield from report.footer
