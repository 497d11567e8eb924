"""The CPU time of real days for ctsync and two simple ways to keep the same records.

All follow the same trials over the same registry on loopback. Each runs as one process, whose
imports are not counted. Prints figures for people to judge, and asserts none.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench.daily_clients import WAYS
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.bench
FIRST = 2
"""The first load with nearly all trials: the two before it have few."""


def _cpu_seconds(way: str, catalogue: Catalogue, folder: Path, *, ids: Sequence[str]) -> float:
    folder.mkdir()
    (folder / "ids.txt").write_text("\n".join(ids), encoding="utf-8")
    with ReplayRegistry(catalogue) as registry:
        command = [
            sys.executable,
            "-m",
            "tests.bench.daily_clients",
            way,
            registry.url,
            str(folder),
        ]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            for load in catalogue.loads[FIRST:]:
                catalogue.set_load(load)
                client.stdin.write(b"next day\n")
                client.stdin.flush()
                assert client.stdout.readline() == b"done\n"
            client.stdin.close()
            return float(client.stdout.readline())


def test_the_cpu_time_of_days_beside_simple_ways_to_keep_records(
    corpus: Path, tmp_path: Path
) -> None:
    catalogue = Catalogue.from_folder(corpus / "days")
    catalogue.set_load(catalogue.loads[-1])
    ids = sorted(catalogue.view().ids)
    taken = {way: _cpu_seconds(way, catalogue, tmp_path / way, ids=ids) for way in WAYS}
    quicker = min(seconds for way, seconds in taken.items() if way != "ctsync")
    print(f"\n{len(ids)} trials on {len(catalogue.loads) - FIRST} days in one process, CPU time:")
    for way, seconds in taken.items():
        print(f"{way}: {seconds:.2f} s, {seconds / quicker:.2f} times the quicker simple way")
