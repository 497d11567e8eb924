"""Bad input: one clear line, the right exit code, and no lost data."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from ctsync.errors import PortInUse
from tests.cli.conftest import SEED, Shell
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry


def test_a_malformed_id_is_named(shell: Shell) -> None:
    assert "'NCT12x' is not an NCT id" in shell.refuse("watch", "add", "NCT12x", exit_code=2)
    assert "is not an NCT id" in shell.refuse("history", "hello", exit_code=2)


def test_an_unknown_trial_says_how_to_follow_it(shell: Shell) -> None:
    shell.run("db", "upgrade")
    line = shell.refuse("history", "NCT00000001", exit_code=2)
    assert "ctsync watch add NCT00000001" in line


def test_a_study_id_that_matches_no_or_several_trials_adds_none(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("db", "upgrade")
    assert "no trial has" in shell.refuse("watch", "add", SEED, "XX-1", exit_code=2)
    for nct_id in ("NCT00000011", "NCT00000012"):
        study = make_study(nct_id)
        study["protocolSection"]["identificationModule"]["orgStudyIdInfo"]["id"] = "TWICE"
        registry.catalogue.publish(study)
    line = shell.refuse("watch", "add", "TWICE", exit_code=2)
    assert "NCT00000011, NCT00000012" in line
    assert shell.json("watch", "list", "--json") == []


def test_an_unreachable_registry_exits_with_4_and_loses_no_data(shell: Shell) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        shell.env["CTSYNC_REGISTRY_URL"] = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        shell.refuse("sync", exit_code=4)
    assert len(shell.json("history", SEED, "--json")) == 1


def test_a_refusal_by_the_edge_exits_with_4_and_is_not_a_deletion(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    registry.catalogue.advance()
    registry.faults.add(faults.edge_refusal(), times=faults.EVERY_TIME)
    shell.refuse("sync", exit_code=4)
    assert [e["kind"] for e in shell.json("changes", "--json")] == ["first_seen"]


def test_all_wrong_settings_are_reported_at_once(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        "[registry]\nrequests_per_secnd = 1\ndeadline_seconds = -1\n[schedule]\ncron = 'x'\n"
    )
    result = shell.run("status", exit_code=2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("ctsync: ") for line in lines)
    assert any("requests_per_second" in line for line in lines)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_sync_with_a_read_only_database_is_refused(shell: Shell, tmp_path: Path) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    (tmp_path / "ctsync.db").chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert "read-only" in shell.refuse("sync", exit_code=6)
    finally:
        tmp_path.chmod(0o700)


def test_a_newer_database_is_refused_and_not_changed(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    file = tmp_path / "ctsync.db"
    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = file.read_bytes()
    assert "newer" in shell.refuse("sync", exit_code=6)
    assert file.read_bytes() == before


def test_a_foreign_file_is_refused_and_not_changed(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ctsync.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    shell.refuse("sync", exit_code=6)
    assert file.read_bytes() == before


def test_a_port_in_use_is_one_clear_line() -> None:
    with ReplayRegistry(Catalogue("2026-02-02")) as running, pytest.raises(PortInUse) as refused:
        ReplayRegistry(Catalogue("2026-02-02"), port=running.port)
    assert f"port {running.port}" in str(refused.value)
    assert refused.value.exit_code == 2


def test_an_invalid_day_is_refused(shell: Shell) -> None:
    assert "not a date" in shell.run("changes", "--since", "soon", exit_code=2).stderr
    assert "not a date" in shell.run("show", SEED, "--as-of", "2026-13-01", exit_code=2).stderr


@pytest.mark.parametrize("number", ["99999999999999999999", "many"])
@pytest.mark.parametrize(
    "command",
    [
        ("changes", "--limit"),
        ("find", "status=RECRUITING", "--limit"),
        ("runs",),
        ("runs", "--limit"),
        ("portfolio", "--page"),
        ("watch", "show", "default", "--limit"),
        ("site", "pages", "--keep"),
        ("outbox", "drop"),
        ("outbox", "retry"),
    ],
)
def test_a_number_that_no_database_can_compare_is_refused(
    shell: Shell, command: tuple[str, ...], number: str
) -> None:
    line = shell.refuse(*command, number, exit_code=2)
    # the limit of the database is named only to those who exceed it
    bounds = "from 1 to" if number.isdigit() or "--keep" in command else "of at least 1"
    assert f"'{number}' is not a whole number {bounds}" in line


def test_an_empty_watch_list_says_what_to_do(shell: Shell) -> None:
    assert "ctsync watch add" in shell.refuse("sync", exit_code=2)


def test_an_unknown_version_or_field_names_the_known_ones(shell: Shell) -> None:
    shell.run("watch", "add", SEED, "--sync")
    assert "versions 1 to 1" in shell.refuse("show", SEED, "--version", "9", exit_code=2)
    message = shell.refuse("show", SEED, "--field", "noSuch", exit_code=2)
    assert "there is no field 'noSuch'" in message
    assert "only one version" in shell.refuse("diff", SEED, exit_code=2)


def test_verbose_adds_the_traceback(shell: Shell) -> None:
    shell.run("db", "upgrade")
    message = shell.run("-v", "history", "NCT00000001", exit_code=2).stderr
    assert "Traceback" in message


@pytest.mark.parametrize(
    "command",
    [
        ("report",),
        ("report", "--format", "html"),
        ("report", "--json"),
        ("report", "--format", "xlsx"),
        ("export", "jsonl"),
        ("export", "csv"),
    ],
    ids=" ".join,
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_exits_with_74_and_one_line(shell: Shell, command: tuple[str, ...]) -> None:
    shell.run("db", "upgrade")
    line = shell.refuse(*command, "--output", "/dev/full", exit_code=74)
    assert line == "ctsync: cannot write /dev/full: No space left on device"


@pytest.mark.parametrize("command", [("sync", SEED), ("sync", SEED, "--dry-run"), ("mirror",)])
def test_a_ca_bundle_that_does_not_exist_is_named(shell: Shell, command: tuple[str, ...]) -> None:
    shell.run("db", "upgrade")
    shell.env["REQUESTS_CA_BUNDLE"] = "/nowhere/ca.pem"
    line = shell.refuse(*command, exit_code=2)
    assert line.startswith("ctsync: REQUESTS_CA_BUNDLE: there is no file /nowhere/ca.pem")
    shell.run("status")
