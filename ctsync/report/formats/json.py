"""A report as JSON. Does no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ctsync.dates import format_timestamp
from ctsync.model import JsonObject
from ctsync.report.event_json import event_json
from ctsync.report.report import Report, ReportLine, ReportStep, ReportTrial
from ctsync.report.sentences import aside_sentence, step_title, trial_left_out_sentence


def render_json(report: Report) -> str:
    """Write the report as one indented JSON object; events have the published schema.

    The text is ASCII, so that no character in it can control a terminal.
    """
    return json.dumps(report_json(report), indent=2) + "\n"


def report_json(report: Report) -> JsonObject:
    """The report as a JSON value."""
    since, until = report.window.since, report.window.until
    return {
        "report_id": report.report_id,
        "subject": report.subject,
        "headline": report.headline,
        "title": report.title,
        "since": format_timestamp(since) if since else None,
        "until": format_timestamp(until),
        "watched": report.watched,
        "coverage": _coverage(report),
        "counts": {level.value: count for level, count in report.counts.items()},
        "shown": report.shown,
        "collapsed": report.collapsed,
        "left_out": report.left_out.events if report.left_out else 0,
        "left_out_trials": report.left_out.trials if report.left_out else 0,
        "left_out_command": report.left_out.command if report.left_out else None,
        "total": report.total,
        "trials": [_trial(trial) for trial in report.trials],
        "newly_followed": [
            {"nct_id": one.nct_id, "title": one.title, "state": one.state, "url": one.url}
            for one in report.welcomes
        ],
        "newly_followed_total": report.welcomed,
        "standing": [
            {"what": one.standing.value, "trials": one.count, "text": one.text}
            for one in report.sentences
        ],
        "notices": list(report.notices),
        "footer": list(report.footer),
    }


def _coverage(report: Report) -> JsonObject | None:
    coverage = report.coverage
    if coverage is None:
        return None
    return {
        "checked": coverage.checked,
        "load": format_timestamp(coverage.load) if coverage.load else None,
        "refreshed": coverage.refreshed,
        "run_ids": list(coverage.run_ids),
        "requests": coverage.requests,
        "retries": coverage.retries,
        "could_not_check": [
            {"nct_id": one.nct_id, "reason": one.reason} for one in coverage.failed
        ],
    }


def _trial(trial: ReportTrial) -> JsonObject:
    return {
        "nct_id": trial.nct_id,
        "title": trial.title,
        "level": trial.level.value,
        "what": trial.what,
        "since_registration": trial.since_first or None,
        "url": trial.url,
        "versions": [_step(step) for step in trial.steps if step.lines],
        "administrative": trial.administrative,
        "administrative_versions": trial.administrative_versions,
        "left_out": trial.left_out,
        "notes": [
            *([trial_left_out_sentence(trial)] if trial.left_out else ()),
            *([aside_sentence(trial)] if trial.administrative else ()),
        ],
        "command": trial.command,
    }


def _step(step: ReportStep) -> JsonObject:
    return {
        "version": step.to_version,
        "title": step_title(step),
        "compare_url": step.compare_url,
        "command": step.command,
        "events": [told for line in step.lines for told in _events(line)],
    }


def _events(line: ReportLine) -> Iterator[dict[str, Any]]:
    for stored in line.events:
        is_own = stored is line.stored
        yield event_json(stored) | {
            "move": line.move or None if is_own else None,
            "move_since_registration": line.since_first or None if is_own else None,
        }
