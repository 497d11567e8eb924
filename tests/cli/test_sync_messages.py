"""The commands `page`, `site`, `notify`, `config` and `status`."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import SEED, Shell
from tests.deliver.mailserver import running
from tests.deliver.webserver import web
from tests.replay.registry_server import ReplayRegistry

LEVELS = ("critical", "notable", "routine")
STATUS = "protocolSection.statusModule.overallStatus"
OTHER = "NCT05935098"


@pytest.fixture
def watched(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell that follows two trials; one was terminated on the next load."""
    shell.run("watch", "add", SEED, OTHER)
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    shell.run("sync")
    return shell


# --- page and site ---------------------------------------------------------------------------


def test_a_page_shows_every_version_of_a_trial(watched: Shell, tmp_path: Path) -> None:
    message = watched.run("page", SEED, "--output", "seed.html").stderr
    assert message == f"wrote seed.html: {SEED}, 2 versions\n"
    assert (tmp_path / "seed.html").read_text().count('<section id="v') == 3
    assert watched.run("page", SEED).stdout.startswith("<!DOCTYPE html>")


def test_a_page_of_a_trial_that_is_not_followed_is_refused(shell: Shell) -> None:
    shell.run("db", "upgrade")
    assert "watch add NCT00000001" in shell.refuse("page", "NCT00000001", exit_code=2)


def test_a_site_written_again_writes_only_what_changed(watched: Shell, tmp_path: Path) -> None:
    place = tmp_path / "site"
    watched.run("site", str(place), "--since", "all")
    for name in ("days/2020-01-01.html", "trials/NCT00000001.html", "days/mine.html"):
        page = (place / "index.html").read_text() if "mine" not in name else "not ours"
        (place / name).write_text(page)
    said = watched.run("site", str(place), "--since", "all", "--keep", "1").stderr

    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    pages = {"index", "trials", "changes", "watches", "runs", "deliveries", "rules"}
    (day,) = (name for name in files if name.startswith("days/20"))
    assert files == {
        *(f"{page}.html" for page in pages), "feed.atom", "feed.json", "assets/style.css",
        "assets/icon.svg", "portfolio.csv", "portfolio.xlsx", "portfolio.json", "portfolio.ics",
        f"trials/{SEED}-1-2.html", f"trials/{SEED}-record.html", f"trials/{SEED}.html",
        f"trials/{OTHER}.html", day,
        "days/last-7.html", "days/last-30.html", "days/mine.html",
        *(name for name in files if name.startswith("changes/") or name.endswith(".js")),
        *(f"feeds/level-{level}.{form}" for level in LEVELS for form in ("atom", "json")),
        *(name for name in files if name.startswith("feeds/watch-default-")),
    }  # fmt: skip
    assert "3 deleted" in said  # the two above, and the day before the newest
    assert f"{SEED}#v2" in (place / "feed.atom").read_text()


def test_a_damaged_record_does_not_prevent_the_site(watched: Shell, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ctsync.db")) as database, database:
        database.execute("UPDATE bodies SET data = x'00'")
    watched.run("site", str(tmp_path / "site"), "--since", "all")

    page = (tmp_path / "site" / "trials" / f"{SEED}.html").read_text()
    assert "Terminated" in page
    assert f"{SEED}-1-2.html" not in page  # a comparison that cannot be made has no link
    assert not (tmp_path / "site" / "trials" / f"{SEED}-1-2.html").exists()


@pytest.mark.parametrize("command", [("page", SEED, "--output"), ("report", "--output"), ("site",)])
def test_output_that_cannot_be_written_is_reported_in_one_line(
    watched: Shell, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "taken").write_text("a file")
    target = "taken/x.html" if command != ("site",) else "taken"
    assert "taken" in watched.run(*command, target, exit_code=2).stderr.splitlines()[-1]
    assert sorted(tmp_path.glob(".*")) == []  # no partial file is left


def test_a_report_shows_the_worst_changes_and_counts_the_rest(watched: Shell) -> None:
    report = watched.json("report", "--since", "all", "--limit", "1", "--json")
    assert (report["shown"], report["total"]) == (1, report["collapsed"] + 1 + report["left_out"])
    table = watched.run("report", "--since", "all", "--format", "csv").stdout
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == report["shown"] + report["left_out"]


# --- notify ----------------------------------------------------------------------------------


def with_channels(shell: Shell, port: int, url: str = "") -> Shell:
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "c@example.org"}
    channels = [{"name": "team", "url": url}] if url else []
    shell.env |= {
        "CTSYNC_SMTP": json.dumps(smtp),
        "CTSYNC_RECIPIENTS": '[{"email": "anna@example.org"}, {"email": "bert@example.org"}]',
        "CTSYNC_CHANNELS": json.dumps(channels),
    }
    return shell


def test_a_test_message_goes_to_one_recipient_and_shows_the_reply(shell: Shell) -> None:
    with running() as server:
        message = (
            with_channels(shell, server.port).run("notify", "--test", "anna@example.org").stderr
        )
    (mail,) = server.mails
    assert message == "mail to anna@example.org: 250 taken\n"
    assert mail["To"] == "anna@example.org"
    assert "a test of this channel" in mail.as_string()


