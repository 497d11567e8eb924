"""The questions of the API on a real PostgreSQL server: the answers of SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from ctsync.store.store import open_for_reading, open_store
from tests.conftest import PostgresServer, StillClock
from tests.python.conftest import LISTED
from tests.same_questions import answer_over_http, questions, rows_in
from tests.web.api.served import TRIAL, api_of, fill, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def on_postgres(postgres: PostgresServer) -> Iterator[httpx.Client]:
    """A client of the API over the same trials on PostgreSQL."""
    url = postgres.new_migrated_database()
    with ExitStack() as opened:
        opened.callback(postgres.drop, url)
        with open_store(url, clock=StillClock()) as store:
            fill(store)
        reading = opened.enter_context(open_for_reading(url, clock=StillClock()))
        yield opened.enter_context(serving(api_of(reading)))


def test_every_address_answers_as_on_sqlite(api: httpx.Client, on_postgres: httpx.Client) -> None:
    asked: Counter[str] = Counter()
    rows = 0
    for question in questions([TRIAL, LISTED], "mine"):
        if question.address is None:
            continue
        answer = answer_over_http(question.address, on_postgres, limit=7)
        assert answer == answer_over_http(question.address, api, limit=7), question
        asked[question.address[0]] += 1
        rows += rows_in(answer)
    print(f"same answers on PostgreSQL and SQLite: {asked.total()} questions, {rows:,} rows")
    assert len(asked) >= 10
    assert rows > 100
