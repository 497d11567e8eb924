"""The commands `rules`, `relevel` and `forecast`, and watches with their own thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SEED, Shell, below_header
from tests.record.reconstructed import FOLDER, studies
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry

SLIPPED, SHRUNK = "NCT00670254", "NCT05935098"
STATUS = "protocolSection.statusModule"
START = f"{STATUS}.startDateStruct.date"
COUNT = "protocolSection.designModule.enrollmentInfo.count"


@pytest.fixture
def history(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A start date moved by 214 days (as in NCT00670254), and a target reduced by 8 %."""
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
    result = shell.run("rules")
    lines = {line.split("\t")[0]: line for line in below_header(result.stdout)}
    assert lines["R-DAT-02"].split("\t")[1:3] == ["notable", "moved by 60 days or more"]
    assert "slip_notable_days = 60 (default 90)" in result.stderr
    assert "enrollment_below_target_percent = 85\n" in result.stderr
    table = shell.json("rules", "--json")
    assert table["thresholds"]["slip_notable_days"] == 60
    assert [rule["id"] for rule in table["rules"]] == list(lines)
    (stopped,) = [rule for rule in table["rules"] if rule["id"] == "R-STA-01"]
    assert stopped == {
        "id": "R-STA-01", "level": "critical", "kinds": ["status"],
        "says": "stopped: terminated, withdrawn or suspended", "when": "step is stopped",
    }  # fmt: skip


def test_the_thresholds_of_a_watch_override_the_general_ones(shell: Shell, tmp_path: Path) -> None:
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
    assert thresholds("--watch", "strict") == (30, 300)  # stored by the last sync
    assert "no watch 'nobody'" in shell.refuse("rules", "--watch", "nobody", exit_code=2)


@pytest.mark.slow
def test_relevel_lists_events_with_another_level_and_writes_nothing(
    history: Shell, tmp_path: Path
) -> None:
    before = (tmp_path / "ctsync.db").read_bytes()
    result = history.run("relevel", "--set", "start_slip_notable_days=250")
    (line,) = below_header(result.stdout)
    _, nct_id, *levels, what = line.split("\t")
    assert (nct_id, levels) == (SLIPPED, ["notable", "R-DAT-08", "routine", "R-DAT-03"])
    assert what.startswith(
        "Study Start 2008-06 (estimated) -> 2009-01 (estimated), +7 months (214 days ±30)"
    )
    assert "1 of 4 events would get another level; nothing was changed" in result.stderr
    (found,) = history.json("relevel", "--set", "start_slip_notable_days=250", "--json")
    assert (found["level"], found["rule"]) == ("notable", "R-DAT-08")
    assert (found["new_level"], found["new_rule"]) == ("routine", "R-DAT-03")
    assert (tmp_path / "ctsync.db").read_bytes() == before


@pytest.mark.slow
def test_a_higher_threshold_for_starts_makes_one_event_of_real_histories_routine(
    shell: Shell, registry: ReplayRegistry
) -> None:
    """Only NCT00670254 has such an event: its start moved from 2008-06 to 2009-01."""
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


def test_relevel_takes_several_thresholds_and_a_time_window(history: Shell) -> None:
    sets = ("--set", "start_slip_notable_days=250", "--set", "enrollment_target_change_percent=5")
    changed = {(e["nct_id"], e["new_level"]) for e in history.json("relevel", *sets, "--json")}
    assert changed == {(SLIPPED, "routine"), (SHRUNK, "notable")}
    assert history.json("relevel", *sets, "--since", "2026-02-04", "--json") == []
    assert history.json("relevel", "--json") == []


def test_relevel_after_a_change_of_settings_shows_its_effect(
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
        ("slip_notable_days", "write a number of at least 0, as in slip_notable_days=60"),
        ("slip_notable_days=soon", "write a number"),
        ("slip_notable_days=-1", "write a number"),
        ("slip_notable_days=nan", "write a number"),
    ],
)
def test_a_wrong_threshold_is_reported_in_one_line(shell: Shell, given: str, says: str) -> None:
    result = shell.run("relevel", "--set", given, exit_code=2)
    assert says in result.stderr
    assert result.stdout == ""


@pytest.fixture
def two_watches(shell: Shell, registry: ReplayRegistry, tmp_path: Path) -> Shell:
    """One trial in two watches; for one of them, a slip of 30 days is notable."""
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


@pytest.mark.slow
def test_changes_of_a_watch_have_its_own_levels_and_the_store_keeps_the_general_ones(
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


def test_relevel_for_a_watch_uses_its_thresholds(two_watches: Shell) -> None:
    def relevelled(*options: str) -> list[tuple[str, str]]:
        found = two_watches.json("relevel", *options, "--json")
        return [(event["level"], event["new_level"]) for event in found]

    assert relevelled("--watch", "strict") == []
    sets = ("--set", "slip_notable_days=90")
    assert relevelled("--watch", "strict", *sets) == [("notable", "routine")]
    assert relevelled("--watch", "usual", *sets) == []


@pytest.fixture
def aging(shell: Shell, registry: ReplayRegistry) -> Shell:
    """Trials that become UNKNOWN in March, are overdue on 2026-02-02, or change later or never."""
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


def test_a_forecast_lists_trials_that_will_turn_unknown_or_should_have(
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
    result = aging.run("forecast", "--within", "90d")
    assert [line.split("\t")[1] for line in below_header(result.stdout)] == [
        "NCT00000002", "NCT00000001",
    ]  # fmt: skip
    assert "of 4 watched trials 1 will become Unknown if nobody updates them, 1 should have" in (
        result.stderr
    )
    assert "1 more will later: ctsync forecast --within all" in result.stderr


def test_a_forecast_looks_ahead_by_the_given_time_span(
    aging: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_on("2026-02-03", monkeypatch)

    def seen(within: str) -> int:
        return len(aging.json("forecast", "--within", within, "--what", "unknown", "--json"))

    assert (seen("2w"), seen("90d"), seen("all")) == (1, 2, 3)
    refused = aging.run("forecast", "--within", "soon", exit_code=2)
    assert "'soon' is not a time span; write one such as 90d" in refused.stderr


def test_a_trial_due_after_the_newest_seen_load_is_not_overdue(
    aging: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_on("2026-03-20", monkeypatch)
    unknown = ("--what", "unknown")
    found = {one["nct_id"]: one["outlook"] for one in aging.json("forecast", *unknown, "--json")}
    assert found == {"NCT00000002": "overdue", "NCT00000001": "due"}
    rows = below_header(aging.run("forecast", *unknown).stdout)
    assert [row.split("\t")[3] for row in rows] == ["overdue by 4 months", "18 days ago"]


def stand_on(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from ctsync.dates import SystemClock

    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _self: moment)
