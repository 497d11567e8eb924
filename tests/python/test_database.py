"""`ctsync.open()`: the answers of the command line, its errors, and no write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import ctsync
from ctsync.cli import main
from tests.python.conftest import LISTED, TRIAL, SmallDatabase
from tests.same_questions import (
    IN_RECORDS,
    answer_in_python,
    answer_of_command,
    questions,
    rows_in,
)

ASKED = [
    (one.command, one.in_python)
    for one in questions([TRIAL, LISTED], "mine")
    if one.in_python is not None
]


@pytest.mark.parametrize(("words", "ask"), ASKED, ids=[" ".join(words) for words, _ in ASKED])
def test_each_question_has_the_answer_of_the_command(
    words: tuple[str, ...],
    ask: Callable[[ctsync.TrialDatabase], Any],
    small: SmallDatabase,
    db: ctsync.TrialDatabase,
) -> None:
    expected = answer_of_command(words, small.env)
    assert answer_in_python(ask, db) == expected
    # no trial of this small database has a flag or conditions
    may_be_empty = words[0] in {"flags", "forecast"} or IN_RECORDS in words
    assert rows_in(expected) or may_be_empty or (TRIAL in words and "--listed" in words)


WRONG: list[tuple[tuple[str, ...], Callable[[ctsync.TrialDatabase], object]]] = [
    (("changes", "NCT1"), lambda db: db.changes("NCT1")),
    (("changes", "--watch", "mime"), lambda db: db.changes(watch="mime")),
    (("changes", "--since", "soon"), lambda db: db.changes(since="soon")),
    (("changes", "--since", "last report"), lambda db: db.changes(since="last report")),
    (("changes", "--kind", "statos"), lambda db: db.changes(kind="statos")),
    (("changes", "--level", "severe"), lambda db: db.changes(level="severe")),
    (("history", "NCT00000001"), lambda db: db.versions("NCT00000001")),
    (("history", "NCT00000001", "--listed"), lambda db: db.listed_versions("NCT00000001")),
    (("show", TRIAL, "--as-of", "1.5.2020"), lambda db: db.record(TRIAL, as_of="1.5.2020")),
    (("show", TRIAL, "--as-of", "2001-01-01"), lambda db: db.record(TRIAL, as_of="2001-01-01")),
    (("show", TRIAL, "--version", "99"), lambda db: db.record(TRIAL, version=99)),
    (("show", TRIAL, "--field", "colour"), lambda db: db.record(TRIAL).value("colour")),
    (("diff", TRIAL, "x", "2"), lambda db: db.compare(TRIAL, "x", 2)),
    (("history", TRIAL, "--field", "colour"), lambda db: db.field_history(TRIAL, "colour")),
    (("find", "colour=red"), lambda db: db.find("colour=red")),
    (("flags", "--flag", "late"), lambda db: db.flags(flag="late")),
    (("flags", "--sponsor", "zzz"), lambda db: db.flags(sponsor="zzz")),
    (("forecast", "--within", "soon"), lambda db: db.forecast(within="soon")),
    (("portfolio", "--sort", "colour"), lambda db: db.portfolio(sort="colour")),
    (("portfolio", "--sponsor", "zzz"), lambda db: db.portfolio(sponsor="zzz")),
    (("forecast", "--watch", "mime"), lambda db: db.forecast(watch="mime")),
    (("timeline", "NCT00000001"), lambda db: db.timeline("NCT00000001")),
]


@pytest.mark.parametrize(("words", "ask"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_question_gets_the_message_of_the_command(
    words: tuple[str, ...],
    ask: Callable[[ctsync.TrialDatabase], object],
    small: SmallDatabase,
    db: ctsync.TrialDatabase,
) -> None:
    with pytest.raises(ctsync.UsageError) as refused:
        ask(db)
    shown = CliRunner().invoke(main, words, env=small.env)
    assert shown.exit_code == 2
    assert str(refused.value) in " ".join(shown.stderr.split())


def test_days_and_times_may_be_values(db: ctsync.TrialDatabase) -> None:
    by_text = db.changes(since="2012-04-24", until="2013-12-31").dicts()
    assert by_text
    assert db.changes(since=date(2012, 4, 24), until=date(2013, 12, 31)).dicts() == by_text
    start, end = datetime(2012, 4, 24, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
    assert db.changes(since=start, until=end).dicts() == by_text
    assert db.changes(since="all").dicts() == db.changes().dicts()
    assert db.record(TRIAL, as_of=date(2012, 5, 1)) == db.record(TRIAL, as_of="2012-05-01")
    assert db.forecast(within=timedelta(days=90)).dicts() == db.forecast().dicts()


def test_a_time_without_a_zone_is_refused(db: ctsync.TrialDatabase) -> None:
    with pytest.raises(ctsync.UsageError, match="has no time zone"):
        db.changes(since=datetime(2012, 4, 24))  # noqa: DTZ001 - the case under test
    with pytest.raises(ctsync.UsageError, match="is a time, not a day"):
        db.record(TRIAL, as_of=datetime(2012, 4, 24, tzinfo=UTC))
    with pytest.raises(ctsync.UsageError, match="limit=0: write a number of at least 1"):
        db.changes(limit=0)
    for ask in (db.changes, db.find, db.runs):
        with pytest.raises(ctsync.UsageError, match="write a number from 1 to 1,000,000,000"):
            ask(limit=10**20)


def test_a_trial_may_be_named_by_its_page(db: ctsync.TrialDatabase) -> None:
    page = f"https://clinicaltrials.gov/study/{TRIAL}?tab=history&a=1&b=3"
    assert db.versions(page).dicts() == db.versions(TRIAL).dicts()
    assert db.compare(page).dicts() == db.compare(TRIAL, 1, 3).dicts()


def test_notes_name_what_an_answer_leaves_out(db: ctsync.TrialDatabase) -> None:
    total = len(db.changes())
    assert db.changes(limit=3).notes == (f"the newest 3 of {total} changes",)
    assert db.changes().notes == ()
    assert db.runs(limit=1).notes == ("the newest 1 of 2 runs",)
    assert len(db.runs()) == 2


def test_reading_changes_no_byte_and_makes_no_file(small: SmallDatabase) -> None:
    before = small.file.read_bytes()
    with ctsync.open(small.url) as db:
        for _, ask in ASKED:
            ask(db)
    assert small.file.read_bytes() == before
    made = {path.name for path in small.file.parent.iterdir()}
    assert made <= {"ctsync.db", "ctsync.db-wal", "ctsync.db-shm"}
    print(f"python: {len(ASKED)} questions, 0 bytes changed")


def test_a_missing_database_is_an_error_and_is_not_created(
    small: SmallDatabase, tmp_path: Path
) -> None:
    missing = tmp_path / "none.db"
    with pytest.raises(ctsync.StoreError, match="there is no database yet"):
        ctsync.open(f"sqlite:///{missing}")
    assert not missing.exists()


def test_a_database_is_opened_by_its_file(
    small: SmallDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.file.parent)
    for name in (small.file, str(small.file), small.file.name):
        with ctsync.open(name) as db:
            assert len(db.versions(TRIAL)) == 5
    with pytest.raises(ctsync.UsageError, match="must begin with sqlite:///"):
        ctsync.open("mysql://host/name")


def test_the_database_is_that_of_the_settings(
    small: SmallDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ctsync.open() as db:
        assert repr(db) == f"<ctsync.TrialDatabase {small.file}>"
    monkeypatch.delenv("CTSYNC_DATABASE_URL")
    settings = tmp_path / "other.toml"
    settings.write_text("[database]\nurl = 5\n")
    with pytest.raises(ctsync.UsageError, match=r"other\.toml"):
        ctsync.open(config=settings)
