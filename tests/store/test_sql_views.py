"""The views for people: documented columns, the queries of docs/sql.md, and a role that reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, inspect, make_url, text

from ctsync.errors import StoreUnavailable
from ctsync.model import JsonObject, ListedVersion, NctId
from ctsync.questions.changes.changes import find_changes
from ctsync.questions.trial.versions import trial_versions
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store, open_for_reading, open_store
from tests.conftest import PostgresServer, StillClock
from tests.registry_fixtures import make_study
from tests.store.samples import HOSTILE
from tests.sync.histories import FETCHED, keep_history

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sql.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"(?s)```sql\n(.*?)```", PAGE)
VIEWS = ("v_trials", "v_versions", "v_changes", "v_watched", "v_listed")
TRIALS = [NctId(one) for one in ("NCT01352702", "NCT00000001")]

LISTED_OF = {
    trial: [
        ListedVersion(
            trial, number, f"201{2 + number}-01-08", "RECRUITING", frozenset({"Oversight"})
        )
        for number in range(5)
    ]
    for trial in TRIALS
}
"""The registry lists five versions of each trial; three are stored."""


def history(trial: NctId) -> list[JsonObject]:
    """Return three versions: a slip, another outcome, fewer participants, an early end."""
    return [
        make_study(
            trial,
            overallStatus=status,
            whyStopped=why,
            lastUpdatePostDateStruct={"date": posted},
            startDateStruct={"date": "2012-03"},
            primaryCompletionDateStruct={"date": primary, "type": "ESTIMATED"},
            outcomesModule={"primaryOutcomes": [{"measure": measure, "timeFrame": "1 year"}]},
            designModule={"enrollmentInfo": {"count": count, "type": kind}},
        )
        for status, why, posted, primary, measure, count, kind in (
            ("RECRUITING", "", "2012-01-10", "2014-06", "Survival", 70, "ESTIMATED"),
            ("RECRUITING", "", "2014-02-01", "2015-12-31", "Response", 70, "ESTIMATED"),
            ("TERMINATED", "slow", "2015-03-01", "2016-12", "Response", 46, "ACTUAL"),
        )
    ]


def fill(url: str) -> None:
    with open_store(url, clock=StillClock()) as store:
        for trial in TRIALS:
            keep_history(store, history(trial))
        with store.unit() as unit:
            unit.watches.add_trials("mine", dict.fromkeys(TRIALS), FETCHED)
            for trial in TRIALS:
                unit.listed.replace(trial, LISTED_OF[trial])


@pytest.fixture(scope="module")
def filled(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A database of each kind with the same three histories."""
    urls = {
        "sqlite": f"sqlite:///{tmp_path_factory.mktemp('views') / 'ctsync.db'}",
        "postgres": postgres.new_migrated_database(),
    }
    for url in urls.values():
        fill(url)
    yield urls
    postgres.drop(urls["postgres"])


def answers(connection: Connection, query: str) -> list[list[str | None]]:
    """Return the rows, with values that both databases write in the same way."""
    return [[_plain(value) for value in row] for row in connection.execute(text(query))]


def _plain(value: Any) -> str | None:
    return None if value is None else f"{value}"


def on_each(filled: dict[str, str], query: str) -> list[list[list[str | None]]]:
    found = []
    for url in filled.values():
        engine = create_engine(url)
        with engine.connect() as connection:
            found.append(answers(connection, query))
        engine.dispose()
    return found


def test_the_ten_queries_of_the_page_have_the_same_answers_on_both(
    filled: dict[str, str],
) -> None:
    rows = 0
    for query in QUERIES:
        sqlite, postgres = on_each(filled, query)
        assert sqlite == postgres, query
        assert sqlite, query
        rows += len(sqlite)
    print(f"sql: {len(QUERIES)} queries, {rows} rows, equal on SQLite and PostgreSQL")
    assert len(QUERIES) == 10


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_describes_the_columns_in_their_order(filled: dict[str, str], view: str) -> None:
    section = PAGE.split(f"### {view}\n")[1].split("\n### ")[0]
    described = re.findall(r"(?m)^\| `(\w+)` \|", section)
    for url in filled.values():
        engine = create_engine(url)
        assert [one["name"] for one in inspect(engine).get_columns(view)] == described
        engine.dispose()


