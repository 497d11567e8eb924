"""Events in the words of rows and subjects."""

from typing import Any

import pytest

from ctsync.model import Event, Kind
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.events.classify import first_seen, registered
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.mail.subject import trial_subject
from ctsync.report.report import TextMark
from ctsync.report.version_steps import steps_of
from ctsync.report.words.event_text import detail, is_overall_status, sentence, short, sides
from ctsync.report.words.net_changes import net_changes
from tests.record.studies import events_between, outcome, site, study, the_event
from tests.report.examples import SLOW, report, status, stored

STATUS_MODULE = "protocolSection__statusModule"
ACCESS = f"{STATUS_MODULE}__expandedAccessInfo"
QC = "annotationSection__annotationModule__unpostedAnnotation__unpostedEvents"
REMOVED = "derivedSection__miscInfoModule__removedCountries"


def event_of(before: dict[str, Any], after: dict[str, Any]) -> Event:
    (event,) = events_between(study(**before), study(**after))
    return event


NOT_THE_STATUS = [
    ({ACCESS: {"hasExpandedAccess": False}}, {}, "Expanded Access no longer given (was no)"),
    (
        {ACCESS: {"hasExpandedAccess": True, "statusForNctId": "AVAILABLE"}},
        {ACCESS: {"hasExpandedAccess": True, "statusForNctId": "NO_LONGER_AVAILABLE"}},
        "Expanded Access Status: Available -> No longer available",
    ),
    (
        {f"{STATUS_MODULE}__delayedPosting": True},
        {f"{STATUS_MODULE}__delayedPosting": False},
        "Delayed Posting: yes -> no",
    ),
    (
        {"last_known": "RECRUITING"},
        {"last_known": "ACTIVE_NOT_RECRUITING"},
        "Last Known Status: Recruiting -> Active, not recruiting",
    ),
]


@pytest.mark.parametrize(("before", "after", "words"), NOT_THE_STATUS)
def test_only_the_overall_status_is_the_status_of_the_trial(
    before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    event = event_of(before, after)
    assert event.kind is Kind.STATUS
    assert not is_overall_status(event)
    assert short(event) == words
    built = report([stored(event)])
    assert built.subject == f"{words} ({SLOW})"
    for form in (ReportFormat.TEXT, ReportFormat.MARKDOWN, ReportFormat.HTML, ReportFormat.ATOM):
        written = render(built, form)
        assert "status ->" not in written
        assert "status -&gt;" not in written


def test_another_change_of_the_status_module_comes_after_the_dates_of_its_level() -> None:
    before = {
        ACCESS: {"hasExpandedAccess": False},
        "primary": {"date": "2021-06", "type": "ACTUAL"},
    }
    after = {"primary": {"date": "2021-07", "type": "ACTUAL"}}
    events = events_between(study(**before), study(**after))
    (trial,) = report([stored(event) for event in events]).trials
    assert trial.what == "primary completion +1 month; Expanded Access no longer given (was no)"


def test_the_status_is_in_words_in_rows_subjects_and_lines() -> None:
    closed = status("RECRUITING", "ACTIVE_NOT_RECRUITING")
    assert short(closed) == "status -> Active, not recruiting"
    subject = trial_subject(SLOW, (), net_changes([stored(closed)]))
    assert subject == f"Active, not recruiting ({SLOW})"
    assert sides(closed) == ("Recruiting", "Active, not recruiting")


SITES = [
    site(f"Hospital {n}", "Poland", status="NOT_YET_RECRUITING", zip=str(n)) for n in range(230)
]


@pytest.mark.parametrize(
    ("before", "after", "words", "line"),
    [
        (
            SITES,
            [{**s, "status": "RECRUITING"} for s in SITES[:176]] + SITES[176:],
            "176 of 230 sites opened (Poland)",
            "176 of 230 opened (Poland)",
        ),
        (
            SITES,
            [{**s, "status": "RECRUITING"} for s in SITES],
            "all 230 sites opened (Poland)",
            "all 230 opened (Poland)",
        ),
        (
            SITES[:1],
            [{**SITES[0], "status": "COMPLETED"}],
            "the only site is now completed (Poland)",
            'the only site is now completed ("Hospital 0", Poland)',
        ),
        (
            [{**s, "status": "SUSPENDED"} for s in SITES[:3]],
            [{**s, "status": "RECRUITING"} for s in SITES[:2]]
            + [{**SITES[2], "status": "SUSPENDED"}],
            "2 of 3 sites are now recruiting (Poland)",
            '2 of 3 are now recruiting ("Hospital 0", Poland; "Hospital 1", Poland)',
        ),
        (
            SITES[:3],
            [SITES[0], {**SITES[1], "status": "RECRUITING"}, site("A", "Spain", zip="x")],
            "1 site added, 1 site removed",
            (
                '1 added ("A", Spain), 1 removed ("Hospital 2", Poland), '
                '1 of 3 opened ("Hospital 1", Poland)'
            ),
        ),
    ],
)
def test_changes_of_sites_say_how_many_of_how_many_sites(
    before: list[Any], after: list[Any], words: str, line: str
) -> None:
    event = event_of({"sites": before}, {"sites": after})
    assert (short(event), detail(event)) == (words, line)


def test_a_removed_country_is_named() -> None:
    event = event_of({REMOVED: ["Spain"]}, {REMOVED: ["Spain", "Greece"]})
    assert (event.label, short(event), detail(event)) == (
        "Country", "Country removed: Greece", "removed: Greece",
    )  # fmt: skip
    back = event_of({REMOVED: ["Spain", "Greece"]}, {REMOVED: ["Spain"]})
    assert short(back) == "Country no longer listed as removed: Greece"


def test_a_row_names_the_step_of_quality_control() -> None:
    release = {"type": "RELEASE", "date": "2026-01-10"}
    before, after = study(**{QC: [release]}), study(**{
        QC: [release, {"type": "RESET", "date": "2026-02-20"}],
    })  # fmt: skip
    event = the_event(events_between(before, after), Kind.RESULTS, '["RESET | 2026-02-20"]')
    returned = "results returned to the sponsor with comments on 2026-02-20"
    assert (event.label, short(event), detail(event)) == ("Results QC", returned, returned)


def test_the_first_version_of_a_trial_says_why_its_state_is_shown() -> None:
    record = canonicalize(study())
    events = (first_seen(record), registered(record), registered(record, is_new=False))

    assert [sentence(event).partition(": ")[0] for event in events] == [
        "First seen", "Registered", "Newly seen",
    ]  # fmt: skip
    assert [short(event) for event in events[1:]] == [
        "newly registered", "newly seen by ctsync, first posted 2019-05-08",
    ]  # fmt: skip
    assert [event.rule for event in events] == ["R-NEW-01", "R-NEW-02", "R-NEW-03"]


def test_an_outcome_that_changed_in_two_fields_is_shown_word_by_word() -> None:
    before, after = (
        study(primary_outcomes=[outcome("Pain score", frame, description=text)])
        for frame, text in (("12 months", "On a long scale"), ("6 months", "On the long scale"))
    )
    events = [stored(event) for event in events_between(before, after)]
    (line,) = next(steps_of(events)).lines

    changed = [piece.text for piece in line.pieces if piece.mark is not TextMark.KEPT]
    assert changed == ["a", "the", "12", "6"]
    assert line.detail.startswith('edited: "Pain score" (time frame 12 months -> 6 months), ')
