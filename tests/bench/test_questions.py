"""The cost of questions to a database of 100,000 followed trials with 500,000 versions.

Each command runs in its own process, the first time on a copy of the file that no process has
opened yet. This is as cold as possible without emptying the machine's page cache. Beside each
command, the import of its database libraries is measured in the same minute: other programs on the
machine slow down both. CTSYNC_BENCH_TRIALS sets a smaller number of trials.
"""

from __future__ import annotations

import compileall
import os
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ctsync
from ctsync.dates import SystemClock
from ctsync.store.admin.copy import copy_database
from tests.bench.big_database import make_database
from tests.bench.cpu_time import cost_of, least
from tests.conftest import PostgresServer
from tests.registry_fixtures import an_id

pytestmark = pytest.mark.bench_registry

TRIALS = int(os.environ.get("CTSYNC_BENCH_TRIALS", "100000"))
ROUNDS = 3
QUESTIONS = (
    ("--version",),
    ("history", an_id(TRIALS // 2)),
    ("changes", "--since", "7d"),
    ("report", "--since", "7d"),
    ("status",),
)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile the code as an installation does; otherwise each process compiles it again."""
    compileall.compile_dir(Path(ctsync.__file__).parent, quiet=1)


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    file = tmp_path_factory.mktemp("big") / "big.db"
    began = time.perf_counter()
    make_database(file, TRIALS, now=datetime.now(UTC))
    print(
        f"\ngenerated {TRIALS:,} trials in {time.perf_counter() - began:.0f} s: "
        f"{file.stat().st_size / 2**20:,.0f} MiB"
    )
    yield file
    file.unlink()


def measure(url: str, words: tuple[str, ...], place: Path, *, libraries: str) -> str:
    """Run a command a few times. Return its costs as multiples of those of the import."""
    environment = {**os.environ, "CTSYNC_DATABASE_URL": url, "HOME": str(place)}
    command = [sys.executable, "-m", "ctsync", *words]
    runs = [cost_of(command, environment, place) for _ in range(ROUNDS)]
    unit = least([cost_of([sys.executable, "-c", libraries], environment, place)
                  for _ in range(ROUNDS)])  # fmt: skip
    best = least(runs)
    return (
        f"{best.processor / unit.processor:.2f} times the import on the processor, "
        f"{best.wall / unit.wall:.2f} in wall time; {best.processor:.2f} s of {unit.processor:.2f} "
        f"s, cold {runs[0].wall:.2f} s; {best.lines:,} lines"
    )


def test_the_cost_of_questions_to_a_large_sqlite_file(big_file: Path, tmp_path: Path) -> None:
    for words in QUESTIONS:
        cold = tmp_path / "cold.db"
        shutil.copy(big_file, cold)
        taken = measure(f"sqlite:///{cold}", words, tmp_path, libraries="import sqlalchemy")
        print(f"SQLite: ctsync {' '.join(words)}: {taken}")
        cold.unlink()


def test_the_cost_of_questions_to_a_large_postgresql_database(
    big_file: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.new_database()
    began = time.perf_counter()
    copied = copy_database(f"sqlite:///{big_file}", url, clock=SystemClock())
    rows = sum(held.rows for held in copied.values())
    print(f"\ndb copy to PostgreSQL: {rows:,} rows in {time.perf_counter() - began:.0f} s")
    for words in QUESTIONS:
        taken = measure(url, words, tmp_path, libraries="import sqlalchemy, psycopg")
        print(f"PostgreSQL: ctsync {' '.join(words)}: {taken}")
    postgres.drop(url)
