"""`ctsync db`: copy, statistics and compaction of a database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import SEED, Shell

PAGE = 4096


@pytest.mark.slow
def test_a_copied_database_can_be_used_on_the_server(
    shell: Shell, postgres_url: str, tmp_path: Path
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    here = shell.json("history", SEED, "--json")
    done = shell.run("db", "copy", str(tmp_path / "ctsync.db"), postgres_url)
    assert done.stderr.startswith("copied and compared ")
    assert " 1 snapshots" in done.stderr
    shell.env["CTSYNC_DATABASE_URL"] = postgres_url
    assert shell.json("history", SEED, "--json") == here
    shell.run("sync")
    assert shell.json("check", "--json") == []


@pytest.mark.slow
def test_a_copy_that_is_not_possible_is_refused_in_one_line(
    shell: Shell, tmp_path: Path, postgres_url: str
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    file = str(tmp_path / "ctsync.db")
    assert "into itself" in shell.refuse("db", "copy", file, f"sqlite:///{file}", exit_code=2)
    assert "no database yet" in shell.refuse("db", "copy", f"{file}.none", "x.db", exit_code=6)
    assert "is not set: NOWHERE" in shell.refuse("db", "copy", file, "env:NOWHERE", exit_code=2)
    shell.env["TEAM"] = postgres_url
    copied = shell.json("db", "copy", file, "env:TEAM", "--json")
    assert copied["tables"]["trials"]["rows"] == 1
    assert "is not empty" in shell.refuse("db", "copy", file, "env:TEAM", exit_code=2)


def test_stats_and_compact_report_sizes_and_keep_all_data(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ctsync.db"
    shell.run("watch", "add", SEED, "--sync")
    before = shell.json("history", SEED, "--json")
    held = shell.json("db", "stats", "--json")
    assert (held["counts"]["snapshots"], held["spread"]["1"]) == (1, 1)
    shown = shell.run("db", "stats")
    assert f"{SEED}\t1\t" in shown.stdout
    assert "most versions of a trial: 1" in shown.stderr
    done = shell.json("db", "compact", "--json")
    assert (done["dropped"], done["repacked"]) == (0, 0)
    pages, free, statistics = pages_of(file)
    # at most a page could be saved here; newer releases of SQLite make tables for the query planner
    assert done["after"] == pages * PAGE <= done["before"] + statistics * PAGE
    assert free == 0
    again = shell.json("db", "compact", "--json")
    assert again["before"] == again["after"] == done["after"], "a second compact changes nothing"
    assert shell.json("history", SEED, "--json") == before
    assert shell.json("check", "--json") == []
    assert "no database yet" in shell.refuse(
        "--database", "sqlite:///none.db", "db", "stats", exit_code=6
    )


def pages_of(file: Path) -> tuple[int, int, int]:
    """Count the pages of a file, its free pages, and its tables for the query planner."""
    statistics = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'"
    with closing(sqlite3.connect(file)) as connection:
        asked = ("PRAGMA page_count", "PRAGMA freelist_count", statistics)
        pages, free, tables = (connection.execute(one).fetchone()[0] for one in asked)
    return pages, free, tables
