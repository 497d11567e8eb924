"""A database file beside the log of another: refused before SQLite opens both, and never changed.

Files and logs of two databases are kept at many moments of their lives, as a backup program, a
snapshot of the disk or a person copies them. Then a file of one moment is put beside a log of
another. The pair must be refused, or give exactly the database as it was when the log was kept.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ctsync.errors import MixedDatabase
from ctsync.model import NctId
from ctsync.store.admin.backup import back_up
from ctsync.store.admin.check import MIXED_FILES, check
from ctsync.store.database.wal_chain import commit_link, has_foreign_log
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.store.samples import keep

UNITS = 20


@dataclass(frozen=True)
class Moment:
    """A file, its log and what the two hold."""

    main: bytes
    log: bytes
    held: str

    def put(self, file: Path, *, log: bytes | None = None) -> str:
        """Write the file, with its own log or another; return its URL."""
        for suffix in ("-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        file.write_bytes(self.main)
        Path(f"{file}-wal").write_bytes(self.log if log is None else log)
        return f"sqlite:///{file}"


def live(
    file: Path, rng: random.Random, units: int = UNITS, *, checkpoints: bool = True
) -> list[Moment]:
    """Write units of every kind, with checkpoints in between; return the moment after each."""
    url, moments = f"sqlite:///{file}", []
    heads: dict[NctId, int] = {}
    with open_store(url, clock=StillClock()) as store:
        for number in range(units):
            nct_id = NctId(f"NCT0000010{rng.randrange(4)}")
            what = rng.choice(["version", "version", "trial", "watch", "compact"])
            with store.unit() as unit:
                if what == "trial":
                    unit.trials.add(NctId(f"NCT0000020{rng.randrange(9)}"))
                elif what == "watch":
                    unit.watches.add(f"{rng.random()}")
                else:
                    heads[nct_id] = keep(unit, number, heads.get(nct_id), nct_id)
            if what == "compact" and checkpoints:
                store.vacuum()
            elif checkpoints and rng.random() < 0.3:
                with closing(sqlite3.connect(file)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            log = Path(f"{file}-wal").read_bytes()
            moments.append(Moment(file.read_bytes(), log, held_by(file)))
    return moments


def held_by(file: Path) -> str:
    """Return a digest of every row of a file and its log."""
    rows = hashlib.sha256()
    with closing(sqlite3.connect(file)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))):
                rows.update(row.encode(errors="surrogatepass"))
    return rows.hexdigest()


def mixes(one: list[Moment], other: list[Moment]) -> list[tuple[str, Moment, Moment]]:
    """Return each pair of a file and a log that were not kept at one moment."""
    pairs = []
    for i, first in enumerate(one):
        pairs += [("an older file", first, later) for later in one[i + 1 :]]
        pairs += [("a newer file", later, first) for later in one[i + 1 :]]
        pairs += [("another database", first, moment) for moment in other]
    return [(kind, a, b) for kind, a, b in pairs if b.log and a.main != b.main]


@pytest.mark.parametrize("tried", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_file_beside_another_log_is_refused_unless_the_two_continue_each_other(
    tried: int, tmp_path: Path, migrated_file: Path
) -> None:
    rng, file = random.Random(11), tmp_path / "mixed.db"
    lives = []
    for name in ("a", "b"):
        shutil.copy(migrated_file, tmp_path / f"{name}.db")
        lives.append(live(tmp_path / f"{name}.db", rng))
    every = mixes(*lives)
    chosen = rng.sample(every, min(tried, len(every)))
    noticed = continued = 0
    for kind, main, log in chosen:
        url = main.put(file, log=log.log)
        if has_foreign_log(file):
            (problem,) = check(url)
            assert problem.kind == MIXED_FILES
            assert (file.read_bytes(), Path(f"{file}-wal").read_bytes()) == (main.main, log.log)
            noticed += 1
        else:
            assert kind == "an older file"
            assert held_by(file) == log.held, "a mix was opened"
            continued += 1
    print(
        f"\nmixed files: {len(chosen)} made, {noticed} refused, "
        f"{continued} the complete later database, 0 mixed"
    )
    assert noticed > tried / 2


def test_a_pair_that_belongs_together_is_never_refused(tmp_path: Path, migrated_file: Path) -> None:
    file = tmp_path / "own.db"
    shutil.copy(migrated_file, tmp_path / "a.db")
    moments = live(tmp_path / "a.db", random.Random(12))
    for moment in moments:
        moment.put(file)
        assert not has_foreign_log(file)
        assert held_by(file) == moment.held
    print(f"\nfiles with their own log: {len(moments)} opened, 0 refused")


def test_a_torn_log_is_not_taken_for_another(tmp_path: Path, migrated_file: Path) -> None:
    """A power cut tears the end of a log. SQLite ignores it from there, and so does the check."""
    file, rng = tmp_path / "torn.db", random.Random(13)
    shutil.copy(migrated_file, tmp_path / "a.db")
    # no part of this log is in the file yet, so any part of it may be missing
    moment = live(tmp_path / "a.db", rng, units=6, checkpoints=False)[-1]
    for _ in range(60):
        at = rng.randrange(len(moment.log))
        log = moment.log[:at] + rng.randbytes(rng.randrange(9000)) + bytes(9000)
        moment.put(file, log=log[: len(moment.log)])
        assert not has_foreign_log(file)
        assert held_by(file) != ""
    print("\ntorn logs: 60 opened, 0 refused")


def test_a_log_that_sqlite_ignores_for_its_header_is_not_refused(
    tmp_path: Path, migrated_file: Path
) -> None:
    file = tmp_path / "ctsync.db"
    shutil.copy(migrated_file, tmp_path / "a.db")
    moment = live(tmp_path / "a.db", random.Random(15), units=1, checkpoints=False)[-1]
    # another page size, with the checksum of the old one
    log = moment.log[:8] + (8192).to_bytes(4, "big") + moment.log[12:]
    moment.put(file, log=log)
    assert not has_foreign_log(file)
    assert held_by(file) != moment.held


def big_endian(log: bytes) -> bytes:
    """Return a log as a big-endian machine writes it: SQLite reads both on any machine."""
    page_size = int.from_bytes(log[8:12], "big")
    header = (0x377F0683).to_bytes(4, "big") + log[4:24]
    sums = checksum((0, 0), header)
    found = [header, struct.pack(">2I", *sums)]
    for at in range(32, len(log) - page_size, 24 + page_size):
        head, page = log[at : at + 16], log[at + 24 : at + 24 + page_size]
        sums = checksum(checksum(sums, head[:8]), page)
        found += [head, struct.pack(">2I", *sums), page]
    return b"".join(found)


def checksum(sums: tuple[int, int], content: bytes) -> tuple[int, int]:
    """The rule of https://www.sqlite.org/fileformat2.html#checksum_algorithm."""
    first, second = sums
    for one, other in struct.iter_unpack(">2I", content):
        first = (first + one + second) % 2**32
        second = (second + other + first) % 2**32
    return first, second


