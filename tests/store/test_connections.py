"""No connection to a SQLite file is left open: it would keep its locks until it is collected."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ctsync.errors import CtsyncError
from ctsync.store.admin.backup import back_up
from ctsync.store.admin.check import check, quick_check
from ctsync.store.admin.compact import compact
from ctsync.store.admin.restore import restore
from ctsync.store.database.migrate import revision_of
from ctsync.store.store import open_for_reading, open_store
from tests.conftest import StillClock
from tests.store.samples import TRIAL, fill

PAGE = 4096


class Recorded(sqlite3.Connection):
    """A connection that knows whether it was closed."""

    is_closed = False

    def close(self) -> None:
        super().close()
        self.is_closed = True


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """Every connection that is made during a test."""
    made: list[Recorded] = []
    connect = sqlite3.connect

    def recorded(*given: Any, **named: Any) -> sqlite3.Connection:
        made.append(connect(*given, factory=Recorded, **named))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    return made


def use(url: str) -> None:
    with open_store(url, clock=StillClock(), patience_seconds=0.1) as store:
        store.versions.of(TRIAL)
        next(store.events.each(), None)
        with store.writer(holder="test"), store.unit() as unit:
            unit.marks.set("test", "1")
        store.counts()


def read(url: str) -> None:
    with open_for_reading(url, clock=StillClock(), patience_seconds=0.1) as store:
        next(store.events.each(), None)
        store.counts()


def make_smaller(url: str) -> None:
    with open_store(url, clock=StillClock(), patience_seconds=0.1) as store:
        compact(store)


def copy_beside(url: str) -> None:
    back_up(url, Path(f"{url.removeprefix('sqlite:///')}.copy"))


def put_back(url: str) -> None:
    file = Path(url.removeprefix("sqlite:///"))
    restore(f"sqlite:///{file.with_name('restored.db')}", file, clock=StillClock())
    shutil.copy(file, file.with_name("backup.db"))
    restore(url, file.with_name("backup.db"), clock=StillClock())


USES: list[Callable[[str], object]] = [
    use, read, make_smaller, copy_beside, put_back, revision_of, check,
    lambda url: quick_check(url, clock=StillClock(), seconds=1),
]  # fmt: skip


def damages(sound: bytes) -> Iterator[bytes]:
    """Yield a file that is sound, empty, cut, of another program, or damaged in one place."""
    yield sound
    yield b""
    yield b"nct_id,status\n" * 1000
    yield from (sound[: PAGE * pages] for pages in (1, 2, len(sound) // PAGE // 2))
    yield sound[: len(sound) // 2]
    for place in (20, 30, 60, 68, 100, 105, 110, PAGE + 3, 3 * PAGE, len(sound) // 2):
        yield sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :]


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_no_connection_is_left_open_however_a_file_is_damaged(
    step: int, connections: list[Recorded], migrated_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ctsync.db"
    shutil.copy(migrated_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        fill(store, 3)
    files, refused = list(damages(file.read_bytes()))[::step], 0
    for content in files:
        for number, action in enumerate(USES):
            folder = tmp_path / str(number)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "ctsync.db").write_bytes(content)
            refused += 1
            with suppress(CtsyncError):
                action(f"sqlite:///{folder / 'ctsync.db'}")
                refused -= 1
    left = [one for one in connections if not one.is_closed]
    print(
        f"connections: {len(files)} files used in {len(USES)} ways, {refused} refused, "
        f"{len(connections)} connections made, {len(left)} left open"
    )
    assert left == []
