"""Backfills of several trials: no trial blocks the others, and only requested ones are marked.

Uses real HTTP and one database.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from ctsync.model import JsonObject, NctId, Verdict
from ctsync.registry.http.curl import find_curl
from ctsync.registry.record_history import HistoryTransport
from ctsync.store.store import Store, open_store
from ctsync.sync.history import trial_fetch
from ctsync.sync.history.backfill import BackfillResult
from ctsync.sync.history.trial_fetch import NOT_ASKED
from tests.conftest import StillClock
from tests.registry_fixtures import an_id
from tests.replay import faults
from tests.replay.faults import EVERY_TIME
from tests.replay.http_messages import Reply
from tests.replay.registry_server import ReplayRegistry
from tests.sync.test_backfill import LIFE, MakeBackfill, make_backfill, shown, tell_history

__all__ = ["make_backfill"]

IDS = tuple(an_id(n) for n in range(1, 8))
ONE, TWO, THREE, *_ = IDS
needs_curl = pytest.mark.skipif(find_curl() is None, reason="curl is not installed")


@pytest.fixture
def store(migrated_sqlite_url: str, clock: StillClock) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def lived(replay: ReplayRegistry) -> ReplayRegistry:
    """A registry with the history of seven trials, of two versions each."""
    for nct_id in IDS:
        tell_history(replay, *versions_of(nct_id), nct_id=nct_id)
    return replay


def versions_of(nct_id: NctId) -> list[JsonObject]:
    studies = copy.deepcopy(LIFE[:2])
    for study in studies:
        study["protocolSection"]["identificationModule"]["nctId"] = nct_id
    return studies


def index_of(nct_id: NctId) -> str:
    return f"/int/studies/{nct_id}/history"


def states(result: BackfillResult) -> list[str]:
    return [one.state for one in result.trials]


def asked(replay: ReplayRegistry) -> list[str]:
    """The trials whose index was requested, in order, each once."""
    return list(dict.fromkeys(one.path.split("/")[3] for one in replay.requests))


def refuse(replay: ReplayRegistry, path: str, **more: Any) -> None:
    replay.faults.add(faults.edge_refusal(), path=path, times=EVERY_TIME, **more)


# --- refusals ------------------------------------------------------------------------------------


def test_a_refused_version_ends_neither_its_trial_nor_the_others(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    refuse(lived, f"{index_of(ONE)}/0")
    result = make_backfill().run(IDS)
    assert states(result) == ["partial (403)"] + ["complete"] * 6
    assert [number for number, _, _ in shown(store, ONE)] == [1]
    assert result.trials[0].error.endswith("refuses to return (403): 0")
    print(f"one version refused: {states(result).count('complete')} of 6 other trials complete")
    lived.faults.clear()
    assert states(make_backfill().run([ONE])) == ["complete"]
    assert [number for number, _, _ in shown(store, ONE)] == [0, 1]


def test_refused_versions_of_several_trials_are_not_a_general_refusal(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    for nct_id in IDS[:6]:
        refuse(lived, f"{index_of(nct_id)}/[01]")
    result = make_backfill().run(IDS)
    assert states(result) == ["unavailable (403)"] * 6 + ["complete"]


def test_trials_that_were_not_requested_are_not_marked_and_come_first_the_next_time(
    store: Store, clock: StillClock, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    refuse(lived, "/int/.*")
    result = make_backfill().run(IDS)
    assert states(result) == ["unavailable (403)"] * 3 + [NOT_ASKED] * 4
    assert result.verdict is Verdict.PARTIAL
    assert asked(lived) == list(IDS[:3])
    assert set(store.histories.states()) == set(IDS[:3])
    # later syncs fetch them: they are due at once, and the three that failed are not
    assert store.histories.due(clock.now(), limit=9) == IDS[3:]

    lived.forget_requests()
    result = make_backfill().run(IDS)
    assert asked(lived) == list(IDS[3:6])
    assert states(result) == ["unavailable (403)"] * 0 + [NOT_ASKED] * 3 + (
        ["unavailable (403)"] * 3 + [NOT_ASKED]
    )
    lived.faults.clear()
    lived.forget_requests()
    assert states(make_backfill().run(IDS)) == ["complete"] * 7
    assert asked(lived)[0] == IDS[6]
    print("edge refuses: 3 of 7 asked and marked, 4 due at once; then the next 3 of 7")


def test_one_trial_whose_index_is_refused_stops_no_other(
    lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    refuse(lived, index_of(ONE))
    result = make_backfill().run(IDS)
    assert states(result) == ["unavailable (403)"] + ["complete"] * 6


def test_an_unreachable_registry_marks_only_the_requested_trials(
    store: Store, clock: StillClock, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    lived.faults.add(faults.reset(), path="/int/.*", times=EVERY_TIME)
    result = make_backfill().run(IDS)
    assert states(result) == ["unavailable (unreachable)"] * 3 + [NOT_ASKED] * 4
    assert set(store.histories.states()) == set(IDS[:3])
    assert store.histories.due(clock.now(), limit=9) == IDS[3:]


def test_a_known_trial_keeps_its_state_if_it_was_not_requested(
    store: Store, clock: StillClock, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    make_backfill().run(IDS)
    before = store.histories.states()
    refuse(lived, "/int/.*")
    clock.elapsed += 3600
    make_backfill().run(IDS)
    after = store.histories.states()
    assert {n: after[n] for n in IDS[3:]} == {n: before[n] for n in IDS[3:]}


# --- one trial that takes long, or breaks --------------------------------------------------------


def test_a_trial_that_takes_too_long_yields_to_the_others_and_resumes(
    store: Store,
    clock: StillClock,
    lived: ReplayRegistry,
    make_backfill: MakeBackfill,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial_fetch, "TRIAL_SECONDS", 20.0)

    def slowly(reply: Reply) -> Reply:
        clock.elapsed += 21
        return reply

    fault = faults.Fault(rewrite=slowly)
    lived.faults.add(fault, path=f"{index_of(ONE)}/0", times=1)
    (first, *others) = make_backfill().run(IDS).trials
    assert (first.state, first.stored) == ("partial (slow)", 1)
    assert {one.state for one in others} == {"complete"}
    assert store.histories.due(clock.now(), limit=9) == (ONE,)
    (again,) = make_backfill().run([ONE]).trials
    assert (again.state, again.stored) == ("complete", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "odd",
    [
        {"statusModule": []},
        {"statusModule": {"lastUpdatePostDateStruct": 5}},
        {"designModule": {"enrollmentInfo": [1], "phases": 7}},
        {"outcomesModule": {"primaryOutcomes": {"measure": 1}}},
        {"contactsLocationsModule": {"locations": "Boston"}},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_a_version_of_an_odd_shape_leaves_a_gap_and_stops_nothing(
    odd: JsonObject, store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    def twist(reply: Reply) -> Reply:
        body = orjson.loads(reply.body)
        body["study"]["protocolSection"].update(odd)
        return Reply(reply.status, orjson.dumps(body), reply.headers)

    lived.faults.add(faults.Fault(rewrite=twist), path=f"{index_of(ONE)}/0", times=EVERY_TIME)
    result = make_backfill().run(IDS)
    assert result.trials[0].state in {"complete", "partial (bad answer)"}
    assert states(result)[1:] == ["complete"] * 6


# --- an empty history, and labels ----------------------------------------------------------------


def rewritten_index(change: Any) -> faults.Fault:
    def rewrite(reply: Reply) -> Reply:
        body = orjson.loads(reply.body)
        change(body)
        return Reply(reply.status, orjson.dumps(body), reply.headers)

    return faults.Fault(rewrite=rewrite)


def test_an_empty_history_is_final(
    store: Store, clock: StillClock, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    lived.faults.add(
        rewritten_index(lambda body: body.update(changes=[])), path=index_of(ONE), times=EVERY_TIME
    )
    result = make_backfill().run([ONE])
    assert (states(result), result.verdict) == (["none"], Verdict.OK)
    clock.elapsed += timedelta(days=400).total_seconds()
    assert store.histories.due(clock.now(), limit=9) == ()


def test_an_empty_history_of_a_trial_with_stored_versions_is_a_contradiction(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    make_backfill().run([ONE])
    lived.faults.add(
        rewritten_index(lambda body: body.update(changes=[])), path=index_of(ONE), times=EVERY_TIME
    )
    (trial,) = make_backfill().run([ONE]).trials
    assert "contradicts" in trial.error
    assert len(shown(store, ONE)) == 2


def test_the_order_of_module_labels_does_not_matter(
    lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    orders: list[Sequence[str]] = [("Study Status", "References"), ("References", "Study Status")]
    turn = iter(orders * 9)

    def shuffle(body: JsonObject) -> None:
        body["changes"][1]["moduleLabels"] = list(next(turn))

    lived.faults.add(rewritten_index(shuffle), path=index_of(ONE), times=EVERY_TIME)
    lived.forget_requests()
    assert states(make_backfill().run([ONE])) == ["complete"]
    indexes = [one for one in lived.requests if one.path == index_of(ONE)]
    print(f"labels in another order: {len(indexes)} requests of the index")
    assert len(indexes) == 2


# --- the client that worked ----------------------------------------------------------------------


@needs_curl
def test_the_client_that_worked_is_used_first_in_the_next_run(
    store: Store, lived: ReplayRegistry, make_backfill: MakeBackfill
) -> None:
    def clients() -> list[str]:
        return [one.headers["user-agent"].split("/")[0] for one in lived.requests]

    refuse(lived, "/int/.*", client="python-requests/")
    make_backfill(HistoryTransport.AUTO).run([ONE])
    assert clients().count("python-requests") > 0
    lived.forget_requests()
    make_backfill(HistoryTransport.AUTO).run([TWO])
    second = clients()
    assert set(second) == {"curl"}
    # if curl is refused later, requests is used again, and remembered
    lived.faults.clear()
    refuse(lived, "/int/.*", client="curl/")
    assert states(make_backfill(HistoryTransport.AUTO).run([THREE])) == ["complete"]
    lived.forget_requests()
    make_backfill(HistoryTransport.AUTO).run([IDS[3]])
    assert set(clients()) == {"python-requests"}
    print(f"remembered client: {second.count('python-requests')} refused requests in the next run")
