"""Context below the lines of a report."""

from __future__ import annotations

from collections import Counter

from ctsync.model import Level, StoredEvent
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.report.build import Scope, build
from ctsync.report.formats.html import render_html
from ctsync.report.formats.markdown import render_markdown
from ctsync.report.formats.plain_text import render_text
from ctsync.report.report import Report
from ctsync.report.rows.report_row import report_row
from tests.record.studies import dated, history, study
from tests.report.examples import WINDOW, stored


def suspended_twice() -> list[StoredEvent]:
    """Return the events of a trial that was suspended twice and slipped twice."""
    steps = history(
        study(posted="2020-03-01"),
        study(status="SUSPENDED", posted="2020-03-16"),
        study(posted="2020-06-15", primary=dated("2021-07-01")),
        study(status="SUSPENDED", posted="2021-01-01", primary=dated("2022-09-01")),
    )
    return [
        stored(event, event_id=number, from_version=version, to_version=version + 1)
        for version, events in enumerate(steps, 1)
        for number, event in enumerate(events)
    ]


def made(rates: BaseRates | None = PUBLISHED_RATES) -> Report:
    scope = Scope(title="mine", watched=1, rates=rates)
    return build(suspended_twice(), window=WINDOW, scope=scope)


def test_a_note_is_shown_once_per_trial() -> None:
    notes = Counter(
        note.text for trial in made().trials for line in trial.lines for note in line.context
    )
    assert "suspended before, recorded on 2020-03-16" in notes
    assert set(notes.values()) == {1}


def test_a_routine_change_shows_the_trials_own_past_only() -> None:
    lines = [line for trial in made().trials for line in trial.lines]
    routine = [line for line in lines if line.stored.event.level is Level.ROUTINE]
    assert routine
    assert all(not note.rates for line in routine for note in line.context)


def test_json_has_the_context_of_each_event() -> None:
    (trial,) = report_row(made()).trials
    stops = [event for version in trial.versions for event in version.events if event.context]
    assert len([event for event in stops if event.after == "SUSPENDED"]) == 2


def test_a_report_without_rates_has_no_context_in_any_format() -> None:
    report = made(rates=None)
    assert [line for trial in report.trials for line in trial.lines if line.context] == []
    for text in (render_text(report), render_markdown(report), render_html(report)):
        assert "context:" not in text
    (trial,) = report_row(report).trials
    assert not any(event.context for version in trial.versions for event in version.events)
