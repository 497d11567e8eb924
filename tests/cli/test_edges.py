"""Edge cases of the command line: full disks, odd names, links, and commands named in texts."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import ctsync
from ctsync.cli import main
from ctsync.cli.commands import LazyGroup
from ctsync.errors import BadRecord
from ctsync.model import NctId
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell
from tests.conftest import StillClock
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"
OTHER = "NCT05935098"


@pytest.fixture
def stored(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell with two stored versions of the seed trial."""
    shell.run("watch", "add", SEED, "--sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    shell.run("sync")
    return shell


# --- input -------------------------------------------------------------------------------------


def test_watch_add_with_sync_writes_one_json_object(shell: Shell) -> None:
    added = shell.json("watch", "add", SEED, "--sync", "--json")
    assert added["resolved"] == [
        {
            "term": SEED,
            "nct_id": SEED,
            "watch": "default",
            "status": "RECRUITING",
            "sponsor": "A sponsor",
            "title": f"A trial called {SEED}",
            "query": None,
        }
    ]
    assert (added["sync"]["verdict"], added["sync"]["new"]) == ("ok", 1)
    assert shell.json("watch", "add", OTHER, "--json")[0]["nct_id"] == OTHER


def test_versions_can_be_counted_from_the_newest(stored: Shell) -> None:
    counted = stored.run("diff", SEED, "-2", "-1").stdout
    assert "Overall Status" in counted
    assert counted == stored.run("diff", SEED, "1", "2").stdout == stored.run("diff", SEED).stdout


@pytest.mark.parametrize("option", ["--bogus", "-x"])
def test_an_option_that_diff_does_not_know_is_refused(stored: Shell, option: str) -> None:
    line = stored.refuse("diff", SEED, option, exit_code=2)
    assert line == f"ctsync: No such option '{option}' (see ctsync diff --help)"


def test_there_is_no_version_0(stored: Shell) -> None:
    assert "no version 0" in stored.refuse("show", SEED, "--version", "0", exit_code=2)


@pytest.mark.slow
def test_raw_bytes_are_not_written_to_a_terminal(stored: Shell) -> None:
    ours, its = pty.openpty()
    try:
        done = run(stored, "show", SEED, "--raw", stdout=its)
    finally:
        os.close(its)
        os.close(ours)
    assert done.returncode == 2
    assert (
        done.stderr
        == "ctsync: --raw is not shown on a terminal: redirect the output, or use --json\n"
    )
    assert stored.run("show", SEED, "--raw").stdout.startswith("{")


@pytest.mark.parametrize("command", ["changes", "report"])
def test_the_last_possible_date_is_accepted(stored: Shell, command: str) -> None:
    assert SEED in stored.run(command, "--since", "all", "--until", "9999-12-31").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("sync", "--bogus"), "No such option '--bogus' (see ctsync sync --help)"),
        (("watch", "ad"), "(see ctsync watch --help)"),
        (("show",), "Missing argument 'NCT' (see ctsync show --help)"),
        (("--bogus",), "(see ctsync --help)"),
    ],
)
def test_a_usage_error_is_reported_in_one_line(
    shell: Shell, words: tuple[str, ...], expected: str
) -> None:
    assert expected in shell.refuse(*words, exit_code=2)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101, "\x1b[31m"])
def test_the_name_of_a_watch_must_be_printable_and_short(shell: Shell, name: str) -> None:
    line = shell.refuse("watch", "add", SEED, "--name", name, exit_code=2)
    assert "--name: " in line
    assert len(line) < 120


def test_a_long_term_is_shortened_in_the_error(shell: Shell) -> None:
    line = shell.refuse("watch", "add", "x" * 1000, exit_code=2)
    assert "characters)" in line
    assert len(line) < 300


def test_a_missing_file_is_reported_without_an_error_number(shell: Shell) -> None:
    line = shell.refuse("watch", "add", "--file", "nope", exit_code=2)
    assert line == "ctsync: cannot read nope: No such file or directory"


def test_init_writes_to_the_file_named_in_the_environment(shell: Shell, tmp_path: Path) -> None:
    shell.env["CTSYNC_CONFIG"] = str(tmp_path / "mine.toml")
    shell.run("init")
    assert (tmp_path / "mine.toml").exists()
    assert not (tmp_path / "ctsync.toml").exists()
    shell.run("status")


# --- output ------------------------------------------------------------------------------------


