"""Fixtures: the API over a small database, served by uvicorn on the loopback address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ctsync.store.store import open_for_reading, open_store
from tests.conftest import StillClock
from tests.web.api.served import api_of, fill, serving


@pytest.fixture(scope="session")
def api_file(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    file = tmp_path_factory.mktemp("api") / "ctsync.db"
    shutil.copy(migrated_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        fill(store)
    return file


@pytest.fixture(scope="session")
def api(api_file: Path) -> Iterator[httpx.Client]:
    """A client of the API; nobody writes to its database."""
    with (
        open_for_reading(f"sqlite:///{api_file}", clock=StillClock()) as store,
        serving(api_of(store)) as client,
    ):
        yield client


@pytest.fixture
def written(api_file: Path, tmp_path: Path) -> str:
    """The URL of a copy of the database, for tests that write to it."""
    shutil.copy(api_file, tmp_path / "ctsync.db")
    return f"sqlite:///{tmp_path / 'ctsync.db'}"
