"""The cost of a trial with 300 versions: to fetch, to store and to read.

Prints figures for people to judge, and asserts none.
"""

from __future__ import annotations

import copy
import gc
import os
import random
import statistics
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.cli import COLLECT_AFTER
from ctsync.model import JsonObject, NctId
from ctsync.questions.trial.stored_records import record_of, stored_record
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.record_history import Index, IndexEntry
from ctsync.store.store import Store, open_store
from ctsync.sync.history.backfill import Backfill
from ctsync.sync.result import RunCallbacks
from tests.conftest import StillClock

pytestmark = pytest.mark.bench

CASES = [
    ("int-NCT05254002-history-true.json", 300),
    # has results: 25 times the size of an average record
    ("int-NCT02540993-history-true.json", 64),
]


class MadeHistory:
    """A history made from a real body in HTML: each version changes dates and up to three sites."""

    def __init__(self, body: JsonObject, versions: int) -> None:
        self.body, self.sent = body, 0
        begin = date(2010, 1, 4)
        self.days = [begin + timedelta(days=17 * number) for number in range(versions)]

    @property
    def counts(self) -> RequestCounts:
        return RequestCounts(self.sent)

    @property
    def answered(self) -> None:
        return None

    def reset(self, first: object = None) -> None:
        pass

    def index(self, nct_id: NctId) -> Index:
        self.sent += 1
        return tuple(IndexEntry(n, str(day), "RECRUITING") for n, day in enumerate(self.days))

    def version(self, nct_id: NctId, number: int) -> JsonObject:
        self.sent += 1
        chance, study = random.Random(number // 3), copy.deepcopy(self.body)
        protocol = study["protocolSection"]
        status = protocol["statusModule"]
        status["lastUpdateSubmitDate"] = str(self.days[number])
        status["lastUpdatePostDateStruct"] = {"date": str(self.days[number]), "type": "ACTUAL"}
        status["statusVerifiedDate"] = f"{self.days[number]:%Y-%m}"
        status["primaryCompletionDateStruct"]["date"] = str(
            self.days[number] + timedelta(days=700 + number // 7 * 30)
        )
        protocol["designModule"]["enrollmentInfo"]["count"] = 300 - number // 20
        sites = protocol.get("contactsLocationsModule", {}).get("locations", [])
        for site in chance.sample(sites, min(len(sites), 3)):
            site["status"] = chance.choice(["RECRUITING", "COMPLETED", "NOT_YET_RECRUITING"])
        return study


def resident_kilobytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.fixture(autouse=True)
def collecting_as_a_command() -> Iterator[None]:
    """Search for reference cycles as rarely as a command does, which reads large records faster."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER)
    yield
    gc.set_threshold(*before)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'long.db'}", clock=StillClock()) as store:
        yield store


@pytest.mark.parametrize(("file", "count"), CASES)
def test_the_cost_of_a_trial_with_many_versions(
    empty: Store, corpus: Path, tmp_path: Path, file: str, count: int
) -> None:
    body = orjson.loads((corpus / "history" / file).read_bytes())["study"]
    nct_id = NctId(body["protocolSection"]["identificationModule"]["nctId"])
    history, memory = MadeHistory(body, count), [resident_kilobytes()]

    def progress(done: int, of: int) -> None:
        if done % (count // 6) == 0:
            memory.append(resident_kilobytes())

    began = time.process_time()
    result = Backfill(
        store=empty, history=history, clock=StillClock(), watcher=RunCallbacks(progress)
    ).run([nct_id])
    took = time.process_time() - began
    versions = empty.versions.of(nct_id)
    assert result.trials[0].stored == len(versions) == count
    raw, packed = sizes(tmp_path / "long.db")
    reads = [timed(lambda v=v: stored_record(empty, v)) for v in versions]
    shown = [timed(lambda v=v: record_of(empty, v)) for v in versions[::8]]
    print(
        f"\n{nct_id}: {count} versions of {raw / count / 1024:,.0f} KB, fetched into the "
        f"store in {took:.1f} s ({took / count * 1e3:.0f} ms each); bodies take "
        f"{packed / raw:.2%} of their raw size; a version reads in {statistics.median(reads):.2f} "
        f"ms (slowest {max(reads):.2f}), in v2's form {statistics.median(shown):.2f} ms (slowest "
        f"{max(shown):.2f}); memory {' '.join(f'{kb / 1024:,.0f}' for kb in memory)} MB after "
        "each sixth of them"
    )


def sizes(file: Path) -> tuple[int, int]:
    import sqlite3

    with sqlite3.connect(file) as connection:
        found: Any = connection.execute("SELECT sum(raw_size), sum(length(data)) FROM bodies")
        raw, packed = found.fetchone()
    return raw, packed


def timed(work: Any, rounds: int = 3) -> float:
    """Return the shortest of a few rounds in milliseconds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1e3
