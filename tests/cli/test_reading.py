"""Commands that only read do not create, upgrade or write a database."""

from pathlib import Path

import pytest

from tests.cli.conftest import SEED, Shell

READING = [
    ("changes",),
    ("report",),
    ("history", SEED),
    ("show", SEED),
    ("diff", SEED, "1", "1"),
    ("find", "status=RECRUITING"),
    ("timeline", SEED),
    ("flags",),
    ("base-rates",),
    ("forecast",),
    ("relevel",),
    ("watch", "list"),
    ("watch", "show", "default"),
    ("runs",),
    ("outbox", "list"),
    ("db", "stats"),
    ("export", "csv"),
    ("page", SEED),
    ("notify", "--preview"),
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_without_a_database_a_reading_command_says_how_to_start(
    shell: Shell, tmp_path: Path, words: tuple[str, ...]
) -> None:
    message = shell.refuse(*words, exit_code=6)
    assert "there is no database yet" in message
    assert "ctsync watch add" in message
    assert list(tmp_path.iterdir()) == []


def test_without_a_database_status_says_how_to_start(shell: Shell, tmp_path: Path) -> None:
    assert "ctsync watch add" in shell.refuse("status", exit_code=6)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_reading_commands_change_no_byte_of_the_database(shell: Shell, tmp_path: Path) -> None:
    shell.run("watch", "add", SEED, "--sync")
    file = tmp_path / "ctsync.db"
    before = file.read_bytes()
    for words in READING:
        shell.run(*words)
    assert file.read_bytes() == before
    print(f"reading: {len(READING)} commands, 0 bytes changed")


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_reading_commands_do_not_upgrade_an_earlier_schema(
    shell: Shell,
    tmp_path: Path,
    migrated_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    file = tmp_path / "ctsync.db"
    file.write_bytes(migrated_file.read_bytes())
    # pretend that this ctsync has a later schema
    monkeypatch.setattr("ctsync.store.database.migrate.HEAD_REVISION", "later")
    monkeypatch.setattr("ctsync.store.database.migrate.refuse_newer", lambda *_: None)
    assert "ctsync db upgrade" in shell.refuse(*words, exit_code=6)
    assert file.read_bytes() == migrated_file.read_bytes()
