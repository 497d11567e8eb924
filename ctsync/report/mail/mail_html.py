"""The HTML part of a mail, with inline styles. Does no I/O.

Mail programs may drop the style sheet, so css-inline copies each rule into the elements. The rules
for dark mode remain in the sheet, for programs that keep it. The layout uses tables, because
Outlook for Windows supports nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import css_inline

from ctsync.record.value_text import counted
from ctsync.report.html_templates import fill
from ctsync.report.mail.condense import condensed
from ctsync.report.mail.links import with_links
from ctsync.report.mail.subject import subject_of_trial
from ctsync.report.mail.welcome import ANY_CHANGE, ORDER, heading, more_line, totals_line
from ctsync.report.report import Fold, Report, ReportTrial
from ctsync.report.sentences import (
    LIST_COMMAND,
    coverage_line,
    fold_command,
    fold_title,
    left_out_sentence,
    named_in_fold,
    watches_line,
    window_line,
)
from ctsync.report.words.trial_heading import short_title

_MOST_FOLDED = 10
_LONGEST_TITLE = 64
"""Longest title in the overview, in characters; the part about a trial has the complete one."""


def render_mail_html(
    report: Report, *, site: str = "", notes: Sequence[str] = (), opening: str = ANY_CHANGE
) -> str:
    """Write the report for a mail, with the `notes` about the mail itself at its end.

    Links lead to the pages of `site` if it is given. A welcome says with `opening` when the next
    mail comes.
    """
    linked = with_links(condensed(report), site)
    html = _welcome(linked, site, notes, opening) if report.statuses else _digest(linked, notes)
    return _inliner().inline(html)


def _digest(report: Report, notes: Sequence[str]) -> str:
    failed = report.coverage.failed if report.coverage else ()
    return fill(
        "mail.html.j2",
        report=report,
        preview=" · ".join(trial.what for trial in report.trials[:3]) or report.headline,
        folds=[line for fold in Fold for line in _folded(report, fold)],
        heading=_heading(report),
        opening=_filled(coverage_line(report), window_line(report), f"Watches: {report.title}"),
        warnings=report.notices,
        closing=_filled(
            left_out_sentence(report),
            more_line(report),
            *(sentence.text for sentence in report.sentences),
            *(f"{one.nct_id}: {one.reason}" for one in failed),
            *report.footer[len(report.notices) :],
            *notes,
        ),
        watches_line=watches_line,
        brief=lambda trial: short_title(trial.heading, _LONGEST_TITLE),
        more=counted,
    )


def _welcome(report: Report, site: str, notes: Sequence[str], opening: str) -> str:
    more = more_line(report)
    return fill(
        "mail_welcome.html.j2",
        report=report,
        preview=totals_line(report),
        heading=heading(report),
        opening=_filled(opening, coverage_line(report)),
        order=ORDER if len(report.welcomes) > 1 else "",
        more=more if site or not more else f"{more}: {LIST_COMMAND}",
        more_url=f"{site}/" if site else "",
        closing=notes,
    )


def _folded(report: Report, fold: Fold) -> Iterator[tuple[str, Sequence[ReportTrial], str]]:
    """Return the title, first trials and number of the others for a row of folded trials."""
    trials = report.folded(fold)
    if trials:
        named = named_in_fold(trials, _MOST_FOLDED)
        more = len(trials) - len(named)
        yield (
            fold_title(report, fold),
            named,
            f"and {more:,} more: {fold_command(report, fold)}" if more else "",
        )


def _heading(report: Report) -> str:
    is_one = len(report.trials) == 1 and report.trials[0].changes and not report.left_out
    return subject_of_trial(report.trials[0]) if is_one else report.headline


def _filled(*lines: str) -> list[str]:
    return [line for line in lines if line]


@cache
def _inliner() -> css_inline.CSSInliner:
    # a link in remote text must never be fetched
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
