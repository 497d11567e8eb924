"""Which flags differ between two days or two records, and on which days they can."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctsync.model import Level
from ctsync.record.compare.canonical import key_fields
from ctsync.record.context import context_of, shown_context
from ctsync.record.events.flag_event import flag_events
from ctsync.record.flags import FlagId
from ctsync.record.flags.change_days import next_flag_day
from ctsync.record.flags.flag_changes import FlagChange, RecordOnDay, flag_changes
from ctsync.record.rules.rules import Thresholds
from ctsync.report.words.event_text import short, sides
from tests.registry_fixtures import make_study

TRIAL = "NCT03389919"
DAY = date(2026, 3, 1)
DATES = st.builds(
    lambda text, length: text[:length],
    st.dates(date(2015, 1, 1), date(2027, 12, 31)).map(str),
    st.sampled_from([10, 7]),
)
STATUSES = st.sampled_from(["RECRUITING", "ACTIVE_NOT_RECRUITING", "COMPLETED", "UNKNOWN"])


def ids(changes: list[FlagChange]) -> set[tuple[FlagId, bool, bool]]:
    return {(change.flag.id, change.holds, change.by_edit) for change in changes}


def changed(older: dict[str, Any], newer: dict[str, Any], **days: date) -> list[FlagChange]:
    was = RecordOnDay(older, days.get("was", DAY), "2024-01")
    return list(flag_changes(was, RecordOnDay(newer, days.get("now", DAY), "2024-01")))


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    posted = draw(st.booleans())
    body = make_study(
        TRIAL,
        overallStatus=draw(STATUSES),
        startDateStruct={"date": draw(DATES)},
        primaryCompletionDateStruct={"date": draw(DATES)},
        completionDateStruct={"date": draw(DATES)},
        statusVerifiedDate=draw(DATES),
        studyFirstSubmitDate=draw(DATES),
        studyFirstPostDateStruct={"date": draw(DATES)},
        dispFirstSubmitDate="2015-01-01" if draw(st.booleans()) else None,
        oversightModule={"isFdaRegulatedDrug": True},
    )
    return body | {"hasResults": posted}


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records(), st.dates(date(2016, 1, 1), date(2027, 12, 31)))
def test_no_flag_changes_by_time_before_the_next_flag_day(body: dict[str, Any], day: date) -> None:
    following = next_flag_day(key_fields(body), after=day)
    last = following - timedelta(days=1) if following else date(2031, 1, 1)
    for later in (day + timedelta(days=1), day + (last - day) // 2, last):
        if day < later <= last:
            assert changed(body, body, was=day, now=later) == []


def test_a_flag_that_is_undecided_first_and_then_true_is_a_change() -> None:
    undecided = make_study(
        TRIAL, startDateStruct={"date": "2025-05"}, studyFirstSubmitDate="2025-05-20"
    )
    decided = make_study(
        TRIAL, startDateStruct={"date": "2025-05-02"}, studyFirstSubmitDate="2025-05-20"
    )
    assert (FlagId.RETROSPECTIVE, True, True) in ids(changed(undecided, decided))
    earlier = ids(changed(make_study(TRIAL), undecided))
    assert FlagId.RETROSPECTIVE not in {flag_id for flag_id, _, _ in earlier}


def test_results_that_are_posted_when_they_become_due_are_not_told() -> None:
    body = make_study(
        TRIAL,
        overallStatus="COMPLETED",
        startDateStruct={"date": "2024-01-10"},
        primaryCompletionDateStruct={"date": "2025-02-10"},
        completionDateStruct={"date": "2025-02-10"},
        resultsFirstSubmitDate="2025-12-01",
        oversightModule={"isFdaRegulatedDrug": True},
    )
    posted = body | {"hasResults": True}
    before = date(2026, 2, 10)
    assert ids(changed(posted, posted, was=before)) == set()
    assert ids(changed(body, body, was=before)) == {(FlagId.RESULTS_DUE, True, False)}


def test_the_words_and_levels_of_the_events() -> None:
    posted = {"studyFirstPostDateStruct": {"date": "2024-05-06"}}
    fresh = make_study(TRIAL, statusVerifiedDate="2026-02", **posted)
    stale = make_study(TRIAL, statusVerifiedDate="2024-06", **posted)
    (event,) = flag_events(changed(fresh, stale), DAY, thresholds=Thresholds())
    assert (event.rule, event.level) == ("R-FLG-03", Level.ADMINISTRATIVE)
    assert short(event) == "verification more than a year old"
    assert sides(event) == ("no", "yes")
    (note,) = context_of(event)
    assert note.text.startswith("rule: DeVito and Goldacre, JAMA Intern Med 2021; 42 CFR 11.64")
    (event,) = flag_events(
        changed(stale, fresh),
        DAY,
        thresholds=Thresholds(),
    )
    assert (event.rule, event.before, event.after) == ("R-FLG-03", True, False)
    assert event.summary == (
        "Verification more than a year old no longer: verified 2024-06 -> 2026-02"
    )
    assert short(event) == "verification more than a year old no longer"
    assert context_of(event) == ()


def test_a_cleared_flag_names_only_what_its_rule_reads() -> None:
    open_ = make_study(
        TRIAL,
        overallStatus="RECRUITING",
        statusVerifiedDate="2026-01",
        primaryCompletionDateStruct={"date": "2025-03"},
        completionDateStruct={"date": "2025-06", "type": "ESTIMATED"},
        designModule={"enrollmentInfo": {"count": 20}},
    )
    closed = make_study(
        TRIAL,
        overallStatus="COMPLETED",
        statusVerifiedDate="2026-02",
        primaryCompletionDateStruct={"date": "2025-03"},
        completionDateStruct={"date": "2025-06", "type": "ACTUAL"},
        designModule={"enrollmentInfo": {"count": 17}},
    )
    event, _ = flag_events(changed(open_, closed), DAY, thresholds=Thresholds())
    assert event.summary == "Open past completion no longer: status Recruiting -> Completed"
    # the edit of the status has a line of its own
    assert (event.rule, event.level) == ("R-FLG-05", Level.ADMINISTRATIVE)
    event, _ = flag_events(changed(closed, open_), DAY, thresholds=Thresholds())
    assert (event.rule, event.level) == ("R-FLG-04", Level.ROUTINE)
    assert context_of(event)  # in JSON
    assert not shown_context(event)
