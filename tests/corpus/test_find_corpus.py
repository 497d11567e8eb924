"""Searches for words over 600 real trials: one answer with and without the index."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from unittest.mock import patch

import orjson
import pytest

from ctsync.model import NctId
from ctsync.questions.portfolio.find import FoundTrial, find
from ctsync.record.rules.conditions import RECORD_TERMS, read_condition
from ctsync.record.rules.record_search import record_items
from ctsync.record.rules.search_words import words_of
from ctsync.store.admin.check import check
from ctsync.store.admin.copy import copy_database
from ctsync.store.derived.text_index import TextIndexReads
from ctsync.store.derived.text_index_build import build_text_index
from ctsync.store.store import Store, open_store
from tests.conftest import PostgresServer, StillClock

pytestmark = pytest.mark.slow

TODAY = date(2026, 10, 24)
SEARCHES_PER_FIELD = 3
LEAST_SEARCHES = 300


@pytest.fixture(scope="module")
def urls(
    followed_days: Path, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[dict[str, str]]:
    """The trials in an index kept up by each sync, in one built afterwards, and on PostgreSQL."""
    folder = tmp_path_factory.mktemp("find")
    kept, built = (f"sqlite:///{folder / name}.db" for name in ("kept", "built"))
    server = postgres.new_migrated_database()
    shutil.copy(followed_days, folder / "kept.db")
    for url in (built, server):
        copy_database(kept, url, clock=StillClock())
        with open_store(url, clock=StillClock()) as store:
            size = build_text_index(store)
            print(f"{url.partition(':')[0]}: {size}")
    yield {"kept": kept, "built": built, "postgres": server}
    postgres.drop(server)


def searches(store: Store) -> Iterator[list[str]]:
    """Conditions from real texts: words, phrases, beginnings and entire texts."""
    choice = random.Random(20)
    ids = store.trials.stored_ids()
    for term in RECORD_TERMS:
        for _ in range(SEARCHES_PER_FIELD):
            nct_id = NctId(choice.choice(ids))
            version = store.versions.of(nct_id)[-1]
            items = record_items(orjson.loads(store.bodies.read(version.digest or "")), term)
            words = words_of(choice.choice(items)) if items else ()
            if not words:
                yield [f"{term.name}=none"]
                continue
            start = choice.randrange(len(words))
            some = words[start : start + 3]
            yield [f"{term.name}~{' '.join(sorted(some))}"]
            yield [f'{term.name}~"{" ".join(some)}"']
            yield [f"{term.name}~{some[0][:3]}*", "status=RECRUITING"]
            yield [f"{term.name}!~{some[-1]}", "sponsor~university"]
            if not (term.words or term.is_long):
                yield [f"{term.name}={' '.join(words)}"]


def answer(store: Store, typed: list[str], *, by_index: bool) -> list[FoundTrial]:
    wanted = list(map(read_condition, typed))
    with patch.object(TextIndexReads, "is_in_use", lambda _: by_index):
        return [
            *find(store, wanted, today=TODAY),
            *find(store, wanted, today=TODAY, ever=True),
            *find(store, wanted, today=TODAY, as_of=date(2026, 6, 1)),
        ]


@pytest.mark.usefixtures("records_in_memory")
def test_every_search_has_one_answer(urls: dict[str, str]) -> None:
    with (
        open_store(urls["kept"], clock=StillClock()) as kept,
        open_store(urls["built"], clock=StillClock()) as built,
        open_store(urls["postgres"], clock=StillClock()) as server,
    ):
        asked = found = empty = 0
        for typed in searches(kept):
            scanned = answer(kept, typed, by_index=False)
            for store in (kept, built, server):
                assert answer(store, typed, by_index=True) == scanned, typed
            asked, found, empty = asked + 3, found + len(scanned), empty + (not scanned)
    print(f"{asked} searches, {found} results, {empty} without; one answer from 4 ways of asking")
    assert asked > LEAST_SEARCHES
    assert [check(url) for url in urls.values()] == [[], [], []]
