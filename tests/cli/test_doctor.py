"""`doctor`: findings, advice and exit codes for settings, database, registry and mail server."""

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
from ctsync.store.database.tables import HEAD_REVISION
from ctsync.sync import doctor
from tests.cli.conftest import SEED, Shell, below_header
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
    """Return the last finding on each subject."""
    result = shell.run(*args, "doctor", "--json", exit_code=exit_code)
    return {one["subject"]: one for one in json.loads(result.stdout)}


def test_if_all_is_well_every_subject_is_listed_and_it_exits_with_0(synced: Shell) -> None:
    findings = found(synced)
    assert list(findings) == [
        *("settings", "database", "integrity", "disk", "times", "registry", "clock", "history"),
        "mail",
    ]
    conditions = {subject: one["condition"] for subject, one in findings.items()}
    # the load is from February: a registry that has not refreshed is a warning, not an error
    assert conditions.pop("registry") == "warning"
    assert set(conditions.values()) == {"ok"}
    assert "API 2." in findings["registry"]["found"]
    assert "data of 2026-02-02" in findings["registry"]["found"]
    assert "requests: answers" in findings["history"]["found"]
    shown = synced.run("doctor")
    assert len(below_header(shown.stdout)) == len(findings)
    assert shown.stderr == "8 ok, 1 warning, 0 wrong\n"


def test_every_finding_that_is_not_ok_has_advice(shell: Shell, registry: ReplayRegistry) -> None:
    registry.faults.add(faults.status(503), times=faults.EVERY_TIME)
    findings = found(shell, 4)
    assert all(bool(one["advice"]) == (one["condition"] != "ok") for one in findings.values())
    assert findings["database"]["condition"] == "warning"  # it does not exist yet
    assert findings["registry"]["condition"] == "wrong"
    assert findings["history"]["condition"] == "warning"


