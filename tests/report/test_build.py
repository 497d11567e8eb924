"""The content of a report, independent of its format."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.model import KeyFields, Kind, Level, NctId, StoredEvent
from ctsync.record.events.lists import SITES
from ctsync.report.build import Scope, build
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.report import NoChangeReason, UncheckedTrial
from tests.registry_fixtures import an_id
from tests.report.examples import (
    QUICK,
    SEED,
    SLOW,
    WINDOW,
    contact,
    coverage,
    demo_events,
    event,
    first_seen,
    outcome,
    primary_completion,
    report,
    status,
    stored,
)


def test_each_trial_has_one_row_and_the_highest_level_comes_first() -> None:
    built = report()

    assert [(trial.nct_id, trial.level) for trial in built.trials] == [
        (SLOW, Level.CRITICAL),
        (QUICK, Level.CRITICAL),
    ]
    assert (
        built.trials[0].what
        == "status -> Terminated; 46 of 70 enrolled; primary completion +1 month"
    )
    assert built.trials[0].since_first == "primary completion +2.2 years, enrollment -34.3 %"


def test_trials_of_equal_level_are_ordered_by_slip_then_phase_then_enrollment() -> None:
    ids = [an_id(n) for n in range(1, 5)]
    keys = {
        ids[0]: KeyFields(phases="PHASE1", enrollment=9000),
        ids[1]: KeyFields(phases="PHASE3", enrollment=10),
        ids[2]: KeyFields(phases="PHASE3", enrollment=20),
        ids[3]: KeyFields(phases="EARLY_PHASE1"),
    }
    slipped = stored(primary_completion("2020-01-01", "2021-01-01", 366, 366), ids[3])
    others = [stored(status("RECRUITING", "COMPLETED", Level.NOTABLE), one) for one in ids[:3]]

    built = report([*others, slipped], keys=keys)

    assert [trial.nct_id for trial in built.trials] == [ids[3], ids[2], ids[1], ids[0]]


def test_administrative_changes_are_counted_with_the_command_that_shows_them() -> None:
    quick = report().trials[1]

    assert (quick.administrative, quick.administrative_versions) == (3, 3)
    assert quick.command == ("ctsync changes NCT03690141 --level administrative --since 2019-07-01")
    assert all(line.stored.event.level is not Level.ADMINISTRATIVE for line in quick.lines)


def test_a_row_says_if_a_trial_has_only_administrative_changes() -> None:
    built = report([stored(contact(), to_version=n) for n in (5, 6, 7)])

    assert built.trials[0].what == "3 versions, contacts only (collapsed)"
    assert built.subject == "administrative only: 1 of 4 trials · demo · 2019-07-17"


def test_a_baseline_is_a_welcome_with_the_trials_state_and_not_a_change() -> None:
    built = report([stored(first_seen(), SEED, from_version=None, to_version=1)])

    assert built.total == 0
    assert not built.trials
    assert built.welcomes[0].state == (
        "Recruiting · Phase 3 · enrollment 20 (estimated) · "
        "primary completion 2018-12-31 (estimated) passed · "
        "last update posted 2018-01-04 · registered 12 months (360 days) after start"
    )


@pytest.mark.parametrize(
    ("events", "given", "subject"),
    [
        (
            demo_events()[:3],
            {"watched": 42, "title": "GF-watch", "coverage": coverage(42)},
            (
                "Terminated; 46 of 70 enrolled; primary completion +1 month, to May 2014 "
                "(NCT01352702)"
            ),
        ),
        (
            demo_events()[:3],
            {"coverage": coverage(41, failed=(UncheckedTrial(QUICK, "timed out"),))},
            (
                "Terminated; 46 of 70 enrolled; +1 more (NCT01352702); "
                "INCOMPLETE: 1 of 42 trials not checked"
            ),
        ),
        (
            [],
            {"watched": 42, "coverage": coverage(42)},
            "quiet: 0 of 42 trials changed · checked 42/42 · data of 2019-07-17",
        ),
        (
            [],
            {"watched": 42, "coverage": coverage(42, refreshed=False)},
            (
                "quiet: 0 of 42 trials changed · checked 42/42 · "
                "registry not refreshed since 2019-07-17"
            ),
        ),
        (
            [],
            {"watched": 42, "coverage": coverage(41, failed=(UncheckedTrial(SLOW, "timed out"),))},
            "INCOMPLETE: 41 of 42 checked · 1 unknown · see reasons · demo · 2019-07-17",
        ),
    ],
)
def test_the_subject_summarizes_the_changes_or_says_why_there_are_none(
    events: list[StoredEvent], given: dict[str, object], subject: str
) -> None:
    assert report(events, **given).subject == subject


def test_the_four_reasons_for_no_change_are_never_mixed() -> None:
    failed = coverage(3, failed=(UncheckedTrial(NctId("NCT00000009"), "timed out"),))
    stale = coverage(4, refreshed=False)

    kinds = [
        {sentence.standing for sentence in built.sentences}
        for built in (
            report([]),
            report([stored(contact())]),
            report([], coverage=failed),
            report([], coverage=stale),
        )
    ]

    assert kinds == [
        {NoChangeReason.NO_UPDATE},
        {NoChangeReason.NO_UPDATE, NoChangeReason.ADMINISTRATIVE_ONLY},
        {NoChangeReason.NO_UPDATE, NoChangeReason.NOT_CHECKED},
        {NoChangeReason.NOT_REFRESHED},
    ]


def test_every_followed_trial_is_counted_once() -> None:
    failed = coverage(9, failed=(UncheckedTrial(NctId("NCT00000009"), "timed out"),))
    built = report([*demo_events(), stored(contact(), NctId("NCT00000008"))],
                  watched=10, coverage=failed)  # fmt: skip

    changed = sum(n for level, n in built.counts.items() if level is not Level.ADMINISTRATIVE)
    counted = changed + len(built.welcomes) + sum(one.count for one in built.sentences)
    assert counted == 10


def test_a_step_links_the_compare_page_if_both_registry_numbers_are_known() -> None:
    steps = report().trials[1].steps

    assert steps[-1].compare_url == (
        "https://clinicaltrials.gov/study/NCT03690141?tab=history&a=7&b=8#version-content-panel"
    )
    unknown = report([stored(status("A", "B"), from_registry_version=None)])
    assert unknown.trials[0].steps[0].compare_url is None


def test_a_cut_value_shows_how_much_is_cut_and_the_command_for_the_rest() -> None:
    step = report([stored(outcome("word " * 400, "none of it"))]).trials[0].steps[0]

    assert step.is_cut
    assert step.command == "ctsync diff NCT01352702 4 5"
    assert "(+" in step.lines[0].before


def test_the_order_of_the_events_does_not_change_the_report() -> None:
    assert report(demo_events()) == report(list(reversed(demo_events())))


levels = st.sampled_from(list(Level))


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(2, 5), levels), max_size=60),
    st.integers(1, 30),
)
def test_shown_collapsed_and_left_out_changes_add_up_to_the_total(
    picks: list[tuple[int, int, Level]], limit: int
) -> None:
    events = [
        stored(event(Kind.OTHER, level, path=f"p{i}"), an_id(trial), to_version=to)
        for i, (trial, to, level) in enumerate(picks)
    ]

    built = build(events, window=WINDOW, scope=Scope("all", 6, limit=limit))

    left_out = built.left_out.events if built.left_out else 0
    assert built.shown + built.collapsed + left_out == built.total == len(events)
    assert built.shown <= limit
    assert sum(built.counts.values()) == len({trial for trial, _, _ in picks})


def test_a_limit_keeps_the_changes_of_the_highest_level() -> None:
    mild = [stored(event(Kind.SITE, Level.ROUTINE, path=f"s{n}"), QUICK) for n in range(50)]

    built = report([*mild, *demo_events()[:3]], limit=5)

    assert [trial.nct_id for trial in built.trials] == [SLOW, QUICK]
    assert (built.trials[0].left_out, built.trials[1].left_out) == (0, 48)
    assert built.left_out is not None
    assert built.left_out.command == "ctsync changes --since 2019-07-01"


def test_the_report_id_changes_with_its_content() -> None:
    one, other = report(demo_events()[:2]), report(demo_events()[:3])

    assert one.report_id != other.report_id
    assert replace(one) == report(demo_events()[:2])


LONG = " ".join(f"word{n}" for n in range(100))


def test_a_partly_changed_text_shows_its_changed_words_and_counts_the_rest() -> None:
    after = LONG.replace("word50 ", "changed ")
    line = report([stored(outcome(LONG, after))]).trials[0].lines[0]

    assert [(piece.mark.value, piece.text) for piece in line.pieces] == [
        ("cut", "42 words as before"),
        ("kept", " ".join(f"word{n}" for n in range(42, 50))),
        ("removed", "word50"),
        ("added", "changed"),
        ("kept", " ".join(f"word{n}" for n in range(51, 59))),
        ("cut", "41 words as before"),
    ]
    assert line.is_cut


def test_a_completely_changed_text_has_no_word_by_word_diff() -> None:
    line = report([stored(outcome(LONG, LONG.upper()))]).trials[0].lines[0]

    assert not line.pieces


def test_a_change_of_one_letter_in_a_measure_is_marked() -> None:
    before = "Objective response by RECIST 1.1, read centrally at week 24 by two readers"
    line = report([stored(outcome(before, before.replace("RECIST", "iRECIST")))]).trials[0].lines[0]

    changed = [piece for piece in line.pieces if piece.mark.value in ("removed", "added")]
    assert [piece.text for piece in changed] == ["RECIST", "iRECIST"]


def test_a_text_shown_word_by_word_does_not_repeat_the_number_of_its_words() -> None:
    edited = event(
        Kind.ELIGIBILITY, Level.ROUTINE, label="Eligibility Criteria", before=LONG,
        after=LONG.replace("word50 ", "word50, "),
        summary="Eligibility Criteria edited: 1 word removed, 1 word added, 99 words kept",
    )  # fmt: skip
    built = report([stored(edited)])
    line = built.trials[0].lines[0]

    changed = [piece.text for piece in line.pieces if piece.mark.value in ("removed", "added")]
    assert (line.detail, changed) == ("", [","])
    for form in (ReportFormat.TEXT, ReportFormat.MARKDOWN, ReportFormat.HTML):
        assert "words kept" not in render(built, form)
    assert "word50{+,+}" in render(built, ReportFormat.TEXT)
    assert "<ins>,</ins>" in render(built, ReportFormat.HTML)


def test_a_change_of_sites_shows_the_summary_of_its_event() -> None:
    sites = event(
        Kind.SITE, Level.ROUTINE, label="Sites", path=SITES,
        before=[{"city": "Rome", "facility": "A", "country": "Italy"}],
        inputs={"before": 44, "after": 43, "removed": 1},
        summary="Sites 44 -> 43: 1 removed (Italy), " + "and so on " * 9,
    )  # fmt: skip
    trial = report([stored(sites)]).trials[0]

    assert trial.what == "1 site removed (Italy)"
    assert trial.lines[0].detail.startswith("44 -> 43: 1 removed (Italy)")
    assert trial.lines[0].is_cut


def test_a_date_that_became_actual_shares_the_line_of_its_move() -> None:
    became = event(
        Kind.PRIMARY_COMPLETION_DATE, path="type", label="Primary Completion type",
        before="ESTIMATED", after="ACTUAL", before_type="ESTIMATED", after_type="ACTUAL",
        summary="Primary Completion estimated -> actual (2014-05)",
    )  # fmt: skip
    trial = report([stored(became), stored(primary_completion("2014-04", "2014-05", 30, 820))])

    assert trial.trials[0].what == "primary completion +1 month"
    (line,) = trial.trials[0].lines
    assert len(line.events) == 2
    assert (trial.shown, trial.total) == (2, 2)