def test_the_log_of_another_database_is_refused_also_if_its_checksums_are_big_endian(
    tmp_path: Path, migrated_file: Path
) -> None:
    files = [tmp_path / "one.db", tmp_path / "two.db"]
    one, two = (
        live(Path(shutil.copy(migrated_file, file)), random.Random(14), units=8)[-1]
        for file in files
    )
    assert one.main != two.main
    two.put(files[1], log=big_endian(two.log))
    assert not has_foreign_log(files[1])
    assert held_by(files[1]) == two.held
    one.put(files[0], log=big_endian(two.log))
    assert has_foreign_log(files[0])


def test_databases_grown_from_one_copy_are_told_apart(tmp_path: Path, migrated_file: Path) -> None:
    files = [tmp_path / "one.db", tmp_path / "two.db"]
    moments = []
    for file in files:
        shutil.copy(migrated_file, file)
        moments.append(live(file, random.Random(14), units=8)[-1])
    one, two = moments
    assert one.main != two.main
    one.put(files[0], log=two.log)
    assert has_foreign_log(files[0])


def test_a_left_over_log_beside_a_backup_is_refused_in_one_line(
    tmp_path: Path, migrated_sqlite_url: str
) -> None:
    """The last steps of a restore by hand, without moving the log away."""
    file = tmp_path / "ctsync.db"
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        with store.unit() as unit:
            unit.trials.add(NctId("NCT00000001"))
        back_up(migrated_sqlite_url, tmp_path / "backup.db")
        with store.unit() as unit:
            unit.trials.add(NctId("NCT00000002"))
        log = Path(f"{file}-wal").read_bytes()
    main = (tmp_path / "backup.db").read_bytes()
    url = Moment(main, log, "").put(file)
    with pytest.raises(MixedDatabase) as refused:
        open_store(url, clock=StillClock())
    assert "ctsync restore" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert file.read_bytes() == main


def test_a_unit_that_changes_nothing_writes_nothing(
    tmp_path: Path, migrated_sqlite_url: str
) -> None:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        with store.unit() as unit:
            unit.trials.add(NctId("NCT00000001"))
        before = Path(f"{tmp_path / 'ctsync.db'}-wal").read_bytes()
        with store.unit() as unit:
            unit.trials.add(NctId("NCT00000001"))
        assert Path(f"{tmp_path / 'ctsync.db'}-wal").read_bytes() == before


def test_each_link_names_the_one_before_it(tmp_path: Path) -> None:
    links: list[Any] = []
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        for _ in range(200):
            commit_link(connection)
            (link,) = connection.execute("PRAGMA user_version").fetchone()
            links.append(link & 0xFFFFFFFF)
    assert all(after & 0xFFFF == before >> 16 for before, after in pairwise(links))
    assert len(set(links)) > 190
