"""kill -9 during a backfill: the next run repeats at most one request per kill.

The command runs in its own process, which is killed right after an answer or a little later. The
stored rows must equal those of a backfill that was not killed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctsync.record.rules.rules import Thresholds
from ctsync.store.store import open_store
from ctsync.sync.history.rederive_events import rederive_events
from tests.cli import starters
from tests.conftest import StillClock
from tests.faults.killed_runs import KilledRun
from tests.faults.test_mirror_kills import dump
from tests.forked import start_forked
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.sync.test_backfill import TRIAL, a_day, as_html
from tests.sync.test_partial_backfill import OTHERS, life_of, rows_of

pytestmark = pytest.mark.slow

LIFE = [
    a_day(f"{year}-{month:02}-15", count=100 + year % 7 + month, nct_id=TRIAL)
    for year in range(2018, 2022)
    for month in (2, 6, 10)
]


@pytest.fixture
def replay() -> Iterator[ReplayRegistry]:
    with ReplayRegistry(Catalogue("2026-02-02")) as registry:
        registry.catalogue.publish(LIFE[-1])
        registry.catalogue.set_history(TRIAL, [as_html(study) for study in LIFE])
        yield registry


def start(folder: Path, replay: ReplayRegistry, *words: str) -> KilledRun:
    environment = {
        "CTSYNC_REGISTRY_URL": replay.url,
        "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
        "CTSYNC_REGISTRY__BURST": "20",
        "CTSYNC_DATABASE_URL": f"sqlite:///{folder / 'ctsync.db'}",
        "HOME": str(folder),
    }
    return KilledRun(start_forked(starters.run, words, environment, folder, at_once=False), folder)


def versions_requested(replay: ReplayRegistry) -> int:
    return sum("/history/" in request.path for request in replay.requests)


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_a_backfill_killed_at_any_request_fetches_at_most_one_version_again(
    replay: ReplayRegistry, tmp_path: Path, step: int
) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in (calm, killed):
        folder.mkdir()
        start(folder, replay, "watch", "add", TRIAL, "--sync").finish()
    start(calm, replay, "backfill", TRIAL).finish()
    replay.forget_requests()

    chance, kills = random.Random(step), 0
    for _ in range(0, len(LIFE), step):
        seen = versions_requested(replay)

        def is_time(seen: int = seen) -> bool:
            return versions_requested(replay) >= seen + step

        # at once is before the answer is stored; a little later it may be stored
        later = chance.choice((0.0, chance.random() * 0.2))
        kills += start(killed, replay, "backfill", TRIAL).kill_when(is_time, later=later)
    start(killed, replay, "backfill", TRIAL).finish()

    again = versions_requested(replay) - len(LIFE)
    print(
        f"kill (backfill): {kills} injected among {len(LIFE)} versions, {again} fetched again, "
        f"{max(0, again - kills)} too many"
    )
    assert kills
    assert again <= kills
    assert dump(killed) == dump(calm)
    with open_store(f"sqlite:///{killed / 'ctsync.db'}", clock=StillClock()) as store:
        assert list(rederive_events(store, Thresholds())) == []
        assert [one.registry_version for one in store.versions.of(TRIAL)] == [*range(len(LIFE))]


def test_a_partial_backfill_that_was_killed_completes_like_one_made_at_once(
    tmp_path: Path,
) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    labels, ids = ("--labels", "Oversight"), [str(nct_id) for nct_id in OTHERS]
    with ReplayRegistry(Catalogue("2026-02-02")) as replay:
        for number, nct_id in enumerate(OTHERS):
            versions = life_of(number)
            replay.catalogue.publish(versions[-1])
            replay.catalogue.set_history(nct_id, [as_html(study) for study in versions])
        for folder in (calm, killed):
            folder.mkdir()
            start(folder, replay, "watch", "add", *ids, "--sync").finish()
        start(calm, replay, "backfill", *ids).finish()
        kills = 0
        for options, requests in ((labels, 3), (labels, 6), ((), 4)):
            seen = versions_requested(replay)

            def is_time(seen: int = seen, requests: int = requests) -> bool:
                return versions_requested(replay) >= seen + requests

            backfill = start(killed, replay, "backfill", *ids, *options)
            kills += backfill.kill_when(is_time, later=0.0)
        with open_store(f"sqlite:///{killed / 'ctsync.db'}", clock=StillClock()) as store:
            left = store.listed.count_unfetched()
        start(killed, replay, "backfill", *ids).finish()
    found = []
    for folder in (calm, killed):
        with open_store(f"sqlite:///{folder / 'ctsync.db'}", clock=StillClock()) as store:
            found.append(rows_of(store))
    print(f"kill (partial backfill): {kills} kills, {left[0]} versions not fetched before the last")
    assert kills == 3
    assert left[0] > 0
    assert found[0]["snapshots"]
    assert found[0] == found[1]
