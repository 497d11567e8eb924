"""Whole sentences that every format prints alike, made from a report's figures; no I/O."""

from __future__ import annotations

from ctsync.dates import format_timestamp
from ctsync.record.value_text import counted
from ctsync.report.report import Report, ReportStep, ReportTrial


def about_line(report: Report) -> str:
    """What the report is about, with its denominator."""
    return f"ctsync report: {report.title} ({counted(report.watched, 'trial')} followed)"


def window_line(report: Report) -> str:
    """The time it speaks of."""
    window = report.window
    since = format_timestamp(window.since) if window.since else "the first version"
    return f"Window: {since} to {format_timestamp(window.until)}"


def coverage_line(report: Report) -> str:
    """Which load was looked at, and how many trials of it; empty where that is not known."""
    if report.coverage is None:
        return ""
    load = report.coverage.load
    data = f"Registry data of {format_timestamp(load)}; " if load else ""
    return f"{data}checked {report.coverage.checked:,} of {report.watched:,}"


def step_title(step: ReportStep) -> str:
    """Which version, and both its dates: when the registry posted it and when it was seen."""
    posted = f"posted {step.posted}" if step.posted else "no post date"
    if step.observed is not None:
        return f"version {step.number}, {posted}, seen {step.observed:%Y-%m-%d}"
    return f"version {step.number}, {posted}, fetched {step.fetched:%Y-%m-%d}"


def aside_sentence(trial: ReportTrial) -> str:
    """How many administrative changes are collapsed, and the command that shows them."""
    changes = counted(trial.administrative, "administrative change")
    versions = counted(trial.administrative_versions, "version")
    return f"{changes} in {versions}, not shown: {trial.command}"


def trial_left_out_sentence(trial: ReportTrial) -> str:
    """How many of its changes the size limit kept out."""
    command = trial.command.replace(" --level administrative", "")
    return f"{counted(trial.left_out, 'more change')} left out for size: {command}"


def left_out_sentence(report: Report) -> str:
    """How much the size limit kept out of the whole report; empty where nothing."""
    out = report.left_out
    if out is None:
        return ""
    trials = f", {counted(out.trials, 'trial')} not listed" if out.trials else ""
    return (
        f"Shown {report.shown:,} of {report.total:,} changes; {report.collapsed:,} administrative "
        f"collapsed, {out.events:,} left out for size{trials}: {out.command}"
    )


WELCOME = "Newly followed; changes are told from these states on:"
"""What stands above the newly followed trials."""


def welcomes_left_out_sentence(report: Report) -> str:
    """How many newly followed trials the size limit kept out; empty where none."""
    more = report.welcomed - len(report.welcomes)
    return f"and {counted(more, 'more trial')}, not shown: ctsync watch list" if more else ""
