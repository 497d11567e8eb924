"""The coverage of a report: how many trials the last sync checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event

from ctsync.errors import RegistryError
from ctsync.model import Level, NctId
from ctsync.questions.changes.coverage import coverage_of
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.report.report import Window
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store
from ctsync.sync.trial_pass import TrialPass
from tests.registry_fixtures import publish
from tests.replay import faults

ONE, TWO = NctId("NCT03389919"), NctId("NCT05935098")
MakeSync = Callable[..., TrialPass]


def watch(store: Store, *ids: NctId) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(ids), datetime(2026, 2, 1, tzinfo=UTC))


def reasons(store: Store) -> dict[str, str]:
    found = coverage_of(store, TrialSelection())
    assert found is not None
    assert found.checked == len(store.watched.ids()) - len(found.failed)
    return {one.nct_id: one.reason for one in found.failed}


def test_a_complete_run_checks_every_trial(store: Store, replay: Any, make_sync: MakeSync) -> None:
    watch(store, ONE, TWO)
    publish(replay, ONE, TWO)
    make_sync().run(store.watched.ids())
    assert reasons(store) == {}


def test_a_run_that_the_registry_refuses_checks_no_trial_and_is_reported_incomplete(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    watch(store, ONE)
    publish(replay, ONE)
    make_sync().run([ONE])
    replay.faults.add(faults.edge_refusal(), times=faults.EVERY_TIME)
    with pytest.raises(RegistryError):
        make_sync().run([ONE])
    assert reasons(store)[ONE].startswith("the last sync failed: EdgeRefused")
    report = report_data(store, ReportQuestion(Window(None, datetime(2026, 3, 20, tzinfo=UTC))))
    assert "INCOMPLETE" in report.subject
    assert not any("o update posted" in sentence.text for sentence in report.sentences)


def test_unfetched_unknown_and_gone_trials_are_not_counted_as_checked(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    gone, new = NctId("NCT00000011"), NctId("NCT00000012")
    watch(store, ONE, TWO, gone)
    publish(replay, ONE, gone)
    make_sync().run(store.watched.ids())
    replay.catalogue.advance()
    replay.catalogue.withdraw(gone)
    make_sync().run(store.watched.ids())
    watch(store, new)
    assert reasons(store) == {
        gone: "not in the registry data of 2026-02-03",
        new: "not fetched yet",
    }


def test_a_trial_that_the_newest_run_did_not_request_is_not_counted(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    watch(store, ONE, TWO)
    publish(replay, ONE, TWO)
    make_sync().run(store.watched.ids())
    replay.catalogue.advance()
    make_sync().run([ONE])
    assert reasons(store) == {TWO: "not seen yet in the registry data of 2026-02-03"}


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Record the statements and transactions of every database."""
    asked: list[str] = []

    def statement(_connection: object, _cursor: object, text: str, *_more: object) -> None:
        asked.append(text)

    def begin(_connection: object) -> None:
        asked.append("a transaction")

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "begin", begin)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", statement)
        event.remove(Engine, "begin", begin)


def test_a_report_on_more_trials_asks_the_database_as_often_in_one_transaction(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    ids = [NctId(f"NCT000001{number:02}") for number in range(6)]
    watch(store, *ids)
    publish(replay, *ids)
    make_sync().run(ids)
    asked: list[int] = []
    for changed, status in ((ids[:2], "SUSPENDED"), (ids, "TERMINATED")):
        replay.catalogue.advance()
        publish(replay, *changed, overallStatus=status)
        make_sync().run(ids)
        since = store.runs.newest_load()
        with recorded() as statements:
            found = report_data(
                store, ReportQuestion(Window(since, datetime(2026, 3, 20, tzinfo=UTC)))
            )
        assert len(found.trials) == len(changed)
        assert statements.count("a transaction") == 1
        asked.append(len(statements))
    print(f"{asked[0]} statements for 2 trials, {asked[1]} for 6")
    assert asked[0] == asked[1]


def test_trials_beyond_the_detailed_ones_have_their_changes_but_no_record_facts(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    watch(store, ONE, TWO)
    conditions = {"conditions": ["Asthma"]}
    publish(replay, ONE, TWO, conditionsModule=conditions)
    make_sync().run(store.watched.ids())
    replay.catalogue.advance()
    publish(replay, ONE, overallStatus="TERMINATED", conditionsModule=conditions)
    publish(replay, TWO, overallStatus="ACTIVE_NOT_RECRUITING", conditionsModule=conditions)
    make_sync().run(store.watched.ids())
    window = Window(None, datetime(2026, 3, 20, tzinfo=UTC))

    complete = report_data(store, ReportQuestion(window))
    worst, other = complete.trials
    assert (worst.nct_id, worst.level) == (ONE, Level.CRITICAL)
    assert worst.heading.conditions == ("Asthma",)
    found = report_data(store, ReportQuestion(window, in_detail=1))
    assert found.trials[0] == worst
    assert found.trials[1].changes == other.changes
    assert found.trials[1].heading == replace(other.heading, conditions=(), keywords=(), acronym="")
    assert found.trials[1].timeline is None
    assert found.headline == complete.headline
