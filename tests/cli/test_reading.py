"""A command that only reads creates, upgrades and writes nothing."""

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
def test_on_an_empty_machine_it_says_how_to_begin(
    shell: Shell, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = shell.refuse(*words, exit_code=6)
    assert "there is no database yet" in said
    assert "ctsync watch add" in said
    assert list(tmp_path.iterdir()) == []


def test_status_on_an_empty_machine_says_how_to_begin(shell: Shell, tmp_path: Path) -> None:
    assert "ctsync watch add" in shell.refuse("status", exit_code=6)
    assert list(tmp_path.iterdir()) == []


def test_no_reading_command_changes_a_byte_of_the_database(shell: Shell, tmp_path: Path) -> None:
    shell.run("watch", "add", SEED, "--sync")
    file = tmp_path / "ctsync.db"
    before = file.read_bytes()
    for words in READING:
        shell.run(*words)
    assert file.read_bytes() == before
    print(f"reading: {len(READING)} commands, 0 bytes changed")


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_database_of_an_earlier_schema_is_left_as_it_is(
    shell: Shell,
    tmp_path: Path,
    migrated_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    file = tmp_path / "ctsync.db"
    file.write_bytes(migrated_file.read_bytes())
    # there is one schema so far: a ctsync that knows a later one takes this file for an older
    monkeypatch.setattr("ctsync.store.database.migrate.HEAD_REVISION", "0002")
    monkeypatch.setattr("ctsync.store.database.migrate.refuse_newer", lambda *_: None)
    assert "ctsync db upgrade" in shell.refuse(*words, exit_code=6)
    assert file.read_bytes() == migrated_file.read_bytes()
