"""Fixtures: a small database with published histories, a watch and a run, in an own folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import time_machine

import ctsync
from ctsync.model import NctId, Verdict
from ctsync.store.data.runs import SYNC
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.questions.answers import LOAD, NOW, keep_all

TRIAL = "NCT01352702"


@dataclass(frozen=True)
class SmallDatabase:
    """A database file, and the environment of a program that uses it."""

    file: Path
    env: dict[str, str | None]

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"


def fill(store: Store) -> None:
    """Store the histories, a watch that follows them, and a run."""
    ids = keep_all(store)
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(map(NctId, ids)), NOW)
        for _ in range(2):
            run = unit.runs.begin(SYNC, NOW)
            unit.runs.finish(run, finished=NOW, verdict=Verdict.OK, load_after=LOAD, asked=8)


@pytest.fixture(scope="session")
def filled_file(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    file = tmp_path_factory.mktemp("python") / "ctsync.db"
    shutil.copy(migrated_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        fill(store)
    return file


@pytest.fixture
def small(
    filled_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SmallDatabase]:
    """A copy of the database as ctsync.db in the working folder, on 2026-03-13."""
    shutil.copy(filled_file, tmp_path / "ctsync.db")
    env: dict[str, str | None] = {
        "CTSYNC_DATABASE_URL": f"sqlite:///{tmp_path / 'ctsync.db'}",
        "CTSYNC_CONFIG": None,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "HOME": str(tmp_path),
    }
    for name, value in env.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with time_machine.travel(NOW, tick=False):
        yield SmallDatabase(tmp_path / "ctsync.db", env)


@pytest.fixture
def db(small: SmallDatabase) -> Iterator[ctsync.TrialDatabase]:
    with ctsync.open(small.url) as opened:
        yield opened
