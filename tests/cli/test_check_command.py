"""`check`: reports of problems for people and monitors, and repairs."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import SEED, Shell
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry
from tests.store.test_check import damage_database

STATUS = "protocolSection.statusModule.overallStatus"


@pytest.fixture
def changed(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell whose database holds a trial that was suspended."""
    shell.run("watch", "add", SEED)
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "SUSPENDED"})
    shell.run("sync")
    return shell


def alter(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "ctsync.db")) as connection, connection:
        connection.execute(statement)


@pytest.mark.slow
def test_an_intact_database_has_no_problems(changed: Shell) -> None:
    for options in ((), ("--rebuild-events",), ("--rebuild-events", "--repair")):
        result = changed.run("check", *options)
        assert (result.stdout, result.stderr) == ("", "no problem found\n")
        assert changed.json("check", *options, "--json") == []


def test_damage_is_reported_and_exits_with_6(changed: Shell, tmp_path: Path) -> None:
    alter(tmp_path, "UPDATE trials SET head_snapshot_id = 1")
    result = changed.run("check", exit_code=6)
    assert result.stdout == f"wrong head: {SEED}: snapshot 1 is not its newest\n"
    assert "1 problem" in result.stderr
    (problem,) = json.loads(changed.run("check", "--json", exit_code=6).stdout)
    assert (problem["problem"], problem["where"]) == ("wrong head", SEED)


@pytest.mark.slow
def test_events_that_differ_from_their_versions_are_reported_and_repaired(
    changed: Shell, tmp_path: Path
) -> None:
    before = changed.json("changes", "--json")
    alter(tmp_path, "UPDATE events SET summary = 'Status: none of your business'")
    changed.run("check")  # events are checked only with --rebuild-events
    result = changed.run("check", "--rebuild-events", exit_code=6)
    lines = result.stdout.splitlines()
    place = f"{SEED} version 1 (entire record)"
    assert lines[0].startswith(f"event differs: {place}: differs in summary")
    assert lines[1].startswith(f"event differs: {SEED} version 2 {STATUS}: differs in summary")
    assert "to repair these: ctsync check --rebuild-events --repair" in result.stderr
    assert list(tmp_path.glob("*before-repair*")) == []

    mended = changed.run("check", "--rebuild-events", "--repair")
    assert "2 repaired" in mended.stderr
    assert "no problem left" in mended.stderr
    assert changed.json("changes", "--json") == before
    assert changed.run("check", "--rebuild-events").stderr == "no problem found\n"
    (copy,) = tmp_path.glob("ctsync.db.before-repair-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        summaries = connection.execute("SELECT DISTINCT summary FROM events").fetchall()
    assert summaries == [("Status: none of your business",)]


@pytest.mark.slow
def test_levels_of_other_thresholds_are_not_reported_as_damage(
    changed: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {"protocolSection.designModule.enrollmentInfo.count": 92})
    changed.run("sync")
    (tmp_path / "ctsync.toml").write_text("[rules]\nenrollment_target_change_percent = 5\n")
    result = changed.run("check", "--rebuild-events", exit_code=6)
    now = "the current rules give notable (R-ENR-03)"
    assert f"stored as routine (R-ENR-06), {now}" in result.stdout
    assert "1 of 1 differ only in their level" in result.stderr
    changed.run("check", "--rebuild-events", "--repair")
    assert changed.json("relevel", "--json") == []


def test_a_damaged_database_is_not_changed(changed: Shell, tmp_path: Path) -> None:
    alter(tmp_path, "UPDATE events SET summary = 'x', inputs = '{'")
    result = changed.run("check", "--rebuild-events", "--repair", exit_code=6)
    assert "nothing was changed: restore a backup" in result.stderr
    assert list(tmp_path.glob("*before-repair*")) == []


@pytest.mark.slow
def test_repair_fixes_and_reports_what_is_left(changed: Shell, tmp_path: Path) -> None:
    before = changed.json("changes", "--json")
    alter(tmp_path, "UPDATE trials SET head_snapshot_id = 1")
    alter(
        tmp_path, "UPDATE bodies SET data = x'00'"
    )  # of both versions: only one can be fetched again
    assert changed.run("check", exit_code=6).stdout.count("corrupt body") == 2
    result = changed.run("check", "--repair", exit_code=6)
    assert f"repaired: wrong head: {SEED}: its newest version is its head again" in result.stdout
    assert f"fetched again: it is the registry's current version of {SEED}" in result.stdout
    assert "left: corrupt body: " in result.stdout
    assert result.stderr.splitlines()[1:] == ["2 repaired", "1 problem"]
    assert len(list(tmp_path.glob("ctsync.db.before-repair-*"))) == 1
    assert changed.json("changes", "--json") == before
    shown = changed.json("show", SEED, "--json")
    assert shown["protocolSection"]["statusModule"]["overallStatus"] == "SUSPENDED"
    problems = json.loads(changed.run("check", "--json", exit_code=6).stdout)
    assert [problem["problem"] for problem in problems] == ["corrupt body"]


@pytest.mark.slow
def test_repair_without_the_registry_fixes_the_rest_and_says_so(
    changed: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    alter(tmp_path, "UPDATE trials SET head_snapshot_id = 1")
    alter(tmp_path, "UPDATE bodies SET data = x'00' WHERE depth = 1")
    registry.faults.add(faults.status(503), times=faults.EVERY_TIME)
    result = changed.run("check", "--repair", exit_code=6)
    assert "repaired: wrong head" in result.stdout
    assert "not repaired: corrupt body" in result.stdout
    assert "could not be requested" in result.stdout
    registry.faults.clear()
    assert "no problem left" in changed.run("check", "--repair").stderr


@pytest.mark.slow
def test_a_server_database_is_repaired_only_if_there_is_a_backup(
    changed: Shell, migrated_postgres_url: str
) -> None:
    on_server = ("--database", migrated_postgres_url)
    changed.run(*on_server, "watch", "add", SEED)
    changed.run(*on_server, "sync")
    damage_database(migrated_postgres_url, "UPDATE trials SET head_snapshot_id = NULL")
    result = changed.run(*on_server, "check", "--repair", exit_code=2)
    assert "pg_dump" in result.stderr
    result = changed.run(*on_server, "check", "--repair", "--have-backup")
    assert result.stderr.splitlines() == ["1 repaired", "no problem left"]
    assert "--have-backup works only with --repair" in changed.refuse(
        "check", "--have-backup", exit_code=2
    )
