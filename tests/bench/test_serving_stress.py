"""`ctsync serve` for a minute, for 16 readers, while a sync commits and the log is emptied.

Prints figures for people to judge. Asserts that no request fails: a reader never meets a busy
database. CTSYNC_BENCH_TRIALS sets a smaller number of trials, CTSYNC_BENCH_SECONDS another time.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.bench.test_serving import (
    TRIALS,
    addresses,
    big_file,
    described,
    peak_mib,
    serving,
    write_until,
)
from tests.registry_fixtures import an_id

pytestmark = pytest.mark.bench_registry
__all__ = ["big_file"]  # a fixture

READERS = 16
SECONDS = float(os.environ.get("CTSYNC_BENCH_SECONDS", "60"))
CHECKPOINT_SECONDS = 5.0
API = (
    "/api/v1/changes?level=notable&limit=50",
    "/api/v1/changes?since=30d",
    "/api/v1/trials?sort=slip&limit=50",
    "/api/v1/trials/{nct}/versions",
    "/api/v1/trials/{nct}/record?version=3",
    "/api/v1/trials/{nct}",
    "/api/v1/runs",
    "/healthz",
)


def wanted(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield addresses of pages and of the API in turn."""
    for page, address in addresses(chance):
        yield page, address
        api = chance.choice(API)
        path = api.format(nct=an_id(chance.randrange(1, TRIALS)))
        yield f"api {api.partition('?')[0].removeprefix('/api/v1')}", path


def read_until(
    stop: threading.Event, port: int, seed: int, taken: dict[str, list[float]]
) -> Counter[str]:
    """Read addresses, and count the answers by status; a new connection every tenth time."""
    chance, found = random.Random(seed), Counter[str]()
    asked = wanted(chance)
    while not stop.is_set():
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            for _ in range(10):
                if stop.is_set():
                    break
                page, address = next(asked)
                began = time.perf_counter()
                try:
                    answer = client.get(address)
                except httpx.HTTPError as error:
                    found[f"{type(error).__name__} {page}"] += 1
                    continue
                taken[page].append(time.perf_counter() - began)
                failed = answer.status_code not in {200, 429}
                found[f"{answer.status_code}{f' {page}: {answer.text}' if failed else ''}"] += 1
    return found


def checkpoint_until(stop: threading.Event, file: Path) -> Counter[str]:
    """Empty the log into the file now and then, each time over a connection of its own."""
    done = Counter[str]()
    while not stop.wait(CHECKPOINT_SECONDS):
        with closing(sqlite3.connect(file, timeout=1)) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            done["waits for readers" if busy else "complete"] += 1
    return done


def ask_until(stop: threading.Event, file: Path) -> Counter[int]:
    """Run commands that open and close the database, as people do beside a server."""
    codes = Counter[int]()
    while not stop.wait(1.0):
        command = [sys.executable, "-m", "ctsync", "--database", f"sqlite:///{file}", "runs"]
        codes[subprocess.run(command, capture_output=True, check=False).returncode] += 1
    return codes


def test_no_reader_meets_a_busy_database(big_file: Path) -> None:
    stop, taken = threading.Event(), defaultdict[str, list[float]](list)
    with serving(big_file) as (pid, port), ThreadPoolExecutor(READERS + 3) as pool:
        writer = pool.submit(write_until, stop, big_file, pause=0.1)
        emptied = pool.submit(checkpoint_until, stop, big_file)
        commands = pool.submit(ask_until, stop, big_file)
        readers = [pool.submit(read_until, stop, port, seed, taken) for seed in range(READERS)]
        stop.wait(SECONDS)
        stop.set()
        answers = sum((reader.result() for reader in readers), Counter[str]())
        memory = peak_mib(pid)
    every = [one for times in taken.values() for one in times]
    print(
        f"\nserve under load: {READERS} readers for {SECONDS:.0f} s, {writer.result():,} commits, "
        f"checkpoints {dict(emptied.result())}, exit codes {dict(commands.result())}, load "
        f"{os.getloadavg()[0]:.1f}: answers {dict(answers)}, {described(every)}, {memory:.0f} MiB"
    )
    for page, times in sorted(taken.items()):
        print(f"serve under load: {page}: {described(times)}")
    assert set(answers) <= {"200", "429"}
    assert set(commands.result()) <= {0}
