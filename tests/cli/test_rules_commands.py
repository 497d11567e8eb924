"""`rules`, `replay`, `forecast`, and a watch with thresholds of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SEED, Shell
from tests.record.reconstructed import FOLDER, studies
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry

SLIPPED, SHRUNK = "NCT00670254", "NCT05935098"
STATUS = "protocolSection.statusModule"
START = f"{STATUS}.startDateStruct.date"
COUNT = "protocolSection.designModule.enrollmentInfo.count"


@pytest.fixture
def history(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A start that moved by 214 days (the facts of NCT00670254), and a target cut by 8 %."""
    study = make_study(
        SLIPPED,
        startDateStruct={"date": "2008-06", "type": "ESTIMATED"},
        studyFirstSubmitDate="2008-04-29",
    )
    registry.catalogue.publish(study)
    shell.run("watch", "add", SLIPPED, SHRUNK)
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SLIPPED, {START: "2009-01"})
    registry.catalogue.edit(SHRUNK, {COUNT: 92})
    shell.run("sync")
    return shell


def test_the_rule_table_is_printed_with_the_thresholds_in_force(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "ctsync.toml").write_text("[rules]\nslip_notable_days = 60\n")
    said = shell.run("rules")
    lines = {line.split("\t")[0]: line for line in said.stdout.splitlines()}
    assert lines["R-DAT-02"].split("\t")[1:3] == ["notable", "moved by 60 days or more"]
    assert "slip_notable_days = 60, usually 90" in said.stderr
    assert "enrollment_below_target_percent = 85\n" in said.stderr
    table = shell.json("rules", "--json")
    assert table["thresholds"]["slip_notable_days"] == 60
    assert [rule["id"] for rule in table["rules"]] == list(lines)
    (stopped,) = [rule for rule in table["rules"] if rule["id"] == "R-STA-01"]
    assert stopped == {
        "id": "R-STA-01", "level": "critical", "kinds": ["status"],
        "says": "stopped: terminated, withdrawn or suspended", "when": "step is stopped",
    }  # fmt: skip


def test_a_watch_has_the_thresholds_of_all_but_for_its_own(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        "[rules]\nslip_notable_days = 60\nslip_critical_days = 300\n"
        f'[[watches]]\nname = "strict"\ntrials = ["{SEED}"]\nrules = {{slip_notable_days = 30}}\n'
        f'[[watches]]\nname = "usual"\ntrials = ["{SEED}"]\n'
    )

    def thresholds(*options: str) -> tuple[float, float]:
        found = shell.json("rules", *options, "--json")["thresholds"]
        return found["slip_notable_days"], found["slip_critical_days"]

    assert thresholds() == thresholds("--watch", "usual") == (60, 300)
    assert thresholds("--watch", "strict") == (30, 300)
    shell.run("sync")
    (tmp_path / "ctsync.toml").write_text("")
    assert thresholds("--watch", "strict") == (30, 300)  # as the last sync took it from the file
    assert "no watch 'nobody'" in shell.refuse("rules", "--watch", "nobody", exit_code=2)


def test_a_replay_lists_what_other_rules_would_level_otherwise_and_writes_nothing(
    history: Shell, tmp_path: Path
) -> None:
    before = (tmp_path / "ctsync.db").read_bytes()
    said = history.run("relevel", "--set", "start_slip_notable_days=250")
    (line,) = said.stdout.splitlines()
    _, nct_id, *levels, what = line.split("\t")
    assert (nct_id, levels) == (SLIPPED, ["notable", "R-DAT-08", "routine", "R-DAT-03"])
    assert what.startswith("Study Start 2008-06 (estimated) -> 2009-01 (estimated), +214 d")
    assert "1 of 4 events would have another level; nothing was written" in said.stderr
    (found,) = history.json("relevel", "--set", "start_slip_notable_days=250", "--json")
    assert (found["level"], found["rule"]) == ("notable", "R-DAT-08")
    assert (found["new_level"], found["new_rule"]) == ("routine", "R-DAT-03")
    assert (tmp_path / "ctsync.db").read_bytes() == before


