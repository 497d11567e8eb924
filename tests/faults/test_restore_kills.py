"""kill -9 at each step of a restore: the database is the old one or the new one, never a mix.

A child process restores, and ends at the n-th file or database that it touches. Then the database
is opened as any command opens it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from ctsync.errors import MixedDatabase
from ctsync.model import NctId
from ctsync.store.admin.backup import back_up
from ctsync.store.admin.check import check
from ctsync.store.admin.restore import restore
from ctsync.store.store import open_for_reading, open_store
from tests.conftest import StillClock
from tests.faults.test_mixed_files import held_by

FORK = multiprocessing.get_context("fork")
KILLED = 9
STEPS = frozenset(
    {"open", "os.remove", "os.rename", "os.link", "os.chmod", "os.chown", "sqlite3.connect"}
)
CLOCK = StillClock()


def add(url: str, *numbers: int) -> None:
    with open_store(url, clock=CLOCK) as store:
        for number in numbers:
            with store.unit() as unit:
                unit.trials.add(NctId(f"NCT{number:08}"))


def make(folder: Path, template: Path, left: str) -> tuple[Path, Path]:
    """Make a backup, and a database that went on; `left` is what a crash left of it."""
    folder.mkdir()
    file, backup = folder / "ctsync.db", folder / "backup.db"
    url = f"sqlite:///{file}"
    shutil.copy(template, file)
    add(url, *range(1, 40))
    back_up(url, backup)
    with open_store(url, clock=CLOCK) as store:
        for number in range(40, 60):
            with store.unit() as unit:
                unit.trials.add(NctId(f"NCT{number:08}"))
        main, log = file.read_bytes(), Path(f"{file}-wal").read_bytes()
    if left == "a log":
        file.write_bytes(main)
        Path(f"{file}-wal").write_bytes(log)
    elif left == "the log of another":
        shutil.copy(backup, file)
        Path(f"{file}-wal").write_bytes(log)
    elif left == "no file":
        file.unlink()
    return file, backup


def restore_until(file: Path, backup: Path, step: int) -> None:
    """Restore, and end the process at this step, counted from 1."""
    seen = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in STEPS and str(file.parent) in str(arguments):
            seen += 1
            if seen == step:
                os._exit(KILLED)

    sys.addaudithook(count)
    restore(f"sqlite:///{file}", backup, clock=CLOCK)
    os._exit(0)


def state_of(file: Path, states: dict[str, str]) -> str:
    """Return which of the known states the database is in, as the next command sees it."""
    if not file.exists():
        return "no file"
    try:
        with open_for_reading(f"sqlite:///{file}", clock=CLOCK):
            pass
    except MixedDatabase:
        return "refused"
    held = held_by(file)
    return next((name for name, one in states.items() if one == held), "a mix")


@pytest.mark.parametrize(
    ("left", "steps"),
    [
        ("a log", (20, 30, 40)),
        *(
            pytest.param(left, range(1, 200), marks=pytest.mark.slow)
            for left in ("a log", "the log of another", "no file", "nothing")
        ),
    ],
)
def test_a_restore_killed_at_any_step_leaves_the_old_or_the_new_database(
    left: str, steps: range, tmp_path: Path, migrated_file: Path
) -> None:
    allowed = {
        "a log": {"old", "new"},
        "nothing": {"old", "new"},
        # before, the pair is refused; its file alone is the backup that was copied by hand
        "the log of another": {"refused", "new"},
        "no file": {"no file", "new"},
    }[left]
    made = make(tmp_path / "made", migrated_file, left)[0].parent
    states = {"new": held_by(make(tmp_path / "other", migrated_file, left)[1])}
    if left in {"a log", "nothing"}:
        shutil.copytree(made, tmp_path / "old")
        states["old"] = held_by(tmp_path / "old" / "ctsync.db")
    found: Counter[str] = Counter()
    for step in steps:
        folder = tmp_path / str(step)
        shutil.copytree(made, folder)
        file, backup = folder / "ctsync.db", folder / "backup.db"
        child = FORK.Process(target=restore_until, args=(file, backup, step))
        child.start()
        child.join()
        state = state_of(file, states)
        assert state in allowed, f"step {step}: {state}"
        found[state] += 1
        restore(f"sqlite:///{file}", backup, clock=CLOCK)
        assert state_of(file, states) == "new"
        assert check(f"sqlite:///{file}") == []
        left_over = {p.name for p in folder.iterdir()} & {"ctsync.db.restoring", "ctsync.db-wal"}
        assert not any((folder / name).stat().st_size for name in left_over)
        shutil.rmtree(folder)
        if child.exitcode == 0:
            break
    print(f"\nrestore with {left} left: killed at {sum(found.values())} steps: {dict(found)}")
    assert len(steps) < 10 or child.exitcode == 0


def test_the_backup_and_the_database_of_these_tests_differ(
    tmp_path: Path, migrated_file: Path
) -> None:
    file, backup = make(tmp_path / "made", migrated_file, "a log")
    assert held_by(backup) != held_by(file)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (59,)
