"""The HTML templates. Makes each value safe; does no I/O except to read the templates."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ctsync.record.value_text import counted
from ctsync.report.alike_lines import alike, same_of
from ctsync.report.sentences import (
    WELCOME,
    flags_of_trial,
    since_cell,
    since_first_of,
    since_heading,
    step_title,
)
from ctsync.report.trial.charts.status_band import STOPPED
from ctsync.report.trial.timeline_svg import draw_timeline
from ctsync.report.version_steps import item_of, line_in_full, note_of
from ctsync.report.words.event_line import gap_words
from ctsync.report.words.event_text import since_what
from ctsync.report.words.trial_heading import short_title, trial_heading
from ctsync.text import for_markup


def fill(template: str, **values: Any) -> str:
    """Render a template. Remote text cannot add a tag or an attribute."""
    return report_templates().get_template(template).render(**values)


@cache
def report_templates() -> Environment:
    """The templates of reports, with the filters and functions that they use."""
    environment = Environment(
        loader=PackageLoader("ctsync.report"),
        autoescape=True,
        finalize=_safe,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        alike=alike,
        counted=counted,
        draw_timeline=draw_timeline,
        flags_of_trial=flags_of_trial,
        gap_words=gap_words,
        item_of=item_of,
        line_in_full=line_in_full,
        note_of=note_of,
        same_of=same_of,
        short_title=short_title,
        since_cell=since_cell,
        since_first_of=since_first_of,
        since_heading=since_heading,
        since_what=since_what,
        step_title=step_title,
        stopped=STOPPED,
        trial_heading=trial_heading,
        welcome=WELCOME,
    )
    return environment


def _safe(value: Any) -> Any:
    """Replace control characters in text; keeps markup that the templates made."""
    return for_markup(value) if isinstance(value, str) and not isinstance(value, Markup) else value
