"""The output of `ctsync sync`: baselines, quiet and busy days, a second sync, and mail sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.conftest import SEED, Shell, below_header
from tests.deliver.mailserver import running
from tests.registry_fixtures import an_id, publish
from tests.replay.registry_server import ReplayRegistry

MODULE = "protocolSection.statusModule"
STATUS = f"{MODULE}.overallStatus"
VERIFIED = f"{MODULE}.statusVerifiedDate"
TITLE = "protocolSection.identificationModule.briefTitle"
DONE = f"{MODULE}.primaryCompletionDateStruct"
TRIALS = tuple(map(an_id, range(1, 31)))


@pytest.fixture
def followed(shell: Shell, registry: ReplayRegistry, tmp_path: Path) -> Shell:
    """A shell that follows 30 trials, before the first sync; the event log is the default."""
    del shell.env["CTSYNC_LOG__EVENTS"]
    publish(registry, *TRIALS, primaryCompletionDateStruct={"date": "2027-01", "type": "ESTIMATED"})
    (tmp_path / "list.txt").write_text("\n".join(TRIALS))
    shell.run("watch", "add", "--file", "list.txt")
    return shell


def printed(result: Result) -> list[str]:
    return [*result.stdout.splitlines(), *result.stderr.splitlines()]


def test_a_first_sync_counts_the_baselines_and_lists_no_trial(followed: Shell) -> None:
    result = followed.run("sync")
    assert printed(result) == [
        "checked 30 of 30 trials against the registry data of 2026-02-02 09:00Z (3 requests)",
        "30 trials stored as baseline",
    ]


def test_a_trial_added_later_is_named_as_baseline(followed: Shell) -> None:
    followed.run("sync")
    followed.run("watch", "add", SEED)
    result = followed.run("sync")
    assert result.stdout == ""
    assert "30 unchanged" in result.stderr
    assert result.stderr.endswith(f"1 trial stored as baseline: {SEED}\n")


def test_a_trial_that_appears_with_an_old_date_is_newly_seen(
    followed: Shell, registry: ReplayRegistry
) -> None:
    late = an_id(77)
    followed.run("watch", "add", late)
    followed.run("sync")
    registry.catalogue.advance()
    old = {"date": "2012-03-05", "type": "ACTUAL"}
    publish(registry, late, studyFirstPostDateStruct=old, overallStatus="COMPLETED")
    result = followed.run("sync")

    assert "1 newly seen" in result.stderr
    assert "newly seen by ctsync, first posted 2012-03-05" in " ".join(result.stdout.split())
    for command in (["report", "--since", "all"], ["history", late], ["changes", late]):
        assert "newly registered" not in followed.run(*command).stdout
    assert "newly seen" in followed.run("history", late).stdout


def test_a_quiet_day_prints_one_line(followed: Shell, registry: ReplayRegistry) -> None:
    followed.run("sync")
    registry.catalogue.advance()
    assert printed(followed.run("sync")) == [
        (
            "checked 30 of 30 trials against the registry data of 2026-02-03 09:00Z: no changes "
            "(3 requests)"
        )
    ]


def test_a_second_sync_of_the_same_data_is_not_an_alarm(followed: Shell) -> None:
    followed.run("sync")
    assert printed(followed.run("sync")) == [
        (
            "already up to date with the registry data of 2026-02-02 09:00Z: checked 30 of "
            "30 trials (3 requests)"
        )
    ]


def make_busy(registry: ReplayRegistry) -> None:
    """Change all 30 trials on the next day: 1 critical, 2 notable, 24 routine, 3 administrative."""
    registry.catalogue.advance()
    registry.catalogue.edit(TRIALS[29], {STATUS: "TERMINATED"})
    registry.catalogue.edit(TRIALS[28], {f"{DONE}.date": "2027-10"})
    registry.catalogue.edit(TRIALS[27], {f"{DONE}.date": "2027-06"})
    for nct_id in TRIALS[:24]:
        registry.catalogue.edit(nct_id, {TITLE: f"Another title of {nct_id}"})
    for nct_id in TRIALS[24:27]:
        registry.catalogue.edit(nct_id, {VERIFIED: "2026-02"})


def test_a_busy_day_shows_20_trials_worst_first_and_counts_the_rest(
    followed: Shell, registry: ReplayRegistry
) -> None:
    followed.run("sync")
    make_busy(registry)
    result = followed.run("sync")
    *rows, rest = below_header(result.stdout)
    cells = [row.split("\t") for row in rows]
    assert [level for level, *_ in cells] == ["critical", "notable", "notable", *["routine"] * 17]
    assert [trial for _, trial, *_ in cells[:4]] == [TRIALS[29], TRIALS[28], TRIALS[27], TRIALS[0]]
    assert cells[0][2:] == ["status -> Terminated", f"A trial called {TRIALS[29]}"]
    assert rest == (
        "and 7 more trials (7 routine); 3 trials with administrative changes only: "
        "ctsync changes --since 2026-02-03"
    )
    command = rest.rpartition(": ctsync ")[2].split()
    assert len({row.split("\t")[1] for row in followed.rows(*command)}) == 30
    assert result.stderr.startswith("checked 30 of 30 trials")
    assert len(result.stderr.splitlines()) == 1


def test_a_dry_run_shows_the_table_of_the_sync(followed: Shell, registry: ReplayRegistry) -> None:
    followed.run("sync")
    make_busy(registry)
    dry = followed.run("sync", "--dry-run").stdout
    assert "ctsync sync --dry-run --json" in dry
    assert dry.splitlines()[:21] == followed.run("sync").stdout.splitlines()[:21]


def test_a_quiet_sync_prints_no_administrative_change(
    followed: Shell, registry: ReplayRegistry
) -> None:
    followed.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(TRIALS[0], {VERIFIED: "2026-02"})
    assert printed(followed.run("sync", "--quiet")) == []
    registry.catalogue.advance()
    registry.catalogue.edit(TRIALS[0], {STATUS: "TERMINATED"})
    assert below_header(followed.run("sync", "--quiet").stdout)[0].startswith("critical\t")


def test_json_of_a_sync_prints_no_table(followed: Shell, registry: ReplayRegistry) -> None:
    followed.run("sync")
    make_busy(registry)
    assert len(json.loads(followed.run("sync", "--json").stdout)["events"]) >= 30


def test_trials_that_the_registry_lacks_take_one_line(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(map(an_id, range(90, 100))))
    shell.run("watch", "add", "--file", "list.txt", "--name", "mine")
    assert printed(shell.run("sync")) == [
        "checked 10 of 10 trials against the registry data of 2026-02-02 09:00Z (13 requests)",
        (
            "NCT00000090, NCT00000091, NCT00000092 and 7 more (ctsync watch show lists them): the "
            "registry has no such trial; later syncs look for them; to stop following them: "
            "ctsync watch remove"
        ),
    ]
    assert "NCT00000090" not in shell.run("sync").stderr
    assert shell.run("status").stdout.startswith("ok\n")
    assert "\tnot in the registry\t" in shell.rows("watch", "show", "mine")[0]
    shown = shell.json("watch", "show", "mine", "--json")["trials"]
    assert {one["unknown_since"] for one in shown} == {"2026-02-02T09:00:05Z"}


def test_a_quiet_sync_names_a_trial_that_the_registry_lacks_once(shell: Shell) -> None:
    shell.run("watch", "add", SEED, "NCT00000090", "--name", "mine")
    assert "NCT00000090: the registry has no such trial" in shell.run("sync", "-q").stderr
    assert printed(shell.run("sync", "-q")) == []


@pytest.mark.parametrize(
    ("recipients", "sentence"),
    [
        (1, "1 message sent to r0@example.org"),
        (2, "2 messages sent to r0@example.org, r1@example.org"),
        (4, "4 messages sent to 4 recipients"),
    ],
)
def test_the_recipients_of_messages_are_named(
    followed: Shell, recipients: int, sentence: str
) -> None:
    with running() as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        followed.env |= {
            "CTSYNC_SMTP": json.dumps(smtp | {"sender": "c@example.org"}),
            "CTSYNC_RECIPIENTS": json.dumps(
                [{"email": f"r{number}@example.org"} for number in range(recipients)]
            ),
        }
        assert printed(followed.run("sync"))[-1] == sentence
    assert followed.json("runs", "--json")[0]["delivered"] == recipients


# --- the event log ----------------------------------------------------------------------------


def test_every_event_is_a_line_of_the_log_next_to_the_database(
    followed: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    followed.run("sync")
    make_busy(registry)
    followed.run("sync")
    lines = (tmp_path / "events.log").read_text().splitlines()
    assert len(lines) == len(followed.json("changes", "--json"))
    shown = {one["name"]: one for one in followed.json("config", "show", "--json")}
    assert shown["log.file"]["value"] == str(tmp_path / "events.log")


def test_an_event_log_that_cannot_be_written_costs_one_warning(
    followed: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    log = tmp_path / "events.log"
    log.mkdir()
    result = followed.run("sync")
    warning, *others = printed(result)
    assert warning.startswith(
        f"WARNING ctsync.deliver.outbox: event log: cannot write {log}: Is a directory"
    )
    assert others[-1] == "30 trials stored as baseline"
    log.rmdir()
    followed.run("outbox", "retry")
    assert len(log.read_text().splitlines()) == 30


def test_events_go_to_stderr_or_nowhere_if_the_settings_say_so(
    followed: Shell, tmp_path: Path
) -> None:
    followed.env["CTSYNC_LOG__EVENTS"] = "stderr"
    assert len(followed.run("sync").stderr.splitlines()) == 32
    followed.env["CTSYNC_LOG__EVENTS"] = "off"
    followed.run("watch", "add", SEED)
    assert len(followed.run("sync").stderr.splitlines()) == 2
    assert not (tmp_path / "events.log").exists()
