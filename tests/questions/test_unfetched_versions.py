"""Listed versions among stored ones: their order, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest

from ctsync.errors import UsageError
from ctsync.model import ListedVersion, NctId, Source, Version
from ctsync.questions.trial.unfetched_versions import (
    between,
    course_points,
    field_note,
    gap_note,
    listed_sentence,
    numbers_of,
    record_note,
    since_version,
    unfetched_note,
)
from ctsync.record.history_form.module_labels import (
    MODULE_LABELS,
    label_of,
    may_change,
    read_labels,
)
from ctsync.report.words.event_line import event_line, gap_words
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.report.examples import event, stored
from tests.sync.histories import keep_history

TRIAL = NctId("NCT03389919")
COUNT = "protocolSection.designModule.enrollmentInfo.count"


def listed(number: int, day: str, *modules: str) -> ListedVersion:
    return ListedVersion(TRIAL, number, day, "RECRUITING", frozenset(modules))


ONE = listed(1, "2019-03-10", "Study Status")
TWO = listed(2, "2020-05-18", "Study Status", "Study Design")


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def versions(store: Store) -> list[Version]:
    """Return two versions seen live, submitted on the days that they were posted."""
    days = ("2018-01-04", "2021-06-09")
    studies = [
        make_study(
            TRIAL,
            lastUpdateSubmitDate=day,
            lastUpdatePostDateStruct={"date": day, "type": "ACTUAL"},
        )
        for day in days
    ]
    keep_history(store, studies, source=Source.LIVE)
    return store.versions.of(TRIAL)


def test_listed_versions_stand_between_stored_ones_by_day(versions: list[Version]) -> None:
    points = course_points(versions, [ONE, TWO])
    assert [point.what for point in points] == [versions[0], ONE, TWO, versions[1]]
    assert [str(point.day) for point in points] == [
        "2018-01-04", "2019-03-10", "2020-05-18", "2021-06-09",
    ]  # fmt: skip
    assert between(points, versions[0], versions[1]) == (ONE, TWO)
    assert between(points, versions[1], versions[0]) == (ONE, TWO)
    assert between(points, versions[1], versions[1]) == ()


def test_a_record_of_a_day_may_have_been_replaced_by_a_listed_version(
    versions: list[Version],
) -> None:
    points = course_points(versions, [ONE, TWO])
    assert since_version(points, versions[0], date(2018, 6, 1)) == ()
    assert since_version(points, versions[0], date(2019, 12, 31)) == (ONE,)
    assert since_version(points, versions[1], date(2022, 1, 1)) == ()
    note = record_note(TRIAL, (ONE, TWO), date(2020, 12, 31))
    assert "the record on 2020-12-31 may differ in Study Design, Study Status; to fetch" in note
    unlabelled = (listed(0, "2018-01-04"),)
    assert "may differ; to fetch" in record_note(TRIAL, unlabelled, date(2018, 2, 1))


def test_without_stored_versions_the_list_alone_is_in_order() -> None:
    same_day = [listed(n, "2019-03-10") for n in range(3)]
    assert [point.what for point in course_points([], same_day)] == same_day


def test_notes_name_the_versions_and_are_empty_without_any() -> None:
    assert numbers_of([0, 1, 2, 5, 7, 8]) == "v0-v2, v5, v7-v8"
    assert listed_sentence([ONE]) == "1 version is listed by the registry and not fetched (v1)"
    assert unfetched_note(TRIAL, [ONE, TWO]).endswith(f"(v1-v2); to fetch: ctsync backfill {TRIAL}")
    day = date(2020, 1, 1)
    assert [
        unfetched_note(TRIAL, []), gap_note(TRIAL, []), record_note(TRIAL, [], day),
        field_note(TRIAL, [], COUNT, has_values=False),
    ] == [""] * 4  # fmt: skip


def test_the_note_of_a_field_goes_by_the_modules_that_the_registry_names() -> None:
    def note(*those: ListedVersion) -> str:
        return field_note(TRIAL, those, COUNT, has_values=False)

    assert "by the registry's list, none changed this field" in note(ONE)
    assert "1 version of them (v2) may have changed this field" in note(ONE, TWO)
    assert "each may have changed this field" in note(TWO)
    assert "their values are those of the registry's list" in (
        field_note(TRIAL, [ONE], COUNT, has_values=True)
    )


def test_labels_are_read_in_any_case_and_each_stands_for_a_module() -> None:
    assert read_labels("study  status, OUTCOME MEASURES (RESULTS),Study Status") == (
        "Study Status",
        "Outcome Measures (Results)",
    )
    with pytest.raises(UsageError, match="'Design' is not a module label of the registry") as told:
        read_labels("Study Status,Design")
    assert all(label in str(told.value) for label in MODULE_LABELS)
    assert label_of(COUNT) == "Study Design"
    assert label_of("hasResults") is None
    assert may_change("hasResults", {"Oversight"})
    assert may_change(COUNT, frozenset())
    assert not may_change(COUNT, {"Oversight"})


@pytest.mark.parametrize("source", [Source.HISTORY, Source.LIVE])
def test_an_event_counts_the_versions_that_a_comparison_of_both_names(
    store: Store, source: Source
) -> None:
    """Versions 0, 3, 4 and 6 are stored, with the registry's numbers or, seen live, without."""
    days = [f"201{number}-03-10" for number in range(2, 10)]
    numbers = (0, 3, 4, 6)
    studies = [
        make_study(
            TRIAL,
            lastUpdateSubmitDate=days[number],
            lastUpdatePostDateStruct={"date": days[number], "type": "ACTUAL"},
            designModule={"enrollmentInfo": {"count": number, "type": "ESTIMATED"}},
        )
        for number in numbers
    ]
    keep_history(store, studies, source=source, registry_versions=numbers)
    with store.unit() as unit:
        unit.listed.replace(TRIAL, [listed(number, day) for number, day in enumerate(days)])
    versions = store.versions.of(TRIAL)
    points = course_points(versions, store.listed.unfetched(TRIAL))
    wanted = {1: 0} | {
        after.version: len(between(points, before, after)) for before, after in pairwise(versions)
    }
    found = {one.to_version: one.unfetched for one in store.events.find()}
    assert found == wanted == {1: 0, 2: 2, 3: 0, 4: 1}


def test_a_step_without_a_missing_version_says_nothing() -> None:
    whole, gap, unnumbered = (
        replace(stored(event(), from_version=2, to_version=3), **changes)
        for changes in (
            {},
            {"unfetched": 3, "from_registry_version": 3, "to_registry_version": 7},
            {"unfetched": 1, "from_registry_version": 3, "to_registry_version": None},
        )
    )
    assert gap_words(whole) == ""
    assert gap_words(gap) == "v3 -> v7 (3 versions between are not fetched)"
    assert gap_words(unnumbered) == "version 2 -> 3 (1 version between is not fetched)"
    assert "v2->v3 (3 versions between are not fetched)" in event_line(gap)
    assert "not fetched" not in event_line(whole)
