"""Events of results: first posted, vanished, updated, and quality control."""

from typing import Any

from ctsync.model import Category, Kind, Level
from tests.record.studies import dated, events_between, study, the_event

SECTION = {"participantFlowModule": {"groups": [{"id": "FG000", "title": "All"}]}}
POSTED = "protocolSection__statusModule__resultsFirstPostDateStruct"
QC = "annotationSection__annotationModule__unpostedAnnotation__unpostedEvents"
TRACKING = "derivedSection__miscInfoModule__submissionTracking__submissionInfos"
WITH = {"resultsSection": SECTION, "hasResults": True, POSTED: dated("2024-02-01", "ACTUAL")}


def test_first_posted_results_are_one_notable_event_and_their_repeats_administrative():
    events = events_between(study(), study(**WITH))
    posted = the_event(events, Kind.RESULTS, "resultsSection")
    assert (posted.rule, posted.level) == ("R-RES-02", Level.NOTABLE)
    assert posted.summary == "Results first posted (2024-02-01)"
    others = [e for e in events if e is not posted]
    assert [(e.rule, e.level) for e in others] == [("R-ADM-08", Level.ADMINISTRATIVE)] * 2


def test_results_that_vanish_are_critical():
    events = events_between(study(**WITH), study())
    gone = the_event(events, Kind.RESULTS, "resultsSection")
    assert (gone.rule, gone.level) == ("R-RES-01", Level.CRITICAL)
    assert gone.summary == "Results are no longer in the record"


def test_has_results_alone_is_reported_if_the_section_is_missing():
    (posted,) = events_between(study(), study(hasResults=True))
    assert posted.rule == "R-RES-02"
    (gone,) = events_between(study(hasResults=True), study())
    assert gone.rule == "R-RES-01"


def test_without_section_and_flag_the_first_posted_date_is_reported():
    (posted,) = events_between(study(), study(**{POSTED: dated("2024-02-01", "ACTUAL")}))
    assert (posted.rule, posted.after, len(posted.covers)) == ("R-RES-02", "2024-02-01", 2)


def test_updated_results_are_routine():
    other = {"participantFlowModule": {"groups": [{"id": "FG000", "title": "Everyone"}]}}
    (event,) = events_between(study(**WITH), study(**{**WITH, "resultsSection": other}))
    assert (event.rule, event.level) == ("R-RES-03", Level.ROUTINE)


def test_a_quality_control_step_is_reported_and_its_repeat_administrative():
    release = {"type": "RELEASE", "date": "2026-01-10"}
    reset = {"type": "RESET", "date": "2026-02-20"}
    before = study(**{QC: [release], TRACKING: [{"releaseDate": "2026-01-10"}]})
    after = study(**{
        QC: [release, reset],
        TRACKING: [{"releaseDate": "2026-01-10", "resetDate": "2026-02-20"}],
    })  # fmt: skip
    events = events_between(before, after)
    reset_event = the_event(events, Kind.RESULTS, '["RESET | 2026-02-20"]')
    assert (reset_event.category, reset_event.rule, reset_event.level) == (
        Category.RESULTS_QC,
        "R-RQC-01",
        Level.ROUTINE,
    )
    assert reset_event.summary == (
        "Results QC: results returned to the sponsor with comments on 2026-02-20"
    )
    repeat = the_event(events, Kind.RESULTS, ".resetDate")
    assert repeat.level is Level.ADMINISTRATIVE


def test_a_submission_without_an_annotation_is_reported_with_its_steps():
    after = study(**{TRACKING: [{"releaseDate": "2026-01-10", "unreleaseDate": "2026-01-12"}]})
    (event,) = events_between(study(), after)
    assert event.summary == (
        "Results QC: results submitted for quality control on 2026-01-10, "
        "then results submission taken back on 2026-01-12"
    )


def test_malformed_quality_control_steps_are_reported_without_an_error():
    odds: list[Any] = [[None], ["x"], [{"type": 7}], [{"date": []}], {"type": "RESET"}, "RESET"]
    for odd in odds:
        assert events_between(study(), study(**{QC: odd}))
        assert events_between(study(**{QC: odd}), study())
