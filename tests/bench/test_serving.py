"""`ctsync serve` on 10,000 trials and 100,000 versions, for eight readers while a sync writes.

Prints figures for people to judge, and asserts none. CTSYNC_BENCH_TRIALS sets a smaller number of
trials.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from ctsync.dates import SystemClock
from ctsync.model import JsonObject, KeyFields, Source, State
from ctsync.record.compare.canonical import canonicalize
from ctsync.store.store import open_store
from ctsync.sync.watches.refresh_facts import refresh_facts
from tests.bench.big_database import make_database
from tests.registry_fixtures import an_id, make_study

pytestmark = pytest.mark.bench_registry

TRIALS = int(os.environ.get("CTSYNC_BENCH_TRIALS", "10000"))
VERSIONS = 10
READERS = 8
ROUNDS = int(os.environ.get("CTSYNC_BENCH_ROUNDS", "40"))
"""Requests of each reader."""


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A database whose records are copies of a real record of the usual size."""
    if given := os.environ.get("CTSYNC_BENCH_FILE"):
        return Path(given)
    file = tmp_path_factory.mktemp("big") / "big.db"
    make_database(file, TRIALS, now=datetime.now(UTC), versions=VERSIONS, study=usual_study(corpus))
    with open_store(f"sqlite:///{file}", clock=SystemClock()) as store:
        refresh_facts(store)
    return file


def usual_study(corpus: Path) -> JsonObject:
    """Return a real record of about 17.3 KB, the mean size of the registry's records."""
    files = sorted((corpus / "days").glob("NCT*/*.json"))
    near = min(files, key=lambda file: abs(file.stat().st_size - 17_300))
    study: JsonObject = orjson.loads(near.read_bytes())
    return study


@contextmanager
def serving(file: Path) -> Iterator[tuple[int, int]]:
    """Run `ctsync serve`; yield its process id and its port."""
    command = ("--database", f"sqlite:///{file}", "serve", "--port", "0")
    with subprocess.Popen(
        [sys.executable, "-m", "ctsync", *command],
        cwd=file.parent,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", server.stderr.readline())
        assert found
        try:
            yield server.pid, int(found[1])
        finally:  # also after an error: leaving the block waits for the server to end
            server.terminate()
        assert server.wait(30) == 0


def addresses(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield addresses as readers open them, with the name of the page."""
    sorts = ("slip", "title", "changed", "milestone", "enrollment", "flags")
    while True:
        trial = an_id(chance.randrange(1, TRIALS))
        part = chance.random()
        if part < 0.15:
            yield "today", "/"
        elif part < 0.40:
            query = chance.choice(
                (
                    f"sort={chance.choice(sorts)}&page={chance.randrange(1, 5)}",
                    f"q={chance.randrange(TRIALS)}",
                    "status=RECRUITING",
                    "",
                )
            )
            yield "trials", f"/trials?{query}"
        elif part < 0.75:
            yield "trial", f"/trials/{trial}"
        elif part < 0.85:
            yield "changes", f"/changes?level={chance.choice(('routine', 'notable'))}"
        elif part < 0.93:
            yield "compare", f"/trials/{trial}/compare?from=1&to={VERSIONS}"
        else:
            yield "record", f"/trials/{trial}/record?version={chance.randrange(1, VERSIONS + 1)}"


def write_until(stop: threading.Event, file: Path, *, pause: float = 0.02) -> int:
    """Write as a sync does: a run that adds a version of one trial after the other."""
    clock, written = SystemClock(), 0
    with open_store(f"sqlite:///{file}", clock=clock) as store:
        with store.unit() as unit:
            run = unit.runs.begin("sync", clock.now())
        while not stop.is_set():
            nct_id = an_id(1 + written % (TRIALS - 1))
            study = make_study(nct_id, statusVerifiedDate=f"20{written % 90 + 10}-01")
            head = store.trials.heads([nct_id])[nct_id]
            with store.unit() as unit:
                unit.versions.add(
                    nct_id, after=head.snapshot_id, record=canonicalize(study),
                    key=KeyFields(status="RECRUITING"), state=State.PRESENT, source=Source.LIVE,
                    posted=None, submitted=None, observed=clock.now() - timedelta(hours=1),
                    fetched=clock.now(), run_id=run,
                )  # fmt: skip
            written += 1
            stop.wait(pause)
    return written


def read(port: int, seed: int, taken: dict[str, list[float]], pause: float) -> None:
    chance = random.Random(seed)
    wanted = addresses(chance)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as client:
        for _ in range(ROUNDS):
            page, address = next(wanted)
            began = time.perf_counter()
            answer = client.get(address)
            taken[page].append(time.perf_counter() - began)
            assert answer.status_code == 200, (address, answer.text)
            time.sleep(chance.random() * 2 * pause)


def described(times: list[float]) -> str:
    ranked = sorted(times)
    p95 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.95))]
    return f"median {statistics.median(ranked) * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms ({len(times)})"


def peak_mib(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, which does not depend on the other programs."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("pause", [1.0, 0.0])
def test_the_time_of_a_page_for_eight_readers_while_a_sync_writes(
    big_file: Path, pause: float
) -> None:
    """Readers rest for a second between pages, or not at all."""
    trial = f"/trials/{an_id(7)}"
    first = ("/", "/trials", trial, f"{trial}/compare", "/changes", "/watches", "/?days=30")
    stop, taken = threading.Event(), defaultdict[str, list[float]](list)
    with serving(big_file) as (pid, port), ThreadPoolExecutor(READERS + 1) as pool:
        cold = []
        for address in first:
            began = time.perf_counter()
            httpx.get(f"http://127.0.0.1:{port}{address}", timeout=300)
            cold.append(f"{address} {time.perf_counter() - began:.2f} s")
        writer = pool.submit(write_until, stop, big_file)
        began, cpu = time.perf_counter(), cpu_seconds(pid)
        readers = [pool.submit(read, port, seed, taken, pause) for seed in range(READERS)]
        try:
            for reader in readers:
                reader.result()
        finally:
            stop.set()
        lasted = time.perf_counter() - began
        memory, cpu = peak_mib(pid), cpu_seconds(pid) - cpu
    every = [one for times in taken.values() for one in times]
    print(
        f"\nserve: {TRIALS:,} trials, {TRIALS * VERSIONS:,} versions, {READERS} readers with "
        f"{pause:.0f} s between pages, {writer.result():,} commits meanwhile: {described(every)}, "
        f"{len(every) / lasted:.1f} pages/s, {cpu / len(every) * 1e3:.0f} ms of CPU per page, "
        f"{memory:.0f} MiB"
    )
    for page, times in sorted(taken.items()):
        print(f"serve: {page}: {described(times)}")
    print(f"serve: first answers: {', '.join(cold)}")
