"""`restore` as a user runs it, and the message for a database next to the log of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell
from tests.conftest import StillClock
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"


@pytest.fixture
def backed_up(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell with a backup, and one version more in the database."""
    shell.run("watch", "add", SEED)
    shell.run("sync")
    shell.run("backup", "backup.db")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    shell.run("sync")
    return shell


def versions(shell: Shell, *options: str) -> int:
    return len(shell.json(*options, "history", SEED, "--json"))


@pytest.mark.slow
def test_a_backup_is_restored_and_the_next_sync_finds_what_changed_since(
    backed_up: Shell, tmp_path: Path
) -> None:
    assert versions(backed_up) == 2
    said = backed_up.run("restore", "backup.db").stderr.splitlines()
    assert said[0] == f"restored backup.db to {tmp_path / 'ctsync.db'}"
    (kept,) = tmp_path.glob("ctsync.db.replaced-*Z")
    assert str(kept) in said[1]
    assert versions(backed_up) == 1
    assert backed_up.json("check", "--json") == []
    assert versions(backed_up, "--database", f"sqlite:///{kept}") == 2
    backed_up.run("sync")
    assert versions(backed_up) == 2


def test_a_restore_that_is_not_possible_is_refused_in_one_line(
    backed_up: Shell, tmp_path: Path
) -> None:
    server = ("--database", "postgresql://127.0.0.1:9/x")
    assert "pg_restore" in backed_up.refuse(*server, "restore", "backup.db", exit_code=2)
    assert "does not exist" in backed_up.refuse("restore", "none.db", exit_code=2)
    (tmp_path / "text.db").write_text("text" * 99)
    assert "is not a database" in backed_up.refuse("restore", "text.db", exit_code=6)
    url = f"sqlite:///{tmp_path / 'ctsync.db'}"
    with open_store(url, clock=StillClock()) as store, store.writer(holder="ctsync sync"):
        assert "ctsync sync" in backed_up.refuse("restore", "backup.db", exit_code=5)
    assert versions(backed_up) == 2


def test_a_backup_copied_next_to_an_old_log_is_named_by_every_command(
    backed_up: Shell, tmp_path: Path
) -> None:
    file, log = tmp_path / "ctsync.db", tmp_path / "ctsync.db-wal"
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        with store.unit() as unit:
            unit.watches.add("another")
        left = log.read_bytes()
    file.write_bytes((tmp_path / "backup.db").read_bytes())
    log.write_bytes(left)
    for command in (("sync",), ("status",), ("history", SEED), ("backup", "other.db")):
        line = backed_up.refuse(*command, exit_code=6)
        assert "is the log of another database" in line
        assert "ctsync restore" in line
    (problem,) = backed_up.run("check", exit_code=6).stdout.splitlines()
    assert problem.startswith("mixed files: ")
    assert "restore a backup" in backed_up.run("check", "--repair", exit_code=6).stderr
    assert "log of another" in backed_up.run("doctor", exit_code=6).stdout
    assert (file.read_bytes(), log.read_bytes()) == ((tmp_path / "backup.db").read_bytes(), left)
    backed_up.run("restore", "backup.db")
    assert backed_up.json("check", "--json") == []
    assert versions(backed_up) == 1
