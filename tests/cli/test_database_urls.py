"""A database whose path has ?, #, % and blanks: every command reaches this file, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctsync.sqlite_url import sqlite_url
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell
from tests.conftest import StillClock

FOLDER, NAME = "100% of #1?", "my %20 data?base#.db"
READING = (
    ("status",), ("history", SEED), ("show", SEED), ("changes", "--since", "all"), ("check",),
    ("watch", "list"), ("db", "current"), ("db", "stats"), ("outbox", "list"), ("runs",),
    ("export", "csv", "--output", "x.csv"), ("export", "jsonl", "--output", "x.jsonl"),
    ("find", "status=RECRUITING"), ("report", "--since", "all"), ("timeline", SEED),
    ("config", "check"),
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / FOLDER
    folder.mkdir()
    return folder


def names(folder: Path) -> set[str]:
    """Return the names in a folder, without those of logs."""
    return {one.name.removesuffix("-wal").removesuffix("-shm") for one in folder.iterdir()}


@pytest.mark.slow
def test_every_command_reaches_the_file_that_its_url_names(
    shell: Shell, place: Path, tmp_path: Path
) -> None:
    file = place / NAME
    url = sqlite_url(file)
    del shell.env["CTSYNC_LOG__EVENTS"]
    shell.run("--database", url, "watch", "add", SEED)
    shell.run("--database", url, "sync")
    with open_store(url, clock=StillClock()) as store, store.writer(holder="test"):
        beside = names(place)
        held = shell.refuse("--database", url, "sync", exit_code=5)
    assert beside >= {NAME, f"{NAME}.lock", f"{NAME}.lock-holder"}
    assert "in use by test" in held
    ran = [shell.run("--database", url, *command) for command in READING]
    shell.run("--database", url, "sync")
    shell.run("--database", url, "db", "compact")
    shell.run("--database", url, "backup", str(place / "copy?.db"))
    assert shell.json("--database", sqlite_url(place / "copy?.db"), "check", "--json") == []
    shell.run("db", "copy", str(file), str(place / "other?.db"))
    shell.run("db", "copy", url, sqlite_url(place / "third#.db"))
    copies = {"copy?.db", "other?.db", "third#.db", "other?.db.lock", "third#.db.lock"}
    assert names(place) <= {NAME, f"{NAME}.lock", "events.log"} | copies
    assert names(tmp_path) <= {FOLDER, "x.csv", "x.jsonl"}
    print(f"\nodd path: {len(ran) + 6} commands, all on one file")


def test_a_settings_file_names_a_file_with_odd_characters_from_its_own_folder(
    shell: Shell, place: Path
) -> None:
    del shell.env["CTSYNC_DATABASE_URL"]
    config = place / "ctsync.toml"
    config.write_text('[database]\nurl = "sqlite:///a%3Fb c.db?timeout=5"\n')
    shell.run("--config", str(config), "watch", "add", SEED)
    assert (place / "a?b c.db").exists()


@pytest.mark.slow
def test_a_url_for_reading_only_serves_questions_and_refuses_writers_in_one_line(
    shell: Shell, tmp_path: Path
) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    url = f"sqlite:///{tmp_path / 'ctsync.db'}?mode=ro"
    for command in READING:
        shell.run("--database", url, *command)
    shell.run("--database", url, "backup", "copy.db")
    refused = [
        shell.refuse("--database", url, *command, exit_code=2)
        for command in (
            ("sync",), ("watch", "add", SEED), ("backfill", SEED), ("db", "upgrade"),
            ("db", "compact"), ("import", "x.jsonl"), ("check", "--repair"), ("mirror",),
            ("outbox", "drop", "1"), ("watch", "remove", "default"),
        )
    ]  # fmt: skip
    assert all("remove mode=ro" in line for line in refused)
    line = shell.refuse("--database", f"{url}&cache=shared", "status", exit_code=2)
    assert "unknown parameter 'cache=shared'" in line
    print(f"\nmode=ro: {len(READING) + 1} commands read, {len(refused)} writers refused")


def test_a_database_is_named_by_its_file(shell: Shell, place: Path) -> None:
    file = place / NAME
    shell.run("--database", str(file), "db", "upgrade")
    assert file.is_file()
    assert shell.json("--database", str(file), "watch", "list", "--json") == []
    assert shell.json("--database", sqlite_url(file), "watch", "list", "--json") == []
    line = shell.refuse("--database", "sqlite:none.db", "status", exit_code=2)
    assert "--database: must name a file" in line
