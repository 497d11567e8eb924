"""History fetched after the newest version: queries, exports and imports."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ctsync.export.jsonl import import_lines
from ctsync.export.parquet import export_dataset
from ctsync.export.row_streams import cohort_rows, cthist_rows
from ctsync.model import Kind, Source, Version
from ctsync.questions.portfolio.find import find
from ctsync.questions.trial.field_history import field_history, field_value_row
from ctsync.questions.trial.version_dates import NotRegistered, version_on
from ctsync.record.rules.conditions import read_condition
from ctsync.record.rules.rules import Thresholds
from ctsync.report.rows.row_json import to_json
from ctsync.report.trial.field_history import words_of
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store, open_store
from ctsync.sync.history.rederive_events import rederive_events
from tests.conftest import StillClock
from tests.export.test_jsonl import lines_of, logical_dump
from tests.export.test_parquet import read
from tests.replay.registry_server import ReplayRegistry
from tests.sync.test_backfill import (
    LIFE,
    NEWEST,
    TRIAL,
    MakeBackfill,
    MakeSync,
    make_backfill,
    tell_history,
)

__all__ = ["make_backfill"]  # a fixture

ALL = Selection()
TODAY = date(2026, 3, 13)
NOW = datetime(2026, 3, 13, tzinfo=UTC)


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    """A SQLite store; test_backfill covers both kinds of database."""
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def backfilled(
    store: Store,
    replay: ReplayRegistry,
    make_sync: MakeSync,
    make_backfill: MakeBackfill,
    tmp_path: Path,
) -> Store:
    """A store with a trial that was seen live once, exported, and then backfilled."""
    replay.catalogue.publish(NEWEST)
    make_sync().run([TRIAL])
    export_dataset(store, tmp_path / "set", ALL)
    tell_history(replay, *LIFE)
    make_backfill().run([TRIAL])
    return store


def test_an_earlier_day_is_answered_from_the_version_of_that_day(backfilled: Store) -> None:
    versions = backfilled.versions.of(TRIAL)
    days = {"2018-01-04": 0, "2019-03-11": 0, "2019-03-12": 1, "2025-01-01": 2, "2026-01-13": 3}
    stood = {day: version_on(versions, date.fromisoformat(day)) for day in days}
    assert {
        day: one.registry_version for day, one in stood.items() if isinstance(one, Version)
    } == days
    assert version_on(versions, date(2018, 1, 3)) == NotRegistered("2018-01-04")
    assert [one.source for one in versions] == [Source.HISTORY] * 3 + [Source.BOTH]


def test_a_text_in_two_formats_has_one_value(backfilled: Store) -> None:
    versions = backfilled.versions.of(TRIAL)
    for name in ("briefSummary", "lead sponsor"):
        found = field_history(backfilled, versions, name, until=NOW)
        assert len(found.spells) == 1, (found.path, [one.value for one in found.spells])
    counts = field_history(backfilled, versions, "enrollmentInfo.count", until=NOW).spells
    assert [(one.value, one.since) for one in counts] == [
        (200, date(2018, 1, 4)), (150, date(2021, 6, 9)), (100, date(2026, 1, 13)),
    ]  # fmt: skip


def test_a_field_that_a_source_omits_is_unknown_and_not_empty(backfilled: Store) -> None:
    versions = backfilled.versions.of(TRIAL)
    spells_by_name = {
        name: field_history(backfilled, versions, name, until=NOW).spells
        for name in ("locations.countryCode", "detailed description")
    }
    shown_words = {name: list(words_of(spells)) for name, spells in spells_by_name.items()}
    assert shown_words == {
        "locations.countryCode": ["(not known: its source shows no such field)", "(none)"],
        "detailed description": ["(none)"],
    }
    shown = [to_json(field_value_row("", one)) for one in spells_by_name["locations.countryCode"]]
    assert [(one["from_version"], one["value"], one["carried"]) for one in shown] == [
        (1, None, False), (4, None, True),
    ]  # fmt: skip


def test_conditions_in_the_terms_of_v2_match_versions_of_the_history(backfilled: Store) -> None:
    asked = {
        "sponsor=A & B": [(1, 4)],
        "status=NOT_YET_RECRUITING": [(1, 1)],
        "enrollment>=150": [(1, 3)],
        "primary_completion=2028": [(3, 3)],
    }
    for text, runs in asked.items():
        found = find(backfilled, [read_condition(text)], today=TODAY, ever=True)
        assert [(one.from_version, one.to_version) for one in found] == runs, text


def test_backfilled_changes_are_found_by_the_day_they_happened(backfilled: Store) -> None:
    window = EventFilter(
        since=datetime(2021, 1, 1, tzinfo=UTC), until=datetime(2022, 1, 1, tzinfo=UTC)
    )
    events = backfilled.events.find(window)
    assert {one.to_registry_version for one in events} == {2}
    assert {Kind.ENROLLMENT, Kind.PRIMARY_COMPLETION_DATE} <= {one.event.kind for one in events}


def test_backfilled_rows_have_the_registrys_version_numbers_and_dates(
    backfilled: Store,
) -> None:
    rows = list(cthist_rows(backfilled, ALL))
    assert [(r["version_number"], r["total_versions"], r["source"]) for r in rows] == [
        (0, 4, "history"), (1, 4, "history"), (2, 4, "history"), (3, 4, "both"),
    ]  # fmt: skip
    assert [r["version_date"] for r in rows] == [
        one.submitted for one in backfilled.versions.of(TRIAL)
    ]
    assert {r["lead_sponsor"] for r in rows} == {'[{"class":"OTHER","name":"A & B"}]'}
    (row,) = cohort_rows(backfilled, ALL, today=date(2026, 3, 13))
    assert (row["first_target"], row["anticipated_enrollment"]) == (200, 100)


def test_a_dataset_adds_backfilled_versions_without_repeating_a_row(
    backfilled: Store, tmp_path: Path
) -> None:
    before = read(tmp_path / "set", "versions")
    export_dataset(backfilled, tmp_path / "set", ALL)
    rows = read(tmp_path / "set", "versions")
    assert [row["version"] for row in before] == [1]
    assert [(row["version"], row["registry_version"]) for row in rows] == [
        (1, 0), (2, 1), (3, 2), (4, 3),
    ]  # fmt: skip
    stored = sorted(one.event_id for one in backfilled.events.find())
    assert sorted(row["event_id"] for row in read(tmp_path / "set", "events")) == stored
    assert [one.rows for one in export_dataset(backfilled, tmp_path / "set", ALL)] == [0, 0]


def test_a_history_in_two_formats_survives_export_and_import(
    backfilled: Store, tmp_path: Path, migrated_file: Path
) -> None:
    shutil.copy(migrated_file, tmp_path / "other.db")
    with open_store(f"sqlite:///{tmp_path / 'other.db'}", clock=StillClock()) as other:
        import_lines(other, lines_of(backfilled))
        assert logical_dump(other) == logical_dump(backfilled)
        assert other.histories.states() == backfilled.histories.states()
        assert list(rederive_events(other, Thresholds())) == []
