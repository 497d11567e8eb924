"""One question, which flags a trial has, asked through every command and message."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from ctsync.dates import SystemClock
from ctsync.model import NctId, RegistryVersion, Source
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.report.mail.mail_html import render_mail_html
from ctsync.report.mail.mail_text import render_mail_text
from ctsync.report.report import Report, Window
from ctsync.store.store import Store, open_store
from tests.cli.conftest import Shell
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history

FLAGGED, PLAIN = "NCT00000001", "NCT00000003"
LOAD = datetime(2026, 2, 2, 9, 0, 5, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
IDS = [
    "results_due",
    "results_overdue",
    "verification_stale",
    "open_past_completion",
    "recruiting_past_primary_completion",
    "registered_late",
    "retrospective",
]
NAMED = (
    "results overdue by 42 CFR 11.44 since 2025-11-01",
    "open past completion since 2024-11-01",
    "recruiting past primary completion since 2024-11-01",
)
LINE = f"Flags on 2026-02-02: {'; '.join(NAMED)}; 2 more"


def versions_of(nct_id: str, **status: Any) -> list[dict[str, Any]]:
    return [
        make_study(
            nct_id,
            oversightModule={"isFdaRegulatedDrug": True},
            lastUpdatePostDateStruct={"date": f"2026-01-{day}"},
            designModule={
                "studyType": "INTERVENTIONAL",
                "phases": ["PHASE3"],
                "enrollmentInfo": {"count": count, "type": "ESTIMATED"},
            },
            **status,
        )
        for day, count in (("05", 400), ("30", 40))
    ]


@pytest.fixture
def kept(migrated_sqlite_url: str) -> Iterator[Store]:
    """A database with two changed trials, of which one has flags."""
    past = {name: {"date": "2024-10"} for name in ("primaryCompletionDateStruct",
                                                   "completionDateStruct")}  # fmt: skip
    flagged = versions_of(
        FLAGGED,
        startDateStruct={"date": "2020-01-02"},
        studyFirstSubmitDate="2020-05-02",
        studyFirstPostDateStruct={"date": "2020-05-05"},
        statusVerifiedDate="2024-11",
        **past,
    )
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        for versions in (flagged, versions_of(PLAIN)):
            keep_history(store, versions, source=Source.LIVE)
        with store.unit() as unit:
            unit.watches.add("default")
            ids = dict.fromkeys(map(NctId, (FLAGGED, PLAIN)))
            unit.watches.add_trials("default", ids, LOAD)
            unit.runs.set_load(unit.runs.begin("sync", LOAD), RegistryVersion("2.0.5", LOAD))
        yield store


@pytest.fixture
def flagged(
    kept: Store, migrated_sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """A shell on that database; its clock is ahead of the newest data, which decides the day."""
    assert kept.file
    monkeypatch.setattr(SystemClock, "now", lambda _: LATER)
    monkeypatch.chdir(tmp_path)
    return Shell({"CTSYNC_DATABASE_URL": migrated_sqlite_url, "HOME": str(tmp_path)})


@pytest.fixture
def report(kept: Store) -> Report:
    return report_data(kept, ReportQuestion(Window(None, LATER)))


def words(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["flag"], row["since"], row["words"], row["source"]) for row in rows]


def one_line(text: str) -> str:
    return " ".join(html.unescape(text).split())


def test_all_rows_of_a_trial_have_the_same_flags(flagged: Shell) -> None:
    asked = flagged.json("flags", "--json")
    report = flagged.json("report", "--since", "all", "--json")
    of_trial = {trial["nct_id"]: trial["flags"] for trial in report["trials"]}
    (status, plain) = flagged.json("status", FLAGGED, PLAIN, "--json")
    lines = flagged.run("export", "jsonl", "--what", "flags").stdout.splitlines()

    assert [row["flag"] for row in asked] == IDS
    assert {row["nct_id"] for row in asked} == {FLAGGED}
    faces = (of_trial[FLAGGED], status["flags"], [json.loads(line) for line in lines])
    assert [words(face) for face in faces] == [words(asked)] * 3
    assert of_trial[PLAIN] == plain["flags"] == []
    assert report["flags_as_of"] == status["flags_as_of"] == "2026-02-02"
    print(f"\nflags: {len(asked)} flags, the same ids and words in {len(faces)} further faces")


def test_exported_tables_have_the_same_flags(flagged: Shell, tmp_path: Path) -> None:
    asked = flagged.json("flags", "--json")
    cohort = list(csv.DictReader(io.StringIO(flagged.run("export", "cohort").stdout)))
    assert [(row["flags"], row["flags_as_of"]) for row in cohort] == [
        (";".join(IDS), "2026-02-02"),
        ("", "2026-02-02"),
    ]
    for _ in range(2):
        flagged.run("export", "parquet", "--output", "trials")
    (file,) = (tmp_path / "trials" / "flags").glob("month=*/*.parquet")
    assert file.parent.name == "month=2026-02"
    table = pyarrow.parquet.read_table(file, partitioning=None).to_pylist()
    assert [(row["flag"], str(row["since"]), row["words"], row["source"]) for row in table] == (
        words(asked)
    )
    assert [json.loads(row["inputs"]) for row in table] == [row["inputs"] for row in asked]


def test_a_trial_that_nobody_follows_has_no_flags_in_a_cohort_unless_it_is_named(
    flagged: Shell, kept: Store
) -> None:
    with kept.unit() as unit:
        unit.watches.remove_trials("default", [NctId(FLAGGED)])

    def column(*ids: str) -> list[str]:
        text = flagged.run("export", "cohort", *ids).stdout
        return [row["flags"] for row in csv.DictReader(io.StringIO(text))]

    assert column() == ["NA", ""]
    assert column(FLAGGED) == [";".join(IDS)]


@pytest.mark.parametrize("face", ["text", "markdown", "html", "atom"])
def test_a_report_has_one_line_of_flags_for_a_trial(flagged: Shell, face: str) -> None:
    shown = one_line(flagged.run("report", "--since", "all", "--format", face).stdout)

    assert shown.replace("\\", "").count(LINE) == 1
    assert shown.count("Flags on") == 1
    assert f"{LINE}: ctsync flags {FLAGGED}" in shown.replace("\\", "")


def test_the_table_of_changes_has_a_column_of_flags(flagged: Shell) -> None:
    text = flagged.run("report", "--since", "all", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))

    (cell,) = {row["flags"] for row in rows if row["nct_id"] == FLAGGED}
    assert cell.split("; ")[0] == NAMED[0]
    assert len(cell.split("; ")) == len(IDS)
    assert {row["flags"] for row in rows if row["nct_id"] == PLAIN} == {""}


@pytest.mark.parametrize(
    ("site", "more"), [("", f": ctsync flags {FLAGGED}"), ("https://example.org", "")]
)
def test_a_mail_has_one_line_of_flags_for_a_trial(report: Report, site: str, more: str) -> None:
    text = one_line(render_mail_text(report, site=site))
    page = f": {site}/trials/{FLAGGED}.html" if site else more

    assert text.count("Flags on") == 1
    assert f"{LINE}{page}" in text
    mail = one_line(render_mail_html(report, site=site))
    assert mail.count("Flags on") == 1
    assert f"{LINE}{more}</p>" in mail


def test_the_site_has_flags_on_its_list_days_and_pages(flagged: Shell, tmp_path: Path) -> None:
    asked = flagged.json("flags", "--json")
    flagged.run("site", "site", "--since", "all")
    read = {
        path: one_line((tmp_path / "site" / path).read_text("utf-8"))
        for path in ("trials.html", "days/last-30.html", f"trials/{FLAGGED}.html", "feed.atom")
    }

    trials, days = read["trials.html"], read["days/last-30.html"]
    assert f'{LINE} · <a href="../trials/{FLAGGED}.html#flags">rules</a>' in days
    assert days.count("Flags on") == 1
    page = read[f"trials/{FLAGGED}.html"]
    assert '<section id="flags">' in page
    for row in asked:
        assert f'<span class="flag">{row["label"]}</span>' in trials
        assert f"<b>{row['label']}</b>" in page
        assert f"{row['words']} <span" in page
        assert f"({row['source']})" in page
    assert read["feed.atom"].count(LINE) == 1
    assert "ctsync flags" not in trials + days + page + read["feed.atom"]


@pytest.mark.parametrize("command", ["show", "status"])
def test_the_text_about_a_trial_has_its_flags(flagged: Shell, command: str) -> None:
    asked = flagged.json("flags", "--json")
    shown = flagged.run(command, FLAGGED).stdout
    lines = [line.split(None, 1)[1] for line in shown.splitlines() if line.startswith("Flag:")]

    assert lines == [f"{row['flag']} since {row['since']}: {row['words']}" for row in asked]
