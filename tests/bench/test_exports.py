"""Peak memory of exports and imports, which does not grow with the number of trials.

Prints figures, and asserts only that the peak does not grow.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.registry_fixtures import an_id, make_study
from tests.sync.histories import keep_history

pytestmark = pytest.mark.bench

FEW, MANY = 60, 600
EXPORTS = {
    "csv": ("export", "csv", "--output", "out.csv"),
    "cohort": ("export", "cohort", "--output", "cohort.csv"),
    "jsonl": ("export", "jsonl", "--output", "out.jsonl"),
    "parquet": ("export", "parquet", "--output", "set"),
    "import": ("--database", "sqlite:///copy.db", "import", "out.jsonl"),
}
_MEASURED = """
import resource, sys
from ctsync.cli import main
try:
    main(sys.argv[1:], standalone_mode=False)
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def fill(folder: Path, trials: int) -> None:
    """Store two versions of each trial, of about 30 KB each."""
    rng = random.Random(trials)
    with open_store(f"sqlite:///{folder / 'ctsync.db'}", clock=StillClock()) as store:
        for number in range(1, trials + 1):
            text = " ".join(f"{rng.randrange(10**9):x}" for _ in range(3500))
            made = [
                make_study(
                    an_id(number),
                    overallStatus=status,
                    lastUpdatePostDateStruct={"date": day, "type": "ACTUAL"},
                    descriptionModule={"detailedDescription": text},
                )
                for status, day in (("RECRUITING", "2025-01-13"), ("COMPLETED", "2026-01-13"))
            ]
            keep_history(store, made, with_events=False)


def peak(folder: Path, *words: str) -> int:
    """Run a command, and return its peak memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *words],
        cwd=folder,
        env={"CTSYNC_DATABASE_URL": "sqlite:///ctsync.db", "PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1])


def test_exports_take_the_same_memory_for_ten_times_as_many_trials(tmp_path: Path) -> None:
    peaks: dict[int, dict[str, int]] = {}
    for trials in (FEW, MANY):
        folder = tmp_path / str(trials)
        folder.mkdir()
        fill(folder, trials)
        peaks[trials] = {name: peak(folder, *words) for name, words in EXPORTS.items()}
    print(f"\npeak memory in MB, {FEW} and {MANY} trials of two versions of 30 KB")
    for name in EXPORTS:
        print(f"  {name:8} {peaks[FEW][name]:5} {peaks[MANY][name]:5}")
    for name in EXPORTS:
        assert peaks[MANY][name] < 1.5 * peaks[FEW][name] + 20, name
