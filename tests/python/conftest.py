"""Fixtures: a small database with published histories, a watch and a run, in an own folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import time_machine

import ctsync
from ctsync.model import ListedVersion, NctId, Verdict
from ctsync.store.data.runs import SYNC
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.questions.answers import LOAD, NOW, keep_all
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history

TRIAL = "NCT01352702"
LISTED = "NCT00000021"
"""A trial of which versions 1, 2 and 4 are listed and not fetched; 0, 3 and 5 are stored."""


@dataclass(frozen=True)
class SmallDatabase:
    """A database file, and the environment of a program that uses it."""

    file: Path
    env: dict[str, str | None]

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"


def fill(store: Store) -> None:
    """Store the histories, a watch that follows them, a run, and a trial that nobody follows."""
    ids = keep_all(store)
    fill_listed(store)
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(map(NctId, ids)), NOW)
        for _ in range(2):
            run = unit.runs.begin(SYNC, NOW)
            unit.runs.finish(run, finished=NOW, verdict=Verdict.OK, load_after=LOAD, asked=8)


def fill_listed(store: Store) -> None:
    """Store a trial with versions that the registry lists and that are not fetched."""
    trial, days = NctId(LISTED), [f"201{number}-03-10" for number in range(2, 8)]
    statuses = ["NOT_YET_RECRUITING", *["RECRUITING"] * 3, "COMPLETED", "COMPLETED"]
    studies = [
        make_study(
            trial,
            overallStatus=statuses[number],
            lastUpdateSubmitDate=days[number],
            lastUpdatePostDateStruct={"date": days[number], "type": "ACTUAL"},
            studyFirstSubmitDate=days[0],
            studyFirstPostDateStruct={"date": days[0], "type": "ACTUAL"},
            designModule={"enrollmentInfo": {"count": 40 + number, "type": "ESTIMATED"}},
        )
        for number in (0, 3, 5)
    ]
    keep_history(store, studies, registry_versions=(0, 3, 5))
    modules = frozenset({"Study Status", "Outcome Measures"})
    index = [
        ListedVersion(trial, number, day, status, modules)
        for number, (day, status) in enumerate(zip(days, statuses, strict=True))
    ]
    with store.unit() as unit:
        unit.listed.replace(trial, index)


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