def test_a_webhook_can_be_tested_by_either_of_its_names(shell: Shell) -> None:
    with web(204) as server:
        with_channels(shell, 1, server.url)
        for name in ("team", "webhook:team"):
            message = shell.run("notify", "--test", name).stderr
            assert message == "webhook:team to team: answered 204\n"
    assert len(server.received) == 2


def test_a_failed_test_message_exits_with_7_and_the_reason(shell: Shell) -> None:
    with web(401) as server:
        with_channels(shell, 1, server.url)
        line = shell.refuse("notify", "--test", "team", exit_code=7)
        assert line == "ctsync: webhook:team to team: webhook: answered 401"
    assert "no connection" in shell.refuse("notify", "--test", "team", exit_code=7)


def test_an_unknown_or_ambiguous_channel_is_refused(shell: Shell) -> None:
    with_channels(shell, 1)
    several = shell.refuse("notify", "--test", "mail", exit_code=2)
    assert several.endswith("name one of: anna@example.org, bert@example.org")
    assert "channels: mail" in shell.refuse("notify", "--test", "fax", exit_code=2)
    assert "--test CHANNEL" in shell.refuse("notify", exit_code=2)


def test_a_preview_lists_pending_messages_and_changes_nothing(
    shell: Shell, registry: ReplayRegistry
) -> None:
    smtp = {"host": "127.0.0.1", "port": 1, "security": "none", "sender": "c@example.org"}
    recipients = [{"email": "anna@example.org", "cadence": "weekly"}]
    shell.env |= {"CTSYNC_SMTP": json.dumps(smtp), "CTSYNC_RECIPIENTS": json.dumps(recipients)}
    shell.run("watch", "add", SEED)
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    shell.run("sync")
    before = shell.json("outbox", "list", "--json")

    welcome, change = shell.json("notify", "--preview", "--json")
    assert (welcome["welcome"], change["welcome"]) == (True, False)
    assert change["recipient"] == "anna@example.org"
    assert "Terminated" in change["subject"]
    assert change["due"] > welcome["due"]
    assert welcome["kept"].startswith("failed: channel down: no connection to 127.0.0.1:1")
    assert change["kept"] is None
    full = shell.run("notify", "--preview", "--full")
    assert "Recruiting -> Terminated" in full.stdout
    assert "(failed: channel down: no connection to 127.0.0.1:1" in full.stdout
    assert full.stderr.endswith("later; nothing was sent\n")
    assert shell.json("outbox", "list", "--json") == before


# --- config ----------------------------------------------------------------------------------


def test_settings_are_shown_with_their_origin(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        '[schedule]\ninterval_minutes = 5\n[[channels]]\nname = "team"\nurl = "env:HOOK"\n'
    )
    shell.env["HOOK"] = "https://example.org/token"
    shown = {one["name"]: one for one in shell.json("config", "show", "--json")}
    assert shown["schedule.interval_minutes"]["origin"] == "ctsync.toml, line 2"
    assert shown["registry.url"]["origin"] == "CTSYNC_REGISTRY_URL"
    assert shown["schedule.timezone"] == {
        "name": "schedule.timezone", "value": "UTC", "origin": "default",
    }  # fmt: skip
    assert shown["channels#1.url"]["value"] == "***"
    assert "token" not in shell.run("config", "show").stdout


def test_config_check_reports_all_wrong_settings(shell: Shell, tmp_path: Path) -> None:
    assert "are valid" in shell.run("config", "check").stderr
    (tmp_path / "ctsync.toml").write_text(
        '[schedule]\ntimezone = "Nowhere"\n[[channels]]\nname = "team"\nurl = "env:NO_SUCH"\n'
    )
    messages = shell.run("config", "check", exit_code=2).stderr.splitlines()
    assert [line.split(":")[0] for line in messages] == ["ctsync"] * 2
    assert "NO_SUCH" in messages[1]


# --- status ----------------------------------------------------------------------------------


def test_status_exits_with_7_until_a_parked_delivery_is_dropped(
    shell: Shell, registry: ReplayRegistry
) -> None:
    with web(400) as server:
        with_channels(shell, 1, server.url)
        shell.env["CTSYNC_RECIPIENTS"] = "[]"
        shell.run("watch", "add", SEED)
        shell.run("sync")
        registry.catalogue.advance()
        registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
        assert "1 parked, see: ctsync outbox list" in shell.run("sync").stderr
    status = shell.run("status", exit_code=7)
    assert status.stdout.startswith("overdue\n")
    assert "1 delivery is parked; see: ctsync outbox list" in status.stdout
    (parked,) = shell.json("outbox", "list", "--json")
    assert (parked["state"], parked["last_error"]) == ("parked", "webhook: answered 400")
    shell.run("outbox", "drop", str(parked["id"]))
    shell.run("status")
