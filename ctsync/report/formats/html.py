"""A report as one HTML file without scripts, images or external files. Does no I/O."""

from __future__ import annotations

from ctsync.model import Level
from ctsync.report.addresses import Addresses
from ctsync.report.formats.plain_text import cut_between_phrases
from ctsync.report.html_templates import fill
from ctsync.report.report import Fold, Report, ReportTrial
from ctsync.report.sentences import (
    about_line,
    coverage_line,
    fold_title,
    left_out_sentence,
    welcomes_left_out_sentence,
    window_line,
)

_GLANCE_WIDTH = 95
"""Most characters of the changes in a line of the list at a glance, which ends in the title."""
_FIRST_SCREEN = 13
"""Most rows of the table that fit on one screen of 1280x800."""


def render_html(report: Report, *, pictures: bool = True, links: Addresses | None = None) -> str:
    """Write the report; `pictures=False` is for mail programs, which do not show SVG.

    With `links` it is a page of that site: trials link to their pages there, and a link replaces
    each command.
    """
    left_out = left_out_sentence(report)
    welcomes_left_out = welcomes_left_out_sentence(report)
    if links:
        left_out, welcomes_left_out = map(_without_command, (left_out, welcomes_left_out))
    return fill(
        "report.html.j2",
        report=report,
        about=about_line(report),
        window=window_line(report),
        coverage=coverage_line(report),
        left_out=left_out,
        welcomes_left_out=welcomes_left_out,
        pictures=pictures,
        links=links,
        glance=_glance(report),
        glance_what=_glance_what,
        folds=[(fold_title(report, f), trials) for f in Fold if (trials := report.folded(f))],
    )


def _without_command(sentence: str) -> str:
    return sentence.partition(": ctsync ")[0]


def _glance(report: Report) -> tuple[ReportTrial, ...]:
    """The critical and notable trials, if their rows do not fit on one screen."""
    worst = tuple(trial for trial in report.listed if trial.level.reaches(Level.NOTABLE))
    return worst if len(worst) > _FIRST_SCREEN else ()


def _glance_what(what: str) -> str:
    return cut_between_phrases(what, _GLANCE_WIDTH)
