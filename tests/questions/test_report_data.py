"""The denominators of a report: what was really looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ctsync.errors import RegistryError
from ctsync.model import NctId
from ctsync.questions.changes.coverage import coverage_of
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.report.report import Window
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store
from ctsync.sync.trial_pass import TrialPass
from tests.registry_fixtures import make_study
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


def test_a_whole_run_checked_everything(store: Store, replay: Any, make_sync: MakeSync) -> None:
    watch(store, ONE, TWO)
    for nct_id in (ONE, TWO):
        replay.catalogue.publish(make_study(nct_id))
    make_sync().run(store.watched.ids())
    assert reasons(store) == {}


def test_nothing_is_checked_while_the_registry_is_away_and_no_report_says_otherwise(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    watch(store, ONE)
    replay.catalogue.publish(make_study(ONE))
    make_sync().run([ONE])
    replay.faults.add(faults.edge_refusal(), times=faults.EVERY_TIME)
    with pytest.raises(RegistryError):
        make_sync().run([ONE])
    assert reasons(store)[ONE].startswith("the last sync failed: EdgeRefused")
    told = report_data(store, ReportQuestion(Window(None, datetime(2026, 3, 20, tzinfo=UTC))))
    assert "INCOMPLETE" in told.subject
    assert not any("o update posted" in sentence.text for sentence in told.sentences)


def test_a_trial_not_yet_fetched_unknown_or_missing_is_not_counted_as_checked(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    gone, new = NctId("NCT00000011"), NctId("NCT00000012")
    watch(store, ONE, TWO, gone)
    for nct_id in (ONE, gone):
        replay.catalogue.publish(make_study(nct_id))
    make_sync().run(store.watched.ids())
    replay.catalogue.advance()
    replay.catalogue.withdraw(gone)
    make_sync().run(store.watched.ids())
    watch(store, new)
    assert reasons(store) == {
        TWO: "the registry has no such trial",
        gone: "not in the load of 2026-02-03",
        new: "not fetched yet",
    }


def test_a_trial_that_a_later_run_over_others_did_not_ask_for_is_not_counted(
    store: Store, replay: Any, make_sync: MakeSync
) -> None:
    watch(store, ONE, TWO)
    for nct_id in (ONE, TWO):
        replay.catalogue.publish(make_study(nct_id))
    make_sync().run(store.watched.ids())
    replay.catalogue.advance()
    make_sync().run([ONE])
    assert reasons(store) == {TWO: "not seen in the load of 2026-02-03 yet"}
