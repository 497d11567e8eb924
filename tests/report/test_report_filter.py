"""The filters of a report, which apply to the net changes over the window."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from ctsync.model import Category, KeyFields, Kind, Level, NctId, StoredEvent
from ctsync.report.formats.plain_text import cut_between_phrases
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.report import NoChangeReason, Report
from ctsync.report.report_filter import ReportFilter, read_phase
from tests.registry_fixtures import an_id
from tests.report.examples import (
    QUICK,
    SLOW,
    contact,
    demo_events,
    enrollment,
    event,
    first_seen,
    primary_completion,
    report,
    status,
    stored,
)

SLIPPED = replace(primary_completion("2026-01-01", "2027-04-05", 459, 459), level=Level.CRITICAL)
LATER = replace(primary_completion("2027-04-05", "2027-04-07", 2, 461), level=Level.ROUTINE)
KEYS = {
    SLOW: KeyFields(lead_sponsor="AstraZeneca AB", phases="PHASE2|PHASE3"),
    QUICK: KeyFields(lead_sponsor="Roche", phases="PHASE1"),
}


def selected(events: list[StoredEvent], **filters: Any) -> Report:
    return report(events, keys=KEYS, selection=ReportFilter(**filters))


def rows(built: Report) -> dict[NctId, str]:
    return {trial.nct_id: trial.what for trial in built.trials}


def test_a_level_keeps_all_steps_of_a_net_change_that_reaches_it() -> None:
    events = [stored(SLIPPED), stored(LATER, from_version=5, to_version=6)]

    built = selected([*events, stored(enrollment(70, 71, 1.4), QUICK)], minimum=Level.CRITICAL)

    assert rows(built)[SLOW] == "primary completion +1.3 years"
    (trial,) = (one for one in built.trials if one.nct_id == SLOW)
    assert [line.stored.event.level for line in trial.lines] == [Level.CRITICAL, Level.ROUTINE]
    assert built.filters == "Only: level critical"


def test_filters_combine_and_leave_out_other_changes_of_a_trial() -> None:
    built = selected(demo_events(), minimum=Level.NOTABLE, categories=[Category.DATES])

    assert rows(built) == {SLOW: "primary completion +1 month"}
    assert built.filters == "Only: level notable or worse; category dates"
    assert built.trials[0].level is Level.NOTABLE
    assert built.shown + built.collapsed == built.total == 1


def test_every_trial_that_the_filters_leave_out_is_counted() -> None:
    built = selected(demo_events(), kinds=[Kind.PRIMARY_COMPLETION_DATE])

    counts = {one.standing: one.count for one in built.sentences}
    # one with other changes only, and one newly followed
    assert counts == {NoChangeReason.NOT_SELECTED: 2, NoChangeReason.NO_UPDATE: 1}


def test_a_report_whose_filters_match_nothing_never_says_that_nothing_changed() -> None:
    built = selected(demo_events(), kinds=[Kind.DOCUMENT])

    assert built.headline == "no change matches the filters: 0 of 4 trials"
    assert "quiet" not in built.subject


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"sponsor": "astra"}, [SLOW]),
        ({"sponsor": "a"}, [SLOW]),
        ({"phase": "PHASE3"}, [SLOW]),
        ({"phase": "PHASE1"}, [QUICK]),
        ({"phase": "PHASE4"}, []),
    ],
)
def test_a_sponsor_or_phase_selects_trials_with_all_their_changes(
    filters: dict[str, str], ids: list[NctId]
) -> None:
    built = selected(demo_events(), **filters)

    assert list(rows(built)) == ids
    everything = rows(report(demo_events(), keys=KEYS))
    assert all(everything[nct_id] == what for nct_id, what in rows(built).items())


def test_administrative_changes_are_shown_if_they_are_asked_for() -> None:
    built = selected(demo_events(), categories=[Category.CONTACTS])

    (trial,) = built.trials
    assert (trial.nct_id, trial.level, trial.fold) == (QUICK, Level.ADMINISTRATIVE, None)
    assert len(trial.lines) == 3
    assert "Central contact" in render(built, ReportFormat.TEXT)


def test_two_selections_of_the_same_changes_are_two_reports() -> None:
    ids = {
        selected(demo_events(), **filters).report_id
        for filters in ({}, {"phase": "PHASE2"}, {"minimum": Level.CRITICAL})
    }

    assert len(ids) == 3


def test_a_newly_followed_trial_is_selected_by_its_kind() -> None:
    new = stored(first_seen(), an_id(7), from_version=None, to_version=1)

    assert [one.nct_id for one in selected([new], kinds=[Kind.FIRST_SEEN]).welcomes] == [an_id(7)]
    assert selected([new], kinds=[Kind.STATUS]).welcomes == ()


@pytest.mark.parametrize("form", list(ReportFormat))
def test_every_format_but_csv_names_the_filters(form: ReportFormat) -> None:
    text = render(selected(demo_events(), phase="PHASE2"), form)

    assert ("Only: Phase 2" in text) is (form is not ReportFormat.CSV)


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("2", "PHASE2"),
        ("phase 2", "PHASE2"),
        ("Phase III", "PHASE3"),
        ("PHASE4", "PHASE4"),
        ("early 1", "EARLY_PHASE1"),
        ("Early Phase 1", "EARLY_PHASE1"),
        ("n/a", "NA"),
        ("5", None),
        ("early 2", None),
        ("", None),
    ],
)
def test_a_phase_is_read_as_people_write_it(text: str, phase: str | None) -> None:
    assert read_phase(text) == phase


# --- folded trials ----------------------------------------------------------------------------


def sites(level: Level = Level.ROUTINE) -> StoredEvent:
    changed = event(Kind.SITE, level, category=Category.SITES, path="sites", label="Sites",
                    summary="Sites 44 -> 43")  # fmt: skip
    return stored(changed, an_id(1), brief_title="A trial with sites")


def test_trials_with_changed_sites_or_administrative_fields_only_share_a_line() -> None:
    built = report([sites(), stored(contact(), an_id(2)), *demo_events()])
    text = " ".join(render(built, ReportFormat.TEXT).split())

    assert [trial.nct_id for trial in built.listed] == [SLOW, QUICK]
    assert "1 trial changed sites only: NCT00000001 A trial with sites (Sites 44 -> 43)" in text
    assert "1 trial changed administrative fields only: NCT00000002 (1 version, contacts" in text
    assert "3. NCT00000001" not in text


def test_html_and_json_have_folded_trials_in_full() -> None:
    built = report([sites(), *demo_events()])

    page, written = render(built, ReportFormat.HTML), render(built, ReportFormat.JSON)

    assert "<summary>1 trial changed sites only</summary>" in page
    assert "A trial with sites" in page
    assert '"folded": "sites"' in written


def test_a_trial_with_a_notable_change_of_sites_has_a_row() -> None:
    assert [one.fold for one in report([sites(Level.NOTABLE)]).trials] == [None]


def test_the_status_the_enrollment_dates_and_outcomes_come_first() -> None:
    other = event(Kind.OTHER, Level.NOTABLE, category=Category.DESIGN, path="a", summary="Masking")
    outcome = event(Kind.OUTCOME, Level.NOTABLE, category=Category.OUTCOMES, path="b",
                    summary="Outcome dropped")  # fmt: skip
    ids = [an_id(n) for n in range(3)]
    events = [stored(other, ids[0]), stored(status("A", "B", Level.NOTABLE), ids[1]),
              stored(other, ids[2]), stored(outcome, ids[2])]  # fmt: skip

    built = report(events)

    assert [trial.nct_id for trial in built.trials] == [ids[1], ids[2], ids[0]]
    assert rows(built)[ids[2]] == "Outcome dropped; Masking"


def many(count: int) -> Report:
    return report([stored(status("A", "TERMINATED"), an_id(n), brief_title=f"Trial number {n}")
                   for n in range(1, count + 1)], watched=count)  # fmt: skip


@pytest.mark.parametrize("form", [ReportFormat.TEXT, ReportFormat.HTML])
def test_a_list_at_a_glance_comes_first_if_the_worst_trials_fill_a_screen(
    form: ReportFormat,
) -> None:
    few, full = render(many(5), form), render(many(40), form)

    assert "glance" not in few.lower().partition("<main")[2].replace(".glance", "") or (
        form is ReportFormat.TEXT and "AT A GLANCE" not in few
    )
    start = full.lower().rindex("at a glance")
    lines = full[start:].splitlines()[1:43]
    assert sum("Trial number" in line and "Terminated" in line for line in lines) >= 38


def test_a_line_at_a_glance_never_breaks() -> None:
    text = render(many(40), ReportFormat.TEXT)
    block = text.split("AT A GLANCE\n")[1].split("\n\n")[0].splitlines()

    assert len(block) == 40
    assert max(map(len, block)) <= 76


def test_a_line_at_a_glance_counts_every_change_that_it_leaves_out() -> None:
    what = "status -> Terminated; primary completion +1.2 years; start +15 days; +15 more"

    assert cut_between_phrases(what, 40) == "status -> Terminated; +17 more"
    assert cut_between_phrases(f"{what} (2 critical)", 40) == "status -> Terminated; +17 more"
    assert cut_between_phrases(what, 100) == what


def test_a_line_at_a_glance_has_room_for_the_title_on_a_page() -> None:
    """NCT07227597 had so many words of changes that its line showed no title at 1280 pixels."""
    arms = [event(Kind.LEFT, Level.NOTABLE, path=f"p{n}", before=f"{n} {'long words ' * 3}")
            for n in range(4)]  # fmt: skip
    built = report([
        stored(one, an_id(n), brief_title=f"Trial number {n}") for n in range(1, 20) for one in arms
    ])  # fmt: skip
    lines = re.findall(r"<b>(.*?)</b> · Trial number", render(built, ReportFormat.HTML))

    print(f"at a glance: {len(lines)} lines, the longest change has {max(map(len, lines))} letters")
    assert len(lines) == 19
    assert max(map(len, lines)) <= 95
    assert all(re.search(r"\+\d more$|…$", line) for line in lines)
