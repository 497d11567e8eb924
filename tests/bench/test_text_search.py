"""Searches for words over 100,000 generated trials: the cost of the index, and of each answer.

CTSYNC_BENCH_TRIALS sets a smaller number of trials.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from ctsync.dates import SystemClock
from ctsync.model import NctId
from ctsync.questions.portfolio.find import (
    FindQuestion,
    FoundTrial,
    count_found,
    find_trials,
)
from ctsync.record.rules.conditions import read_condition
from ctsync.store.admin.copy import copy_database
from ctsync.store.derived.text_index import TextDetail
from ctsync.store.derived.text_index_build import build_text_index
from ctsync.store.derived.trial_search import VersionSearch
from ctsync.store.store import Store, open_store
from tests.bench.made_registry import write_archive
from tests.bench.test_serving import cpu_seconds, serving
from tests.conftest import PostgresServer

pytestmark = pytest.mark.bench_registry

TRIALS = int(os.environ.get("CTSYNC_BENCH_TRIALS", "100000"))
TODAY = date(2026, 10, 2)
PAGE = 50
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("words")
    archive, file = folder / "bulk.zip", folder / "mirror.db"
    write_archive(archive, TRIALS)
    subprocess.run(
        [sys.executable, "-m", "tests.bench.mirroring", str(file), str(archive)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    archive.unlink()
    yield file
    file.unlink()


def questions(store: Store) -> list[list[str]]:
    """Searches for what some record has: rare words, frequent ones, phrases and combinations."""
    ids = store.trials.stored_ids()
    version = store.versions.of(NctId(random.Random(3).choice(ids)))[-1]
    protocol = orjson.loads(store.bodies.read(version.digest or ""))["protocolSection"]
    site = protocol["contactsLocationsModule"]["locations"][0]
    criteria = protocol["eligibilityModule"]["eligibilityCriteria"].split()
    condition = protocol["conditionsModule"]["conditions"][0].strip(".")
    outcome = protocol["outcomesModule"]["primaryOutcomes"][0]["measure"].split()
    return [
        [f"condition~{condition}"],
        [f"condition={condition}", f"country={site['country']}"],
        [f"country={site['country']}"],
        [f"city={site['city']}", "status=RECRUITING|COMPLETED"],
        [f"facility~{site['facility']}"],
        [f'eligibility~"{" ".join(criteria[:3])}"'],
        [f"eligibility~{' '.join(criteria[4:8])}", "phase=PHASE3"],
        [f"outcome~{' '.join(outcome[-2:])}"],
        [f"outcome~{outcome[-1][:4]}*", f"country={site['country']}"],
        [f"condition!~{condition}", f"city={site['city']}"],
        ["intervention=none", "enrollment>100"],
        ["sponsor~ther", "phase=PHASE2"],
        ["eligibility~the"],
    ]


WAYS: list[dict[str, Any]] = [{}, {"as_of": date(2012, 1, 1)}, {"ever": True}]


def measure(url: str) -> None:
    """Print the cost of a page and of a count, as multiples of a plain count of all heads."""
    kind = url.partition(":")[0]
    with open_store(url, clock=SystemClock()) as store:
        asked = [list(map(read_condition, typed)) for typed in questions(store)]
        every = VersionSearch(newest=True)
        plain = least(lambda: list(store.search.newest((), every)))
        print(f"{kind}: {plain:.3f} s to read the id of every trial")
        for way, conditions in product(WAYS, asked):
            question = FindQuestion(conditions, **way)
            page = least(partial(read_page, store, question))
            count = least(partial(count_found, store, question, today=TODAY))
            found = count_found(store, question, today=TODAY)
            words = " ".join(f"{one.term.name}{one.operator}{one.values}" for one in conditions)
            print(f"{kind}: page {page:.3f} s ({page / plain:.1f}), count {count:.3f} s "
                  f"({count / plain:.1f}), {found:,} found, {way}: {words}")  # fmt: skip


def build(url: str, detail: TextDetail) -> None:
    with open_store(url, clock=SystemClock()) as store:
        began = time.process_time()
        size = build_text_index(store, detail)
        print(f"\n{detail}: built in {time.process_time() - began:.0f} s: {size}")


def read_page(store: Store, question: FindQuestion) -> list[FoundTrial]:
    return list(islice(find_trials(store, question, today=TODAY), PAGE + 1))


def least(ask: Callable[[], Any], rounds: int = 2) -> float:
    """Return the least seconds of a few calls, waiting for a server included."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.parametrize("detail", TextDetail)
def test_the_share_of_the_index_in_a_sqlite_file(
    mirrored: Path, tmp_path: Path, detail: TextDetail
) -> None:
    file = tmp_path / "indexed.db"
    shutil.copy(mirrored, file)
    build(f"sqlite:///{file}", detail)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    share = file.stat().st_size / mirrored.stat().st_size - 1
    print(f"{detail}: the index adds {share:.0%} to the file")
    assert share > 0


OVER_HTTP: tuple[dict[str, str], ...] = ({}, {"as_of": "2012-01-01"}, {"ever": "true"})
MOST_PAGES = 5


def test_the_time_of_pages_over_http(mirrored: Path, tmp_path: Path) -> None:
    """Print the seconds of the first page and of the slowest later one, without and with an index.

    The server is warm: each search is asked twice, for another number of rows.
    """
    file = tmp_path / "served.db"
    shutil.copy(mirrored, file)
    with open_store(f"sqlite:///{file}", clock=SystemClock()) as store:
        typed = questions(store)
    asked = (typed[0][0].split()[0], "eligibility~the", typed[2][0], "status=UNKNOWN")
    for is_indexed in (False, True):
        if is_indexed:
            build(f"sqlite:///{file}", TextDetail.FULL)
        with (
            serving(file) as (pid, port),
            httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=300) as client,
        ):
            for how, one in product(OVER_HTTP, asked):
                Paged(client, pid, {"condition": one, **how, "limit": 99})
                pages = [Paged(client, pid, {"condition": one, **how, "limit": 100})]
                while pages[-1].following and len(pages) < MOST_PAGES:
                    pages.append(Paged(client, pid, pages[0].asked, pages[-1].following))
                later = max((page.seconds for page in pages[1:]), default=0)
                worked = max(page.worked for page in pages)
                print(f"HTTP {'with' if is_indexed else 'without'} index: {one} {how}: first "
                      f"{pages[0].seconds:.3f} s, later {later:.3f} s, CPU {worked:.2f} s, "
                      f"total {pages[0].total}")  # fmt: skip


class Paged:
    """A page of a search over HTTP, and what it took."""

    def __init__(
        self, client: httpx.Client, pid: int, asked: dict[str, Any], following: str | None = None
    ) -> None:
        self.asked = asked
        given = asked if following is None else {**asked, "cursor": following}
        worked, began = cpu_seconds(pid), time.perf_counter()
        answer = client.get("/find", params=given).json()
        self.seconds = time.perf_counter() - began
        self.worked = cpu_seconds(pid) - worked
        self.total, self.following = answer["total"], answer["next"]


def test_the_cost_of_searches_in_a_sqlite_file(mirrored: Path) -> None:
    print(f"\n{TRIALS:,} trials, {mirrored.stat().st_size:,} bytes without the index")
    build(f"sqlite:///{mirrored}", TextDetail.FULL)
    measure(f"sqlite:///{mirrored}")


def test_the_cost_of_searches_in_postgresql(mirrored: Path, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    copy_database(f"sqlite:///{mirrored}", url, clock=SystemClock())
    build(url, TextDetail.FULL)
    measure(url)
    postgres.drop(url)