def test_the_views_number_versions_as_ctsync_does(filled: dict[str, str]) -> None:
    with open_store(filled["sqlite"], clock=StillClock()) as store:
        versions = [
            [row.nct_id, f"{row.version}", row.posted, row.status, row.url]
            for trial in sorted(TRIALS)
            for row in trial_versions(store, trial).rows
        ]
        changes = sorted(
            [
                f"{one.event_id}", one.event.level.value, _plain(one.from_version),
                f"{one.to_version}", f"{(one.happened or one.fetched).date()}",
            ]
            for one in find_changes(store, EventFilter()).events
        )  # fmt: skip
    for found in on_each(
        filled,
        "SELECT nct_id, version, posted, status, url FROM v_versions ORDER BY nct_id, version",
    ):
        assert found == versions
    for found in on_each(filled, "SELECT id, level, from_version, to_version, day FROM v_changes"):
        assert sorted(found) == changes


def test_listed_versions_are_those_without_a_stored_version(filled: dict[str, str]) -> None:
    query = "SELECT registry_version, submitted, modules, url FROM v_listed ORDER BY nct_id, url"
    for found in on_each(filled, query):
        assert [row[:3] for row in found] == 2 * [
            ["3", "2015-01-08", '["Oversight"]'],
            ["4", "2016-01-08", '["Oversight"]'],
        ]
        assert found[0][3] == f"https://clinicaltrials.gov/study/{min(TRIALS)}?tab=history&a=4"


def test_numbers_can_be_filtered_by_their_text_as_datasette_does(filled: dict[str, str]) -> None:
    for view, filters in (
        ("v_trials", ("versions = '3'", "watches = '1'", "has_results = '0'")),
        ("v_versions", ("version = '3'", "is_newest = '1'", "enrollment = '46'")),
        ("v_changes", ("to_version = '3'", "from_version = '2'")),
    ):
        for one in filters:
            found = on_each(filled, f"SELECT count(*) FROM {view} WHERE {one}")
            assert found[0] == found[1] != [["0"]], one


def test_a_trial_that_is_followed_but_not_fetched_is_in_no_view_but_watched(
    store: Store,
) -> None:
    with store.unit() as unit:
        unit.watches.add_trials(HOSTILE[9], {TRIALS[0]: HOSTILE[11]}, FETCHED)
    with store.view() as connection:
        assert answers(connection, "SELECT nct_id, state, title FROM v_watched") == [
            [TRIALS[0], None, None]
        ]
        assert answers(connection, "SELECT nct_id FROM v_trials") == []


def test_the_reader_role_reads_the_views_and_nothing_else(
    filled: dict[str, str], postgres: PostgresServer
) -> None:
    script = (ROOT / "config" / "reader-role.sql").read_text(encoding="utf-8")
    url = filled["postgres"].replace("+psycopg", "")
    for _ in range(2):  # it may be run again
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(script.encode())
    try:
        with psycopg.connect(url, user="ctsync_reader", autocommit=True) as reader:
            for view in VIEWS:
                assert reader.execute(f"SELECT count(*) FROM {view}".encode()).fetchone() != (0,)
            for refused in (
                "SELECT * FROM deliveries",
                "SELECT * FROM trials",
                "DELETE FROM v_watched",
                "CREATE TABLE mine (n int)",
                "SET default_transaction_read_only = off; DELETE FROM watches",
            ):
                with pytest.raises(
                    psycopg.Error, match=r"permission denied|read-only|cannot delete from view"
                ):
                    reader.execute(refused.encode())
            (timeout,) = reader.execute("SHOW statement_timeout").fetchone() or ("",)
            assert timeout == "1min"
        # not "tables of another program": the reader must learn that ctsync itself needs more
        as_reader = make_url(filled["postgres"]).set(username="ctsync_reader")
        with pytest.raises(StoreUnavailable, match="denies this user access"):
            open_for_reading(as_reader.render_as_string(hide_password=False), clock=StillClock())
    finally:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("DROP OWNED BY ctsync_reader")
            owner.execute("DROP ROLE ctsync_reader")
