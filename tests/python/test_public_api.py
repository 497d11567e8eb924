"""The public names: documented, imported late, typed, and shown in examples that run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import time_machine

import ctsync
from tests.python.conftest import SmallDatabase
from tests.registry_fixtures import make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.test_layers import HEAVY

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"
DOCUMENTED = ("database", "fetch", "opening", "rows", "scripts", "trial_record", "trial_timeline")

SCRIPT = '''\
"""A script as a user writes it."""

from __future__ import annotations

from datetime import date

import ctsync


def slips(url: str) -> dict[str, int]:
    found: dict[str, int] = {}
    with ctsync.open(url) as db:
        rows: ctsync.Rows[ctsync.EventRow] = db.changes(since=date(2020, 1, 1), kind="start_date")
        for row in rows[:10]:
            found[row.nct_id] = row.days or 0
        names: list[str] = [flag.label for flag in db.flags(all=True)]
        status: str | None = db.versions("NCT01352702")[-1].status
        days: int = db.timeline("NCT01352702").spells[0].days
    print(names, status, days)
    return found


def names(nct: str) -> list[str]:
    trial = ctsync.fetch(nct)
    return [version.status for version in trial.versions()]


try:
    done: ctsync.SyncRow = ctsync.run_sync(wait=1)
except ctsync.LockHeld as error:
    print(error)
'''
WRONG = SCRIPT.replace("row.days or 0", "row.dais or 0")


def documented_names() -> set[str]:
    """Return the names in the table of the section on stability."""
    section = PAGE.read_text(encoding="utf-8").partition("## Stability")[2]
    return {
        name
        for line in section.splitlines()
        if line.startswith("| ")
        for name in re.findall(r"`(\w+)`", line)
    }


def test_the_public_names_are_the_documented_ones() -> None:
    assert set(ctsync.__all__) == documented_names()
    print(f"python: {len(ctsync.__all__)} public names")


@pytest.mark.parametrize("name", ctsync.__all__)
def test_each_public_name_exists_and_is_described(name: str) -> None:
    value = getattr(ctsync, name)
    assert value.__doc__
    assert value.__name__ == name
    assert name in dir(ctsync)


def test_every_public_method_of_a_database_is_in_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    methods = {name for name in vars(ctsync.TrialDatabase) if not name.startswith("_")}
    assert {name for name in methods - {"close"} if f"`db.{name}(" not in page} == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'opn'"):
        ctsync.opn  # type: ignore[attr-defined]  # noqa: B018 - the case under test


def test_the_import_loads_no_heavy_package() -> None:
    code = (
        "import sys, ctsync\n"
        f"print(*sorted(set({HEAVY.split()!r}) & set(sys.modules)))\n"
        "print(*(name for name in sys.modules if name.startswith('ctsync.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.slow
def test_questions_load_no_data_frame_library(small: SmallDatabase) -> None:
    """DeepDiff imports pandas and polars if they are installed: only a diff may load it."""
    code = (
        "import sys, ctsync\n"
        f"ctsync.open({small.url!r}).changes().dicts()\n"
        "print(*{'deepdiff', 'pandas', 'polars', 'pyarrow', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", DOCUMENTED)
def test_the_examples_in_docstrings_run(
    module: str, small: SmallDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalogue("2026-02-02")
    catalogue.publish(make_study("NCT03389919"))
    with (
        ReplayRegistry(catalogue) as registry,
        ctsync.open(small.url) as db,
        time_machine.travel("2026-03-13T15:02:11Z", tick=True),
    ):
        monkeypatch.setenv("CTSYNC_REGISTRY_URL", registry.url)
        found = doctest.testmod(
            import_module(f"ctsync.python.{module}"), extraglobs={"ctsync": ctsync, "db": db}
        )
    assert found.failed == 0
    assert found.attempted or module in {"rows", "scripts", "trial_record"}
    print(f"{module}: {found.attempted} examples")


@pytest.mark.slow
def test_a_script_of_a_user_is_checked_by_mypy(tmp_path: Path) -> None:
    for name, source in (("right", SCRIPT), ("wrong", WRONG)):
        (tmp_path / f"{name}.py").write_text(source)
    cache = ROOT / ".mypy_cache" / "script"
    options = ["--strict", "--config-file", "", "--cache-dir", str(cache)]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "right.py", "wrong.py"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "MYPYPATH": str(ROOT)},
        cwd=tmp_path,
    )
    lines = checked.stdout.splitlines()
    assert [line for line in lines if line.startswith("right.py")] == []
    (wrong,) = [line for line in lines if line.startswith("wrong.py")]
    assert '"EventRow" has no attribute "dais"' in wrong
