"""The location of the real records, which are not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real records: CTSYNC_CORPUS, or ../shared/corpus beside the checkout."""
    beside = Path(__file__).parents[2].parent / "shared" / "corpus"
    folder = Path(os.environ.get("CTSYNC_CORPUS", beside))
    if not (folder / "days" / "_days.txt").is_file():
        pytest.skip(f"the corpus of real records is not at {folder}; set CTSYNC_CORPUS")
    return folder
