"""`compact` frees space and loses no version or delivery; statistics describe the content."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from ctsync.errors import LockHeld, StoreUnavailable
from ctsync.model import NctId
from ctsync.store.admin import compact
from ctsync.store.admin.check import check
from ctsync.store.admin.stats import stats_of
from ctsync.store.bodies import codec
from ctsync.store.database.tables import BODIES
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.store.samples import OTHER, TRIAL, fill, record
from tests.store.test_copy import dump

FORK = multiprocessing.get_context("fork")


def unpacked_rows(store: Store) -> dict[str, object]:
    """Read all rows, with bodies unpacked, so that the way they are packed does not matter."""
    rows: dict[str, object] = {t: r for t, r in dump(store).items() if t != "bodies"}
    digests = {
        v.digest for t in store.trials.stored_ids() for v in store.versions.of(t) if v.digest
    }
    return rows | {"bodies": {digest: store.bodies.read(digest) for digest in digests}}


def fill_badly_packed(store: Store) -> None:
    """Store two bodies that no version uses, one a delta, and a trial that has only keyframes."""
    fill(store, 20)
    fill(store, 3, OTHER)
    with store.unit() as unit:
        lone, delta = record(900, NctId("NCT00000900")), record(901, NctId("NCT00000900"))
        for one, base in ((lone, None), (delta, lone)):
            unit.connection.execute(
                insert(BODIES).values(
                    digest=one.digest,
                    raw_size=len(one.canonical),
                    encoding="keyframe" if base is None else "delta",
                    base_digest=base and base.digest,
                    depth=0 if base is None else 1,
                    data=codec.pack(one.canonical, base.canonical if base else None),
                )
            )
        for number in range(20):
            one = record(number)
            unit.connection.execute(
                update(BODIES)
                .where(BODIES.c.digest == one.digest)
                .values(
                    encoding="keyframe", base_digest=None, depth=0, data=codec.pack(one.canonical)
                )
            )


@pytest.mark.slow
def test_compact_frees_space_and_keeps_every_version_and_delivery(
    store: Store, migrated_url: str
) -> None:
    fill_badly_packed(store)
    before, unsent = unpacked_rows(store), store.outbox.deliveries()
    assert [problem.kind for problem in check(migrated_url)] == ["unused body"]
    packed = stats_of(store).bytes
    done = compact.compact(store)
    assert unpacked_rows(store) == before
    assert store.outbox.deliveries() == unsent
    assert check(migrated_url) == []
    assert (done.dropped, done.repacked) == (2, 1)
    left = stats_of(store).bytes
    was, now = (size["keyframes"] + size["deltas"] for size in (packed, left))
    assert now < was / 3
    print(f"compact: {was:,} bytes of bodies before, {now:,} after, 0 versions or deliveries lost")
    assert compact.compact(store).repacked == 0


@pytest.mark.slow
def test_compact_packs_the_remaining_keyframes_with_the_dictionary(
    store: Store, migrated_url: str
) -> None:
    fill_badly_packed(store)
    learned = codec.train([record(number).canonical for number in range(1000)])
    assert learned is not None
    with store.unit() as unit:
        unit.bodies.add_dictionary(learned)
    before = unpacked_rows(store)
    assert compact.compact(store).repacked == 1
    assert unpacked_rows(store) == before
    assert check(migrated_url) == []
    own = [v.digest for v in store.versions.of(TRIAL)]
    alone = BODIES.c.digest.in_(own) & (BODIES.c.encoding == "keyframe")
    with store.view() as connection:
        keyframes = connection.scalars(select(BODIES.c.data).where(alone)).all()
    number = codec.Dictionary(learned).number
    # one keyframe is enough for 20 versions
    assert [codec.dictionary_of(bytes(data)) for data in keyframes] == [number]


@pytest.mark.slow
def test_compact_does_not_change_well_packed_bodies(store: Store) -> None:
    fill(store, 40)
    before = dump(store)
    done = compact.compact(store)
    assert (done.dropped, done.repacked) == (0, 0)
    assert dump(store) == before


@pytest.mark.slow
def test_compact_leaves_a_damaged_body_to_check_and_continues(store: Store) -> None:
    fill_badly_packed(store)
    with store.unit() as unit:
        unit.connection.execute(
            update(BODIES).where(BODIES.c.digest == record(5).digest).values(data=b"damaged")
        )
    before = dump(store)["bodies"]
    done = compact.compact(store)
    assert (done.dropped, done.repacked) == (2, 0)
    assert len(dump(store)["bodies"]) == len(before) - 2


def test_compact_changes_nothing_if_the_disk_is_too_full(
    migrated_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        fill_badly_packed(store)
        before = dump(store)
        usage = shutil.disk_usage("/")._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
        with pytest.raises(StoreUnavailable, match="bytes of free disk"):
            compact.compact(store)
        assert dump(store) == before


def test_compact_fails_at_once_if_the_writer_lock_is_held(store: Store, migrated_url: str) -> None:
    with (
        open_store(migrated_url, clock=StillClock()) as other,
        other.writer(holder="ctsync sync"),
        pytest.raises(LockHeld),
    ):
        compact.compact(store)


def work(url: str) -> None:
    with open_store(url, clock=StillClock()) as store:
        compact.compact(store)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=pytest.mark.soak)])
def test_compact_loses_nothing_if_killed_at_any_moment(
    migrated_sqlite_url: str, tmp_path: Path, kills: int
) -> None:
    file = Path(migrated_sqlite_url.removeprefix("sqlite:///"))
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        fill_badly_packed(store)
        before = unpacked_rows(store)
    content = file.read_bytes()
    rng = random.Random(9)
    lost = unsound = ended = 0
    for _ in range(kills):
        for leftover in file.parent.glob(f"{file.name}-*"):
            leftover.unlink()
        file.write_bytes(content)
        child = FORK.Process(target=work, args=(migrated_sqlite_url,))
        child.start()
        time.sleep(rng.uniform(0.0, 0.2))
        child.kill()
        child.join()
        ended += child.exitcode == 0
        with open_store(migrated_sqlite_url, clock=StillClock()) as store:
            lost += unpacked_rows(store) != before
        kinds = {problem.kind for problem in check(migrated_sqlite_url)}
        unsound += not kinds <= {"unused body"}
    print(f"compact: {kills} killed ({ended} had finished), {lost} with losses, {unsound} unsound")
    assert (lost, unsound) == (0, 0)


def test_statistics_report_counts_and_sizes(store: Store) -> None:
    fill(store, 20)
    fill(store, 1, OTHER)
    found = stats_of(store)
    assert found.counts["snapshots"] == 21
    assert found.spread == {
        "1": 1, "2": 0, "3 to 5": 0, "6 to 10": 0, "11 to 20": 1, "21 to 50": 0, "51 or more": 0,
    }  # fmt: skip
    assert found.most_versions == 20
    assert sum(month.versions for month in found.months) == 21
    assert sum(month.events for month in found.months) == 42
    assert [one.nct_id for one in found.largest] == [TRIAL, OTHER]
    with store.view() as connection:
        sizes = connection.execute(select(BODIES.c.data, BODIES.c.raw_size)).all()
    packed = sum(len(data) for data, _ in sizes)
    assert found.bytes["keyframes"] + found.bytes["deltas"] == packed
    assert sum(month.bytes for month in found.months) == packed
    assert found.raw_bytes == sum(size for _, size in sizes)
    assert found.bytes["file"] > packed
    assert min(found.bytes[kind] for kind in ("events", "deliveries", "indexes")) > 0


def test_statistics_of_an_empty_database_are_empty(store: Store) -> None:
    found = stats_of(store)
    assert (found.raw_bytes, found.most_versions, found.months, found.largest) == (0, 0, (), ())
