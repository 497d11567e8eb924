"""The dlt resource of docs/analysis.md: a load copies what is new, whatever its date."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ctsync.export.parquet import export_dataset
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import HistoryTransport, RegistryHistory
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import Store, open_store
from ctsync.sync.history.backfill import Backfill
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.export.test_analysis import blocks
from tests.replay.registry_server import ReplayRegistry
from tests.sync.test_backfill import LATER, LIFE, NEWEST, OTHER, TRIAL, a_day, as_html

pytestmark = pytest.mark.slow

IDS = {"events": "event_id", "versions": "version_id"}


@dataclass
class Warehouse:
    """The pipeline of the page, and the tables that it keeps in a DuckDB file."""

    folder: Path
    store: Store

    def load(self) -> dict[str, int]:
        """Export, run the page's program in its own process, and count the rows it loaded."""
        export_dataset(self.store, self.folder / "trials", Selection())
        (program,) = blocks("dlt", "python")
        counting = "print('ROWS', dict(pipeline.last_trace.last_normalize_info.row_counts))"
        done = subprocess.run(
            [sys.executable, "-c", f"{program}\n{counting}"],
            cwd=self.folder, capture_output=True, text=True, check=False,
            env={
                **os.environ,
                "HOME": f"{self.folder}",
                "DLT_DATA_DIR": f"{self.folder / 'dlt'}",
                "RUNTIME__DLTHUB_TELEMETRY": "false",
            },
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        counts: dict[str, int] = eval(done.stdout.split("ROWS ")[-1])
        return {name: counts.get(name, 0) for name in IDS}

    def rows(self, table: str) -> dict[int, tuple[Any, ...]]:
        """Return the rows of a table in the warehouse by their number."""
        return self._read(table, f"'{self.folder / 'trials.duckdb'}'")

    def exported(self, table: str) -> dict[int, tuple[Any, ...]]:
        """Return the rows of the dataset in the same form."""
        return self._read(table, None)

    def _read(self, table: str, file: str | None) -> dict[int, tuple[Any, ...]]:
        import duckdb

        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                "CREATE VIEW dataset AS FROM read_parquet("
                f"'{self.folder}/trials/{table}/*/*.parquet', "
                "hive_partitioning = true, hive_types = {'month': VARCHAR})"
            )
            columns = [row[0] for row in connection.execute("DESCRIBE dataset").fetchall()]
            source = "dataset"
            if file is not None:
                connection.execute(f"ATTACH {file} AS loaded (READ_ONLY)")
                source = f"loaded.registry.{table}"
            chosen = ", ".join(f'"{one}"' for one in [IDS[table], *columns])
            found = connection.execute(f"SELECT {chosen} FROM {source}").fetchall()
        by_number = {row[0]: row[1:] for row in found}
        assert len(by_number) == len(found), "a row is in the table twice"
        return by_number


@pytest.fixture
def warehouse(tmp_path: Path, migrated_file: Path) -> Iterator[Warehouse]:
    file = tmp_path / "ctsync.db"
    file.write_bytes(migrated_file.read_bytes())
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        yield Warehouse(tmp_path, store)


def run(store: Store, replay: ReplayRegistry, work: Callable[[Transport], object]) -> None:
    transport = Transport(replay.url, clock=StillClock(), requests_per_second=1000)
    try:
        work(transport)
    finally:
        transport.close()


def test_each_load_brings_what_was_stored_since_the_last_one(
    warehouse: Warehouse, replay: ReplayRegistry
) -> None:
    """The clock stands still, so that only the numbers of rows say what is new."""
    store, clock = warehouse.store, StillClock()

    def sync(transport: Transport) -> None:
        TrialPass(store=store, registry=RegistryApi(transport, clock=clock), clock=clock).run(
            [TRIAL, OTHER]
        )

    def backfill(transport: Transport) -> None:
        history = RegistryHistory(transport, way=HistoryTransport.REQUESTS)
        Backfill(store=store, history=history, clock=clock).run([TRIAL])
        history.close()

    def another_day(transport: Transport) -> None:
        replay.load = "2026-02-03"
        sync(transport)

    replay.catalogue.publish(NEWEST)
    replay.catalogue.publish(a_day("2026-01-20", nct_id=OTHER))
    replay.catalogue.publish(LATER, load="2026-02-03")
    replay.catalogue.set_history(TRIAL, [as_html(study) for study in [*LIFE, LATER]])
    figures = []
    known: dict[str, set[int]] = {name: set() for name in IDS}
    for step, work in (("first", sync), ("a day later", another_day), ("backfill", backfill)):
        run(store, replay, work)
        loaded = warehouse.load()
        for name in IDS:
            rows = warehouse.rows(name)
            assert rows == warehouse.exported(name), (step, name)
            new = rows.keys() - known[name]
            assert new, (step, name)
            # dlt loads the trials with a new row, and no other trial
            trials = {rows[one][_place_of_trial(name)] for one in new}
            of_them = [row for row in rows.values() if row[_place_of_trial(name)] in trials]
            assert loaded[name] == len(of_them), (step, name)
            known[name] = set(rows)
            figures.append(f"{step}: {len(new)} new {name}")
    assert warehouse.load() == dict.fromkeys(IDS, 0)
    assert "backfill: 3 new versions" in figures
    print(f"dlt: {', '.join(figures)}; then nothing new: 0 rows")


def _place_of_trial(table: str) -> int:
    return 0 if table == "versions" else 1
