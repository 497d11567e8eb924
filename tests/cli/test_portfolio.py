"""The command `portfolio`: table, JSON, CSV, workbook and calendar."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from icalendar import Calendar
from openpyxl import load_workbook

from tests.cli.conftest import SEED, Shell
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry

OTHER = "NCT05935098"


@pytest.fixture
def followed(shell: Shell, registry: ReplayRegistry) -> Shell:
    """Follow two trials, and sync them on one day."""
    for nct_id, primary in ((SEED, "2027-01"), (OTHER, "2027-06-30")):
        registry.catalogue.publish(
            make_study(
                nct_id,
                primaryCompletionDateStruct={"date": primary, "type": "ESTIMATED"},
                sponsorCollaboratorsModule={"leadSponsor": {"name": f"=Sponsor of {nct_id}"}},
            )
        )
        shell.run("watch", "add", nct_id)
    shell.run("sync")
    return shell


def test_the_table_lists_each_followed_trial(followed: Shell) -> None:
    seen = followed.run("portfolio", "--sort", "primary_completion")
    header, *rows = seen.stdout.splitlines()
    assert header.split("\t")[:6] == [
        "TRIAL", "STATUS", "NEXT", "DAYS", "PRIMARY COMPLETION", "SLIP",
    ]  # fmt: skip
    assert [row.split("\t")[0] for row in rows] == [SEED, OTHER]
    assert [row.split("\t")[4] for row in rows] == ["2027-01", "2027-06-30"]
    assert seen.stderr.startswith("2 trials of 2 followed, registry data of ")
    back = followed.rows("portfolio", "--sort", "primary_completion", "--reverse")
    assert [row.split("\t")[0] for row in back] == [OTHER, SEED]


def test_a_page_names_the_command_for_the_next_one(followed: Shell) -> None:
    seen = followed.run("portfolio", "--limit", "1")
    assert "1 of 2 trials" in seen.stderr
    assert "for more rows: ctsync portfolio --page 2" in seen.stderr
    both = [*followed.rows("portfolio", "--limit", "1"),
            *followed.rows("portfolio", "--limit", "1", "--page", "2")]  # fmt: skip
    assert len({row.split("\t")[0] for row in both}) == 2


def test_json_has_the_rows_and_the_facets(followed: Shell) -> None:
    page = followed.json("portfolio", "--search", OTHER, "--json")
    assert [row["nct_id"] for row in page["rows"]] == [OTHER]
    assert page["followed"] == 2
    assert {facet["facet"] for facet in page["facets"]} >= {"sponsor", "phase", "flag"}


def test_every_file_format_has_every_trial(followed: Shell, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(followed.run("portfolio", "--csv").stdout)))
    assert sorted(row["nct_id"] for row in rows) == [SEED, OTHER]
    assert rows[0]["sponsor"].startswith("'=")  # no spreadsheet runs it
    calendar = Calendar.from_ical(followed.run("portfolio", "--format", "ics").stdout)
    events = {f"{one['uid']}" for one in calendar.walk("VEVENT")}
    assert events >= {f"{one}-primary_completion@ctsync" for one in (SEED, OTHER)}
    listed = json.loads(followed.run("portfolio", "--format", "json").stdout)
    assert len(listed) == 2
    book = tmp_path / "trials.xlsx"
    followed.run("portfolio", "--format", "xlsx", "--output", str(book))
    sheet = load_workbook(book).active
    assert sheet is not None
    assert [cell.value for cell in sheet["A"]][1:] == [row["nct_id"] for row in rows]


def test_a_calendar_has_the_events_of_the_export_for_the_trials_of_the_list(
    followed: Shell,
) -> None:
    whole = followed.run("export", "ics").stdout
    assert followed.run("portfolio", "--format", "ics").stdout == whole
    some = followed.run("portfolio", "--search", OTHER, "--format", "ics").stdout
    events = [one.to_ical() for one in Calendar.from_ical(some).walk("VEVENT")]
    of_all = [one.to_ical() for one in Calendar.from_ical(whole).walk("VEVENT")]
    assert events == [one for one in of_all if OTHER.encode() in one]
    assert events
    assert all(b"SEQUENCE:" in one for one in events)


def test_wrong_questions_are_refused_in_one_line(followed: Shell) -> None:
    refused = followed.refuse("portfolio", "--watch", "mine", exit_code=2)
    assert "no followed trial has the watch 'mine'" in refused
    assert "there is no flag" in followed.refuse("portfolio", "--flag", "x", exit_code=2)
    needs_file = followed.refuse("portfolio", "--format", "xlsx", exit_code=2)
    assert "--format xlsx needs --output FILE" in needs_file
    needs_format = followed.refuse("portfolio", "--output", "x.csv", exit_code=2)
    assert "--output needs --format" in needs_format


def test_the_conditions_of_find_choose_the_trials(followed: Shell) -> None:
    for conditions in (("enrollment>0",), (f"nct={OTHER}",), ("enrollment>0", f"nct!={OTHER}")):
        found = [row["nct_id"] for row in followed.json("find", *conditions, "--json")]
        options = [word for one in conditions for word in ("--where", one)]
        page = followed.json("portfolio", *options, "--sort", "nct_id", "--json")
        assert [row["nct_id"] for row in page["rows"]] == found
        assert (page["followed"], page["total"]) == (2, len(found))
        assert found
    assert followed.json("portfolio", "--where", "enrollment>99999", "--json")["rows"] == []
    wrong = followed.refuse("portfolio", "--where", "colour=red", exit_code=2)
    assert wrong == followed.refuse("find", "colour=red", exit_code=2)
