"""`doctor`: what it finds of everything ctsync stands on, what it advises, and how it ends."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ctsync.store.database import filesystem
from ctsync.sync import doctor
from tests.cli.conftest import SEED, Shell
from tests.conftest import StillClock
from tests.deliver.mailserver import Certificate, make_certificate, running
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

PASSWORD = "k4n4r1e"


@pytest.fixture
def synced(shell: Shell) -> Shell:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    return shell


def found(shell: Shell, exit_code: int = 0, *args: str) -> dict[str, dict[str, Any]]:
    """The findings by subject; of several on one, the last."""
    said = shell.run(*args, "doctor", "--json", exit_code=exit_code)
    return {one["subject"]: one for one in json.loads(said.stdout)}


def test_all_that_is_well_is_told_and_ends_with_0(synced: Shell) -> None:
    told = found(synced)
    assert list(told) == [
        *("settings", "database", "integrity", "disk", "registry", "clock", "history", "mail"),
    ]
    conditions = {subject: one["condition"] for subject, one in told.items()}
    # the demo's load is of February: that the registry stands still is told, and is not wrong
    assert conditions.pop("registry") == "warning"
    assert set(conditions.values()) == {"ok"}
    assert "API 2." in told["registry"]["found"]
    assert "data of 2026-02-02" in told["registry"]["found"]
    assert "requests: answers" in told["history"]["found"]
    shown = synced.run("doctor")
    assert shown.stdout.count("\n") == len(told)
    assert shown.stderr == "7 ok, 1 warning, 0 wrong\n"


def test_every_finding_that_is_not_ok_says_what_to_do(
    shell: Shell, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.status(503), times=faults.EVERY_TIME)
    told = found(shell, 4)
    assert all(bool(one["advice"]) == (one["condition"] != "ok") for one in told.values())
    assert told["database"]["condition"] == "warning"  # none yet
    assert told["registry"]["condition"] == "wrong"
    assert told["history"]["condition"] == "warning"


def test_it_makes_no_database_and_upgrades_none(
    shell: Shell, tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("doctor")
    assert list(tmp_path.glob("*.db")) == []
    shutil.copy(migrated_file, tmp_path / "ctsync.db")
    # there is one schema so far: a ctsync that knows a later one takes this file for an older
    monkeypatch.setattr("ctsync.cli.sync.doctor.HEAD_REVISION", "0002")
    monkeypatch.setattr("ctsync.sync.doctor.head_revision", lambda: "0002")
    told = found(shell)["database"]
    assert told["condition"] == "warning"
    assert "ctsync db upgrade" in told["advice"]
    with closing(sqlite3.connect(tmp_path / "ctsync.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def alter(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "ctsync.db")) as connection, connection:
        connection.execute(statement)


def test_a_newer_and_a_foreign_database_end_with_6(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    alter(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    assert "later ctsync" in found(shell, 6)["database"]["found"]
    (tmp_path / "ctsync.db").write_text("words " * 100)
    assert "is not a database" in found(shell, 6)["database"]["found"]


def test_a_damaged_file_ends_with_6(synced: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ctsync.db"
    content = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'snapshots'"
        ).fetchone()
    content[(root - 1) * 4096 : root * 4096] = bytes(4096)
    file.write_bytes(content)
    told = found(synced, 6)["integrity"]
    assert told["condition"] == "wrong"
    assert "restore a backup" in told["advice"]


def test_a_full_disk_is_wrong_and_one_nearly_full_is_a_warning(
    synced: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda _file: 100 * 2**20)
    assert found(synced)["disk"]["condition"] == "warning"
    monkeypatch.setattr(doctor, "free_bytes", lambda _file: 2**20)
    assert found(synced, 6)["disk"]["condition"] == "wrong"


def test_a_network_file_system_is_warned_of(
    synced: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(f"overlay / overlay rw 0 0\nfar {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "mounts")
    told = found(synced)["disk"]
    assert (told["condition"], told["found"]) == ("warning", "a network file system (nfs4)")


@pytest.mark.parametrize("hours", [-3, 0, 3])
def test_a_clock_that_differs_from_the_registrys_is_told(hours: int) -> None:
    clock = StillClock()
    date = format_datetime(clock.now() - timedelta(hours=hours), usegmt=True)
    told = doctor._skew(date, "", clock)
    assert told.condition == ("warning" if hours else "ok")
    if hours:
        assert f"10,800 s {'ahead of' if hours > 0 else 'behind'} the registry's" in told.found


def test_an_answer_kept_by_a_cache_is_as_old_as_it_says() -> None:
    clock = StillClock()
    date = format_datetime(clock.now() - timedelta(hours=1), usegmt=True)
    assert doctor._skew(date, "3600", clock).condition == "ok"
    assert doctor._skew("no date", "", clock).condition == "ok"


def test_settings_that_are_wrong_are_all_told_and_end_with_2(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        "[registry]\ndeadline_seconds = -1\nrequest_per_second = 1\n"
    )
    said = shell.run("doctor", exit_code=2)
    assert said.stdout.count("settings\twrong\t") == 2
    assert "registry.deadline_seconds" in said.stdout


MAIL = """
[smtp]
host = "127.0.0.1"
port = {port}
security = "{security}"
username = "ctsync"
password = "env:SMTP_PASSWORD"
sender = "ctsync@example.org"
ca_file = "{ca}"
"""


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("ca"), "127.0.0.1")


def with_mail(shell: Shell, folder: Path, port: int, ca: object, security: str) -> None:
    text = MAIL.format(port=port, ca=ca, security=security)
    (folder / "ctsync.toml").write_text(text)
    shell.env["SMTP_PASSWORD"] = PASSWORD


def test_the_mail_login_is_tried_and_no_mail_is_sent(
    synced: Shell, tmp_path: Path, certificate: Certificate
) -> None:
    with running(tls_context=certificate.context(), auth_required=True) as server:
        with_mail(synced, tmp_path, server.port, certificate.file, "starttls")
        told = found(synced)["mail"]
    assert told["condition"] == "ok"
    assert "logged in: 250" in told["found"]
    assert server.logins == [(b"ctsync", PASSWORD.encode())]
    assert server.mails == []


def test_a_mail_server_that_refuses_or_cannot_be_trusted_ends_with_7(
    synced: Shell, tmp_path: Path, certificate: Certificate
) -> None:
    def refuse(_server: Any, stage: str) -> str | None:
        return "535 no" if stage == "auth" else None

    with running(refuse, tls_context=certificate.context(), auth_required=True) as server:
        with_mail(synced, tmp_path, server.port, certificate.file, "starttls")
        said = synced.run("doctor", exit_code=7)
    assert "refuses the login (535)" in said.stdout
    assert PASSWORD not in said.stdout + said.stderr
    with running() as server:
        with_mail(synced, tmp_path, server.port, certificate.file, "starttls")
        assert "nothing is sent in the clear" in found(synced, 7)["mail"]["found"]


def test_a_password_that_cannot_be_read_is_a_problem_of_the_settings(
    synced: Shell, tmp_path: Path, certificate: Certificate
) -> None:
    with_mail(synced, tmp_path, 1, certificate.file, "starttls")
    synced.env["SMTP_PASSWORD"] = None
    told = found(synced, 2)
    assert "SMTP_PASSWORD" in told["settings"]["found"]
    assert told["database"]["condition"] == "ok"  # the rest is looked at all the same


def test_the_worst_decides_how_it_ends(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    (tmp_path / "ctsync.db").write_text("words " * 100)
    registry.faults.add(faults.status(503), times=faults.EVERY_TIME)
    told = found(shell, 6)
    assert told["registry"]["condition"] == told["database"]["condition"] == "wrong"


def test_a_server_database_is_looked_at_too(shell: Shell, migrated_postgres_url: str) -> None:
    told = found(shell, 0, "--database", migrated_postgres_url)
    assert told["database"]["condition"] == "ok"
    assert "integrity" not in told
    gone = "postgresql://ctsync:hunter2@127.0.0.1:9/ctsync"
    said = shell.run("--database", gone, "doctor", exit_code=6)
    assert "cannot be reached" in said.stdout
    assert "hunter2" not in said.stdout + said.stderr
