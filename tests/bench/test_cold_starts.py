"""The CPU time of whole commands, each beside `python -c "import sqlalchemy"` in the same run.

A command's time is that of a new process, all its imports included. Prints figures for people to
judge, and asserts none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ctsync.dates import SystemClock
from ctsync.store.store import open_for_reading
from tests.bench.cpu_time import cpu_seconds, least_of_python
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.bench
SQLALCHEMY = "import sqlalchemy"
FEW, ALL = 50, 600
ROUNDS = 5
FIRST = 2
"""The first load with nearly all trials: the two before it have few."""


@dataclass(frozen=True, slots=True)
class Place:
    """A database with its registry, and the trials that it follows."""

    registry: ReplayRegistry
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command: its own folder, with a settings file for the pace.

        An installed package has its bytecode; here the first run of a command writes it.
        """
        inherited = dict(os.environ)
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        return {
            **inherited,
            "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode"),
            "CTSYNC_DATABASE__URL": f"sqlite:///{self.folder / 'bench.db'}",
            "CTSYNC_REGISTRY_URL": self.registry.url,
            "HOME": str(self.folder),
        }

    def cpu_seconds(self, *words: str) -> float:
        """Run a command of ctsync and return the CPU seconds of its process."""
        command = [sys.executable, "-m", "ctsync", *words]
        return cpu_seconds(command, self.environment, folder=self.folder)

    def changed_in_last_run(self) -> int:
        """Return the number of trials that the newest sync found changed."""
        url = self.environment["CTSYNC_DATABASE__URL"]
        with open_for_reading(url, clock=SystemClock()) as store:
            run = store.runs.last()
            return run.changed if run else 0

    def least(self, *words: str) -> float:
        """Return the least CPU time of a few runs of a command."""
        return min(self.cpu_seconds(*words) for _ in range(ROUNDS))


@contextmanager
def following(corpus: Path, folder: Path, trials: int) -> Iterator[Place]:
    """Follow trials of the real days, from the first load that has nearly all of them."""
    catalogue = Catalogue.from_folder(corpus / "days")
    catalogue.set_load(catalogue.loads[-1])
    chosen = sorted(catalogue.view().ids)[:trials]
    catalogue.set_load(catalogue.loads[FIRST])
    with ReplayRegistry(catalogue) as registry:
        place = Place(registry, folder)
        settings = "[registry]\nrequests_per_second = 10\n"
        (folder / "ctsync.toml").write_text(settings, encoding="utf-8")
        listed = folder / "chosen.txt"
        listed.write_text("\n".join(chosen), encoding="utf-8")
        place.cpu_seconds("watch", "add", "--file", str(listed))
        yield place


def test_the_cpu_time_of_commands_beside_the_import_of_sqlalchemy(
    corpus: Path, tmp_path: Path
) -> None:
    unit = least_of_python(SQLALCHEMY)
    print(f"\npython -c 'import sqlalchemy': {unit:.3f} s of CPU time; a bare interpreter ", end="")
    print(f"{least_of_python('pass'):.3f} s")
    with following(corpus, tmp_path, FEW) as place:
        place.cpu_seconds("sync")
        followed = min(place.registry.catalogue.view().ids)
        for words in (
            ("--help",),
            ("history", followed),
            ("show", followed),
            ("changes", "--since", "7d"),
            ("report",),
            ("portfolio",),
            ("sync",),
        ):
            # beside each command: other programs on the machine slow down both
            unit, least = least_of_python(SQLALCHEMY), place.least(*words)
            print(f"ctsync {' '.join(words)}: {least:.3f} s, {least / unit:.2f} of it")


def test_the_cpu_time_of_a_day_among_600_trials(corpus: Path, tmp_path: Path) -> None:
    unit = least_of_python(SQLALCHEMY)
    with following(corpus, tmp_path, ALL) as place:
        first, *later = place.registry.catalogue.loads[FIRST:]
        taken, changes = [place.cpu_seconds("sync")], [0]
        for load in later:
            place.registry.catalogue.set_load(load)
            taken.append(place.cpu_seconds("sync"))
            changes.append(place.changed_in_last_run())
    print(
        f"\nsync of {ALL} trials, {len(later)} days one by one after {first:%Y-%m-%d}: first "
        f"{taken[0]:.2f} s of CPU time, then least {min(taken[1:]):.2f} s, most "
        f"{max(taken[1:]):.2f} s, {sum(taken[1:]):.1f} s in all; beside the import of sqlalchemy "
        f"({unit:.3f} s) {sum(taken[1:]) / len(later) / unit:.1f} times a day"
    )
    most, busy = max(zip(changes, taken, strict=True))
    print(f"the day with most changes, {most}: {busy:.2f} s, {busy / unit:.1f} of it")


def test_the_cpu_time_of_the_import_beside_a_bare_interpreter() -> None:
    bare, imported = (least_of_python(code) for code in ("pass", "import ctsync"))
    print(
        f"\nimport ctsync: {imported - bare:.3f} s of CPU time more than python -c pass "
        f"({bare:.3f} s), {imported / bare:.1f} times as much"
    )


def test_the_cpu_time_of_a_first_data_frame(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    cpu_seconds([sys.executable, "-m", "ctsync", "demo", "--folder", str(place)])
    url = f"sqlite:///{place / 'demo.db'}"
    bare = least_of_python("import pandas, pyarrow")
    asked = f"import ctsync; ctsync.open({url!r}).changes()"
    print(f"\nimport pandas, pyarrow: {bare:.2f} s of CPU time")
    for code in (asked, f"{asked}.df()"):
        print(f"{code.partition(';')[2].strip()}: {least_of_python(code):.2f} s")
