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
    "polars psycopg pyarrow pydantic rapidfuzz rich.console smtplib starlette uvicorn xlsxwriter"
)
IN_NO_QUIET_SYNC = (
    "ctsync.config.cron ctsync.config.mail_address ctsync.deliver.compose ctsync.deliver.message "
    "ctsync.record.compare.diff ctsync.record.events ctsync.record.history_form "
    "ctsync.record.outcomes ctsync.report.build ctsync.report.report ctsync.store.admin "
    "ctsync.store.data.event_rewrites ctsync.store.data.version_batches "
    "ctsync.store.derived.text_index ctsync.store.derived.trial_search ctsync.sync.cycle_row "
    "ctsync.sync.assessment.new_versions ctsync.sync.flags.flag_points ctsync.sync.history "
    "ctsync.sync.mirror"
)
IN_NO_PORTFOLIO = (
    "ctsync.questions.changes.changes ctsync.questions.portfolio.find "
    "ctsync.questions.trial.timeline ctsync.record.history_form ctsync.registry "
    "ctsync.report.report ctsync.store.admin ctsync.sync "
    "pandas pyarrow pydantic requests"
)
IN_NO_QUESTION = "filelock requests tenacity urllib3 ctsync.deliver ctsync.registry ctsync.sync"


def imported(shell: Shell, words: list[str], names: str) -> list[str]:
    """Run a command in a process and return which of these modules it imported."""
    code = f"from ctsync.cli import main; main({words!r}, standalone_mode=False)"
    return imported_by(code, shell, names)


def imported_by(code: str, shell: Shell, names: str) -> list[str]:
    """Run a program in a process and return which of these modules it imported."""
    code += (
        f"\nimport sys\nprint(*sorted(set({names!r}.split()) & set(sys.modules)), file=sys.stderr)"
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
    [
        ["history", SEED],
        ["changes"],
        ["report"],
        ["portfolio"],
        ["show", SEED],
        ["find", "status=RECRUITING"],
    ],
    ids=lambda words: words[0],
)
def test_a_question_imports_no_registry(shell: Shell, words: list[str]) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    assert imported(shell, words, f"{NEVER} {IN_NO_QUESTION}") == []


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("changes", "ctsync.report.report ctsync.report.version_steps"),
        ("status", "ctsync.questions.trial ctsync.report.report ctsync.record.history_form"),
    ],
)
def test_a_command_imports_no_other_question(shell: Shell, command: str, names: str) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    assert imported(shell, [command], names) == []


def test_a_portfolio_in_a_program_imports_no_other_question(shell: Shell) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    code = "import ctsync; assert len(ctsync.open().portfolio()) == 1"
    assert imported_by(code, shell, IN_NO_PORTFOLIO) == []
