"""The real records, which are not part of the project, and databases that are filled with them."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

from ctsync.store.derived.text_index_build import build_text_index
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.corpus.load_days import sync_all_days, trials_of
from tests.made_once import made_once

DATABASE, RESULTS = "ctsync.db", "results.pickle"
ALL = "all"
"""The watch that follows each trial of `followed_days`."""


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real records: CTSYNC_CORPUS, or ../shared/corpus beside the checkout."""
    beside = Path(__file__).parents[2].parent / "shared" / "corpus"
    folder = Path(os.environ.get("CTSYNC_CORPUS", beside))
    if not (folder / "days" / "_days.txt").is_file():
        pytest.skip(f"the corpus of real records is not at {folder}; set CTSYNC_CORPUS")
    return folder


@pytest.fixture(scope="session")
def followed_days(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of all load days that no test may change: its trials are followed by one watch.

    Its text index was built before the first sync, so each sync kept it up.
    """

    def make(folder: Path) -> None:
        clock = StillClock()
        with open_store(f"sqlite:///{folder / DATABASE}", clock=clock) as store:
            build_text_index(store)
            with store.unit() as unit:
                unit.watches.add_trials(ALL, dict.fromkeys(trials_of(corpus)), clock.now())
            synced = sync_all_days(corpus, store, clock)
        (folder / RESULTS).write_bytes(pickle.dumps((synced.results, synced.requests)))

    return made_once(tmp_path_factory, "followed-days", make) / DATABASE


@pytest.fixture
def days_url(followed_days: Path, tmp_path: Path) -> str:
    """URL of a copy of `followed_days`."""
    return f"sqlite:///{shutil.copy(followed_days, tmp_path / 'days.db')}"
