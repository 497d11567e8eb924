"""The filters of `report` and `changes`, and the workbook."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from tests.cli.conftest import SEED, Shell
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"


@pytest.fixture
def watched(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell that follows two trials; one was suspended on the next load."""
    shell.run("watch", "add", SEED, "NCT05935098")
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(
        SEED, {STATUS: "SUSPENDED", "protocolSection.designModule.enrollmentInfo.count": 50}
    )
    shell.run("sync")
    return shell


def reported(shell: Shell, *options: str) -> list[str]:
    report = shell.json("report", "--since", "2026-02-01", "--json", *options)
    return [trial["what"] for trial in report["trials"]]


@pytest.mark.slow
def test_a_report_is_filtered_by_level_category_kind_watch_sponsor_and_phase(
    watched: Shell,
) -> None:
    everything = reported(watched)

    assert everything
    assert reported(watched, "--category", "status")[0].startswith("status ->")
    assert reported(watched, "--kind", "status") == reported(watched, "--category", "status")
    assert reported(watched, "--category", "arms") == []
    assert reported(watched, "--level", "administrative")
    assert reported(watched, "--watch", "default") == everything
    assert len(everything) == 1
    assert reported(watched, "--sponsor", "sponsor") == everything
    assert reported(watched, "--phase", "2") == everything
    assert reported(watched, "--phase", "3") == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["report", "changes"])
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--level", "critcal", "there is no level 'critcal'; did you mean critical?"),
        ("--category", "outcome", "there is no category 'outcome'; did you mean outcomes?"),
        ("--kind", "enrolment", "there is no kind 'enrolment'; did you mean enrollment?"),
        ("--watch", "defualt", "there is no watch 'defualt'; did you mean 'default'?"),
    ],
)
def test_an_unknown_value_is_refused_with_the_likely_one(
    watched: Shell, command: str, option: str, value: str, message: str
) -> None:
    assert message in watched.refuse(command, option, value, exit_code=2)


def test_an_unknown_sponsor_or_phase_is_refused_with_the_known_ones(watched: Shell) -> None:
    sponsor = watched.refuse("report", "--sponsor", "A sponsr", exit_code=2)
    phase = watched.refuse("report", "--phase", "5", exit_code=2)

    assert "did you mean A sponsor?" in sponsor
    assert "there is no phase '5'; known: early 1, 1, 2, 3, 4, NA" in phase


@pytest.mark.parametrize("command", ["report", "changes"])
def test_since_the_last_report_needs_a_report_that_was_sent(watched: Shell, command: str) -> None:
    message = watched.refuse(command, "--since", "last report", exit_code=2)

    assert "no report was sent yet; use --since 7d" in message


@pytest.mark.slow
@pytest.mark.parametrize("since", ["yesterday", "last week", "Last  Week", "today", "7d"])
def test_a_window_is_named_as_people_name_it(watched: Shell, since: str) -> None:
    watched.run("report", "--since", since)
    watched.run("changes", "--since", since)


def test_a_workbook_is_written_to_a_file_only(watched: Shell) -> None:
    assert "add --output report.xlsx" in watched.refuse("report", "--format", "xlsx", exit_code=2)
    options = ("--since", "2026-02-01", "--format", "xlsx", "--output", "out/report.xlsx")
    done = watched.run("report", *options)

    assert "wrote out/report.xlsx" in done.stderr
    sheet = openpyxl.load_workbook(Path("out/report.xlsx"))["Changes"]
    assert sheet.cell(2, 1).value == SEED


def test_tables_have_all_changes_unless_a_limit_is_given(watched: Shell) -> None:
    complete = watched.run("report", "--since", "2026-02-01", "--format", "csv")
    limited = watched.run("report", "--since", "2026-02-01", "--format", "csv", "--limit", "1")

    assert complete.stderr == ""
    assert limited.stdout.count("\n") < complete.stdout.count("\n")
    assert "left out for size" in limited.stderr
