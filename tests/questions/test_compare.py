"""Two stored versions compared: the same events as the sync stored for them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from ctsync.model import Kind
from ctsync.questions.trial.compare import CompareQuestion, compare_versions, comparison_rows
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.record.reconstructed import FOLDER, studies
from tests.sync.histories import keep_history

NAMES = sorted(file.stem for file in FOLDER.glob("NCT*.json"))


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    """A SQLite store; test_backfill covers both kinds of database."""
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.mark.parametrize("name", NAMES)
def test_neighbouring_versions_have_the_levels_of_their_stored_events(
    store: Store, name: str
) -> None:
    trial = keep_history(store, studies(name))
    stored = [
        (one.to_version, one.event.path, one.event.level, one.event.rule, one.event.summary)
        for one in store.events.find(EventFilter(nct_ids=(trial,)))
        if one.event.kind is not Kind.FIRST_SEEN
    ]
    versions = store.versions.of(trial)

    derived = [
        (newer.version, event.path, event.level, event.rule, event.summary)
        for older, newer in pairwise(versions)
        for event in compare_versions(
            store, CompareQuestion(trial, str(older.version), str(newer.version))
        ).events
    ]

    assert sorted(derived) == sorted(stored)


@pytest.mark.parametrize("name", NAMES)
def test_any_two_versions_show_the_differences_of_their_records(store: Store, name: str) -> None:
    trial = keep_history(store, studies(name))
    first = compare_versions(store, CompareQuestion(trial, "first", "last"))
    reverse = compare_versions(store, CompareQuestion(trial, "last", "first"))
    records = [canonicalize(study) for study in studies(name)]

    assert list(first.changes) == diff(records[0], records[-1])
    assert list(reverse.changes) == diff(records[-1], records[0])
    for found in (first, reverse):
        reported = [path for event in found.events for path in event.covers]
        assert sorted(reported) == sorted(change.path for change in found.changes)
        assert [row.path for row in comparison_rows(found)] == [c.path for c in found.changes]
