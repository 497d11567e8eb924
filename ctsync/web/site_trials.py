"""The pages of a site about single trials: the trial, its comparisons, its newest record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctsync.errors import CorruptBody
from ctsync.model import Level, NctId
from ctsync.questions.trial.compare import site_comparisons
from ctsync.questions.trial.record_as_of import RecordQuestion, VersionRecord, record_as_of
from ctsync.questions.trial.trial_page import trial_page
from ctsync.record.rules.rules import Thresholds
from ctsync.report.comparison.comparison import ChangeSelection, Comparison
from ctsync.report.comparison.reading import reading_of
from ctsync.store.store import Store
from ctsync.web.frame import Frame
from ctsync.web.pages.compare_page import compare_page
from ctsync.web.pages.record_page import record_page
from ctsync.web.pages.trial import render_page
from ctsync.web.site_question import SiteQuestion


def trial_pages(
    store: Store, question: SiteQuestion, trials: Sequence[NctId], frame: Frame
) -> Iterator[tuple[str, str]]:
    """Yield the page of each trial.

    A trial with several versions also has a page per comparison of neighbouring versions, one that
    compares the first version with the last, and one with its newest record.
    """
    # a timeline that ends today would change every page every day
    month = question.now.date().replace(day=1)
    for nct_id in trials:
        story = trial_page(
            store, nct_id, until=question.now, drawn_until=month, rates=question.rates
        )
        compared = _compared(store, nct_id, question.thresholds, frame)
        page = render_page(story, question.window, frame=frame, has_comparisons=bool(compared))
        yield f"trials/{nct_id}.html", page
        yield from compared


def comparison_file(comparison: Comparison, frame: Frame) -> tuple[str, str]:
    """Return the path in the site and the page of a comparison."""
    before, after = comparison.before, comparison.after
    reading = reading_of(comparison, ChangeSelection(Level.ROUTINE))
    # a copy of the record per version would make a large site
    page = compare_page(reading, frame=frame, has_unchanged=False)
    return f"trials/{after.nct_id}-{before.version}-{after.version}.html", page


def record_file(found: VersionRecord, frame: Frame) -> tuple[str, str]:
    """Return the path in the site and the page of a record, which is the newest of its trial."""
    version = found.version
    # the JSON would double the page, and the registry has it
    page = record_page(version, found.record, frame=frame, versions=found.versions, has_raw=False)
    return f"trials/{version.nct_id}-record.html", page


def _compared(
    store: Store, nct_id: NctId, thresholds: Thresholds, frame: Frame
) -> Sequence[tuple[str, str]]:
    """Return the comparisons and the newest record; none of a trial with one version.

    The record of a trial with one version is the one at the registry, to which its page links.
    """
    newest, pages = 0, []
    try:
        for one in site_comparisons(store, nct_id, thresholds=thresholds):
            pages.append(comparison_file(one, frame))
            newest = one.after.version
        if newest:
            found = record_as_of(store, RecordQuestion(nct_id, number=newest))
            pages.append(record_file(found, frame))
    except (CorruptBody, ValueError):  # a damaged record must not prevent the site
        return ()
    return pages