def test_of_real_histories_a_later_threshold_for_starts_takes_one_event_back_to_routine(
    shell: Shell, registry: ReplayRegistry
) -> None:
    """NCT00670254: its start moved from 2008-06 to 2009-01; the other histories have none such."""
    histories = {file.stem: studies(file.stem) for file in FOLDER.glob("NCT*.json")}
    for nct_id, versions in histories.items():
        registry.catalogue.publish(versions[0])
        shell.run("watch", "add", nct_id)
    shell.run("sync")
    for number in range(1, max(map(len, histories.values()))):
        registry.catalogue.advance()
        for versions in histories.values():
            if number < len(versions):
                registry.catalogue.publish(versions[number])
        shell.run("sync")
    found = shell.json("relevel", "--set", "start_slip_notable_days=250", "--json")
    assert [
        (
            one["nct_id"],
            one["before"],
            one["after"],
            one["days"],
            one["level"],
            one["new_level"],
        )
        for one in found
    ] == [("NCT00670254", "2008-06", "2009-01", 214, "notable", "routine")]
    assert shell.run("check", "--rebuild-events").stderr == "no problem found\n"


def test_a_replay_tries_several_thresholds_at_once_over_part_of_the_history(history: Shell) -> None:
    sets = ("--set", "start_slip_notable_days=250", "--set", "enrollment_target_change_percent=5")
    changed = {(e["nct_id"], e["new_level"]) for e in history.json("relevel", *sets, "--json")}
    assert changed == {(SLIPPED, "routine"), (SHRUNK, "notable")}
    assert history.json("relevel", *sets, "--since", "2026-02-04", "--json") == []
    assert history.json("relevel", "--json") == []


def test_a_replay_after_the_settings_changed_shows_what_that_changes(
    history: Shell, tmp_path: Path
) -> None:
    (tmp_path / "ctsync.toml").write_text("[rules]\nstart_slip_notable_days = 250\n")
    assert [event["nct_id"] for event in history.json("relevel", "--json")] == [SLIPPED]
    assert history.json("relevel", "--set", "start_slip_notable_days=90", "--json") == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("start_slip=250", "no threshold 'start_slip'; did you mean start_slip_notable_days?"),
        ("days", "no threshold 'days'; "),
        ("slip_notable_days", "write a number that is not negative: slip_notable_days=60"),
        ("slip_notable_days=soon", "write a number"),
        ("slip_notable_days=-1", "write a number"),
        ("slip_notable_days=nan", "write a number"),
    ],
)
def test_a_threshold_that_cannot_be_set_is_one_line_that_says_why(
    shell: Shell, given: str, says: str
) -> None:
    result = shell.run("relevel", "--set", given, exit_code=2)
    assert says in result.stderr
    assert result.stdout == ""


@pytest.fixture
def two_watches(shell: Shell, registry: ReplayRegistry, tmp_path: Path) -> Shell:
    """One trial in two watches, of which one takes a slip of 30 days for notable."""
    (tmp_path / "ctsync.toml").write_text(
        f'[[watches]]\nname = "strict"\ntrials = ["{SEED}"]\nrules = {{slip_notable_days = 30}}\n'
        f'[[watches]]\nname = "usual"\ntrials = ["{SEED}"]\n'
    )
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {f"{STATUS}.completionDateStruct.date": "2028-02"})
    shell.run("sync")
    return shell


def levels(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(e["level"], e["rule"]) for e in found if e["kind"] == "completion_date"]


