"""Flags and forecasts are the same from stored facts as from the records."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from sqlalchemy import text

from ctsync.model import NctId, Source
from ctsync.questions.portfolio.flags import FlagQuestion, FoundFlags, find_flags
from ctsync.questions.portfolio.forecast import Expectation, Forecast, forecast_changes
from ctsync.record.flags import FlagId
from ctsync.store.store import Store
from ctsync.sync.watches.refresh_facts import refresh_facts
from tests.record.reconstructed import FOLDER, studies
from tests.record.test_flag_record import FULL
from tests.registry_fixtures import make_study
from tests.store.samples import FETCHED
from tests.sync.histories import keep_history

DAYS = (date(2012, 1, 1), date(2021, 6, 30), date(2026, 3, 1))
MOVED, PLAIN = NctId("NCT00000002"), NctId("NCT00000003")
FULL_ID = NctId("NCT00000001")


@pytest.fixture
def followed(store: Store) -> Store:
    """A database of real histories in short, a trial whose start moved, and one without flags."""
    starts = ("2019-12-20", "2019-12-20", "2020-02-01")
    moved = [
        make_study(
            MOVED,
            startDateStruct={"date": start},
            studyFirstSubmitDate="2020-01-02",
            lastUpdatePostDateStruct={"date": f"2020-0{month}-01"},
        )
        for month, start in enumerate(starts, start=3)
    ]
    ids = [
        keep_history(store, moved),
        keep_history(store, [FULL], source=Source.LIVE),
        keep_history(store, [make_study(PLAIN)], source=Source.LIVE),
    ]
    ids += [
        keep_history(store, studies(file.stem)[-2:], with_events=False)
        for file in sorted(FOLDER.glob("NCT*.json"))[:2]
    ]
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(ids), FETCHED)
    return store


def answers(store: Store) -> list[FoundFlags | Forecast]:
    questions = (FlagQuestion(), FlagQuestion(all_states=True), FlagQuestion(ids=[MOVED, PLAIN]))
    found: list[FoundFlags | Forecast] = [
        find_flags(store, question, today=day) for day, question in product(DAYS, questions)
    ]
    return found + [
        forecast_changes(store, day, what=what)
        for day, what in product(DAYS, ((), (Expectation.UNKNOWN, Expectation.RESULTS_DUE)))
    ]


def test_stored_facts_give_the_answers_of_the_records(followed: Store) -> None:
    before = answers(followed)
    assert refresh_facts(followed) == 5
    after = answers(followed)
    differ = sum(one != two for one, two in zip(before, after, strict=True))
    print(f"stored facts: {len(before)} answers, {differ} differ")
    assert after == before
    flags = {row.flag for one in after if isinstance(one, FoundFlags) for row in one.rows}
    assert {FlagId.RETROACTIVELY_PROSPECTIVE, FlagId.VERIFICATION_STALE} <= flags
    assert any(one.expected for one in after if isinstance(one, Forecast))


def test_the_day_of_a_moved_start_is_found(followed: Store) -> None:
    refresh_facts(followed)
    question = FlagQuestion(ids=[MOVED], flags=[FlagId.RETROACTIVELY_PROSPECTIVE])
    assert [row.since for row in find_flags(followed, question, today=DAYS[-1]).rows] == [
        date(2020, 5, 1)
    ]


def test_facts_of_another_record_are_not_used(followed: Store) -> None:
    refresh_facts(followed)
    before = answers(followed)
    with followed.unit() as unit:
        unit.connection.execute(
            text("UPDATE trial_facts SET flag_record = '{}', expected = '[]', "
                 "digest = (SELECT digest FROM trial_facts WHERE nct_id = :id) "
                 "WHERE nct_id <> :id"),
            {"id": PLAIN},
        )  # fmt: skip
    assert answers(followed) == before


def test_a_record_that_cannot_be_read_is_named_unless_its_facts_are_stored(
    followed: Store,
) -> None:
    before = find_flags(followed, FlagQuestion(ids=[FULL_ID]), today=DAYS[-1])
    assert before.rows
    refresh_facts(followed)
    with followed.unit() as unit:
        unit.connection.execute(text("UPDATE bodies SET data = digest"))
    assert find_flags(followed, FlagQuestion(ids=[FULL_ID]), today=DAYS[-1]) == before
    with followed.unit() as unit:
        unit.facts.delete([FULL_ID])
    found = find_flags(followed, FlagQuestion(ids=[FULL_ID]), today=DAYS[-1])
    assert (found.rows, found.unreadable) == ((), (FULL_ID,))
