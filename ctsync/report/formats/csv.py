"""A report as CSV: one row per change, and one row per other statement. Does no I/O.

Any CSV reader can read it. No spreadsheet runs a cell as a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from ctsync.dates import format_timestamp
from ctsync.model import StoredEvent
from ctsync.report.event_text import sides
from ctsync.report.report import Report, ReportLine, ReportStep, ReportTrial
from ctsync.report.sentences import (
    WELCOME,
    about_line,
    aside_sentence,
    coverage_line,
    left_out_sentence,
    trial_left_out_sentence,
    welcomes_left_out_sentence,
    window_line,
)
from ctsync.text import for_csv

COLUMNS = (
    "row",
    "level",
    "nct_id",
    "title",
    "version",
    "posted",
    "observed",
    "fetched",
    "kind",
    "label",
    "before",
    "after",
    "move",
    "days",
    "percent",
    "since_registration",
    "rule",
    "text",
    "path",
    "compare_url",
    "url",
)

Row = dict[str, Any]


def render_csv(report: Report) -> str:
    """Write the report. Column `row` is change, trial, followed, unchecked or report."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for row in _rows(report):
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return for_csv(value) if isinstance(value, str) else value


def _rows(report: Report) -> Iterator[Row]:
    for trial in report.trials:
        yield from _trial(trial)
    if report.welcomes:
        yield {"row": "report", "text": WELCOME}
    for one in report.welcomes:
        yield {"row": "followed", "nct_id": one.nct_id, "title": one.title, "text": one.state,
               "url": one.url}  # fmt: skip
    for unchecked in report.coverage.failed if report.coverage else ():
        yield {"row": "unchecked", "nct_id": unchecked.nct_id, "text": unchecked.reason}
    for text in (
        about_line(report),
        report.headline,
        window_line(report),
        coverage_line(report),
        left_out_sentence(report),
        welcomes_left_out_sentence(report),
        *(sentence.text for sentence in report.sentences),
        *report.footer,
    ):
        if text:
            yield {"row": "report", "text": text}


def _trial(trial: ReportTrial) -> Iterator[Row]:
    about = {"nct_id": trial.nct_id, "title": trial.title, "url": trial.url}
    yield about | {
        "row": "trial",
        "level": trial.level.value,
        "text": trial.what,
        "since_registration": trial.since_first,
    }
    for step in trial.steps:
        for line in step.lines:
            for stored in line.events:
                yield about | _change(stored, line, step)
        if step.is_cut:
            yield about | {"row": "trial", "text": f"in full: {step.command}"}
    if trial.left_out:
        yield about | {"row": "trial", "text": trial_left_out_sentence(trial)}
    if trial.administrative:
        yield about | {"row": "trial", "text": aside_sentence(trial)}


def _change(stored: StoredEvent, line: ReportLine, step: ReportStep) -> Row:
    event, is_own = stored.event, stored is line.stored
    before, after = (line.before, line.after) if is_own else sides(event)
    return {
        "row": "change",
        "level": event.level.value,
        "version": step.number,
        "posted": step.posted,
        "observed": format_timestamp(step.observed) if step.observed else None,
        "fetched": format_timestamp(step.fetched),
        "kind": event.kind.value,
        "label": event.label,
        "before": before,
        "after": after,
        "move": line.move if is_own else "",
        "days": event.days,
        "percent": event.percent,
        "since_registration": line.since_first if is_own else "",
        "rule": event.rule,
        "text": event.summary,
        "path": event.path,
        "compare_url": step.compare_url,
    }