def test_a_watch_is_told_the_level_of_its_own_thresholds_and_the_store_keeps_that_for_all(
    two_watches: Shell,
) -> None:
    def changes(*options: str) -> list[tuple[str, str]]:
        return levels(two_watches.json("changes", *options, "--json"))

    assert changes() == changes("--watch", "usual") == [("routine", "R-DAT-03")]
    assert changes("--watch", "strict") == [("notable", "R-DAT-02")]
    assert changes("--watch", "strict", "--level", "notable") == [("notable", "R-DAT-02")]
    assert changes("--watch", "usual", "--level", "notable") == []
    limited = two_watches.run("changes", "--watch", "strict", "--limit", "1")
    assert "the newest 1 of 2 changes" in limited.stderr

    def counts(*options: str) -> dict[str, int]:
        found: dict[str, Any] = two_watches.json("report", "--since", "all", "--json", *options)
        counted: dict[str, int] = found["counts"]
        return counted

    assert counts("--watch", "strict")["notable"] == 1
    assert counts("--watch", "usual")["notable"] == 0


def test_a_replay_for_a_watch_goes_by_its_thresholds(two_watches: Shell) -> None:
    def replayed(*options: str) -> list[tuple[str, str]]:
        found = two_watches.json("relevel", *options, "--json")
        return [(event["level"], event["new_level"]) for event in found]

    assert replayed("--watch", "strict") == []
    sets = ("--set", "slip_notable_days=90")
    assert replayed("--watch", "strict", *sets) == [("notable", "routine")]
    assert replayed("--watch", "usual", *sets) == []


@pytest.fixture
def aging(shell: Shell, registry: ReplayRegistry) -> Shell:
    """On the load of 2026-02-02: one trial due in March, one overdue, one far off, one never."""
    trials = {
        "NCT00000001": ("2024-02", "2025-01", "RECRUITING"),
        "NCT00000002": ("2023-11", "2025-01", "RECRUITING"),
        "NCT00000003": ("2026-01", "2027-12", "RECRUITING"),
        "NCT00000004": ("2020-01", "2021-01", "COMPLETED"),
    }
    for nct_id, (verified, completion, status) in trials.items():
        study = make_study(
            nct_id,
            statusVerifiedDate=verified,
            completionDateStruct={"date": completion},
            overallStatus=status,
        )
        registry.catalogue.publish(study)
    shell.run("watch", "add", *trials)
    shell.run("sync")
    return shell


def test_a_forecast_lists_who_will_turn_unknown_and_who_should_have(
    aging: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_on("2026-02-03", monkeypatch)
    overdue, due = aging.json("forecast", "--json")
    assert (overdue["nct_id"], overdue["outlook"], overdue["on"]) == (
        "NCT00000002", "overdue", "2025-12-01",
    )  # fmt: skip
    assert (due["nct_id"], due["outlook"], due["on"], due["days"]) == (
        "NCT00000001", "due", "2026-03-02", 27,
    )  # fmt: skip
    assert due["why"].startswith("verified 2024-02, more than 24 months before")
    said = aging.run("forecast", "--within", "90d")
    assert [line.split("\t")[1] for line in said.stdout.splitlines()] == [
        "NCT00000002", "NCT00000001",
    ]  # fmt: skip
    assert "of 4 watched trials 1 will turn UNKNOWN if nobody updates them, 1 should have" in (
        said.stderr
    )
    assert "1 more will later: ctsync forecast --within all" in said.stderr


def test_a_forecast_looks_as_far_ahead_as_it_is_told(
    aging: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_on("2026-02-03", monkeypatch)

    def seen(within: str) -> int:
        return len(aging.json("forecast", "--within", within, "--json"))

    assert (seen("2w"), seen("90d"), seen("all")) == (1, 2, 3)
    refused = aging.run("forecast", "--within", "soon", exit_code=2)
    assert "'soon' is no length of time; write one such as 90d" in refused.stderr


def test_what_a_load_not_seen_yet_may_have_done_is_not_overdue(
    aging: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_on("2026-03-20", monkeypatch)
    found = {one["nct_id"]: one["outlook"] for one in aging.json("forecast", "--json")}
    assert found == {"NCT00000002": "overdue", "NCT00000001": "due"}


def stand_on(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from ctsync.dates import SystemClock

    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _self: moment)
