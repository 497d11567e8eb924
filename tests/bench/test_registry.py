"""A mirror of 20,000 and of 100,000 generated records, compared with the unavoidable work alone.

Run by `make bench-registry`; CTSYNC_BENCH_RECORDS=5000,20000 sets other sizes, and CTSYNC_CORPUS
adds the real records. Prints figures for people to judge.
"""

from __future__ import annotations

import compileall
import gzip
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import orjson
import pytest

import ctsync
from ctsync.dates import SystemClock
from ctsync.model import Record, Source, State
from ctsync.record.compare.canonical import key_fields
from ctsync.store.bodies.codec import BULK_LEVEL
from ctsync.store.store import open_store
from ctsync.sync.mirror.workers import cores
from tests.bench.cpu_time import Spent, spending
from tests.bench.made_registry import write_archive
from tests.bench.plain import DEFAULT_LEVEL, cost_of_plain, cost_of_python

pytestmark = pytest.mark.bench_registry
ROOT = Path(__file__).parents[2]
SIZES = [int(n) for n in os.environ.get("CTSYNC_BENCH_RECORDS", "20000,100000").split(",")]
CORPUS = Path(os.environ.get("CTSYNC_CORPUS", ROOT.parent / "shared" / "corpus"))


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile the code as an installation does; otherwise each process compiles it again."""
    compileall.compile_dir(Path(ctsync.__file__).parent, quiet=1)


def mirror(database: Path, archive: Path) -> tuple[dict[str, float], Spent]:
    """Mirror in a process of its own. Return what it found, and its cost with all its workers.

    The time by the clock is without the start of Python, that on the processors with it.
    """
    with spending() as spent:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.mirroring", str(database), str(archive)],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    found: dict[str, float] = orjson.loads(done.stdout)
    spent.wall = found["seconds"]
    return found, spent


def measure(archive: Path, raw: int, count: int, folder: Path) -> None:
    database, processes = folder / "mirror.db", cores()
    in_python = cost_of_python(archive, processes=processes)
    at_default = cost_of_plain(archive, level=DEFAULT_LEVEL, processes=processes)
    with_pack = cost_of_plain(archive, level=BULK_LEVEL, processes=processes)
    first, loading = mirror(database, archive)
    without = cost_of_plain(archive, level=None, processes=processes)
    again, checking = mirror(database, archive)
    assert (first["new"], again["same"], again["snapshots"]) == (count, count, count)
    size = database.stat().st_size
    print(
        f"\nmirror: {count:,} records, {raw / count:,.0f} B each, on {processes} cores\n"
        f"  archive {archive.stat().st_size / raw:.1%} of raw (the registry's own: 26.3 %)\n"
        f"  first load {count / loading.wall:,.0f}/s, {loading}; that is\n"
        f"    {loading.times(with_pack)} of unzip, parse, sorted dump, SHA-256 and zstd "
        f"alone, with the mirror's reader and level {BULK_LEVEL} ({with_pack})\n"
        f"    {loading.times(in_python)} of the same with Python's zipfile and zstd's "
        f"default level {DEFAULT_LEVEL} ({in_python})\n"
        f"    {loading.times(at_default)} of the same with the mirror's reader and "
        f"zstd's default level ({at_default})\n"
        f"  second load, unchanged {count / checking.wall:,.0f}/s, "
        f"{checking.times(without)} of the same without zstd ({without}), "
        f"{again['written']:.0f} snapshots written\n"
        f"  peak memory {first['peak_mb']:,.0f} MB, then {again['peak_mb']:,.0f} MB, "
        "all processes together\n"
        f"  stored: bodies {first['packed'] / raw:.1%} of raw, the file {size / raw:.1%}"
    )


@pytest.mark.parametrize("count", SIZES)
def test_the_cost_of_mirroring_generated_records(count: int, tmp_path: Path) -> None:
    archive = tmp_path / "bulk.zip"
    measure(archive, write_archive(archive, count), count, tmp_path)


def test_the_cost_of_mirroring_real_records(tmp_path: Path) -> None:
    file = CORPUS / "studies.jsonl.gz"
    if not file.exists():
        pytest.skip(f"no corpus in {CORPUS}")
    archive, raw = tmp_path / "bulk.zip", 0
    newest: dict[str, bytes] = {}
    with gzip.open(file) as lines:
        for line in lines:
            study = orjson.loads(line)
            nct_id = study["protocolSection"]["identificationModule"]["nctId"]
            study["derivedSection"]["miscInfoModule"]["versionHolder"] = "2026-10-02"
            newest[nct_id] = orjson.dumps(study)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for nct_id, study in newest.items():
            made.writestr(f"{nct_id[-2:]}/{nct_id}.json", study)
            raw += len(study)
    measure(archive, raw, len(newest), tmp_path)


def test_the_stored_size_of_new_versions(
    day_pairs: list[tuple[Record, Record]], tmp_path: Path
) -> None:
    """The first versions are in the lines "stored" above; new versions are those of real days."""
    database, clock = tmp_path / "versions.db", SystemClock()
    with open_store(f"sqlite:///{database}", clock=clock) as store, store.unit() as unit:
        for before, after in day_pairs:
            head: int | None = None
            for record in (before, after):
                head, _ = unit.versions.add(
                    record.nct_id, after=head, record=record, key=key_fields(record.body),
                    state=State.PRESENT, source=Source.LIVE, posted=None, submitted=None,
                    observed=clock.now(), fetched=clock.now(), run_id=None,
                )  # fmt: skip
    with sqlite3.connect(database) as look:
        sizes = "SELECT SUM(raw_size), SUM(LENGTH(data)) FROM bodies WHERE encoding = ?"
        (raw, first), (changed, deltas) = (
            look.execute(sizes, (encoding,)).fetchone() for encoding in ("keyframe", "delta")
        )
    print(
        f"\nstored: {len(day_pairs):,} real changes of a day: first versions {first / raw:.1%} of "
        f"raw without a dictionary, new versions {deltas / changed:.2%}"
    )
