"""A sync cycle, as cron runs it, that fails at any statement or commit and is then repeated."""

from __future__ import annotations

import base64
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from ctsync.errors import StoreError
from tests.conftest import PostgresServer
from tests.installation import COMMIT, Installation, Killed
from tests.registry_fixtures import an_id, make_study
from tests.store.samples import engine_of

pytestmark = pytest.mark.slow

TRIALS = tuple(map(an_id, range(200, 206)))
STATUS = "protocolSection.statusModule."


def before_the_load(url: str) -> Installation:
    """Return an installation that follows six trials, just before a load that changes them.

    The load changes two trials, publishes one, withdraws one, and returns one that was merged.
    """
    watches = {"some": TRIALS[:2], "all": TRIALS[:5]}
    here = Installation(url, watches=watches, anna_follows=["some", "merged"])
    merged, other = TRIALS[5], TRIALS[2]
    for nct_id in (*TRIALS[:4], merged):
        here.catalogue.publish(make_study(nct_id))
    with here.store.unit() as unit:
        unit.watches.add_trials("merged", {merged: None}, here.clock.now())
    here.round()
    here.catalogue.advance()
    here.catalogue.withdraw(TRIALS[3])
    here.catalogue.merge(merged, into=other)
    here.round()  # the withdrawn trial is missing for the first time
    here.catalogue.advance()
    here.catalogue.edit(TRIALS[0], {STATUS + "overallStatus": "TERMINATED"})
    here.catalogue.edit(TRIALS[1], {STATUS + "primaryCompletionDateStruct.date": "2029-01"})
    here.catalogue.edit(other, {"protocolSection.identificationModule.nctIdAliases": None})
    here.catalogue.publish(make_study(TRIALS[4]))
    here.catalogue.publish(make_study(merged))
    here.received.clear()
    return here


def stored_state(here: Installation) -> tuple[Any, ...]:
    """Versions, events and followed trials, without the ids that a repeated run may change."""
    versions = [
        (v.nct_id, v.version, v.state, v.digest) for i in TRIALS for v in here.store.versions.of(i)
    ]
    events = sorted(
        (e.nct_id, e.from_version or 0, e.to_version, e.event.path, e.event.summary)
        for e in here.events()
    )
    followed = [
        (watch.name, one.nct_id) for watch in here.store.watches.all() for one in watch.trials
    ]
    return versions, events, followed


def delivery_counts(here: Installation) -> Counter[tuple[Any, ...]]:
    """Count how often each recipient received each event. Event ids do not matter."""
    known = {e.event_id: (e.nct_id, e.to_version, e.event.path) for e in here.events()}
    return Counter({(to, *known[event_id]): n for (to, event_id), n in here.event_counts().items()})


def broken_at_each(
    start: Callable[[], Installation],
    breaking: Callable[[Installation, int], AbstractContextManager[None]],
    places: Iterable[int],
) -> Iterator[tuple[Installation, bool]]:
    """Break the same cycle at each of these places, until it runs without a failure."""
    for number in places:
        here = start()
        try:
            with breaking(here, number):
                here.round()
            broken = False
        except Killed:
            here.reopen()
            broken = True
        except (OperationalError, StoreError):
            broken = True
        yield here, broken
        here.store.close()
        if not broken:
            return


def every(step: int) -> Callable[[list[str]], Iterable[int]]:
    """Return the places 1, 1 + step, ..., in the form of `distinct_statements`."""
    return lambda _done: itertools.count(1, step)


def distinct_statements(done: list[str]) -> list[int]:
    """Return the number of the first and of the last execution of each statement of a cycle."""
    statements = [one for one in done if one != COMMIT]
    first = {one: number for number, one in reversed([*enumerate(statements, 1)])}
    last = {one: number for number, one in enumerate(statements, 1)}
    return sorted({*first.values(), *last.values()})


def writing_commits(done: list[str]) -> list[int]:
    """Return the numbers of the commits that end a transaction that writes."""
    begins = [one for one in done if one.startswith("BEGIN")]
    assert len(begins) == done.count(COMMIT)
    return [number for number, one in enumerate(begins, 1) if one == "BEGIN IMMEDIATE"]


