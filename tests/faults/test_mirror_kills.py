"""kill -9 during a mirror, at every page and within one: the next run resumes.

The registry runs in this process. The mirror runs in its own process, which is killed right after
an answer or a little later. The stored rows must equal those of a mirror that was not killed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ctsync.store.admin.check import check
from ctsync.store.database.tables import METADATA
from ctsync.store.store import open_store
from ctsync.sync.mirror.scan import SWEEP
from tests.conftest import StillClock
from tests.faults.killed_runs import start_mirror
from tests.registry_fixtures import an_id, publish
from tests.replay.catalogue import Catalogue
from tests.replay.faults import EVERY_TIME, Fault
from tests.replay.http_messages import front_page
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

TRIALS, PAGE = 100, 4


@pytest.fixture
def replay() -> Iterator[ReplayRegistry]:
    with ReplayRegistry(Catalogue("2026-02-02")) as registry:
        publish(registry, *map(an_id, range(1, TRIALS + 1)))
        yield registry


def dump(folder: Path) -> dict[str, Any]:
    """The stored rows, without row numbers, run ids and times of our clock, which differ by run."""
    found: dict[str, Any] = {}
    with open_store(f"sqlite:///{folder / 'ctsync.db'}", clock=StillClock()) as store:
        with store.view() as connection:
            for name in ("trials", "snapshots", "events"):
                table = METADATA.tables[name]
                columns = [
                    column
                    for column in table.columns
                    if column.name
                    not in {"id", "run_id", "fetched", "last_seen_run_id", "history_asked"}
                    and not column.name.endswith("snapshot_id")
                ]
                rows = connection.execute(table.select().with_only_columns(*columns))
                found[table.name] = sorted(map(repr, rows))
        assert not check(f"sqlite:///{folder / 'ctsync.db'}")
    return found


def change_the_registry(replay: ReplayRegistry) -> None:
    """Go to the load of a week later: 20 trials posted, one changed without a date, one gone."""
    status = "protocolSection.statusModule"
    replay.load = "2026-02-10"
    replay.catalogue.withdraw(an_id(9))
    for number in range(50, 70):
        posted = {f"{status}.lastUpdatePostDateStruct.date": "2026-02-09"}
        replay.catalogue.edit(an_id(number), posted)
    replay.catalogue.edit(an_id(40), {f"{status}.overallStatus": "UNKNOWN"})


def is_swept(folder: Path, replay: ReplayRegistry) -> bool:
    with open_store(f"sqlite:///{folder / 'ctsync.db'}", clock=StillClock()) as store:
        return store.cursors.get(SWEEP).done_load == replay.load


def pages_of(replay: ReplayRegistry) -> int:
    """The number of pages requested. Requests of records by id do not count."""
    return sum(
        request.path == "/v2/studies" and "filter.ids" not in request.params
        for request in replay.requests
    )


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("way", ["pages", "sweep", "bulk"])
def test_a_mirror_killed_at_any_page_fetches_at_most_one_page_again(
    replay: ReplayRegistry, tmp_path: Path, way: str, step: int
) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in (calm, killed):
        folder.mkdir()
    if way == "pages":
        replay.faults.add(
            Fault(instead=front_page(404)), path="/v2/studies/download", times=EVERY_TIME
        )
    words: tuple[str, ...] = ()
    if way == "sweep":
        for folder in (calm, killed):
            start_mirror(folder, replay.url, PAGE).finish()
        change_the_registry(replay)
        words = ("sweep",)
    replay.forget_requests()
    assert way in start_mirror(calm, replay.url, PAGE, *words).finish()
    without_kills = pages_of(replay)
    chance, kills = random.Random(way), 0
    replay.forget_requests()
    for _ in range(0, without_kills if way != "bulk" else 25, step):
        if way == "sweep" and is_swept(killed, replay):
            break
        seen = pages_of(replay)

        def is_time(seen: int = seen) -> bool:
            if way == "bulk":
                return any(r.path.endswith("download") for r in replay.requests)
            return pages_of(replay) >= seen + step

        # at once is within a page; a little later it may be stored already
        later = chance.choice((0.0, chance.random() * 0.05))
        mirror = start_mirror(killed, replay.url, PAGE, *words)
        kills += mirror.kill_when(is_time, later=later)
    if way == "sweep" and is_swept(killed, replay):
        words = ()  # the sweep is complete; another would start from the beginning
    start_mirror(killed, replay.url, PAGE, *words).finish()
    more = pages_of(replay) - without_kills
    too_many = max(0, more - kills)
    print(f"kill ({way}): {kills} injected, {more} pages fetched again, {too_many} too many")
    assert kills
    assert too_many == 0
    assert dump(killed) == dump(calm)
