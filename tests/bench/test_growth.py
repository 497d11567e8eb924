"""What a database of ten years of daily changes costs: 614,000 trials with 4.3 million versions.

Nobody follows most of the trials, as in a mirror. CTSYNC_BENCH_TRIALS sets a smaller number of
trials. CTSYNC_BENCH_FILE names the file: it is generated once and used again.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.bench.big_database import WATCHED
from tests.bench.cpu_time import Cost, cost_of
from tests.bench.grown_database import FOLLOWED, make_grown_database
from tests.registry_fixtures import an_id

pytestmark = pytest.mark.bench_registry

TRIALS = int(os.environ.get("CTSYNC_BENCH_TRIALS", "614000"))
QUESTIONS = (
    ("history", an_id(TRIALS // 2)),
    ("show", an_id(TRIALS // 2)),
    ("changes", "--since", "7d", "--watch", WATCHED),
    ("changes", "--since", "7d", "--level", "notable", "--limit", "100"),
    ("changes", "--since", "7d"),
    ("report", "--since", "7d", "--watch", WATCHED),
    ("report", "--since", "7d"),
    ("portfolio",),
    ("status",),
    ("runs",),
    ("find", "status=UNKNOWN", "--limit", "100"),
    ("find", "status=UNKNOWN", "enrollment>105"),
)
UPKEEP = (
    ("db", "stats"),
    ("backup", "backup.db"),
    ("export", "parquet", "--output", "trials"),
    ("check",),
)
ANALYSES = {
    "changes of status per month": (
        """
        SELECT substr(day, 1, 7) AS month, count(*) FROM v_changes
        WHERE kind = 'status' GROUP BY month ORDER BY month
        """,
        "SELECT month, count(*) FROM events WHERE kind = 'status' GROUP BY month ORDER BY month",
    ),
    "changes by sponsor and kind": (
        "SELECT sponsor, kind, count(*) FROM v_changes GROUP BY sponsor, kind ORDER BY kind",
        """
        SELECT v.lead_sponsor, e.kind, count(*)
        FROM events e JOIN versions v ON v.nct_id = e.nct_id AND v.version = e.to_version
        GROUP BY v.lead_sponsor, e.kind ORDER BY e.kind
        """,
    ),
    "versions per year": (
        "SELECT substr(posted, 1, 4) AS year, count(*) FROM v_versions GROUP BY year ORDER BY year",
        "SELECT posted_text[1:4] AS year, count(*) FROM versions GROUP BY year ORDER BY year",
    ),
}
"""Each question to the views of the SQLite file, and to the exported dataset."""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    kept = os.environ.get("CTSYNC_BENCH_FILE")
    file = Path(kept) if kept else tmp_path_factory.mktemp("grown") / "grown.db"
    if not file.exists():
        began = time.perf_counter()
        make_grown_database(file, copies=TRIALS // FOLLOWED - 1, now=datetime.now(UTC))
        print(f"\ngenerated {TRIALS:,} trials in {time.perf_counter() - began:.0f} s")
    print(f"\n{file.stat().st_size / 2**20:,.0f} MiB")
    yield file
    if not kept:
        file.unlink()


def run(file: Path, words: tuple[str, ...], place: Path) -> Cost:
    """Run a command in a new process."""
    environment = {
        **os.environ, "CTSYNC_DATABASE_URL": f"sqlite:///{file}", "HOME": str(place)
    }  # fmt: skip
    return cost_of([sys.executable, "-m", "ctsync", *words], environment, place)


def show(words: tuple[str, ...], taken: Cost) -> None:
    print(
        f"ctsync {' '.join(words)}: {taken.wall:.2f} s, {taken.processor:.2f} s of processor time, "
        f"{taken.lines:,} lines",
        flush=True,
    )


def test_the_cost_of_questions_after_ten_years(grown: Path, tmp_path: Path) -> None:
    for words in QUESTIONS:
        show(words, run(grown, words, tmp_path))


def test_the_cost_of_upkeep_after_ten_years(grown: Path, tmp_path: Path) -> None:
    for words in UPKEEP:
        show(words, run(grown, words, tmp_path))


def test_the_cost_of_analyses_of_the_file_and_of_its_dataset(grown: Path, tmp_path: Path) -> None:
    import duckdb

    export = ("export", "parquet", "--output", "set")
    show(export, run(grown, export, tmp_path))
    with (
        closing(sqlite3.connect(f"file:{grown}?mode=ro", uri=True)) as file,
        duckdb.connect() as dataset,
    ):
        for table in ("events", "versions"):
            files = f"'{tmp_path}/set/{table}/*/*.parquet'"
            months = "hive_partitioning = true, hive_types = {'month': VARCHAR}"
            dataset.execute(f"CREATE VIEW {table} AS FROM read_parquet({files}, {months})")
        for name, (in_file, in_dataset) in ANALYSES.items():
            rows, slow = answer(file, in_file)
            found, quick = answer(dataset, in_dataset)
            assert found == rows
            print(
                f"{name}: {slow:.2f} s in the SQLite file, {quick:.2f} s with DuckDB, "
                f"{slow / quick:.1f} times as long"
            )


class Connection(Protocol):
    """A connection to SQLite or DuckDB."""

    def execute(self, statement: str, /) -> Any:
        """Run a statement."""


def answer(connection: Connection, query: str) -> tuple[Sequence[Any], float]:
    """Return the rows of a query and the seconds until they came."""
    began = time.perf_counter()
    return connection.execute(query).fetchall(), time.perf_counter() - began
