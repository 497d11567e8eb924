"""Searches for words over 100,000 generated trials: the cost of the index, and of each answer.

CTSYNC_BENCH_TRIALS sets a smaller number of trials.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import orjson
import pytest

from ctsync.dates import SystemClock
from ctsync.model import NctId
from ctsync.questions.portfolio.find import find
from ctsync.record.rules.conditions import read_condition
from ctsync.store.admin.copy import copy_database
from ctsync.store.derived.text_index_build import build_text_index
from ctsync.store.store import Store, open_store
from tests.bench.made_registry import write_archive
from tests.conftest import PostgresServer

pytestmark = pytest.mark.bench_registry

TRIALS = int(os.environ.get("CTSYNC_BENCH_TRIALS", "100000"))
TODAY = date(2026, 10, 2)
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


def measure(url: str) -> None:
    kind = url.partition(":")[0]
    with open_store(url, clock=SystemClock()) as store:
        asked = [list(map(read_condition, typed)) for typed in questions(store)]
        began = time.perf_counter()
        size = build_text_index(store)
        print(f"\n{kind}: index built in {time.perf_counter() - began:.0f} s: {size}")
        for ever in (False, True):
            for conditions in asked:
                began = time.perf_counter()
                found = list(find(store, conditions, today=TODAY, ever=ever))
                took = time.perf_counter() - began
                words = " ".join(f"{one.term.name}{one.operator}{one.values}" for one in conditions)
                print(f"{kind}: {took:.2f} s, {len(found):,} found, ever={ever}: {words}")


def test_the_cost_of_searches_in_a_sqlite_file(mirrored: Path) -> None:
    print(f"\n{TRIALS:,} trials, {mirrored.stat().st_size:,} bytes without the index")
    measure(f"sqlite:///{mirrored}")


def test_the_cost_of_searches_in_postgresql(mirrored: Path, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    copy_database(f"sqlite:///{mirrored}", url, clock=SystemClock())
    measure(url)
    postgres.drop(url)
