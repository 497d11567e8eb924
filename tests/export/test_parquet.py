"""The Parquet dataset has each stored row once, and an export writes only changed months."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from ctsync.errors import UsageError
from ctsync.export import parquet
from ctsync.export.columns import EVENT_COLUMNS, VERSION_COLUMNS, version_row
from ctsync.export.parquet import export_dataset
from ctsync.model import NctId, Version
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.record.studies import dated, study
from tests.sync.histories import keep_history, leave

SEED = "NCT03389919"

ALL = Selection()


@pytest.fixture
def kept(migrated_sqlite_url: str) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        for trial in ("NCT02110043", "NCT01352702", "NCT03693833"):
            keep_history(store, studies(trial))
        yield store


def read(folder: Path, table: str) -> list[dict[str, Any]]:
    hive = ds.partitioning(pa.schema([("month", pa.string())]), flavor="hive")
    rows = ds.dataset(folder / table, partitioning=hive).to_table()
    found: list[dict[str, Any]] = rows.to_pylist()
    return sorted(found, key=lambda row: (row["nct_id"], row["happened"], repr(row)))


def files(folder: Path) -> dict[str, int]:
    """Return each file below a folder with its inode, which changes if the file is rewritten."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_ino
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_the_dataset_has_every_version_and_event_once_in_its_month(
    store: Store, tmp_path: Path
) -> None:
    for trial in ("NCT02110043", "NCT01352702"):
        keep_history(store, studies(trial))
    trial = keep_history(store, [study(start=dated("2019"), posted="2020-02-03")])
    leave(store, trial)
    export_dataset(store, tmp_path, ALL)
    versions, events = read(tmp_path, "versions"), read(tmp_path, "events")
    assert [(row["nct_id"], row["version"]) for row in versions] == [
        (version.nct_id, version.version)
        for of_trial in store.bulk.versions_by_trial()
        for version in of_trial
    ]
    assert sorted(row["event_id"] for row in events) == sorted(
        e.event_id for e in store.events.find()
    )
    for row in (*versions, *events):
        assert row.pop("month") == f"{row['happened']:%Y-%m}"
    assert list(versions[0]) == list(VERSION_COLUMNS)
    assert list(events[0]) == list(EVENT_COLUMNS)
    gone = versions[-1]
    assert (gone["nct_id"], gone["state"], gone["digest"]) == (SEED, "gone", None)


def test_columns_are_typed_and_dates_keep_their_text(tmp_path: Path, kept: Store) -> None:
    keep_history(kept, [study(start=dated("2019-06"), primary=dated("soon"), posted="2020-02-03")])
    export_dataset(kept, tmp_path, Selection((NctId(SEED),)))
    (row,) = read(tmp_path, "versions")
    assert (row["start_date"], row["start_date_precision"], row["start_date_text"]) == (
        date(2019, 6, 1), "month", "2019-06",
    )  # fmt: skip
    assert (row["primary_completion_date"], row["primary_completion_date_text"]) == (None, "soon")
    assert (row["enrollment"], row["has_results"]) == (100, False)
    assert row["fetched"] == datetime(2026, 3, 13, 15, 2, 11, 123456, tzinfo=UTC)
    assert row["stood_from"] == date(2020, 2, 3)
    schema = pq.read_schema(next((tmp_path / "versions").rglob("*.parquet")))
    assert schema.field("posted").type == pa.date32()
    assert schema.field("happened").type == pa.timestamp("us", tz="UTC")
    assert schema.field("enrollment").type == pa.int64()


def test_a_second_export_writes_nothing(tmp_path: Path, kept: Store) -> None:
    first = export_dataset(kept, tmp_path, ALL)
    before = files(tmp_path)
    again = export_dataset(kept, tmp_path, ALL)
    assert [one.rows for one in first] == [len(kept.events.find()), 16]
    assert [(one.rows, one.written, one.removed) for one in again] == [(0, [], [])] * 2
    assert [one.unchanged for one in again] == [one.written for one in first]
    assert files(tmp_path) == before


