"""What a command does not import, each in a new process: what it does not need costs no time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import SEED, Shell

pytestmark = pytest.mark.slow

NEVER = (
    "alembic apscheduler css_inline deepdiff fastapi holidays icalendar jinja2 mcp numpy pandas "
    "polars psycopg pyarrow rapidfuzz rich.console smtplib starlette uvicorn xlsxwriter"
)
IN_NO_QUIET_SYNC = (
    "ctsync.deliver.compose ctsync.deliver.message ctsync.record.outcomes ctsync.report.build "
    "ctsync.report.report ctsync.sync.cycle_row ctsync.sync.mirror.mirror"
)
IN_NO_QUESTION = (
    "filelock pydantic requests tenacity urllib3 ctsync.config.settings ctsync.deliver "
    "ctsync.registry ctsync.sync"
)


def imported(shell: Shell, words: list[str], names: str) -> list[str]:
    """Run a command in a process and return which of these modules it imported."""
    code = (
        "import sys\nfrom ctsync.cli import main\n"
        f"main({words!r}, standalone_mode=False)\n"
        f"print(*sorted(set({names!r}.split()) & set(sys.modules)), file=sys.stderr)"
    )
    env = {**os.environ, **{key: value for key, value in shell.env.items() if value is not None}}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    *_, last = done.stderr.split("\n")[:-1]
    return last.split()


def test_a_sync_without_changes_imports_nothing_that_reports_one(shell: Shell) -> None:
    del shell.env["CTSYNC_LOG__EVENTS"]  # the log is on by default
    shell.run("watch", "add", SEED)
    shell.run("sync")
    assert imported(shell, ["sync"], f"{NEVER} {IN_NO_QUIET_SYNC}") == []


@pytest.mark.parametrize(
    "words",
    [["history", SEED], ["changes"], ["portfolio"], ["show", SEED], ["find", "status=RECRUITING"]],
    ids=lambda words: words[0],
)
def test_a_question_imports_no_settings_and_no_registry(shell: Shell, words: list[str]) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    assert imported(shell, words, f"{NEVER} {IN_NO_QUESTION}") == []
