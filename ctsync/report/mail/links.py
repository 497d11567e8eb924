"""Links of a mailed report, in place of the commands in other reports. Does no I/O.

Links lead to the pages of `web.url` if it is set, and to ClinicalTrials.gov if not.
"""

from __future__ import annotations

from dataclasses import replace

from ctsync.model import STUDY_PAGE, NctId
from ctsync.record.value_text import counted
from ctsync.report.report import NoChangeReason, Report, ReportSentence, ReportStep, ReportTrial


def trial_page(nct_id: NctId, site: str) -> str:
    """Return the page of a trial; `site` is the address of the pages, or empty."""
    return f"{site}/trials/{nct_id}.html" if site else f"{STUDY_PAGE}{nct_id}"


def history_page(nct_id: NctId, site: str) -> str:
    """Return the page with the versions of a trial."""
    return trial_page(nct_id, site) if site else f"{STUDY_PAGE}{nct_id}?tab=history"


def with_links(report: Report, site: str) -> Report:
    """Return the report with links in place of commands.

    One command remains if `site` is empty: no page of ClinicalTrials.gov lists the changes of
    many trials.
    """
    out = report.left_out
    return replace(
        report,
        site=site,
        sections=tuple(
            replace(section, trials=tuple(_trial(trial, site) for trial in section.trials))
            for section in report.sections
        ),
        welcomes=tuple(replace(one, url=trial_page(one.nct_id, site)) for one in report.welcomes),
        sentences=tuple(_sentence(one, report, site) for one in report.sentences),
        left_out=replace(out, command=f"{site}/") if out and site else out,
    )


def _trial(trial: ReportTrial, site: str) -> ReportTrial:
    page = history_page(trial.nct_id, site)
    return replace(
        trial,
        url=trial_page(trial.nct_id, site),
        command=page,
        steps=tuple(_step(step, page) for step in trial.steps),
    )


def _step(step: ReportStep, page: str) -> ReportStep:
    return replace(step, command=step.compare_url or page)


def _sentence(sentence: ReportSentence, report: Report, site: str) -> ReportSentence:
    if sentence.standing is not NoChangeReason.NOT_REPORTED:
        return sentence
    link = f" See {site}/" if site else ""
    text = (
        "Changed, but below your lowest level or reported in another message: "
        f"{sentence.count:,} of {counted(report.watched, 'trial')}.{link}"
    )
    return replace(sentence, text=text)
