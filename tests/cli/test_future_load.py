"""Registry data from the future: refused, accepted on request, explained and forgotten."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from ctsync.dates import SystemClock, format_minute
from ctsync.errors import BadAnswer
from ctsync.model import RegistryVersion, Verdict
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry
from tests.store.samples import TRIAL, add, add_events, delivery

FUTURE = "2099-01-01T09:00:05Z"
STATUS = "protocolSection.statusModule.overallStatus"
OTHER = "NCT05935098"
FORGET = f"ctsync db forget-load {FUTURE}"


@pytest.fixture(params=["sqlite", "postgres"])
def on_each(request: pytest.FixtureRequest, shell: Shell) -> Shell:
    """A shell with a database of each kind, which has watched the seed trial for one sync."""
    shell.env["CTSYNC_DATABASE_URL"] = request.getfixturevalue(f"migrated_{request.param}_url")
    shell.run("watch", "add", SEED, "--sync")
    return shell


def move_to(registry: ReplayRegistry, load: str, status: str) -> None:
    """Publish a load in which the seed trial has this status."""
    registry.catalogue.set_load(load)
    registry.catalogue.publish(make_study(SEED, overallStatus=status), load=load)


def statuses(shell: Shell) -> list[str]:
    return [version["status"] for version in shell.json("history", SEED, "--json")]


@pytest.mark.slow
def test_a_load_more_than_a_day_ahead_is_refused_and_names_both_clocks(
    on_each: Shell, registry: ReplayRegistry
) -> None:
    move_to(registry, "2099-01-01", "TERMINATED")
    line = on_each.refuse("sync", exit_code=4)
    assert "the registry data are of 2099-01-01 09:00Z" in line
    assert f"this computer's clock says {SystemClock().now():%Y-%m-%d}" in line
    assert on_each.refuse("sync", "--dry-run", exit_code=4) == line
    assert "2099-01-01 09:00Z" in on_each.refuse("mirror", exit_code=4)
    assert statuses(on_each) == ["RECRUITING"]
    registry.catalogue.set_load("2026-02-03")
    on_each.run("sync")
    print("future load: 3 commands, 3 refused, 0 versions stored; the next sync works")


def test_a_load_within_a_day_of_our_clock_is_accepted(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED)
    registry.catalogue.set_load(SystemClock().now() + timedelta(hours=23))
    shell.run("sync")


def kinds(shell: Shell) -> list[str]:
    return [str(change["kind"]) for change in shell.json("changes", SEED, "--json")]


@pytest.mark.slow  # it runs a dozen commands on each database
def test_an_accepted_load_from_the_future_is_explained_and_forgotten_without_loss(
    on_each: Shell, registry: ReplayRegistry
) -> None:
    shell = on_each
    move_to(registry, "2099-01-01", "TERMINATED")
    shell.run("sync", "--accept-load")
    assert statuses(shell) == ["RECRUITING", "TERMINATED"]
    assert kinds(shell) == ["first_seen", "status", "other", "flag"]

    move_to(registry, "2026-02-03", "COMPLETED")
    assert FORGET in shell.refuse("sync", exit_code=4)
    status = shell.run("status", exit_code=4).stdout
    assert "registry data of 2099-01-01 09:00Z are dated in the future" in status
    findings = json.loads(shell.run("doctor", "--json", exit_code=3).stdout)
    (advice,) = [one["advice"] for one in findings if FORGET in (one["advice"] or "")]
    assert "if this clock is right" in advice

    said = shell.run(*advice.split("ctsync ")[-1].split()).stderr
    assert "1 version and 2 changes now count as found on" in said
    assert ", 1 flag removed, " in said  # "verification more than a year old" was true in 2099
    assert "1 run as of 2026-02-02 09:00Z" in said
    assert statuses(shell) == ["RECRUITING", "TERMINATED"]
    assert kinds(shell) == ["first_seen", "status", "other"]
    (_, second) = shell.json("history", SEED, "--json")
    assert second["observed"][:10] == f"{SystemClock().now():%Y-%m-%d}"

    shell.run("sync")
    assert statuses(shell) == ["RECRUITING", "TERMINATED", "COMPLETED"]
    assert shell.run("status").stdout.startswith("ok\n")
    shell.run("check", "--rebuild-events")
    assert shell.refuse("db", "forget-load", FUTURE, exit_code=2).startswith("ctsync: no run saw")
    print("forget-load: 2 versions and their events kept, 0 lost; the next sync found the third")


def test_a_first_load_from_the_future_is_forgotten_too(
    shell: Shell, registry: ReplayRegistry
) -> None:
    move_to(registry, "2099-01-01", "TERMINATED")
    shell.run("watch", "add", SEED)
    shell.run("sync", "--accept-load")
    shell.run("db", "forget-load", FUTURE)
    move_to(registry, "2026-02-03", "COMPLETED")
    shell.run("sync")
    assert statuses(shell) == ["TERMINATED", "COMPLETED"]
    assert "was forgotten" in shell.run("runs", "1").stdout


def test_an_absence_in_a_forgotten_load_proves_nothing(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    registry.catalogue.set_load("2099-01-01")
    registry.catalogue.withdraw(SEED)
    shell.run("sync", "--accept-load", exit_code=3)
    shell.run("db", "forget-load", FUTURE)
    for day, states in (("2026-02-03", ["present"]), ("2026-02-04", ["present", "gone"])):
        registry.catalogue.set_load(day)
        registry.catalogue.withdraw(SEED)
        shell.run("sync", exit_code=3 if len(states) == 1 else 0)
        assert [v["state"] for v in shell.json("history", SEED, "--json")] == states


@pytest.mark.slow  # it mirrors three times
def test_a_query_and_a_mirror_continue_after_a_load_is_forgotten(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", "--query", "term=trial", "--name", "all", "--sync")
    shell.run("mirror")
    registry.catalogue.set_load("2099-01-01")
    shell.run("mirror", "--accept-load")
    shell.run("db", "forget-load", FUTURE)
    registry.catalogue.set_load("2026-02-03")
    posted = {"date": "2026-02-03", "type": "ACTUAL"}
    registry.catalogue.publish(
        make_study("NCT00000011", lastUpdatePostDateStruct=posted, studyFirstPostDateStruct=posted)
    )
    result = shell.json("mirror", "--json")
    assert (result["new"], result["verdict"]) == (1, "ok")
    assert shell.run("status").stdout.startswith("ok\n")


def test_an_archive_from_the_future_is_refused(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    registry.catalogue.set_load("2099-01-01")
    view = registry.catalogue.view()
    with zipfile.ZipFile(tmp_path / "studies.zip", "w") as archive:
        for nct_id in view.ids:
            archive.writestr(f"{nct_id[-2:]}/{nct_id}.json", orjson.dumps(view.study(nct_id)))
    registry.catalogue.set_load("2026-02-03")
    line = shell.refuse("mirror", "--bulk", "studies.zip", exit_code=4)
    assert "the registry data are of 2099-01-01 00:00Z" in line
    assert shell.json("status", "--json")["stored"]["versions"] == 0


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("soon", "'soon' is not a time such as 2026-03-13T09:00:05Z; no stored registry data are"),
        ("2026-02-02T09:00:05Z", "are not ahead of this computer's clock"),
        ("2098-01-01T00:00:00Z", "no run saw registry data of 2098-01-01 00:00Z"),
    ],
)
def test_only_stored_data_from_the_future_can_be_forgotten(
    shell: Shell, time: str, said: str
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    assert said in shell.refuse("db", "forget-load", time, exit_code=2)


def test_doctor_finds_that_the_registry_is_ahead_of_our_clock(
    shell: Shell, registry: ReplayRegistry
) -> None:
    registry.catalogue.set_load("2099-01-01")
    findings = json.loads(shell.run("doctor", "--json", exit_code=4).stdout)
    (found,) = [one for one in findings if one["subject"] == "registry"]
    assert "data of 2099-01-01 09:00Z, ahead of this clock, which says" in found["found"]
    assert "--accept-load" in found["advice"]


@pytest.mark.slow
def test_a_clock_that_ran_ahead_is_named_by_status_and_doctor(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("watch", "add", SEED)
    right: datetime = SystemClock().now()
    with monkeypatch.context() as patch:
        patch.setattr(SystemClock, "now", lambda _: right + timedelta(days=400))
        shell.run("sync")
    ahead = f"{right + timedelta(days=400):%Y-%m-%d}"
    status = shell.run("status", exit_code=3).stdout
    assert f"end of a run: {ahead}" in status
    findings = json.loads(shell.run("doctor", "--json", exit_code=3).stdout)
    wrong = [one["found"] for one in findings if one["condition"] == "wrong"]
    assert any(found.startswith(f"end of a run: {ahead}") for found in wrong)
    shell.run("sync")
    assert shell.run("status").stdout.startswith("ok\n")
    shell.run("doctor")


@pytest.mark.slow  # it runs eight commands
def test_every_listing_marks_what_a_clock_that_ran_ahead_wrote(
    shell: Shell, migrated_sqlite_url: str
) -> None:
    shell.env["CTSYNC_DATABASE_URL"] = migrated_sqlite_url
    clock = SystemClock()
    ahead = clock.now() + timedelta(days=400)
    minute, day = format_minute(ahead), f"{ahead:%Y-%m-%d}"
    with open_store(migrated_sqlite_url, clock=clock) as store, store.unit() as unit:
        run_id = unit.runs.begin("sync", ahead)
        unit.runs.set_load(run_id, RegistryVersion("2.0.5", ahead))
        unit.runs.finish(run_id, finished=ahead, verdict=Verdict.OK)
        (event_id,) = add_events(unit, None, add(unit, 0, None))
        unit.outbox.enqueue([delivery(event_id, not_before=ahead)])
        unit.histories.set_state(TRIAL, "partial", asked=ahead, retry=ahead, failed=True)
        unit.failures.record(TRIAL, BadAnswer("not JSON"), b"", run_id=None, now=ahead)
        unit.watches.add("mine", query={"query.cond": "x"})
        unit.watches.add_matches("mine", [TRIAL], at=ahead)
        unit.watches.mark_listed("mine", ahead)
    shown = {
        "outbox list": shell.run("outbox", "list"),
        "runs": shell.run("runs"),
        "runs 1": shell.run("runs", str(run_id)),
        "watch show": shell.run("watch", "show", "mine"),
        "history": shell.run("history", TRIAL),
        "status": shell.run("status", exit_code=3),
    }
    for name, result in shown.items():
        text = result.stdout + result.stderr
        times = text.count(day)
        marked = text.count("in the future")
        print(f"{name}: {times} times ahead, {marked} marked")
        assert 0 < times <= marked, (name, text)
    assert f"now ({minute} is in the future)" in shown["outbox list"].stdout
    (waiting,) = shell.json("outbox", "list", "--json")
    assert waiting["counts_as_due"] is True
    (run,) = shell.json("runs", "--json")
    assert run["in_future"] == ["started", "finished", "data_timestamp_before"]