@pytest.fixture
def start_on_file(migrated_sqlite_url: str) -> Callable[[], Installation]:
    """Return a function that opens a fresh copy of the same installation."""
    first = before_the_load(migrated_sqlite_url)
    first.store.close()
    file = Path(migrated_sqlite_url.removeprefix("sqlite:///"))
    kept = file.with_name("kept.db")
    shutil.copy(file, kept)
    saved = first.catalogue

    def start() -> Installation:
        for end in ("-wal", "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)
        shutil.copy(kept, file)
        return Installation(
            migrated_sqlite_url, saved, first.clock, first.watches, first.anna_follows, []
        )

    return start


WAYS: dict[str, Callable[[Installation, int], AbstractContextManager[None]]] = {
    "statement failed": lambda here, n: here.failing_at(n),
    "killed": lambda here, n: here.killed_at(n),
    "answer to a commit lost": lambda here, n: here.answer_lost_at(n),
}


@pytest.mark.parametrize(
    ("way", "places"),
    [
        pytest.param("statement failed", distinct_statements, id="statement failed"),
        # a kill at a statement leaves the same rows as a failed statement
        pytest.param("killed", every(9), id="killed"),
        pytest.param("answer to a commit lost", writing_commits, id="answer to a commit lost"),
        *(
            pytest.param(way, every(1), marks=pytest.mark.soak, id=f"{way}, everywhere")
            for way in WAYS
        ),
    ],
)
def test_a_cycle_broken_anywhere_is_completed_by_the_next_cycle(
    start_on_file: Callable[[], Installation],
    way: str,
    places: Callable[[list[str]], Iterable[int]],
) -> None:
    whole = start_on_file()
    with whole.recording() as done:
        whole.round()
    wanted, reported = stored_state(whole), delivery_counts(whole)
    assert len(wanted[1]) > len(TRIALS)
    whole.store.close()
    broken = torn = lost = repeated = 0
    for here, failed in broken_at_each(start_on_file, WAYS[way], places(done)):
        broken += failed
        here.clock.sleep(7 * 3600)  # past all leases and retry intervals
        here.round()
        torn += stored_state(here) != wanted
        checked = broken % 5 == 0  # the complete check takes longer than the cycle
        torn += checked and here.problems() != []
        again = delivery_counts(here)
        lost += any(again[key] < 1 for key in reported)
        repeated += any(count > 1 for count in again.values())
    print(
        f"cycle, {way}: {broken} places, {torn} torn, {lost} not reported; "
        f"reported twice after {repeated}"
    )
    assert broken > 20
    assert (torn, lost) == (0, 0)


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.soak)])
def test_a_cycle_that_fails_on_postgresql_is_completed_by_the_next_cycle(
    postgres: PostgresServer, step: int
) -> None:
    url = postgres.new_migrated_database()
    first = before_the_load(url)
    first.store.close()
    engine_urls: list[str] = []

    def start() -> Installation:
        copy = postgres.new_database(postgres.name_of(url))
        engine_urls.append(copy)
        return Installation(copy, first.catalogue, first.clock, first.watches, ["some"], [])

    whole = start()
    whole.round()
    wanted = stored_state(whole)
    whole.store.close()
    broken = torn = 0
    for here, failed in broken_at_each(start, WAYS["statement failed"], itertools.count(1, step)):
        broken += failed
        here.clock.sleep(7 * 3600)
        here.round()
        torn += stored_state(here) != wanted or here.problems() != []
    for copy in [*engine_urls, url]:
        postgres.drop(copy)
    print(f"cycle on PostgreSQL, statement failed: {broken} places, {torn} torn")
    assert broken > 1
    assert torn == 0


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_a_cycle_on_a_full_disk_is_never_torn_and_succeeds_with_space(
    start_on_file: Callable[[], Installation], step: int
) -> None:
    whole = start_on_file()
    noise = random.Random(5)  # text that cannot be compressed needs pages of its own
    for nct_id in TRIALS[:3]:
        text = base64.b64encode(noise.randbytes(15_000)).decode()
        module = "protocolSection.descriptionModule"
        whole.catalogue.edit(nct_id, {module: {"detailedDescription": text}})
    whole.round()
    wanted = stored_state(whole)
    whole.store.close()
    full = torn = room = 0
    while True:
        here = start_on_file()
        # let the file grow by a few pages more each time, until the cycle fits
        engine = engine_of(here.store)
        with engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

        def limit(connection: Any, _record: object, most: int = pages + room) -> None:
            connection.execute(f"PRAGMA max_page_count = {most}")

        engine.dispose()
        event.listen(engine, "connect", limit)
        message = ""
        try:
            here.round()
        except StoreError as error:
            message = str(error)
        finally:
            event.remove(engine, "connect", limit)
            engine.dispose()
        assert not message or "disk is full" in message
        full += bool(message)
        here.reopen()
        here.clock.sleep(7 * 3600)
        here.round()
        torn += stored_state(here) != wanted or here.problems() != []
        here.store.close()
        if not message:
            break
        room += step
    print(f"cycle on a full disk: {full} sizes, {torn} torn, complete with space")
    assert full > 3
    assert torn == 0
