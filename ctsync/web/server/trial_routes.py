"""The page of a trial, two of its versions compared, and its record on a day."""

from __future__ import annotations

from ctsync.errors import UsageError
from ctsync.model import Level
from ctsync.questions.changes.rules import thresholds_in_force
from ctsync.questions.trial.compare import CompareQuestion, compare_versions
from ctsync.questions.trial.record_as_of import RecordQuestion, record_as_of
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.trial_page import trial_page
from ctsync.report.comparison.comparison import ChangeSelection
from ctsync.report.comparison.reading import reading_of
from ctsync.report.report import Window
from ctsync.web.pages.compare_page import compare_page
from ctsync.web.pages.record_page import record_page
from ctsync.web.pages.trial import render_page
from ctsync.web.server.kept_values import Content
from ctsync.web.server.page_request import PageRequest, html

_HIGHEST_VERSION = 999_999


def trial(asked: PageRequest) -> Content:
    """The history of a trial."""
    asked.parameters.require_known(())
    nct_id = asked.nct_id
    stored_versions(asked.store, nct_id)  # raises UnknownTrial
    story = trial_page(asked.store, nct_id, until=asked.now, rates=asked.rates)
    window = Window(None, asked.now)
    return html(render_page(story, window, frame=asked.frame, has_comparisons=True))


def comparison(asked: PageRequest) -> Content:
    """Two versions, or the versions of two days: `from` and `to`, as `ctsync diff` reads them."""
    given = asked.parameters
    given.require_known(("from", "to"))
    question = CompareQuestion(
        asked.nct_id,
        given.one("from") or None,
        given.one("to") or None,
        thresholds=thresholds_in_force(asked.settings),
    )
    if question.newer and not question.older:
        raise UsageError("the address has a version to compare to, but no version `from`")
    found = compare_versions(asked.store, question)
    reading = reading_of(found, ChangeSelection(Level.ROUTINE))
    return html(compare_page(reading, frame=asked.frame))


def record(asked: PageRequest) -> Content:
    """The record at the end of the day `as_of`, of a `version`, or now."""
    given = asked.parameters
    given.require_known(("as_of", "version"))
    number = given.number("version", 0, most=_HIGHEST_VERSION) or None
    day = given.day("as_of")
    found = record_as_of(asked.store, RecordQuestion(asked.nct_id, day, number))
    page = record_page(
        found.version, found.record, frame=asked.frame, versions=found.versions, as_of=day
    )
    return html(page)
