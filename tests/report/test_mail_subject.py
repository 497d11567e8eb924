"""The subject line: what happened, the worst trial first, in about 100 characters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.model import Event, Kind, Level, StoredEvent
from ctsync.report.build import Scope, build
from ctsync.report.mail.subject import LONGEST
from ctsync.report.report import Report
from ctsync.report.words.trial_heading import TrialHeading
from tests.registry_fixtures import an_id
from tests.report.examples import (
    QUICK,
    SLOW,
    WINDOW,
    enrollment,
    event,
    primary_completion,
    report,
    status,
    stored,
)

HEADING = TrialHeading(
    "A study of olomorasib", sponsor="AstraZeneca", phase="Phase 2", conditions=("NSCLC",)
)


def slip(days: int = 731) -> Event:
    return replace(
        primary_completion("2027-04-15", "2029-04-15", days, days),
        level=Level.CRITICAL,
        after_type="ESTIMATED",
    )


def about(events: list[StoredEvent], heading: TrialHeading = HEADING) -> Report:
    headings = {stored.nct_id: heading for stored in events}
    return build(events, window=WINDOW, scope=Scope("demo", 42, headings=headings))


def test_the_subject_of_one_trial_names_it_and_says_what_happened() -> None:
    assert about([stored(slip())]).subject == (
        "AstraZeneca, NSCLC, Phase 2: primary completion +2.0 years, to Apr 2029 (NCT01352702)"
    )


def test_a_digest_names_the_worst_trials_and_counts_the_others() -> None:
    mild = event(Kind.ARM, Level.ROUTINE, summary="arm added")
    events = [
        stored(slip()),
        stored(status("RECRUITING", "TERMINATED"), QUICK),
        *(stored(mild, an_id(n)) for n in range(1, 5)),
    ]
    assert about(events).subject == (
        "2 critical: AstraZeneca, NSCLC: primary completion +2.0 years, to Apr 2029 "
        "(NCT01352702); 5 more"
    )
    bare = TrialHeading()
    assert about(events[1:], bare).subject == "1 critical: Terminated (NCT03690141); 4 more"


def test_an_unknown_status_is_named_as_a_status() -> None:
    assert about([stored(status("RECRUITING", "UNKNOWN"))]).subject == (
        "AstraZeneca, NSCLC, Phase 2: status unknown (NCT01352702)"
    )


def test_the_changes_that_made_a_trial_critical_come_before_words_about_it() -> None:
    events = [
        stored(status("RECRUITING", "TERMINATED")),
        stored(enrollment(70, 46, -34.3)),
        stored(slip()),
        stored(event(Kind.OUTCOME, Level.NOTABLE, summary="primary outcome edited")),
    ]
    assert about(events).subject == (
        "AstraZeneca: Terminated; primary completion +2.0 years; 46 of 70 enrolled; +1 more "
        "(NCT01352702)"
    )


def test_a_reversed_date_names_no_new_date() -> None:
    back = replace(slip(-731), before="2029-04-15", after="2027-04-15", level=Level.NOTABLE)
    events = [stored(slip(), to_version=5), stored(back, to_version=6)]
    assert "primary completion +2.0 years, then back to 2027-04-15" in about(events).subject


def test_a_long_change_is_cut_at_a_word_and_shows_it() -> None:
    long = event(Kind.LEFT, Level.NOTABLE, before=" ".join(["query"] * 40), after=None)
    subject = about([stored(long)]).subject
    assert subject.endswith("query… (NCT01352702)")
    assert len(subject) <= LONGEST


WORDS = st.text("abcdefg -–()/", max_size=80)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(Level), WORDS), min_size=1, max_size=9), WORDS, WORDS)
def test_no_subject_is_longer_than_its_limit_or_miscounts_trials(
    told: list[tuple[Level, str]], sponsor: str, condition: str
) -> None:
    events = [
        stored(event(Kind.OTHER, level, path=f"p{n}", summary=f"x {words}"), an_id(n))
        for n, (level, words) in enumerate(told, 1)
    ]
    heading = TrialHeading("title", sponsor=sponsor, phase="Phase 3", conditions=(condition,))
    built = about(events, heading)
    changed = [level for level, _ in told if level is not Level.ADMINISTRATIVE]
    if not changed:
        return
    assert len(built.subject) <= LONGEST
    if len(changed) > 1:
        worst = min(changed, key=lambda level: level.rank)
        named = built.subject.count("(NCT0000000")
        rest = len(changed) - named
        assert built.subject.startswith(f"{changed.count(worst)} {worst}: ")
        assert built.subject.endswith(f"; {rest} more" if rest else ")")


@pytest.mark.parametrize("limit", [1, 3, None])
def test_the_subject_counts_the_trials_beyond_the_size_limit(limit: int | None) -> None:
    events = [stored(status("RECRUITING", "TERMINATED"), an_id(n)) for n in range(1, 8)]
    subject = report(events, limit=limit).subject
    assert subject.startswith("7 critical: Terminated (NCT00000001)")
    assert SLOW not in subject
    assert subject.endswith(f"; {7 - subject.count('NCT')} more")


LONG = TrialHeading(
    "A study",
    sponsor="Chia Tai Tianqing Pharmaceutical Group Nanjing Shunxin",
    conditions=("NSCLC",),
)


def test_a_subject_names_the_sponsor_also_beside_long_changes() -> None:
    """NCT06825494 and NCT06780137 had subjects with nothing but their number."""
    long = event(Kind.LEFT, Level.NOTABLE, before=" ".join(["query"] * 40), after=None)
    target = replace(enrollment(242, 262, 8.3), level=Level.ROUTINE, after_type="ESTIMATED")
    earlier = replace(slip(-28), kind=Kind.COMPLETION_DATE, level=Level.ROUTINE)
    others = [event(Kind.OTHER, Level.ROUTINE, path=f"p{n}", summary=f"x {n}") for n in range(7)]

    one = about([stored(long)], LONG).subject
    several = about([stored(each) for each in (target, earlier, *others)], LONG).subject
    two = about([stored(long), stored(long, QUICK)], LONG).subject

    print(f"{one}\n{several}\n{two}")
    assert one.startswith("Chia Tai Tianqing…: left watch")
    assert several.startswith("Chia Tai Tianqing…: enrollment 242 -> 262; completion -28 days; ")
    assert two.startswith("2 notable: Chia Tai Tianqing…: left watch")
    assert max(map(len, (one, several, two))) <= LONGEST
