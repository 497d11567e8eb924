"""Watched ids without a record of their own: aliases, and ids that the registry never had.

Uses real HTTP and one database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from ctsync.model import NctId, Verdict
from ctsync.store.store import Store, open_store
from ctsync.sync.cycle_result import CyclePreview
from ctsync.sync.result import SyncResult
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.registry_fixtures import an_id, publish
from tests.replay.registry_server import ReplayRegistry

ONE, OLD, NEVER, TYPO = an_id(1), an_id(2), an_id(98), an_id(99)
MakeSync = Callable[..., TrialPass]


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def sync(
    store: Store, clock: StillClock, replay: ReplayRegistry, make_sync: MakeSync
) -> Callable[..., SyncResult]:
    """Return a function that syncs everything watched, as a cycle does, on the next day."""

    def run(*only: NctId) -> SyncResult:
        clock.elapsed += timedelta(days=1).total_seconds()
        replay.catalogue.advance()
        replay.forget_requests()
        if only:
            return make_sync().run(only, kind="sync of some")
        aliases = store.watched.moved_ids()
        return make_sync(aliases=aliases).run([*store.watched.ids(), *aliases])

    return run


def follow(store: Store, *ids: NctId) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(ids), StillClock().now())


def singly(replay: ReplayRegistry) -> list[str]:
    """The ids that were requested alone."""
    return [one.path.rpartition("/")[2] for one in replay.requests if "/studies/" in one.path]


def test_a_watched_alias_is_the_same_on_later_loads(
    store: Store, replay: ReplayRegistry, sync: Callable[..., SyncResult]
) -> None:
    publish(replay, OLD, ONE)
    replay.catalogue.merge(OLD, into=ONE)
    follow(store, OLD)
    sync()
    days: list[Any] = [sync().tally for _ in range(4)]
    print(f"watched alias: {sum(day.changed for day in days)} changes on 4 loads without a change")
    assert [(day.asked, day.answered, day.same, day.changed) for day in days] == [(1, 1, 1, 0)] * 4
    explicit = sync(OLD).tally
    assert (explicit.asked, explicit.same, explicit.changed) == (1, 1, 0)
    both = sync(OLD, ONE).tally
    assert (both.asked, both.same, both.changed) == (2, 2, 0)


@pytest.mark.slow
def test_an_id_that_never_existed_is_named_once_and_requested_weekly(
    store: Store, replay: ReplayRegistry, sync: Callable[..., SyncResult]
) -> None:
    publish(replay, ONE)
    follow(store, ONE, NEVER)
    named, asked = [], []
    for day in range(1, 23):
        if day == 4:
            follow(store, TYPO)
        result = sync()
        assert (result.verdict, result.tally.failed) == (Verdict.OK, 0)
        named += [(day, nct_id) for nct_id in result.unknown]
        asked += [(day, nct_id) for nct_id in singly(replay)]
        (batch,) = [one for one in replay.requests if one.path == "/v2/studies"]
        assert NEVER in batch.params["filter.ids"]
    print(f"never existed: named on days {named}, requested alone on days {asked}")
    assert named == [(1, NEVER), (4, TYPO)]
    assert asked == [
        (1, NEVER), (4, TYPO),
        *((day, one) for day in (8, 15, 22) for one in (NEVER, TYPO)),
    ]  # fmt: skip


def test_a_clock_that_ran_ahead_does_not_stop_the_weekly_request(
    store: Store, clock: StillClock, replay: ReplayRegistry, sync: Callable[..., SyncResult]
) -> None:
    publish(replay, ONE)
    follow(store, ONE, NEVER)
    clock.elapsed += timedelta(days=400).total_seconds()
    sync()
    clock.elapsed -= timedelta(days=400).total_seconds()
    sync()
    assert singly(replay) == [NEVER]
    sync()
    assert singly(replay) == []


def test_an_id_named_on_the_command_line_is_requested_and_named_each_time(
    store: Store, replay: ReplayRegistry, sync: Callable[..., SyncResult]
) -> None:
    follow(store, NEVER)
    sync()
    for _ in range(2):
        assert sync(NEVER).unknown == (NEVER,)
        assert singly(replay) == [NEVER]


def test_a_preview_names_an_absent_id_only_until_a_sync_has_named_it(
    store: Store, replay: ReplayRegistry, sync: Callable[..., SyncResult], make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    follow(store, ONE, NEVER)

    def previewed() -> list[NctId]:
        load, examined, _ = make_sync().preview(store.watched.ids())
        return CyclePreview(load, examined).unknown

    assert previewed() == [NEVER]
    assert sync().unknown == (NEVER,)
    assert previewed() == []