def test_doctor_creates_and_upgrades_no_database(
    shell: Shell, tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("doctor")
    assert list(tmp_path.glob("*.db")) == []
    shutil.copy(migrated_file, tmp_path / "ctsync.db")
    # pretend that this ctsync has a later schema
    monkeypatch.setattr("ctsync.cli.sync.doctor.HEAD_REVISION", "later")
    monkeypatch.setattr("ctsync.sync.doctor.head_revision", lambda: "later")
    findings = found(shell)["database"]
    assert findings["condition"] == "warning"
    assert "ctsync db upgrade" in findings["advice"]
    with closing(sqlite3.connect(tmp_path / "ctsync.db")) as connection:
        (found_now,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert found_now == HEAD_REVISION


def alter(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "ctsync.db")) as connection, connection:
        connection.execute(statement)


def test_a_newer_or_foreign_database_exits_with_6(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    alter(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    assert "later ctsync" in found(shell, 6)["database"]["found"]
    (tmp_path / "ctsync.db").write_text("words " * 100)
    assert "is not a database" in found(shell, 6)["database"]["found"]


def test_a_damaged_file_exits_with_6(synced: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ctsync.db"
    content = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'snapshots'"
        ).fetchone()
    content[(root - 1) * 4096 : root * 4096] = bytes(4096)
    file.write_bytes(content)
    findings = found(synced, 6)["integrity"]
    assert findings["condition"] == "wrong"
    assert "restore a backup" in findings["advice"]


def test_a_full_disk_is_wrong_and_a_nearly_full_disk_is_a_warning(
    synced: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda _file: 100 * 2**20)
    assert found(synced)["disk"]["condition"] == "warning"
    monkeypatch.setattr(doctor, "free_bytes", lambda _file: 2**20)
    assert found(synced, 6)["disk"]["condition"] == "wrong"


def test_a_network_file_system_is_a_warning(
    synced: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(f"overlay / overlay rw 0 0\nfar {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "mounts")
    findings = found(synced)["disk"]
    assert (findings["condition"], findings["found"]) == ("warning", "a network file system (nfs4)")


@pytest.mark.parametrize("hours", [-3, 0, 3])
def test_a_clock_that_differs_from_the_registrys_is_a_warning(hours: int) -> None:
    clock = StillClock()
    date = format_datetime(clock.now() - timedelta(hours=hours), usegmt=True)
    findings = doctor.check_clock(date, "", clock)
    assert findings.condition == ("warning" if hours else "ok")
    if hours:
        assert f"10,800 s {'ahead of' if hours > 0 else 'behind'} the registry's" in findings.found


def test_the_age_of_a_cached_answer_is_taken_into_account() -> None:
    clock = StillClock()
    date = format_datetime(clock.now() - timedelta(hours=1), usegmt=True)
    assert doctor.check_clock(date, "3600", clock).condition == "ok"
    assert doctor.check_clock("no date", "", clock).condition == "ok"


def test_all_wrong_settings_are_reported_and_exit_with_2(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        "[registry]\ndeadline_seconds = -1\nrequest_per_second = 1\n"
    )
    result = shell.run("doctor", exit_code=2)
    assert result.stdout.count("settings\twrong\t") == 2
    assert "registry.deadline_seconds" in result.stdout


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


def test_the_mail_login_is_tested_without_sending_a_mail(
    synced: Shell, tmp_path: Path, certificate: Certificate
) -> None:
    with running(tls_context=certificate.context(), auth_required=True) as server:
        with_mail(synced, tmp_path, server.port, certificate.file, "starttls")
        findings = found(synced)["mail"]
    assert findings["condition"] == "ok"
    assert "logged in: 250" in findings["found"]
    assert server.logins == [(b"ctsync", PASSWORD.encode())]
    assert server.mails == []


def test_a_mail_server_that_refuses_the_login_or_has_no_tls_exits_with_7(
    synced: Shell, tmp_path: Path, certificate: Certificate
) -> None:
    def refuse(_server: Any, stage: str) -> str | None:
        return "535 no" if stage == "auth" else None

    with running(refuse, tls_context=certificate.context(), auth_required=True) as server:
        with_mail(synced, tmp_path, server.port, certificate.file, "starttls")
        result = synced.run("doctor", exit_code=7)
    assert "refuses the login (535)" in result.stdout
    assert PASSWORD not in result.stdout + result.stderr
    with running() as server:
        with_mail(synced, tmp_path, server.port, certificate.file, "starttls")
        assert "nothing is sent unencrypted" in found(synced, 7)["mail"]["found"]


def test_an_unreadable_password_is_a_problem_of_the_settings(
    synced: Shell, tmp_path: Path, certificate: Certificate
) -> None:
    with_mail(synced, tmp_path, 1, certificate.file, "starttls")
    synced.env["SMTP_PASSWORD"] = None
    findings = found(synced, 2)
    assert "SMTP_PASSWORD" in findings["settings"]["found"]
    assert findings["database"]["condition"] == "ok"  # the rest is still checked


def test_the_worst_finding_decides_the_exit_code(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    (tmp_path / "ctsync.db").write_text("words " * 100)
    registry.faults.add(faults.status(503), times=faults.EVERY_TIME)
    findings = found(shell, 6)
    assert findings["registry"]["condition"] == findings["database"]["condition"] == "wrong"


def test_a_server_database_is_checked_too(shell: Shell, migrated_postgres_url: str) -> None:
    findings = found(shell, 0, "--database", migrated_postgres_url)
    assert findings["database"]["condition"] == "ok"
    assert "integrity" not in findings
    gone = "postgresql://ctsync:hunter2@127.0.0.1:9/ctsync"
    result = shell.run("--database", gone, "doctor", exit_code=6)
    assert "cannot be reached" in result.stdout
    assert "hunter2" not in result.stdout + result.stderr


# --- the registry's contract ---------------------------------------------------------------------


def test_the_contract_is_checked_without_a_database_and_its_answers_are_written(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    result = shell.run("doctor", "--contract", "--output", "answers.json", exit_code=4)
    rows = [line.split("\t") for line in below_header(result.stdout)]
    states = {row[0]: row[1] for row in rows}
    assert states["version"] == states["study"] == states["no such trial"] == "holds"
    # this registry has no merged trial, and too few trials for a second page
    assert states["alias redirect"] == "differs"
    assert states["batch of ids"] == "could not be checked"
    written = json.loads((tmp_path / "answers.json").read_text())
    assert [one["assumption"] for one in written["findings"]] == [row[0] for row in rows]
    assert len(written["exchanges"]) == len(registry.requests) <= 25
    assert result.stderr.endswith(
        f"{len(registry.requests)} requests. The answers are in answers.json\n"
    )
    assert not (tmp_path / "ctsync.db").exists()


def test_the_answers_of_a_contract_check_have_a_file_of_their_day(
    shell: Shell, tmp_path: Path
) -> None:
    found = json.loads(shell.run("doctor", "--contract", "--json", exit_code=4).stdout)
    assert {"assumption", "state", "found"} == set(found[0])
    (file,) = tmp_path.glob("ctsync-contract-*.json")
    assert len(file.stem) == len("ctsync-contract-2026-11-27")


def test_a_file_for_answers_needs_a_contract_check(shell: Shell, registry: ReplayRegistry) -> None:
    assert "--contract" in shell.refuse("doctor", "--output", "x.json", exit_code=2)
    assert registry.requests == []


def test_findings_are_shown_also_if_their_answers_cannot_be_written(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = shell.run("doctor", "--contract", "--output", "file/x.json", exit_code=2)
    assert "file/x.json" in result.stderr
    assert "holds" in result.stdout