def run(shell: Shell, *args: str, stdout: int) -> subprocess.CompletedProcess[str]:
    """Run `ctsync` in a separate process with the given stdout."""
    environment = {**os.environ, **{k: v for k, v in shell.env.items() if v is not None}}
    return subprocess.run(
        [sys.executable, "-m", "ctsync", *args],
        env={**environment, "PYTHONPATH": str(Path(ctsync.__file__).parents[1])},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("args", [("rules",), ("--help",), ("show", SEED, "--raw")])
def test_a_full_disk_is_reported_in_one_line(stored: Shell, args: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run(stored, *args, stdout=full)
    finally:
        os.close(full)
    assert done.returncode != 0
    assert done.stderr == "ctsync: cannot write the output: No space left on device\n"


def test_the_help_ends_quietly_on_a_closed_pipe(shell: Shell) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(shell, "--help", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_report_is_written_through_a_link_and_keeps_the_mode(
    stored: Shell, tmp_path: Path
) -> None:
    real = tmp_path / "real.txt"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    stored.run("report", "--since", "all", "--output", "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert SEED in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(tmp_path.glob(".*.txt.*")) == []


def test_a_new_report_file_respects_the_umask(stored: Shell, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        stored.run("report", "--since", "all", "--output", "new.txt")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o640


def test_a_report_can_be_written_to_a_pipe(stored: Shell, tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    stored.run("report", "--since", "all", "--output", "pipe")
    reader.join(timeout=10)
    assert SEED in read[0]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_dash_means_standard_output(stored: Shell, tmp_path: Path) -> None:
    shown = stored.run("report", "--since", "all", "--output", "-")
    assert SEED in shown.stdout
    assert not (tmp_path / "-").exists()


def test_a_name_with_escape_codes_cannot_control_the_terminal(shell: Shell, tmp_path: Path) -> None:
    name = "\x1b[31mred"
    shell.run("watch", "add", SEED)
    connection = sqlite3.connect(tmp_path / "ctsync.db")
    with connection:
        connection.execute("UPDATE watches SET name = ?", [name])
    connection.close()
    assert "\x1b" not in shell.run("watch", "remove", name).stderr
    assert "\x1b" not in shell.run("-v", "watch", "remove", name, exit_code=2).stderr


# --- the database ------------------------------------------------------------------------------


def test_status_creates_no_database(shell: Shell, tmp_path: Path) -> None:
    assert "ctsync watch add" in shell.refuse("status", exit_code=6)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_status_reports_watches_that_no_sync_has_added(stored: Shell, tmp_path: Path) -> None:
    assert stored.run("status").stdout.startswith("ok\n")
    (tmp_path / "ctsync.toml").write_text(f'[[watches]]\nname = "file"\ntrials = ["{OTHER}"]\n')
    shown = stored.run("status", exit_code=3).stdout
    assert shown.startswith("partial\n")
    assert "not synced yet: watch file; run: ctsync sync" in shown
    stored.run("sync")
    assert stored.run("status").stdout.startswith("ok\n")


def test_a_settings_file_that_was_never_synced_is_not_ok(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    (tmp_path / "ctsync.toml").write_text(f'[[watches]]\nname = "file"\ntrials = ["{OTHER}"]\n')
    assert "no sync has run yet" in shell.run("status", exit_code=3).stdout


@pytest.mark.slow
def test_a_failure_of_a_trial_that_is_not_followed_is_ignored(
    stored: Shell, tmp_path: Path, clock: StillClock
) -> None:
    with open_store(f"sqlite:///{tmp_path / 'ctsync.db'}", clock=clock) as store:
        for nct_id in (SEED, OTHER):  # the other is not followed
            with store.unit() as unit:
                unit.failures.record(
                    NctId(nct_id), BadRecord("no status"), b"{}", run_id=None, now=clock.now()
                )
    shown = stored.run("status", exit_code=3).stdout
    assert "  1 trial could not be checked\n" in shown
    assert f"  {SEED}: no status (1 attempt since " in shown
    assert OTHER not in shown
    assert [
        one["nct_id"]
        for one in json.loads(stored.run("status", "--json", exit_code=3).stdout)["quarantine"]
    ] == [SEED]


def test_a_newer_schema_is_reported_as_such(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    connection = sqlite3.connect(tmp_path / "ctsync.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "later ctsync" in shell.refuse("db", "current", exit_code=6)


# --- commands named in texts -------------------------------------------------------------------

# words that follow "ctsync" in sentences about the program, such as "ctsync keeps"
SENTENCE_WORDS = {
    "adds",
    "follows",
    "needs",
    "asks",
    "at",
    "began",
    "carries",
    "command",
    "computes",
    "database",
    "depends",
    "does",
    "failed",
    "fetched",
    "first",
    "has",
    "is",
    "itself",
    "its",
    "keeps",
    "knows",
    "listed",
    "makes",
    "may",
    "nobody",
    "now",
    "over",
    "reads",
    "runs",
    "supports",
    "saw",
    "sends",
    "sent",
    "sees",
    "shows",
    "stands",
    "stores",
    "trials",
    "version",
    "wrote",
}


def _without_docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    docstrings = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    return (n for n in ast.walk(tree) if id(n) not in docstrings)


@pytest.mark.slow
def test_every_command_named_in_a_text_exists() -> None:
    wrong = []
    for file in Path(ctsync.__file__).parent.rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        # click shows the docstrings of cli/; in other rooms "ctsync saw it" names no command
        shown = ast.walk(tree) if "cli" in file.parts else _without_docstrings(tree)
        texts = [n.value for n in shown if isinstance(n, ast.Constant)]
        for text in texts:
            if not isinstance(text, str):
                continue
            for word, sub in re.findall(
                r"\bctsync ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+(?:-[a-z]+)*)\b)?", text
            ):
                command = main.get_command(click.Context(main), word)
                if command is None and word not in SENTENCE_WORDS:
                    wrong.append(f"{file.name}: ctsync {word}")
                if isinstance(command, LazyGroup) and sub and sub not in command.table:
                    wrong.append(f"{file.name}: ctsync {word} {sub}")
    assert wrong == []
