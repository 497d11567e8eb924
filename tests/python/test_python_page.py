"""The Python blocks of docs/python.md run, each as a program of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.conftest import in_history
from tests.python.conftest import SmallDatabase
from tests.registry_fixtures import make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

# each block is a program, most of them with pandas
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"(?s)## ([^\n]+)\n(?:(?!##).)*?```python\n(.*?)```", PAGE))
FIRST = re.findall(r"(?s)```python\n(.*?)```", PAGE)[0]
SEED = "NCT03389919"


def run(code: str, env: dict[str, str]) -> str:
    """Run a block; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


def test_every_block_of_the_page_is_tested() -> None:
    assert len(re.findall("```python", PAGE)) == len(BLOCKS) + 1
    assert list(BLOCKS) == [
        "Slips of the primary completion date",
        "Stops and restarts",
        "Changes of outcome measures",
        "Without a database",
        "Scripts that sync",
    ]


def test_the_first_example(small: SmallDatabase) -> None:
    assert "NCT02025543 2019-12-02 Status" in run(FIRST, {})


def test_slips_of_the_primary_completion_date(small: SmallDatabase) -> None:
    printed = run(BLOCKS["Slips of the primary completion date"], {})
    assert re.search(r"NCT01352702 +3 +820\n", printed)


def test_stops_and_restarts(small: SmallDatabase) -> None:
    printed = run(BLOCKS["Stops and restarts"], {})
    assert "3 suspended, 3 no longer" in printed
    assert re.search(r"NCT04161976 2020-04-20 2020-06-03 +44\n", printed)


def test_changes_of_outcome_measures(small: SmallDatabase) -> None:
    printed = run(BLOCKS["Changes of outcome measures"], {})
    assert re.search(r"R-OUT-06 +True +1\n", printed)


def test_a_trial_without_a_database_and_a_script_that_syncs(
    small: SmallDatabase, tmp_path: Path
) -> None:
    catalogue = Catalogue("2026-02-02")
    study = make_study(SEED)
    catalogue.publish(study)
    catalogue.set_history(SEED, [in_history(study), in_history(study)])
    with ReplayRegistry(catalogue) as registry:
        env = {
            "CTSYNC_REGISTRY_URL": registry.url,
            "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
            "CTSYNC_DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}",
        }
        assert run(BLOCKS["Without a database"], env).startswith("RECRUITING\n0 ")
        assert run(BLOCKS["Scripts that sync"], env) == "ok 0 []\n"
