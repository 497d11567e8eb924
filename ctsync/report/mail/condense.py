"""Shorter details for a mail: only the first routine changes of one kind are shown.

A trial may change 20 outcomes at once. Those that changed in the same way share a line. The first
lines are shown; the others are counted and linked. Critical and notable changes are
always shown. Does no I/O.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ctsync.model import Level
from ctsync.report.alike_lines import alike
from ctsync.report.report import Report, ReportStep, ReportTrial

MOST_ALIKE = 3
"""Most routine changes with one label that a version of a trial shows."""


def condensed(report: Report) -> Report:
    """Return the report with at most MOST_ALIKE routine lines per label and version."""
    sections = tuple(
        replace(section, trials=tuple(map(_trial, section.trials))) for section in report.sections
    )
    short = replace(report, sections=sections)
    shown = sum(len(line.events) for trial in short.trials for line in trial.lines)
    out = report.left_out
    if out is not None:
        out = replace(out, events=out.events + report.shown - shown)
    return replace(short, shown=shown, left_out=out)


def _trial(trial: ReportTrial) -> ReportTrial:
    steps = tuple(map(_step, trial.steps))
    before = sum(len(line.events) for line in trial.lines)
    after = sum(len(line.events) for step in steps for line in step.lines)
    return replace(trial, steps=steps, left_out=trial.left_out + before - after)


def _step(step: ReportStep) -> ReportStep:
    seen: Counter[str] = Counter()
    kept = []
    for line in alike(step.lines):
        label = line.stored.event.label
        seen[label] += line.stored.event.level is Level.ROUTINE
        if line.stored.event.level is not Level.ROUTINE or seen[label] <= MOST_ALIKE:
            kept.append(line)
    return replace(step, lines=tuple(kept))
