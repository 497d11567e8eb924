"""A sync stores the facts of the portfolio for each record once; a check finds wrong ones."""

from __future__ import annotations

import orjson
from sqlalchemy import text

from ctsync.model import NctId, Source
from ctsync.record.portfolio_facts import FORM
from ctsync.record.rules.rules import Thresholds
from ctsync.store.store import Store
from ctsync.sync.repair import repair
from ctsync.sync.watches.refresh_facts import refresh_facts, wrong_facts
from tests.registry_fixtures import make_study
from tests.store.samples import FETCHED
from tests.sync.histories import keep_history

FIRST, SECOND, OTHER = (NctId(f"NCT0000000{n}") for n in range(1, 4))


def fill(store: Store) -> None:
    for nct_id in (FIRST, SECOND, OTHER):
        keep_history(store, [make_study(nct_id)], source=Source.LIVE)
    with store.unit() as unit:
        unit.watches.add_trials("mine", {FIRST: None, SECOND: None}, FETCHED)


def test_the_facts_of_followed_trials_are_stored_once(store: Store) -> None:
    fill(store)
    assert refresh_facts(store) == 2
    assert refresh_facts(store) == 0
    assert [row.nct_id for row in store.facts.current(FORM)] == [FIRST, SECOND]
    with store.unit() as unit:
        unit.watches.add_trials("mine", {OTHER: None}, FETCHED)
    assert refresh_facts(store) == 1


def test_a_new_record_replaces_the_facts(store: Store) -> None:
    fill(store)
    refresh_facts(store)
    head = store.trials.heads([FIRST])[FIRST]
    with store.unit() as unit:
        row = unit.connection.execute(
            text("UPDATE snapshots SET digest = (SELECT digest FROM snapshots WHERE nct_id = :o) "
                 "WHERE id = :id"),
            {"o": OTHER, "id": head.snapshot_id},
        )  # fmt: skip
        assert row.rowcount == 1
    assert list(store.facts.outdated(FORM)) == [FIRST]
    assert refresh_facts(store) == 1
    assert store.facts.outdated(FORM) == {}


def test_other_rules_make_every_row_outdated(store: Store) -> None:
    fill(store)
    refresh_facts(store)
    assert list(store.facts.outdated(FORM + 1)) == [FIRST, SECOND]


def test_wrong_facts_are_found_and_repaired(store: Store) -> None:
    fill(store)
    refresh_facts(store)
    assert wrong_facts(store) == []
    right = store.facts.current(FORM)
    with store.unit() as unit:
        wrong = orjson.dumps({"conditions": ["another one"]}).decode()
        unit.connection.execute(
            text("UPDATE trial_facts SET facts = :facts WHERE nct_id = :id"),
            {"facts": wrong, "id": SECOND},
        )
    assert wrong_facts(store) == [SECOND]

    def no_registry() -> None:
        raise AssertionError("no record must be fetched")

    steps = list(repair(store, [], open_registry=no_registry, thresholds=Thresholds()))  # type: ignore[arg-type]  # never called
    assert [(one.kind, one.where) for one in steps] == [("facts differ", SECOND)]
    assert store.facts.current(FORM) == right
