"""The CPU time of whole commands, each beside `python -c "import sqlalchemy"` in the same run.

A command's time is that of a new process, all its imports included. Each command and the import run
in turn, in the same environment, and the least of several rounds counts: one run of a command took
0.9 to 1.3 s on a machine with other work. Prints figures for people to judge, and asserts none.

The commands are those of a new virtual environment with ctsync and pandas, as a user has it. The
environment of the tests has packages that others import where they find them: requests would import
simplejson, and pandas would import pyarrow.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ctsync.dates import SystemClock
from ctsync.store.store import open_for_reading
from tests.bench.cpu_time import cpu_seconds, least_in_turn
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.bench
SQLALCHEMY = "import sqlalchemy"
SQLALCHEMY_PANDAS = "import sqlalchemy, pandas"
ROOT = Path(__file__).parents[2]
FEW, ALL = 50, 600
FIRST = 2
"""The first load with nearly all trials: the two before it have few."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with ctsync and pandas; pip compiles their modules."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ROOT, "pandas"],
        cwd=folder, check=True,
    )  # fmt: skip
    return python


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of this process, without those that change where Python finds code."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    return {**inherited, "HOME": str(folder)}


@dataclass(frozen=True, slots=True)
class Place:
    """A database with its registry, the trials that it follows, and the Python that has ctsync."""

    registry: ReplayRegistry
    folder: Path
    python: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command: its own folder, with a settings file for the pace."""
        return environment(self.folder) | {
            "CTSYNC_DATABASE__URL": f"sqlite:///{self.folder / 'bench.db'}",
            "CTSYNC_REGISTRY_URL": self.registry.url,
        }

    def cpu_seconds(self, *words: str) -> float:
        """Run a command of ctsync and return the CPU seconds of its process."""
        command = [str(self.python), "-m", "ctsync", *words]
        return cpu_seconds(command, self.environment, folder=self.folder)

    def python_seconds(self, code: str) -> float:
        """Run a line of Python in the environment of the commands; return its CPU seconds."""
        return cpu_seconds([str(self.python), "-c", code], self.environment, folder=self.folder)

    @property
    def database(self) -> Path:
        """The file of the database: complete once a command has ended."""
        return self.folder / "bench.db"

    def changed_in_last_run(self) -> int:
        """Return the number of trials that the newest sync found changed."""
        url = self.environment["CTSYNC_DATABASE__URL"]
        with open_for_reading(url, clock=SystemClock()) as store:
            run = store.runs.last()
            return run.changed if run else 0

    def beside(self, code: str, *words: str) -> tuple[float, float]:
        """Return the least CPU seconds of a line of Python and of a command, run in turn."""
        unit, command = least_in_turn(
            partial(self.python_seconds, code), partial(self.cpu_seconds, *words)
        )
        return unit, command


@contextmanager
def following(corpus: Path, folder: Path, python: Path, *, trials: int) -> Iterator[Place]:
    """Follow trials of the real days, from the first load that has nearly all of them."""
    catalogue = Catalogue.from_folder(corpus / "days")
    catalogue.set_load(catalogue.loads[-1])
    chosen = sorted(catalogue.view().ids)[:trials]
    catalogue.set_load(catalogue.loads[FIRST])
    with ReplayRegistry(catalogue) as registry:
        place = Place(registry, folder, python)
        settings = "[registry]\nrequests_per_second = 10\n"
        (folder / "ctsync.toml").write_text(settings, encoding="utf-8")
        listed = folder / "chosen.txt"
        listed.write_text("\n".join(chosen), encoding="utf-8")
        place.cpu_seconds("watch", "add", "--file", str(listed))
        yield place


def test_the_cpu_time_of_commands_beside_the_import_of_sqlalchemy(
    corpus: Path, tmp_path: Path, python: Path
) -> None:
    with following(corpus, tmp_path, python, trials=FEW) as place:
        measures = (partial(place.python_seconds, code) for code in ("pass", SQLALCHEMY))
        bare, unit = least_in_turn(*measures)
        print(f"\na bare interpreter: {bare:.3f} s of CPU time; import sqlalchemy: {unit:.3f} s")
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
            unit, least = place.beside(SQLALCHEMY, *words)
            print(f"ctsync {' '.join(words)}: {least:.3f} s, {least / unit:.2f} of it")


def test_the_cpu_time_of_a_day_and_of_a_data_frame_among_600_trials(
    corpus: Path, tmp_path: Path, python: Path
) -> None:
    with following(corpus, tmp_path, python, trials=ALL) as place:
        catalogue = place.registry.catalogue
        first, *later = catalogue.loads[FIRST:]
        taken, changes = [place.cpu_seconds("sync")], [0]
        for load in later:
            catalogue.set_load(load)
            shutil.copy(place.database, tmp_path / f"before-{load:%Y-%m-%d}.db")
            taken.append(place.cpu_seconds("sync"))
            changes.append(place.changed_in_last_run())
        most, busiest = max(zip(changes[1:], later, strict=True))
        catalogue.set_load(busiest)

        def sync_again() -> float:
            shutil.copy(tmp_path / f"before-{busiest:%Y-%m-%d}.db", place.database)
            return place.cpu_seconds("sync")

        unit, busy = least_in_turn(partial(place.python_seconds, SQLALCHEMY), sync_again, rounds=3)
        frame = f"import ctsync; ctsync.open('sqlite:///{place.database}').portfolio().df()"
        bare, framed = least_in_turn(
            partial(place.python_seconds, SQLALCHEMY_PANDAS), partial(place.python_seconds, frame)
        )
    print(
        f"\nsync of {ALL} trials, {len(later)} days one by one after {first:%Y-%m-%d}: first "
        f"{taken[0]:.2f} s of CPU time, then least {min(taken[1:]):.2f} s, most "
        f"{max(taken[1:]):.2f} s, {sum(taken[1:]):.1f} s in all; beside the import of sqlalchemy "
        f"({unit:.3f} s) {sum(taken[1:]) / len(later) / unit:.1f} times a day"
    )
    print(f"the day with most changes, {most}: {busy:.2f} s, {busy / unit:.1f} of it")
    print(f"{SQLALCHEMY_PANDAS}: {bare:.2f} s of CPU time")
    print(f"{frame.partition(';')[2].strip()}: {framed:.2f} s, {framed / bare:.2f} of it")


def test_the_cpu_time_of_the_import_beside_a_bare_interpreter(tmp_path: Path, python: Path) -> None:
    bare, imported = least_in_turn(
        *(partial(cpu_seconds, [str(python), "-c", code], environment(tmp_path), folder=tmp_path)
          for code in ("pass", "import ctsync"))
    )  # fmt: skip
    print(
        f"\nimport ctsync: {imported - bare:.3f} s of CPU time more than python -c pass "
        f"({bare:.3f} s), {imported / bare:.1f} times as much"
    )
