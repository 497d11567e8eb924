"""The JSON of the commands that change something fits the schema that `ctsync schema` prints."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ctsync.questions.schemas import names, schema
from tests.cli.conftest import SEED, Shell
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"
OTHER = "NCT05935098"


def fits(name: str, document: Any) -> None:
    """Check that a document, or each item of a list, matches a schema."""
    validator = Draft202012Validator(schema(name))
    rows = document if isinstance(document, list) else [document]
    assert rows
    wrong = [error.message for row in rows for error in validator.iter_errors(row)]
    print(f"{name}: {len(rows)} documents, {len(wrong)} problems")
    assert wrong == []
    assert name in names()


@pytest.fixture
def mailing(shell: Shell) -> Shell:
    """A shell with a recipient whose mail server does not answer."""
    shell.env |= {
        "CTSYNC_SMTP": '{"host":"127.0.0.1","port":1,"security":"none","sender":"c@example.org"}',
        "CTSYNC_RECIPIENTS": '[{"email":"anna@example.org"}]',
    }
    return shell


@pytest.mark.slow
def test_a_sync_its_preview_and_its_deliveries_fit_their_schemas(
    mailing: Shell, registry: ReplayRegistry
) -> None:
    mailing.run("watch", "add", SEED, OTHER)
    mailing.run("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING")
    first = mailing.json("sync", "--json")
    fits("sync", first)
    assert (first["new"], first["listed"][0]["watch"]) == (2, "open")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    fits("previewed_change", mailing.json("sync", "--dry-run", "--json"))
    second = mailing.json("sync", "--json")
    fits("sync", second)
    assert [one["kind"] for one in second["events"]] == ["status", "left"]
    fits("delivery", mailing.json("outbox", "list", "--all", "--json"))
    fits("planned_message", mailing.json("notify", "--preview", "--json"))


def test_an_incomplete_sync_fits_its_schema(shell: Shell, registry: ReplayRegistry) -> None:
    shell.run("watch", "add", SEED, "NCT00000001")
    registry.faults.add(faults.status(503), path="/v2/studies", times=faults.EVERY_TIME)
    fits("sync", json.loads(shell.run("sync", "--json", exit_code=3).stdout))


def test_a_sync_with_an_id_without_a_record_fits_its_schema(shell: Shell) -> None:
    shell.run("watch", "add", SEED, "NCT00000001")
    result = shell.json("sync", "--json")
    fits("sync", result)
    assert result["unknown"] == ["NCT00000001"]


def test_a_mirror_run_fits_its_schema(shell: Shell) -> None:
    fits("mirror", shell.json("mirror", "--json"))
    shell.run("watch", "add", SEED)
    again = shell.json("mirror", "--json")
    fits("mirror", again)
    assert again["watched"]["asked"] == 1


def test_a_backfill_fits_its_schema(shell: Shell, registry: ReplayRegistry) -> None:
    shell.run("watch", "add", SEED, "--sync")
    registry.catalogue.set_history(SEED, [make_study(SEED)])
    result = shell.json("backfill", SEED, "--json")
    fits("backfill", result)
    assert result["trials"][0]["history"] == "complete"


def test_the_findings_and_the_settings_fit_their_schemas(shell: Shell) -> None:
    fits("finding", json.loads(shell.run("doctor", "--json").stdout))
    fits("setting", shell.json("config", "show", "--json"))


def test_an_import_and_an_export_fit_their_schemas(shell: Shell, tmp_path: Path) -> None:
    shell.run("watch", "add", SEED, "--sync")
    fits("exported_table", shell.json("export", "parquet", "--output", "out", "--json"))
    exported = shell.run("export", "jsonl").stdout
    shell.env["CTSYNC_DATABASE_URL"] = f"sqlite:///{tmp_path / 'other.db'}"
    result = json.loads(shell.run("import", "-", "--json", stdin=exported).stdout)
    fits("import", result)
    assert (result["trials"], result["versions"], result["watches"]) == (1, 1, 1)


def test_what_is_written_about_a_database_fits_its_schema(shell: Shell, tmp_path: Path) -> None:
    shell.run("watch", "add", SEED, "--sync")
    assert shell.json("check", "--json") == []
    fits("database_stats", shell.json("db", "stats", "--json"))
    url = f"sqlite:///{tmp_path / 'copy.db'}"
    copied = shell.json("db", "copy", str(shell.env["CTSYNC_DATABASE_URL"]), url, "--json")
    fits("database_copy", copied)
    assert copied["tables"]["trials"]["rows"] == 1
    fits("compaction", shell.json("db", "compact", "--json"))
    fits("text_index", shell.json("db", "index-text", "--json"))
    with closing(sqlite3.connect(tmp_path / "ctsync.db")) as connection, connection:
        connection.execute("UPDATE events SET level = 'critical'")
    found = shell.run("check", "--rebuild-events", "--json", exit_code=6)
    fits("problem", json.loads(found.stdout))


def test_what_watch_add_finds_and_follows_fits_its_schemas(shell: Shell) -> None:
    add = ("watch", "add", "BM-MSC-01", "--query", "overallStatus=RECRUITING", "--json")
    fits("watch_preview", shell.json(*add, "--preview"))
    named, queried = shell.json(*add)
    fits("followed", [named, queried])
    assert (named["nct_id"], queried["query"]) == (SEED, {"filter.overallStatus": "RECRUITING"})
    fits("watch_addition", shell.json(*add, "--sync"))
