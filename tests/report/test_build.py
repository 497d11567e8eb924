"""What a report says, whatever it is rendered as."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.model import KeyFields, Kind, Level, NctId, StoredEvent
from ctsync.report.build import Scope, build
from ctsync.report.report import NoChangeReason, UncheckedTrial
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


def test_a_trial_has_one_row_and_the_worst_comes_first() -> None:
    told = report()

    assert [(trial.nct_id, trial.level) for trial in told.trials] == [
        (SLOW, Level.CRITICAL),
        (QUICK, Level.CRITICAL),
    ]
    assert told.trials[0].what == "status -> TERMINATED; 46 of 70 enrolled; PCD +30 d"
    assert told.trials[0].since_first == "PCD +820 d, N -34.3 %"


def test_ties_go_to_the_larger_slip_then_the_later_phase_then_the_larger_enrollment() -> None:
    ids = [NctId(f"NCT0000000{n}") for n in range(1, 5)]
    keys = {
        ids[0]: KeyFields(phases="PHASE1", enrollment=9000),
        ids[1]: KeyFields(phases="PHASE3", enrollment=10),
        ids[2]: KeyFields(phases="PHASE3", enrollment=20),
        ids[3]: KeyFields(phases="EARLY_PHASE1"),
    }
    slipped = stored(primary_completion("2020-01-01", "2021-01-01", 366, 366), ids[3])
    others = [stored(status("RECRUITING", "COMPLETED", Level.NOTABLE), one) for one in ids[:3]]

    told = report([*others, slipped], keys=keys)

    assert [trial.nct_id for trial in told.trials] == [ids[3], ids[2], ids[1], ids[0]]


def test_administrative_changes_are_counted_and_the_command_that_shows_them_is_named() -> None:
    quick = report().trials[1]

    assert (quick.administrative, quick.administrative_versions) == (3, 3)
    assert quick.command == ("ctsync changes NCT03690141 --level administrative --since 2019-07-01")
    assert all(line.stored.event.level is not Level.ADMINISTRATIVE for line in quick.lines)


def test_a_trial_changed_in_administrative_fields_only_says_so_in_its_row() -> None:
    told = report([stored(contact(), to_version=n) for n in (5, 6, 7)])

    assert told.trials[0].what == "3 versions, contacts only (collapsed)"
    assert told.subject == "[ctsync] administrative only: 1 of 4 trials · demo · 2019-07-17"


def test_a_baseline_is_a_welcome_with_the_state_of_the_trial_and_never_a_change() -> None:
    told = report([stored(first_seen(), SEED, from_version=None, to_version=1)])

    assert told.total == 0
    assert not told.trials
    assert told.welcomes[0].state == (
        "RECRUITING · Phase 3 · N 20 (estimated) · PCD 2018-12-31 (estimated) passed · "
        "last update posted 2018-01-04 · registered 360 d after start"
    )


@pytest.mark.parametrize(
    ("events", "given", "subject"),
    [
        (
            demo_events()[:3],
            {"watched": 42, "title": "GF-watch", "coverage": coverage(42)},
            "[ctsync] 1 critical · 1 of 42 trials · GF-watch · 2019-07-17",
        ),
        (
            demo_events()[:3],
            {"watched": 1, "coverage": coverage(1)},
            (
                "[ctsync] NCT01352702 TERMINATED · 46 of 70 enrolled · "
                "PCD +30 d (+820 d since registration)"
            ),
        ),
        (
            [],
            {"watched": 42, "coverage": coverage(42)},
            "[ctsync] quiet: 0 of 42 trials changed · checked 42/42 · data of 2019-07-17",
        ),
        (
            [],
            {"watched": 42, "coverage": coverage(42, refreshed=False)},
            (
                "[ctsync] quiet: 0 of 42 trials changed · checked 42/42 · "
                "registry not refreshed since 2019-07-17"
            ),
        ),
        (
            [],
            {"watched": 42, "coverage": coverage(41, failed=(UncheckedTrial(SLOW, "timed out"),))},
            "[ctsync] INCOMPLETE: 41 of 42 checked · 1 unknown · see reasons · demo · 2019-07-17",
        ),
    ],
)
def test_the_subject_tells_whether_to_open_it(
    events: list[StoredEvent], given: dict[str, object], subject: str
) -> None:
    assert report(events, **given).subject == subject


def test_the_four_sentences_are_never_mixed() -> None:
    failed = coverage(3, failed=(UncheckedTrial(NctId("NCT00000009"), "timed out"),))
    stale = coverage(4, refreshed=False)

    kinds = [
        {sentence.standing for sentence in told.sentences}
        for told in (
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


def test_every_trial_followed_is_accounted_for_once() -> None:
    failed = coverage(9, failed=(UncheckedTrial(NctId("NCT00000009"), "timed out"),))
    told = report([*demo_events(), stored(contact(), NctId("NCT00000008"))],
                  watched=10, coverage=failed)  # fmt: skip

    changed = sum(n for level, n in told.counts.items() if level is not Level.ADMINISTRATIVE)
    spoken_of = changed + len(told.welcomes) + sum(one.count for one in told.sentences)
    assert spoken_of == 10


def test_the_compare_page_is_linked_where_both_registry_numbers_are_known() -> None:
    steps = report().trials[1].steps

    assert steps[-1].compare_url == (
        "https://clinicaltrials.gov/study/NCT03690141?tab=history&a=7&b=8#version-content-panel"
    )
    unknown = report([stored(status("A", "B"), from_registry_version=None)])
    assert unknown.trials[0].steps[0].compare_url is None


def test_a_value_too_long_to_print_says_what_is_cut_and_names_the_command() -> None:
    step = report([stored(outcome("word " * 400, "none of it"))]).trials[0].steps[0]

    assert step.is_cut
    assert step.command == "ctsync diff NCT01352702 4 5"
    assert "(+" in step.lines[0].before


def test_the_same_events_make_the_same_report_whatever_their_order() -> None:
    assert report(demo_events()) == report(list(reversed(demo_events())))


levels = st.sampled_from(list(Level))


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(2, 5), levels), max_size=60),
    st.integers(1, 30),
)
def test_shown_collapsed_and_left_out_make_up_the_total(
    picks: list[tuple[int, int, Level]], limit: int
) -> None:
    events = [
        stored(event(Kind.OTHER, level, path=f"p{i}"), NctId(f"NCT0000000{trial}"), to_version=to)
        for i, (trial, to, level) in enumerate(picks)
    ]

    told = build(events, window=WINDOW, scope=Scope("all", 6, limit=limit))

    left_out = told.left_out.events if told.left_out else 0
    assert told.shown + told.collapsed + left_out == told.total == len(events)
    assert told.shown <= limit
    assert sum(told.counts.values()) == len({trial for trial, _, _ in picks})


def test_a_limit_keeps_the_worst() -> None:
    mild = [stored(event(Kind.SITE, Level.ROUTINE, path=f"s{n}"), QUICK) for n in range(50)]

    told = report([*mild, *demo_events()[:3]], limit=5)

    assert [trial.nct_id for trial in told.trials] == [SLOW, QUICK]
    assert (told.trials[0].left_out, told.trials[1].left_out) == (0, 48)
    assert told.left_out is not None
    assert told.left_out.command == "ctsync changes --since 2019-07-01"


def test_the_report_id_changes_with_its_content() -> None:
    one, other = report(demo_events()[:2]), report(demo_events()[:3])

    assert one.report_id != other.report_id
    assert replace(one) == report(demo_events()[:2])


LONG = " ".join(f"word{n}" for n in range(100))


def test_a_text_that_changed_in_part_is_shown_word_by_word_with_the_rest_counted() -> None:
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


def test_a_text_that_is_another_altogether_is_shown_whole() -> None:
    line = report([stored(outcome(LONG, LONG.upper()))]).trials[0].lines[0]

    assert not line.pieces


def test_one_letter_that_changes_a_measure_is_seen() -> None:
    before = "Objective response by RECIST 1.1, read centrally at week 24 by two readers"
    line = report([stored(outcome(before, before.replace("RECIST", "iRECIST")))]).trials[0].lines[0]

    changed = [piece for piece in line.pieces if piece.mark.value in ("removed", "added")]
    assert [piece.text for piece in changed] == ["RECIST", "iRECIST"]


def test_what_is_no_measure_is_told_in_the_events_own_words() -> None:
    sites = event(
        Kind.SITE, Level.ROUTINE, label="Sites", before=[{"city": "Rome", "facility": "A"}],
        summary="Sites 44 -> 43: 1 removed (Italy), " + "and so on " * 9,
    )  # fmt: skip
    trial = report([stored(sites)]).trials[0]

    assert trial.what == "Sites 44 -> 43"
    assert trial.lines[0].detail.startswith("44 -> 43: 1 removed (Italy)")
    assert trial.lines[0].is_cut


def test_that_a_date_became_actual_is_told_in_its_line_and_not_twice_in_the_row() -> None:
    became = event(
        Kind.PRIMARY_COMPLETION_DATE, path="type", label="Primary Completion type",
        before="ESTIMATED", after="ACTUAL", before_type="ESTIMATED", after_type="ACTUAL",
        summary="Primary Completion ESTIMATED -> ACTUAL (2014-05)",
    )  # fmt: skip
    trial = report([stored(became), stored(primary_completion("2014-04", "2014-05", 30, 820))])

    assert trial.trials[0].what == "PCD +30 d"
    (line,) = trial.trials[0].lines
    assert len(line.events) == 2
    assert (trial.shown, trial.total) == (2, 2)
