"""Net changes of fields over a window, as rows and subjects show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.dates import PartialDate
from ctsync.model import Event, Kind, Level, StoredEvent
from ctsync.report.formats.feed import entries
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.rows.report_row import report_row
from ctsync.report.words.net_changes import net_changes, phrase
from tests.report.examples import coverage, enrollment, event, report, status, stored

COMPLETION = "protocolSection.statusModule.completionDateStruct"
ESTIMATED, ACTUAL = "ESTIMATED", "ACTUAL"


def moved(
    before: str | None, after: str | None, level: Level = Level.ROUTINE, **given_: Any
) -> Event:
    """Return a move of the completion date, with its days."""
    old, new = PartialDate.parse(before), PartialDate.parse(after)
    default = {
        "path": f"{COMPLETION}.date", "label": "Completion", "before": before, "after": after,
        "before_type": ESTIMATED if before else None, "after_type": ESTIMATED if after else None,
        "days": old.shift_to(new).days if old and new else None,
    }  # fmt: skip
    return event(Kind.COMPLETION_DATE, level, **default | given_)


def became(level: Level = Level.NOTABLE, before: str = ESTIMATED, after: str = ACTUAL) -> Event:
    return event(
        Kind.COMPLETION_DATE, level, path=f"{COMPLETION}.type", label="Completion type",
        before=before, after=after, before_type=before, after_type=after,
        summary=f"Completion {before} -> {after} (2027-01-01)",
    )  # fmt: skip


def counted(before: int, after: int, types: str = "EE", level: Level = Level.ROUTINE) -> Event:
    name = {"E": ESTIMATED, "A": ACTUAL}
    percent = round((after - before) / before * 100, 1)
    return replace(
        enrollment(before, after, percent),
        before_type=name[types[0]], after_type=name[types[1]], level=level,
    )  # fmt: skip


def history(*versions: Sequence[Event]) -> list[StoredEvent]:
    """Return the events of consecutive versions of one trial."""
    return [
        stored(one, from_version=n, to_version=n + 1)
        for n, events in enumerate(versions, 1)
        for one in events
    ]


def row(*versions: Sequence[Event]) -> str:
    (trial,) = report(history(*versions)).trials
    return trial.what


def test_a_row_adds_up_the_moves_of_a_date() -> None:
    slipped = moved("2026-01-01", "2027-04-05", Level.CRITICAL)

    assert row([slipped], [moved("2027-04-05", "2027-04-07")]) == "completion +1.3 years"


# CSV has one row per change, not per trial
@pytest.mark.parametrize("form", [form for form in ReportFormat if form is not ReportFormat.CSV])
def test_every_format_shows_the_net_move(form: ReportFormat) -> None:
    slipped = moved("2026-01-01", "2027-04-05", Level.CRITICAL, days_since_first=459)
    later = moved("2027-04-05", "2027-04-07", days_since_first=461)

    text = render(report(history([slipped], [later])), form).replace("\\", "")  # of Markdown

    assert "completion +1.3 years" in text


def test_the_subject_shows_the_net_move() -> None:
    slipped = moved("2026-01-01", "2027-04-05", Level.CRITICAL, days_since_first=500)
    later = moved("2027-04-05", "2027-04-07", days_since_first=502)

    built = report(history([slipped], [later]), watched=1, coverage=coverage(1))

    assert built.subject == "completion +1.3 years, to Apr 2027 (NCT01352702)"


@pytest.mark.parametrize(
    ("versions", "what"),
    [
        (
            [
                [moved("2026-01-01", "2027-04-05", Level.CRITICAL)],
                [moved("2027-04-05", "2026-01-01", Level.CRITICAL)],
            ],
            "completion +1.3 years, then back to 2026-01-01 (estimated)",
        ),
        (
            [
                [moved("2026-01-01", "2027-04-05", Level.CRITICAL)],
                [moved("2027-04-05", "2026-01-11", Level.CRITICAL)],
            ],
            "completion +10 days: +1.3 years, then -1.2 years",
        ),
        (
            [
                [moved("2026-01-01", None, Level.NOTABLE)],
                [moved(None, "2026-01-11")],
            ],
            "completion +10 days: removed, then given as 2026-01-11 (estimated)",
        ),
        (
            [
                [moved("2026-01-01", "2026-01-02")],
                [moved("2026-01-02", "2027-04-06", Level.CRITICAL)],
                [moved("2027-04-06", "2026-06-01", Level.NOTABLE)],
                [moved("2026-06-01", "2026-05-31")],
            ],
            "completion +5 months: 4 changes, one of +1.3 years",
        ),
        (
            [
                [status("RECRUITING", "SUSPENDED")],
                [status("SUSPENDED", "RECRUITING")],
            ],
            "status -> Suspended, then back to Recruiting",
        ),
        (
            [
                [status("RECRUITING", "TERMINATED")],
                [status("TERMINATED", "COMPLETED", Level.NOTABLE)],
            ],
            "status -> Terminated, then Completed",
        ),
        (
            [
                [status("RECRUITING", "ACTIVE_NOT_RECRUITING", Level.NOTABLE)],
                [status("ACTIVE_NOT_RECRUITING", "COMPLETED", Level.NOTABLE)],
            ],
            "status -> Completed",
        ),
        (
            [[counted(18, 8, "EA", Level.CRITICAL)], [counted(8, 18, "AE", Level.NOTABLE)]],
            "8 of 18 enrolled, then back to 18 (estimated)",
        ),
        (
            [[counted(263, 120, level=Level.NOTABLE)], [counted(120, 99, "EA", Level.CRITICAL)]],
            "enrollment 263 (estimated) -> 99 (actual)",
        ),
        (
            [[counted(100, 40, level=Level.NOTABLE)], [counted(40, 90, level=Level.NOTABLE)]],
            "enrollment 100 (estimated) -> 40 (estimated) -> 90 (estimated)",
        ),
    ],
)
def test_a_change_that_was_reversed_stays_in_the_row(
    versions: list[list[Event]], what: str
) -> None:
    assert row(*versions) == what


def test_a_row_names_the_type_that_gave_it_its_level() -> None:
    step = moved("2026-01-01", "2026-01-31", after_type=ACTUAL)

    assert row([step, became()]) == "completion +30 days, now actual"


def test_a_type_that_follows_in_a_later_version_is_part_of_the_net_move() -> None:
    changes = net_changes(history([moved("2026-01-01", "2026-01-31")], [became()]))

    (event_,) = (change.event for change in changes)
    assert (event_.before, event_.before_type) == ("2026-01-01", ESTIMATED)
    assert (event_.after, event_.after_type) == ("2026-01-31", ACTUAL)
    assert event_.level is Level.NOTABLE


def test_an_administrative_step_is_part_of_the_net_move_of_a_date() -> None:
    precise = moved("2026-01", "2026-01-31", Level.ADMINISTRATIVE)
    later = moved("2026-01-31", "2027-01-31", Level.CRITICAL)

    (change,) = net_changes(history([precise], [later]))

    assert (change.event.before, change.event.after) == ("2026-01", "2027-01-31")
    assert phrase(change) == "completion +1.0 years"


def test_a_field_with_administrative_changes_only_is_no_net_change() -> None:
    assert net_changes(history([moved("2026-01", "2026-01-31", Level.ADMINISTRATIVE)])) == []


def test_a_milder_change_of_the_same_item_does_not_hide_the_worse_one() -> None:
    path = "protocolSection.outcomesModule.primaryOutcomes[Survival]"
    dropped = event(Kind.OUTCOME, Level.CRITICAL, path=path, summary="Primary outcome dropped")
    added = event(Kind.OUTCOME, Level.NOTABLE, path=path, summary="Primary outcome added")

    assert row([dropped], [added]) == "Primary outcome dropped, then Primary outcome added"


def test_a_list_item_removed_and_added_again_is_shown_as_changed_back() -> None:
    path = "protocolSection.conditionsModule.conditions"
    removed: dict[str, Any] = {"label": "Terms", "inputs": {"removed": 1}}
    added: dict[str, Any] = {"label": "Terms", "inputs": {"added": 1}}
    gone = event(Kind.OTHER, path=path, before=["Flu"], after=[], **removed)
    again = event(Kind.OTHER, path=path, before=[], after=["Flu"], **added)
    other = event(Kind.OTHER, path=path, before=[], after=["Cold"], **added)

    assert row([gone], [again]) == "Terms: 1 removed, then changed back"
    assert row([gone], [other]) == "Terms: 1 added"


def test_a_record_that_was_gone_and_is_back_shows_both() -> None:
    gone = event(Kind.GONE, Level.CRITICAL, path="", before="RECRUITING")
    back = event(Kind.RETURNED, Level.NOTABLE, path="", after="RECRUITING")

    assert row([gone], [back]) == "gone from the registry, then back in the registry"


def test_a_row_has_all_measured_fields_and_counts_other_changes_by_level() -> None:
    worst = Level.CRITICAL
    start, primary = (
        replace(moved("2026-01-01", "2027-01-01", worst), kind=kind, path=f"{kind}.date")
        for kind in (Kind.START_DATE, Kind.PRIMARY_COMPLETION_DATE)
    )
    texts = [
        event(Kind.OUTCOME, level, path=f"p{n}", summary=f"outcome {n}")
        for n, level in enumerate([worst, worst, Level.ROUTINE])
    ]
    became_fewer = counted(18, 8, "EA", worst)

    told = row([status("RECRUITING", "TERMINATED"), became_fewer, start, primary,
                moved("2026-01-01", "2026-01-03"), *texts])  # fmt: skip

    assert told == (
        "status -> Terminated; start +1.0 years; primary completion +1.0 years; 8 of 18 enrolled; "
        "completion +2 days; "
        "+3 more (2 critical)"
    )


def test_within_a_level_the_largest_move_comes_first() -> None:
    changes = [moved("2026-01-01", "2026-03-01"), counted(100, 50)]

    assert row(changes) == "enrollment 100 (estimated) -> 50 (estimated); completion +59 days"


@pytest.mark.parametrize(
    ("primary", "later", "first"),
    [
        (730, 730, "primary completion +2.0 years"),
        (730, 731, "primary completion +2.0 years"),
        (122, 123, "primary completion +4 months"),
        (20, 45, "completion +45 days"),
        (122, 747, "completion +2.0 years"),
    ],
)
def test_of_moves_that_read_alike_the_primary_completion_comes_first(
    primary: int, later: int, first: str
) -> None:
    moves = [
        replace(moved("2026-01-01", "2026-02-01"), kind=kind, path=f"{kind}.date", days=days,
                after=(date(2026, 1, 1) + timedelta(days=days)).isoformat())
        for kind, days in ((Kind.COMPLETION_DATE, later), (Kind.PRIMARY_COMPLETION_DATE, primary))
    ]  # fmt: skip

    assert row(moves).split("; ")[0] == first


def test_the_row_names_every_date_that_moved_since_registration() -> None:
    kinds = (Kind.START_DATE, Kind.PRIMARY_COMPLETION_DATE, Kind.COMPLETION_DATE)
    dates = [
        replace(moved("2026-01-01", "2026-02-01", days_since_first=31 * n), kind=kind,
                path=f"{kind}.date")
        for n, kind in enumerate(kinds, 1)
    ]  # fmt: skip

    (trial,) = report(history([*dates, counted(70, 46)])).trials

    assert (
        trial.since_first
        == "primary completion +2 months, enrollment -34.3 %, completion +3 months, start +31 days"
    )


def test_the_json_has_the_values_at_both_ends_of_the_window() -> None:
    events = history(
        [moved("2026-01-01", "2027-04-05", Level.CRITICAL)], [moved("2027-04-05", "2026-01-01")]
    )

    (trial,) = report_row(report(events)).trials

    (move,) = trial.moves
    assert (move.before, move.after, move.days) == ("2026-01-01", "2026-01-01", 0)
    assert (move.level, move.changes, move.is_reversed) == (Level.CRITICAL, 2, True)
    assert move.text == trial.what


def test_a_feed_entry_describes_its_own_version_and_not_the_window() -> None:
    events = history([moved("2026-01-01", "2027-04-05")], [moved("2027-04-05", "2027-04-07")])

    titles = {entry.title for entry in entries(report(events)) if "#v" in entry.id}

    assert titles == {
        "completion +1.3 years, to Apr 2027 (NCT01352702)",
        "completion +2 days, to Apr 2027 (NCT01352702)",
    }


dates = st.one_of(st.none(), st.dates().map(str), st.dates().map(lambda day: str(day)[:7]))


@given(st.lists(dates, min_size=2, max_size=7), st.data())
def test_the_net_move_is_the_move_from_the_first_value_to_the_last(
    values: list[str | None], data: st.DataObject
) -> None:
    pairs = [(b, a) for b, a in pairwise(values) if b != a]
    versions = [[moved(b, a, data.draw(st.sampled_from(list(Level)[:3])))] for b, a in pairs]

    changes = net_changes(history(*versions))

    assert len(changes) == bool(pairs)
    for change in changes:
        old, new = PartialDate.parse(values[0]), PartialDate.parse(values[-1])
        assert (change.event.before, change.event.after) == (values[0], values[-1])
        assert change.event.days == (old.shift_to(new).days if old and new else None)
        assert change.level.rank == min(event.level.rank for (event,) in versions)
        assert change.is_reversed == (values[0] == values[-1])
        assert phrase(change)
