"""The commands `runs` and `backup`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import SEED, Shell, below_header
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"
KEYS = [
    *("id", "kind", "started", "finished", "data_timestamp_before", "data_timestamp_after"),
    *("api_version", "requests", "retries", "asked", "answered", "same", "changed", "new"),
    *("gone", "failed", "delivered", "verdict", "error", "notices", "in_future"),
]


def three_runs(shell: Shell, registry: ReplayRegistry) -> None:
    """Make three runs: one without changes, one without the registry, one with a change."""
    shell.run("watch", "add", SEED, "NCT05935098")
    shell.run("sync")
    registry.faults.add(faults.status(503), times=faults.EVERY_TIME)
    shell.run("sync", exit_code=4)
    registry.faults.clear()
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "SUSPENDED"})
    shell.run("sync")


def test_every_run_is_listed_whatever_its_verdict(shell: Shell, registry: ReplayRegistry) -> None:
    three_runs(shell, registry)
    found, failed, first = shell.json("runs", "--json")
    assert [list(run) for run in (found, failed, first)] == [KEYS] * 3
    assert [run["id"] for run in (found, failed, first)] == [3, 2, 1]
    assert (first["verdict"], first["asked"], first["answered"], first["new"]) == ("ok", 2, 2, 2)
    assert (found["same"], found["changed"], found["failed"]) == (1, 1, 0)
    assert first["data_timestamp_before"] == first["data_timestamp_after"]
    assert found["data_timestamp_before"] > first["data_timestamp_before"]
    assert (failed["verdict"], failed["data_timestamp_before"]) == ("failed", None)
    assert "RegistryBusy" in failed["error"]
    assert found["requests"] >= 3
    assert all(run["finished"] >= run["started"] for run in (found, failed, first))


def test_the_table_of_runs_says_how_many_it_leaves_out(
    shell: Shell, registry: ReplayRegistry
) -> None:
    three_runs(shell, registry)
    result = shell.run("runs")
    rows = [line.split("\t") for line in below_header(result.stdout)]
    assert [(row[0], row[1]) for row in rows] == [("3", "sync"), ("2", "sync"), ("1", "sync")]
    assert rows[1][-1].startswith("failed: RegistryBusy")
    assert rows[0][6:] == ["2", "2", "1", "1", "0", "0", "0", "ok"]
    assert result.stderr == ""
    shorter = shell.run("runs", "--limit", "1")
    assert len(below_header(shorter.stdout)) == 1
    assert shorter.stderr == "the newest 1 of 3: ctsync runs --limit 3 shows all\n"


def test_one_run_is_shown_with_its_notices(shell: Shell, registry: ReplayRegistry) -> None:
    shell.run("watch", "add", SEED)
    registry.catalogue.edit(SEED, {"protocolSection.brandNewModule": {"flag": True}})
    shell.run("sync")
    result = shell.run("runs", "1").stdout
    assert "run               1, sync\n" in result
    assert "verdict           ok\n" in result
    assert "asked 1, answered 1, same 0, changed 0, new 1, gone 0, failed 0" in result
    assert "notice            " in result
    assert "brandNewModule" in result
    (notice,) = shell.json("runs", "1", "--json")["notices"]
    assert notice["kind"] == "unknown_fields"


def test_an_unknown_run_is_refused(shell: Shell) -> None:
    shell.run("watch", "add", SEED)
    assert "there is no run 7" in shell.refuse("runs", "7", exit_code=2)
    assert shell.json("runs", "--json") == []


def test_a_backup_is_a_usable_database_and_overwrites_no_file(shell: Shell, tmp_path: Path) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    result = shell.run("backup", "copy.db")
    assert result.stderr.startswith("copied the database to copy.db (")
    copy = f"sqlite:///{tmp_path / 'copy.db'}"
    shell.run("--database", copy, "check")
    assert shell.json("--database", copy, "history", SEED, "--json") == shell.json(
        "history", SEED, "--json"
    )
    assert "exists already" in shell.refuse("backup", "copy.db", exit_code=2)
    assert "pg_dump" in shell.refuse(
        "--database", "postgresql://127.0.0.1:9/x", "backup", "other.db", exit_code=2
    )
    assert "no database yet" in shell.refuse(
        "--database", f"sqlite:///{tmp_path / 'none.db'}", "backup", "other.db", exit_code=6
    )
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["copy.db", "ctsync.db"]


def test_an_alias_of_a_followed_trial_is_not_counted_as_a_trial(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "NCT05935098")
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.merge("NCT05935098", into=SEED)
    assert "checked 2 of 2" in shell.run("sync").stderr
    registry.catalogue.advance()
    result = shell.run("sync").stderr
    assert "checked 1 of 1" in result
    assert ": no changes (" in result
    newest = shell.json("runs", "--json")[0]
    assert (newest["asked"], newest["answered"], newest["same"]) == (1, 1, 1)
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {"protocolSection.identificationModule.nctIdAliases": None})
    study = make_study("NCT05935098")
    registry.catalogue.publish(study)
    back = shell.run("sync")
    assert "back in the registry" in back.stdout
    assert "checked 2 of 2" in back.stderr
