"""The commands `export` and `import`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from icalendar import Calendar
from openpyxl import load_workbook

from ctsync.model import Source
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.sync.histories import keep_history


def test_the_parquet_command_reports_what_it_wrote(shell: Shell, tmp_path: Path) -> None:
    url = str(shell.env["CTSYNC_DATABASE_URL"])
    with open_store(url, clock=StillClock()) as store:
        keep_history(store, studies("NCT03693833"), source=Source.LIVE)
    out = tmp_path / "out"
    result = shell.run("export", "parquet", "--output", str(out)).stderr
    assert "3 rows in 3 months, 0 unchanged" in result
    written = shell.json("export", "parquet", "--output", str(out), "--json")
    assert [(one["table"], one["rows"], one["unchanged"]) for one in written] == [
        ("events", 0, 3), ("versions", 0, 3), ("flags", 0, 0),
    ]  # fmt: skip
    assert "no version of NCT00000009 is stored" in shell.refuse(
        "export", "parquet", "NCT00000009", "--output", str(out), exit_code=2
    )
    (tmp_path / "file").write_text("")
    assert "cannot write" in shell.refuse(
        "export", "parquet", "--output", str(tmp_path / "file" / "x"), exit_code=2
    )


def test_without_pyarrow_the_error_names_the_extra(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("db", "upgrade")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    line = shell.refuse("export", "parquet", "--output", str(tmp_path / "out"), exit_code=2)
    assert "pip install 'ctsync[parquet]'" in line


def kept(shell: Shell, *trials: str) -> None:
    with open_store(str(shell.env["CTSYNC_DATABASE_URL"]), clock=StillClock()) as store:
        for trial in trials:
            keep_history(store, studies(trial))


def test_a_cohort_is_written_as_one_file(shell: Shell, tmp_path: Path) -> None:
    kept(shell, "NCT01352702", "NCT03693833")
    out = tmp_path / "new" / "cohort.csv"
    result = shell.run("export", "cohort", "NCT01352702", "--output", str(out))
    assert result.stdout == ""
    assert f"wrote {out}" in result.stderr
    (row,) = csv.DictReader(out.read_text("utf-8").splitlines())
    assert (row["enrollment_percentage"], row["trial_days"]) == ("65.71", "1375")
    assert [path.name for path in out.parent.iterdir()] == ["cohort.csv"]


def test_versions_are_written_in_the_columns_of_cthist(shell: Shell) -> None:
    kept(shell, "NCT02110043")
    rows = list(csv.DictReader(shell.run("export", "csv").stdout.splitlines()))
    assert [(row["version_number"], row["version_date"], row["overall_status"]) for row in rows][
        -2:
    ] == [("6", "2017-07-26", "ACTIVE_NOT_RECRUITING"), ("7", "2021-05-20", "COMPLETED")]
    assert (rows[4]["enrolment"], rows[0]["enrolment"]) == ("22", "NA")
    assert rows[1]["primary_completion_date"] == "2015-08-01"


def test_events_are_written_one_per_line_in_the_form_of_changes(shell: Shell) -> None:
    kept(shell, "NCT03693833")
    lines = shell.run("export", "jsonl", "--what", "events").stdout.splitlines()
    # `changes` lists the worst of a day first
    listed = shell.json("changes", "--json")
    assert sorted(map(json.loads, lines), key=str) == sorted(listed, key=str)
    assert len(lines) > 1


def test_exported_versions_can_be_imported_elsewhere(shell: Shell, tmp_path: Path) -> None:
    kept(shell, "NCT01352702", "NCT03693833")
    exported = shell.run("export", "jsonl").stdout
    shell.env["CTSYNC_DATABASE_URL"] = f"sqlite:///{tmp_path / 'other.db'}"
    assert "imported 8 versions of 2 trials" in shell.run("import", "-", stdin=exported).stderr
    assert shell.run("export", "jsonl").stdout == exported
    file = tmp_path / "exported.jsonl"
    file.write_text(exported)
    assert json.loads(shell.run("import", str(file), "--json").stdout) == {
        "trials": 0, "versions": 0, "already_stored": 2, "watches": 0, "refused": {},
    }  # fmt: skip
    shell.run("check")


def test_a_trial_that_cannot_be_imported_exits_with_3(shell: Shell, tmp_path: Path) -> None:
    kept(shell, "NCT01352702")
    exported = shell.run("export", "jsonl").stdout
    shell.env["CTSYNC_DATABASE_URL"] = f"sqlite:///{tmp_path / 'other.db'}"
    with open_store(str(shell.env["CTSYNC_DATABASE_URL"]), clock=StillClock()) as store:
        keep_history(store, studies("NCT01352702")[1:])
    result = shell.run("import", "-", stdin=exported, exit_code=3).stderr
    assert "NCT01352702 was skipped: version 1 is stored with other content" in result


def test_an_unreadable_file_is_reported_in_one_line(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    assert "cannot read" in shell.refuse("import", str(tmp_path / "none.jsonl"), exit_code=2)
    file = tmp_path / "x.jsonl"
    file.write_text("hello\n")
    assert "line 1: " in shell.refuse("import", str(file), exit_code=2)
    assert "cannot write" in shell.refuse(
        "export", "csv", "--output", str(file / "x.csv"), exit_code=2
    )


def test_the_dates_of_followed_trials_are_written_as_a_calendar(
    shell: Shell, tmp_path: Path
) -> None:
    shell.run("watch", "add", SEED, "NCT05935098")
    shell.run("watch", "add", SEED, "--name", "mine")
    shell.run("sync")
    out = tmp_path / "dates.ics"
    assert f"wrote {out}: " in shell.run("export", "ics", "-o", str(out)).stderr
    written = out.read_bytes()
    every = {str(one["uid"]) for one in Calendar.from_ical(written).walk("VEVENT")}
    listed = shell.json("export", "ics", "--json")
    assert every == {f"{row['nct_id']}-{row['milestone']}@ctsync" for row in listed}
    shell.run("export", "ics", "-o", str(out))
    assert out.read_bytes() == written
    mine = Calendar.from_ical(shell.run("export", "ics", "--watch", "mine").stdout)
    assert mine["x-wr-calname"] == "Trial dates: mine"
    assert {str(one["uid"])[:11] for one in mine.walk("VEVENT")} == {SEED}
    assert "there is no watch" in shell.refuse("export", "ics", "--watch", "none", exit_code=2)


def test_a_workbook_has_a_sheet_for_trials_changes_and_versions(
    shell: Shell, tmp_path: Path
) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    out = tmp_path / "trials.xlsx"
    assert f"wrote {out}" in shell.run("export", "xlsx", "-o", str(out)).stderr
    book = load_workbook(out)
    assert {name: book[name].max_row for name in book.sheetnames} == {
        "Portfolio": 2, "Changes": 2, "Versions": 2,
    }  # fmt: skip
    assert "a workbook needs a file" in shell.refuse("export", "xlsx", exit_code=2)
    assert "no version of NCT00000009 is stored" in shell.refuse(
        "export", "xlsx", "NCT00000009", "-o", str(out), exit_code=2
    )
