"""The import contracts of pyproject.toml are kept, and --help imports no heavy package."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

# for each contract, an import that breaks it and the folder to add it to
VIOLATIONS = {
    "each layer imports only those below it": ("record", "import ctsync.store"),
    "requests only in the transport, and in what posts to a webhook": ("store", "import requests"),
    "SQL only in the store": ("sync", "import sqlalchemy"),
    "alembic only in store.database.migrate": ("store", "import alembic"),
    "the writer lock is taken through the store, which fences": (
        "sync",
        "import ctsync.store.database.lock",
    ),
    "DeepDiff only in record.compare.diff": ("record", "import deepdiff"),
    "APScheduler only in the daemon": ("sync", "import apscheduler"),
    "smtplib only in deliver.channels.email": ("deliver", "import smtplib"),
    "css-inline only in report.mail.mail_html": ("store", "import css_inline"),
    "icalendar only in export.milestone_calendar": ("web", "import icalendar"),
    "the web frameworks only in the web": ("cli", "import uvicorn"),
    "pyarrow only in export, and for types in python": ("store", "import pyarrow"),
    "pandas and polars only in python.data_frames, and for types beside it": (
        "export",
        "import polars",
    ),
    "click and rich only in the command line": ("report", "import rich"),
    "the pure rooms reach no network, database or file": ("report", "import socket"),
}
# packages that only some commands need, so that `ctsync --help` must not import them
HEAVY = (
    "alembic apscheduler css_inline deepdiff fastapi icalendar jinja2 mcp msgspec pandas polars "
    "pyarrow pydantic requests rich sqlalchemy starlette tenacity uvicorn"
)


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_contract_is_kept():
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.slow
def test_every_contract_can_be_broken(tmp_path):
    """Check that each contract fails for a module that breaks it."""
    assert set(VIOLATIONS) == {contract["name"] for contract in CONTRACTS}
    shutil.copytree(ROOT / "ctsync", tmp_path / "ctsync")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for number, (room, statement) in enumerate(VIOLATIONS.values()):
        planted = tmp_path / "ctsync" / room / f"planted_{number}.py"
        planted.write_text(f'"""A module with a forbidden import."""\n\n{statement}\n')
    linted = lint_imports(tmp_path)
    assert linted.returncode == 1
    broken = re.findall(r"^(.+) BROKEN", linted.stdout, re.MULTILINE)
    assert sorted(broken) == sorted(VIOLATIONS)


@pytest.mark.slow
def test_a_new_module_must_be_given_a_layer(tmp_path):
    shutil.copytree(ROOT / "ctsync", tmp_path / "ctsync")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "ctsync" / "annex.py").write_text('"""A module without a layer."""\n')
    linted = lint_imports(tmp_path)
    assert linted.returncode == 1
    assert "annex" in linted.stdout


@pytest.mark.parametrize("words", [["--help"], ["watch", "--help"], ["--version"]])
def test_help_imports_no_heavy_package(words):
    code = (
        "import sys\n"
        "from ctsync.cli import main\n"
        f"main({words!r}, standalone_mode=False)\n"
        f"print(*sorted(set({HEAVY.split()!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    helped = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0, helped.stderr
    assert helped.stderr.split() == []
