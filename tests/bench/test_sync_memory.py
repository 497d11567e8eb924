"""The memory of `ctsync sync` with 10,000 followed trials, over the replay registry.

Run by `make bench-registry`; CTSYNC_BENCH_TRIALS sets a smaller number of trials. Prints figures
for people to judge, and asserts none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from ctsync.dates import SystemClock
from ctsync.store.data.runs import Run
from ctsync.store.store import open_for_reading
from tests.bench.made_registry import DAY, each_study
from tests.bench.peak_memory import PeakMemory
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.bench_registry

TRIALS = int(os.environ.get("CTSYNC_BENCH_TRIALS", "10000"))
CHANGED = max(1, TRIALS // 100)
STATUS = "protocolSection.statusModule"


@dataclass(frozen=True, slots=True)
class Follower:
    """An installation that follows every trial of a replayed registry."""

    registry: ReplayRegistry
    folder: Path

    @property
    def database(self) -> str:
        """The URL of its database."""
        return f"sqlite:///{self.folder / 'bench.db'}"

    def run(self, *words: str) -> str:
        """Run a command. Return its peak memory and its CPU time, in words."""
        environment = {
            **os.environ,
            "CTSYNC_DATABASE__URL": self.database,
            "CTSYNC_REGISTRY_URL": self.registry.url,
            "HOME": str(self.folder),
        }
        command = subprocess.Popen(
            [sys.executable, "-m", "ctsync", *words],
            cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert command.stderr is not None
        peak = PeakMemory(command.pid)
        peak.start()
        said = command.stderr.read().decode()
        _, status, used = os.wait4(command.pid, 0)
        command.returncode = os.waitstatus_to_exitcode(status)
        command.stderr.close()
        peak.stop()
        assert command.returncode == 0, said
        return (
            f"{peak.own_mb:,.0f} MiB at most ({peak.mb:,.0f} with its children, as sampled), "
            f"{used.ru_utime + used.ru_stime:.1f} s of CPU time"
        )

    def last_run(self) -> Run:
        """Return the newest sync."""
        with open_for_reading(self.database, clock=SystemClock()) as store:
            run = store.runs.last()
        assert run is not None
        return run


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    catalogue = Catalogue(DAY)
    for _, study in each_study(TRIALS):
        catalogue.publish(orjson.loads(study))
    with ReplayRegistry(catalogue) as registry:
        place = Follower(registry, tmp_path)
        settings = "[registry]\nrequests_per_second = 10\n"
        (tmp_path / "ctsync.toml").write_text(settings, encoding="utf-8")
        listed = tmp_path / "followed.txt"
        listed.write_text("\n".join(catalogue.view().ids), encoding="utf-8")
        place.run("watch", "add", "--file", str(listed))
        yield place


def test_the_memory_of_a_sync_of_many_followed_trials(follower: Follower) -> None:
    catalogue = follower.registry.catalogue
    first = follower.run("sync")
    assert follower.last_run().new == TRIALS
    catalogue.advance()
    unchanged = follower.run("sync")
    assert follower.last_run().same == TRIALS
    day = catalogue.advance().date().isoformat()
    for nct_id in sorted(catalogue.view().ids)[:: TRIALS // CHANGED][:CHANGED]:
        catalogue.edit(nct_id, {
            f"{STATUS}.lastUpdatePostDateStruct": {"date": day, "type": "ACTUAL"},
            f"{STATUS}.whyStopped": f"Stopped on {day}",
        })  # fmt: skip
    changed = follower.run("sync")
    assert follower.last_run().changed == CHANGED
    print(
        f"\nsync of {TRIALS:,} followed trials:\n  the first {first}\n  unchanged {unchanged}\n"
        f"  {CHANGED:,} changed {changed}"
    )
