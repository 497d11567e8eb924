"""Repair of a damaged database: what can be rebuilt or fetched again is restored."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from ctsync.errors import CorruptBody, StoreError
from ctsync.model import NctId
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.interface import Registry
from ctsync.store.admin.check import check
from ctsync.store.store import Store, open_store
from ctsync.sync.repair import RepairStep, is_of_index, repair
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.faults.test_store_faults import failing
from tests.registry_fixtures import publish
from tests.replay.registry_server import ReplayRegistry
from tests.store.samples import fill
from tests.store.test_check import damage_database

ONE, TWO = NctId("NCT03389919"), NctId("NCT05935098")
STATUS = "protocolSection.statusModule.overallStatus"
OpenRegistry = Callable[[], Any]


@pytest.fixture
def open_registry(make_sync: Callable[..., TrialPass]) -> OpenRegistry:
    @contextmanager
    def opened() -> Iterator[Registry]:
        yield make_sync().registry

    return opened


@pytest.fixture
def synced(store: Store, replay: ReplayRegistry, make_sync: Callable[..., TrialPass]) -> Store:
    """Two trials; the first has three versions."""
    publish(replay, ONE, TWO)
    make_sync().run([ONE, TWO])
    for status in ("SUSPENDED", "TERMINATED"):
        replay.catalogue.advance()
        replay.catalogue.edit(ONE, {STATUS: status})
        make_sync().run([ONE, TWO])
    return store


def check_and_repair(store: Store, url: str, open_registry: OpenRegistry) -> list[RepairStep]:
    problems = check(url)
    return list(repair(store, problems, open_registry=open_registry, thresholds=Thresholds()))


def answers(store: Store) -> list[object]:
    """Everything a person can read: heads, versions, records and events."""
    found: list[object] = [store.trials.heads([ONE, TWO])]
    for nct_id in (ONE, TWO):
        versions = store.versions.of(nct_id)
        found += [(version, store.bodies.read(version.digest or "")) for version in versions]
    return [*found, *((one.nct_id, one.to_version, one.event) for one in store.events.each())]


HEAD = "(SELECT digest FROM snapshots WHERE id = 4)"
DAMAGES = {
    "wrong head": f"UPDATE trials SET head_snapshot_id = 1 WHERE nct_id = '{ONE}'",
    "no head": f"UPDATE trials SET head_snapshot_id = NULL, state = NULL WHERE nct_id = '{ONE}'",
    "wrong size": "UPDATE bodies SET raw_size = 7",
    "wrong depth": "UPDATE bodies SET depth = depth + 1",
    "event of another trial": f"UPDATE events SET nct_id = '{TWO}' WHERE to_snapshot_id = 3",
    "event of another step": "UPDATE events SET from_snapshot_id = 1 WHERE to_snapshot_id = 4",
    "wrong path": "UPDATE events SET path = 'x' WHERE to_snapshot_id = 4",
    "lost event": "DELETE FROM events WHERE to_snapshot_id = 3",
    "edited event": "UPDATE events SET summary = 'all is well' WHERE to_snapshot_id = 4",
    "unused body": "INSERT INTO bodies SELECT :other, raw_size, encoding, base_digest, depth, data "
    "FROM bodies WHERE encoding = 'delta' LIMIT 1",
    "newest body": f"UPDATE bodies SET data = :data WHERE digest = {HEAD}",
}


def values_of(statement: str) -> dict[str, bytes]:
    values = {"data": b"damaged", "other": bytes([1, *range(32)])}
    return {name: value for name, value in values.items() if f":{name}" in statement}


@pytest.mark.slow
def test_rows_that_can_be_derived_or_fetched_again_are_restored(
    synced: Store, migrated_url: str, open_registry: OpenRegistry
) -> None:
    right = answers(synced)
    for damage, statement in DAMAGES.items():
        damage_database(migrated_url, statement, **values_of(statement))
        done = check_and_repair(synced, migrated_url, open_registry)
        assert done, damage
        assert [one for one in done if not one.is_mended] == [], damage
        assert check(migrated_url) == [], damage
        assert answers(synced) == right, damage
    assert check_and_repair(synced, migrated_url, open_registry) == []
    print(f"repair: {len(DAMAGES)} kinds of damage, {len(DAMAGES)} repaired")


@pytest.mark.slow
def test_a_body_that_cannot_be_fetched_is_reported_and_the_rest_stays(
    synced: Store,
    migrated_url: str,
    open_registry: OpenRegistry,
    replay: ReplayRegistry,
) -> None:
    first, *_, last = [version.digest for version in synced.versions.of(ONE)]
    damage_database(migrated_url, "UPDATE bodies SET data = :data", data=b"damaged")
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "COMPLETED"})
    done = check_and_repair(synced, migrated_url, open_registry)
    of_bodies = {one.where: one for one in done if one.kind == "corrupt body"}
    assert last is not None
    assert of_bodies[last].says == f"the registry now has another version of {ONE}"
    assert not of_bodies[last].is_mended
    (other,) = [version.digest for version in synced.versions.of(TWO)]
    assert other is not None
    assert of_bodies[other].is_mended
    assert {problem.where for problem in check(migrated_url)} >= {first, last}
    with pytest.raises(CorruptBody):
        synced.bodies.read(last)
    assert synced.bodies.read(other)
    assert len(synced.versions.of(ONE)) == 3


def test_events_without_a_version_and_deliveries_without_an_event_are_dropped(
    tmp_path: Path, migrated_file: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'orphans.db'}"
    shutil.copy(migrated_file, tmp_path / "orphans.db")
    with open_store(url, clock=StillClock()) as store:
        fill(store, 3)
    damage_database(url, "DELETE FROM snapshots WHERE id = 3")
    damage_database(url, "DELETE FROM events WHERE id = 1")
    assert "broken reference" in {problem.kind for problem in check(url)}
    with open_store(url, clock=StillClock()) as store, store.unit() as unit:
        kinds = [kind for kind, *_ in (*unit.repairs.repair_heads(), *unit.repairs.repair_events())]
        kinds += [kind for kind, *_ in unit.repairs.repair_bodies([])]
    assert sorted(kinds) == [*["orphan"] * 3, "unused body", "wrong head"]
    assert check(url) == []


def test_an_index_that_lacks_a_row_is_rebuilt(tmp_path: Path, migrated_file: Path) -> None:
    url = f"sqlite:///{tmp_path / 'index.db'}"
    shutil.copy(migrated_file, tmp_path / "index.db")
    with open_store(url, clock=StillClock()) as store:
        fill(store, 3)
    with closing(sqlite3.connect(tmp_path / "index.db")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_snapshots_digest'"
        ).fetchone()
        (other,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_snapshots_run_id'"
        ).fetchone()
        change = "UPDATE sqlite_master SET rootpage = ? WHERE name = ?"
        connection.execute(change, (other, "ix_snapshots_digest"))
        connection.execute(change, (root, "ix_snapshots_run_id"))
        connection.commit()
    # a query through that index finds no version that refers to a body
    assert {problem.kind for problem in check(url)} == {"damaged file", "unused body"}
    with open_store(url, clock=StillClock()) as store, store.unit() as unit:
        assert all(is_of_index(one) for one in check(url) if one.kind == "damaged file")
        unit.repairs.rebuild_indexes()
        assert list(unit.repairs.repair_bodies([])) == []
    assert check(url) == []


EVERYTHING = (
    "wrong head",
    "wrong size",
    "event of another trial",
    "event of another step",
    "lost event",
    "unused body",
    "newest body",
)


@pytest.mark.slow
@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.soak)])
def test_a_repair_that_fails_at_any_statement_is_finished_by_the_next(
    synced: Store, migrated_url: str, open_registry: OpenRegistry, step: int
) -> None:
    right = answers(synced)
    failures = unfinished = 0
    for number in itertools.count(1, step):
        for damage in EVERYTHING:
            damage_database(migrated_url, DAMAGES[damage], **values_of(DAMAGES[damage]))
        problems = check(migrated_url)
        failed = True
        with (
            suppress(OperationalError, StoreError),
            failing(synced, "before_cursor_execute", number),
        ):
            list(repair(synced, problems, open_registry=open_registry, thresholds=Thresholds()))
            failed = False
        failures += failed
        check_and_repair(synced, migrated_url, open_registry)
        unfinished += check(migrated_url) != [] or answers(synced) != right
        if not failed:
            break
    print(f"repair: {failures} statements failed, {unfinished} incomplete after the next repair")
    assert failures * step > 20
    assert unfinished == 0