def test_a_new_version_writes_only_its_own_month(tmp_path: Path, kept: Store) -> None:
    export_dataset(kept, tmp_path, ALL)
    before = files(tmp_path)
    keep_history(kept, [study(posted="2015-02-20")])
    events, versions = export_dataset(kept, tmp_path, ALL)
    assert events.written == versions.written == ["2015-02"]
    changed = {name for name, inode in files(tmp_path).items() if before.get(name) != inode}
    assert changed == {f"{table}/month=2015-02/part.parquet" for table in ("events", "versions")}
    keys = [(row["nct_id"], row["version"]) for row in read(tmp_path, "versions")]
    assert len(keys) == len(set(keys)) == 17
    print(f"\nincremental: {len(changed)} of {len(before)} files written for one new version")


def test_a_changed_event_writes_its_month(tmp_path: Path, kept: Store) -> None:
    export_dataset(kept, tmp_path, ALL)
    with sqlite3.connect(kept.name) as connection:
        connection.execute("UPDATE events SET level = 'routine' WHERE after = '46'")
    connection.close()
    events, versions = export_dataset(kept, tmp_path, ALL)
    assert (events.written, versions.written) == (["2015-02"], [])
    (count,) = (
        r
        for r in read(tmp_path, "events")
        if r["path"].endswith("enrollmentInfo.count") and r["month"] == "2015-02"
    )
    assert count["level"] == "routine"


def test_a_month_without_rows_is_removed(tmp_path: Path, kept: Store) -> None:
    with kept.unit() as unit:
        unit.watches.add_trials("mine", {NctId("NCT03693833"): None, NctId(SEED): None}, kept_at())
    mine = Selection(watch="mine")
    keep_history(kept, [study(posted="2015-02-20")])
    export_dataset(kept, tmp_path, mine)
    with kept.unit() as unit:
        unit.watches.remove_trials("mine", [NctId(SEED)])
    done = export_dataset(kept, tmp_path, mine)
    assert [one.removed for one in done] == [["2015-02"], ["2015-02"]]
    assert {row["nct_id"] for row in read(tmp_path, "versions")} == {"NCT03693833"}
    assert not (tmp_path / "versions" / "month=2015-02").exists()


def kept_at() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.slow
def test_an_interrupted_export_keeps_the_old_files_until_the_next_completes(
    tmp_path: Path, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_dataset(kept, tmp_path, ALL)
    before = files(tmp_path)
    keep_history(kept, [study(posted=f"20{year}-05-20") for year in range(10, 20)])
    real, cuts = version_row, 0
    for allowed in range(0, 60, 5):
        calls = iter(range(allowed))

        def failing(version: Version, calls: Iterator[int] = calls, **more: Any) -> Any:
            if next(calls, None) is None:
                raise OSError("injected")
            return real(version, **more)

        monkeypatch.setattr(parquet, "version_row", failing)
        try:
            export_dataset(kept, tmp_path, ALL)
        except OSError:
            cuts += 1
            versions = {k: v for k, v in files(tmp_path).items() if k.startswith("versions")}
            assert versions == {k: v for k, v in before.items() if k.startswith("versions")}
    assert cuts >= 10
    monkeypatch.undo()
    (tmp_path / "versions" / "month=2015-02" / ".part.parquet.0123").write_bytes(b"of a kill")
    export_dataset(kept, tmp_path, ALL)
    assert len(read(tmp_path, "versions")) == 26
    assert not [name for name in files(tmp_path) if ".parquet." in name]
    print(f"\nparquet: interrupted {cuts} times, 0 files torn, 0 rows doubled")


def test_an_export_in_small_batches_writes_every_row(
    tmp_path: Path, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MOST_ROWS", 3)
    export_dataset(kept, tmp_path, ALL)
    assert len(read(tmp_path, "versions")) == 16


def test_the_folder_of_another_export_is_left_unchanged(tmp_path: Path, kept: Store) -> None:
    export_dataset(kept, tmp_path, ALL)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="an export of other trials"):
        export_dataset(kept, tmp_path, Selection((NctId("NCT01352702"),)))
    assert files(tmp_path) == before


def test_files_of_another_program_are_refused(tmp_path: Path, kept: Store) -> None:
    folder = tmp_path / "events" / "month=2020-01"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), folder / "part.parquet")
    with pytest.raises(UsageError, match="was not written by ctsync export"):
        export_dataset(kept, tmp_path, ALL)
    (folder / "part.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(UsageError, match="was not written by ctsync export"):
        export_dataset(kept, tmp_path, ALL)
