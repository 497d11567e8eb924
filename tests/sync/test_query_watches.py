"""Query watches: which trials enter, which leave and why; over real HTTP on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from ctsync.model import Kind, Level, NctId, State, Verdict
from ctsync.query import read_query
from ctsync.record.rules.rules import Thresholds
from ctsync.route import Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.version_batches import BatchWrites
from ctsync.store.store import Store
from ctsync.sync import batch_writer
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.result import SyncResult
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.registry_fixtures import make_study, publish
from tests.replay import faults
from tests.replay.http_messages import Reply, Request
from tests.replay.registry_server import ReplayRegistry

ONE, TWO, THREE = NctId("NCT00000001"), NctId("NCT00000002"), NctId("NCT00000003")
STATUS = "protocolSection.statusModule.overallStatus"
LAST_KNOWN = "protocolSection.statusModule.lastKnownStatus"
TITLE = "protocolSection.identificationModule.briefTitle"
MakeSync = Callable[..., TrialPass]
RECRUITING = read_query({"overallStatus": "RECRUITING"}).params


def follow(store: Store, name: str = "open", **query: Any) -> None:
    with store.unit() as unit:
        unit.watches.add(name, query=read_query(query).params if query else RECRUITING)


def run(sync: TrialPass) -> SyncResult:
    ids = [*sync.store.watched.ids(), *sync.store.watched.moved_ids()]
    return sync.run(ids, with_queries=True)


def event_kinds(result: SyncResult) -> list[tuple[str, Kind]]:
    return [(stored.nct_id, stored.event.kind) for stored in result.events]


def members(store: Store, name: str = "open") -> tuple[list[NctId], list[NctId]]:
    """The trials that match now, and the trials that have left."""
    (watch,) = [w for w in store.watches.all() if w.name == name]
    inside = [t.nct_id for t in watch.trials if t.left_at is None]
    return inside, [t.nct_id for t in watch.trials if t.left_at is not None]


def test_the_first_matches_of_a_query_are_a_baseline(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    publish(replay, THREE, overallStatus="COMPLETED")
    follow(store)
    result = run(make_sync())
    assert result.verdict is Verdict.OK
    assert event_kinds(result) == [(ONE, Kind.FIRST_SEEN), (TWO, Kind.FIRST_SEEN)]
    assert members(store) == ([ONE, TWO], [])
    assert store.watches.all()[0].listed == replay.load


def test_a_trial_that_leaves_stays_followed_and_its_reason_is_reported(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "UNKNOWN", LAST_KNOWN: "RECRUITING"})
    result = run(make_sync())
    assert result.verdict is Verdict.OK
    assert event_kinds(result)[-1] == (ONE, Kind.LEFT)
    stored, left = result.events[-1], result.events[-1].event
    assert (stored.from_version, stored.to_version) == (1, 2)
    assert (left.level, left.rule, left.before) == (Level.NOTABLE, "R-WAT-02", "open")
    assert left.summary.startswith(
        'No longer matches the query of watch "open": Status Recruiting -> Unknown'
    )
    assert left.inputs["because"] == [STATUS]
    assert members(store) == ([TWO], [ONE])

    # it stays followed: later changes are reported
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "TERMINATED", LAST_KNOWN: None})
    assert (ONE, Kind.STATUS) in event_kinds(run(make_sync()))
    assert members(store) == ([TWO], [ONE])


@pytest.mark.slow
def test_each_time_a_trial_leaves_or_enters_again_is_an_event(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    seen = []
    for status in ("SUSPENDED", "RECRUITING", "SUSPENDED", "RECRUITING"):
        replay.catalogue.advance()
        replay.catalogue.edit(ONE, {STATUS: status})
        seen.append(event_kinds(run(make_sync()))[-1])
        replay.catalogue.advance()
        assert event_kinds(run(make_sync())) == []
    assert seen == [(ONE, Kind.LEFT), (ONE, Kind.ENTERED)] * 2
    assert members(store) == ([ONE, TWO], [])
    of_watch = store.events.find(EventFilter(kinds=(Kind.ENTERED,)))
    assert [s.event.summary for s in of_watch] == [
        'Now matches the query of watch "open" again'
    ] * 2


@pytest.mark.slow
def test_a_trial_may_leave_and_enter_although_its_record_is_unchanged(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    """The matches of a query can change without a new version of a record."""
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    for _ in range(2):
        replay.catalogue.advance()
        hide(replay, {ONE})
        result = run(make_sync())
        assert event_kinds(result) == [(ONE, Kind.LEFT)]
        assert result.events[0].event.summary.endswith("nothing that it asks for changed")
        replay.catalogue.advance()
        replay.faults.clear()
        assert event_kinds(run(make_sync())) == [(ONE, Kind.ENTERED)]
    assert [v.version for v in store.versions.of(ONE)] == [1]
    assert [found.nct_id for found in rederive_events(store, Thresholds())] == []


def hide(replay: ReplayRegistry, ids: set[NctId]) -> None:
    """Leave these trials out of listings and counts; requests by id still find them."""
    import orjson

    def without(reply: Reply) -> Reply:
        listed = orjson.loads(reply.body)
        if "nextPageToken" not in listed and "totalCount" not in listed and ids:
            names = listed["studies"]
            if not all("derivedSection" not in study for study in names):
                return reply  # complete records, requested by id
        kept = [
            study
            for study in listed["studies"]
            if study["protocolSection"]["identificationModule"]["nctId"] not in ids
        ]
        if "totalCount" in listed:
            listed["totalCount"] -= len(ids)
        return Reply(reply.status, orjson.dumps(listed | {"studies": kept}), reply.headers)

    fault = faults.Fault(rewrite=without)
    replay.faults.add(fault, path="/v2/studies", times=faults.EVERY_TIME)


def test_a_new_trial_is_registered_and_an_existing_one_enters(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    publish(replay, TWO, overallStatus="NOT_YET_RECRUITING")
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.edit(TWO, {STATUS: "RECRUITING"})
    publish(replay, THREE, studyFirstPostDateStruct={"date": "2026-02-03", "type": "ACTUAL"})
    result = run(make_sync())
    assert sorted(event_kinds(result)) == [
        (TWO, Kind.ENTERED),
        (TWO, Kind.FIRST_SEEN),
        (THREE, Kind.REGISTERED),
    ]
    assert members(store) == ([ONE, TWO, THREE], [])
    assert [found.nct_id for found in rederive_events(store, Thresholds())] == []


@pytest.mark.slow
def test_entering_and_leaving_are_reported_only_to_recipients_of_the_watch(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    follow(store, "open")
    follow(store, "all", term="trial")
    with store.unit() as unit:
        unit.watches.add_trials("mine", {ONE: None}, replay.load)
    routes = [
        Route("mail", f"{name}@example.org", watches=(name,), welcomes=True)
        for name in ("open", "all", "mine")
    ]
    run(make_sync(routes=routes))
    new_deliveries(store)
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "COMPLETED"})
    publish(replay, THREE, studyFirstPostDateStruct={"date": "2026-02-03", "type": "ACTUAL"})
    run(make_sync(routes=routes))
    assert new_deliveries(store) == {
        ("open@example.org", ONE, "status"),
        ("open@example.org", ONE, "left"),
        ("open@example.org", THREE, "registered"),
        ("all@example.org", ONE, "status"),
        ("all@example.org", THREE, "registered"),
        ("mine@example.org", ONE, "status"),
    }
    assert {s.event.kind for s in store.events.find(EventFilter(watch="mine"))} == {
        Kind.FIRST_SEEN,
        Kind.STATUS,
    }
    assert Kind.LEFT in {s.event.kind for s in store.events.find(EventFilter(watch="open"))}


def new_deliveries(store: Store) -> set[tuple[str, str, str]]:
    """The deliveries per recipient since the last call."""
    rows = [row for row in store.outbox.deliveries() if row.state == "pending"]
    events = {s.event_id: s for s in store.events.find()}
    with store.unit() as unit:
        unit.outbox.mark_sent([r.delivery_id for r in rows], now=rows[0].created, message_id="x")
    return {
        (row.recipient, events[row.event_id].nct_id, events[row.event_id].event.kind.value)
        for row in rows
    }


def test_watches_share_one_fetch_and_equal_queries_share_one_listing(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO, THREE)
    for name in ("a", "b"):
        follow(store, name)
    follow(store, "c", term="trial")
    with store.unit() as unit:
        unit.watches.add_trials("d", {ONE: None, TWO: None}, replay.load)
    run(make_sync())
    replay.forget_requests()
    replay.catalogue.advance()
    run(make_sync())
    listings = [e for e in replay.requests if "countTotal" in e.params]
    fetches = [e for e in replay.requests if "filter.ids" in e.params]
    assert (len(listings), len(fetches)) == (2, 1)
    assert fetches[0].params["filter.ids"].split("|") == [ONE, TWO, THREE]
    print("sharing: 4 watches of 3 trials: 2 listings, 1 fetch")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fault", "said"),
    [
        ("emptied", faults.emptied(), "0 studies were listed, but the registry counts 2"),
        ("uncounted", faults.uncounted(), "did not send the number of studies"),
        ("empty object", faults.body(b"{}"), "no list of studies"),
        ("nothing", faults.body(b'{"studies":[]}'), "did not send the number of studies"),
        ("null", faults.body(b"null"), "instead of an object"),
        ("HTML", faults.html_page(), "text/html"),
        ("refused", faults.edge_refusal(), "403"),
        ("mixed", faults.of_another_load("2026-02-05"), "different loads"),
        ("stale", faults.of_another_load("2026-02-02", every=1), "from its load of 2026-02-02"),
    ],
)  # fmt: skip
def test_an_incomplete_listing_changes_nothing_and_makes_the_run_partial(
    name: str, fault: faults.Fault, said: str, store: Store, replay: ReplayRegistry,
    make_sync: MakeSync,
) -> None:  # fmt: skip
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    listed = store.watches.all()[0].listed
    replay.catalogue.advance()
    replay.faults.add(
        fault, path="/v2/studies", only=lambda asked: "countTotal" in asked.params,
        times=faults.EVERY_TIME,
    )  # fmt: skip
    result = run(make_sync())
    assert result.verdict is Verdict.PARTIAL
    assert result.events == ()
    (one,) = result.listed
    assert said in (one.problem or "")
    last = store.runs.last()
    assert last is not None
    assert said in (last.error or "")
    assert members(store) == ([ONE, TWO], [])
    assert store.watches.all()[0].listed == listed
    replay.faults.clear()
    assert run(make_sync()).verdict is Verdict.OK
    print(f"{name}: run partial, 0 left, 0 gone, 0 entered")


@pytest.mark.slow
def test_queries_are_listed_again_if_the_load_changes_meanwhile(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    """A listing of one page has no token that expires, so the load itself is requested again."""
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    study = make_study(ONE, overallStatus="COMPLETED")
    replay.catalogue.publish(study, load="2026-03-02")
    replay.faults.add(faults.reload("2026-03-02"), path="/v2/version", skip=1)
    result = run(make_sync())
    assert result.verdict is Verdict.OK
    assert event_kinds(result)[-1] == (ONE, Kind.LEFT)
    assert result.events[-1].observed == replay.load

    for day in ("2026-03-03", "2026-03-04", "2026-03-05"):
        replay.catalogue.publish(make_study(TWO, overallStatus="COMPLETED"), load=day)
        replay.faults.add(faults.reload(day), path="/v2/version", skip=1)
    result = run(make_sync())
    assert result.verdict is not Verdict.OK
    assert "reloaded during each" in "".join(one.problem or "" for one in result.listed)
    assert Kind.LEFT not in {kind for _, kind in event_kinds(result)}
    assert (TWO, Kind.LEFT) in event_kinds(run(make_sync()))


def test_no_trial_leaves_if_the_load_cannot_be_confirmed(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "COMPLETED"})
    replay.faults.add(faults.edge_refusal(), path="/v2/version", skip=1, times=3)
    result = run(make_sync())
    assert result.verdict is Verdict.PARTIAL
    assert "could not be confirmed" in (result.listed[0].problem or "")
    assert event_kinds(result) == [(ONE, Kind.STATUS)]
    replay.faults.clear()
    assert event_kinds(run(make_sync())) == [(ONE, Kind.LEFT)]


def test_a_trial_missing_from_a_complete_listing_is_requested_before_it_leaves(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO, THREE)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.faults.add(_counting_less(), path="/v2/studies", page=1)
    result = run(make_sync())
    assert result.verdict is Verdict.PARTIAL
    assert result.events == ()
    problem = "the listing lacks 1 of the trials that match on a second request"
    assert result.listed[0].problem == problem


def test_no_trial_leaves_if_the_request_for_those_missing_fails(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO, THREE)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "COMPLETED"})
    replay.faults.add(
        faults.edge_refusal(), path="/v2/studies", times=faults.EVERY_TIME, only=_asks_among
    )
    result = run(make_sync())
    assert result.verdict is Verdict.PARTIAL
    assert event_kinds(result) == [(ONE, Kind.STATUS)]
    assert "the leaving trials were not confirmed" in (result.listed[0].problem or "")
    replay.faults.clear()
    assert event_kinds(run(make_sync())) == [(ONE, Kind.LEFT)]


def _asks_among(request: Request) -> bool:
    """Whether a request asks which of some trials match a query."""
    return "filter.overallStatus" in request.params and any(
        name.endswith(".ids") for name in request.params
    )


def _counting_less() -> faults.Fault:
    """A first page that lacks a trial, and a count that agrees."""
    import orjson

    def less(reply: Reply) -> Reply:
        listed = orjson.loads(reply.body)
        changed = {"studies": listed["studies"][1:], "totalCount": listed["totalCount"] - 1}
        return Reply(reply.status, orjson.dumps(listed | changed), reply.headers)

    return faults.Fault(rewrite=less)


@pytest.mark.slow
def test_a_trial_that_is_gone_or_could_not_be_checked_has_not_left(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.withdraw(ONE)
    first = run(make_sync())
    assert (event_kinds(first), first.missing, first.verdict) == ([], (ONE,), Verdict.PARTIAL)
    assert event_kinds(run(make_sync())) == []
    replay.catalogue.advance()
    assert event_kinds(run(make_sync())) == [(ONE, Kind.GONE)]
    assert members(store) == ([ONE, TWO], [])
    replay.catalogue.advance()
    assert run(make_sync()).verdict is Verdict.OK
    publish(replay, ONE)
    assert (ONE, Kind.RETURNED) in event_kinds(run(make_sync()))
    replay.catalogue.advance()
    assert event_kinds(run(make_sync())) == []
    assert [v.state for v in store.versions.of(ONE)] == [State.PRESENT, State.GONE, State.PRESENT]


def test_a_merged_member_is_followed_to_its_successor_and_reported_on_return(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    follow(store)
    route = Route("mail", "open@example.org", watches=("open",))
    run(make_sync(routes=[route]))
    replay.catalogue.advance()
    replay.catalogue.merge(ONE, TWO)
    result = run(make_sync(routes=[route]))
    assert (ONE, Kind.MOVED) in event_kinds(result)
    assert Kind.LEFT not in {kind for _, kind in event_kinds(result)}
    assert members(store) == ([TWO], [])
    new_deliveries(store)
    replay.catalogue.advance()
    assert event_kinds(run(make_sync(routes=[route]))) == []

    replay.catalogue.advance()
    replay.catalogue.edit(TWO, {"protocolSection.identificationModule.nctIdAliases": None})
    publish(replay, ONE)
    result = run(make_sync(routes=[route]))
    assert (ONE, Kind.RETURNED) in event_kinds(result)
    assert members(store) == ([ONE, TWO], [])
    assert ("open@example.org", ONE, "returned") in new_deliveries(store)
    states = [State.PRESENT, State.MOVED, State.PRESENT]
    assert [v.state for v in store.versions.of(ONE)] == states


def test_a_member_merged_into_a_trial_that_does_not_match_leaves(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    publish(replay, TWO, overallStatus="COMPLETED")
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.merge(ONE, into=TWO)
    assert (ONE, Kind.MOVED) in event_kinds(run(make_sync()))
    replay.catalogue.advance()
    result = run(make_sync())
    assert (result.verdict, event_kinds(result)) == (Verdict.OK, [(TWO, Kind.LEFT)])
    assert result.events[0].event.summary == (
        f'No longer matches the query of watch "open": took over {ONE}, which matched'
    )
    assert members(store) == ([], [TWO])


@pytest.mark.slow
def test_a_member_that_returns_from_a_merger_is_in_only_if_it_matches(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.merge(ONE, TWO)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.edit(TWO, {"protocolSection.identificationModule.nctIdAliases": None})
    publish(replay, ONE, overallStatus="COMPLETED")
    result = run(make_sync())
    assert (ONE, Kind.RETURNED) in event_kinds(result)
    assert {Kind.ENTERED, Kind.LEFT}.isdisjoint(kind for _, kind in event_kinds(result))
    assert members(store) == ([TWO], [ONE])
    replay.catalogue.advance()
    assert event_kinds(run(make_sync())) == []


def test_a_member_that_no_run_has_stored_leaves_if_its_first_record_does_not_match(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    """A run that ends after the first listing, and before the records, leaves such members."""
    publish(replay, ONE)
    follow(store)
    sync = make_sync()
    with (
        pytest.raises(KeyboardInterrupt),
        patch.object(sync.registry, "studies", side_effect=KeyboardInterrupt),
    ):
        run(sync)
    assert (members(store), store.versions.of(ONE)) == (([ONE], []), [])
    replay.catalogue.advance()
    replay.catalogue.edit(ONE, {STATUS: "TERMINATED"})
    result = run(make_sync())
    assert result.verdict is Verdict.OK
    assert event_kinds(result) == [(ONE, Kind.FIRST_SEEN), (ONE, Kind.LEFT)]
    assert members(store) == ([], [ONE])


def test_a_trial_enters_although_it_lists_another_members_id_as_an_alias(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    publish(replay, TWO, overallStatus="COMPLETED")
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    aliases = "protocolSection.identificationModule.nctIdAliases"
    replay.catalogue.edit(TWO, {STATUS: "RECRUITING", aliases: [ONE]})
    assert (TWO, Kind.ENTERED) in event_kinds(run(make_sync()))
    assert members(store) == ([ONE, TWO], [])


def test_a_returned_trial_is_reported_also_to_watches_added_meanwhile(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    routes = [Route("mail", f"{name}@example.org", watches=(name,)) for name in ("old", "young")]
    publish(replay, ONE, TWO)
    with store.unit() as unit:
        unit.watches.add_trials("old", {ONE: None}, replay.load)
    run(make_sync(routes=routes))
    replay.catalogue.advance()
    replay.catalogue.merge(ONE, into=TWO)
    run(make_sync(routes=routes))
    with store.unit() as unit:
        unit.watches.add_trials("young", {ONE: None}, replay.load)
    new_deliveries(store)
    replay.catalogue.advance()
    replay.catalogue.edit(TWO, {"protocolSection.identificationModule.nctIdAliases": None})
    publish(replay, ONE)
    run(make_sync(routes=routes))
    recipients = {row[0] for row in new_deliveries(store) if row[1:] == (ONE, "returned")}
    assert recipients == {"old@example.org", "young@example.org"}


@pytest.mark.slow
@pytest.mark.parametrize("batch", [500, 1])
def test_a_returned_trial_is_followed_although_its_successor_has_moved(
    store: Store,
    replay: ReplayRegistry,
    make_sync: MakeSync,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
) -> None:
    monkeypatch.setattr(batch_writer, "SEEN_BATCH", batch)
    publish(replay, ONE, TWO, THREE)
    with store.unit() as unit:
        unit.watches.add_trials("mine", {ONE: None}, replay.load)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.merge(ONE, into=TWO)
    run(make_sync())
    replay.catalogue.advance()
    replay.catalogue.edit(TWO, {"protocolSection.identificationModule.nctIdAliases": None})
    publish(replay, ONE)
    replay.catalogue.merge(TWO, into=THREE)
    result = run(make_sync())
    assert {(ONE, Kind.RETURNED), (TWO, Kind.MOVED)} <= set(event_kinds(result))
    assert store.watched.ids() == (ONE, THREE)


def test_a_trial_named_in_a_watch_is_followed_again_after_a_merger_ends(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO)
    with store.unit() as unit:
        unit.watches.add_trials("mine", {ONE: "org-001"}, replay.load)
    route = Route("mail", "me@example.org", watches=("mine",))
    run(make_sync(routes=[route]))
    replay.catalogue.advance()
    replay.catalogue.merge(ONE, TWO)
    run(make_sync(routes=[route]))
    assert store.watched.ids() == (TWO,)
    replay.forget_requests()
    replay.catalogue.advance()
    assert event_kinds(run(make_sync(routes=[route]))) == []
    assert len([e for e in replay.requests if e.path.startswith("/v2/studies")]) == 1
    new_deliveries(store)
    replay.catalogue.advance()
    replay.catalogue.edit(TWO, {"protocolSection.identificationModule.nctIdAliases": None})
    publish(replay, ONE)
    assert (ONE, Kind.RETURNED) in event_kinds(run(make_sync(routes=[route])))
    assert store.watched.ids() == (ONE, TWO)
    assert ("me@example.org", ONE, "returned") in new_deliveries(store)
    replay.catalogue.advance()
    assert event_kinds(run(make_sync(routes=[route]))) == []


def test_a_trial_the_store_refuses_affects_no_other_and_enters_later(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(replay, ONE)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    publish(replay, TWO, THREE)
    add = BatchWrites.add

    def refuse(self: BatchWrites, steps: Any, **more: Any) -> Any:
        if any(step.nct_id == TWO for step in steps):
            raise ValueError("not to be stored")
        return add(self, steps, **more)

    with monkeypatch.context() as patched:
        patched.setattr(BatchWrites, "add", refuse)
        result = run(make_sync())
    assert result.verdict is Verdict.PARTIAL
    assert [failed.nct_id for failed in result.failed] == [TWO]
    assert event_kinds(result) == [(THREE, Kind.FIRST_SEEN), (THREE, Kind.ENTERED)]
    assert members(store) == ([ONE, THREE], [])
    assert event_kinds(run(make_sync())) == [(TWO, Kind.FIRST_SEEN), (TWO, Kind.ENTERED)]
    assert members(store) == ([ONE, TWO, THREE], [])


def test_a_new_trial_unreadable_at_first_is_registered_once_it_can_be_read(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync, clock: StillClock
) -> None:
    publish(replay, ONE)
    follow(store)
    run(make_sync())
    replay.catalogue.advance()
    publish(replay, TWO, studyFirstPostDateStruct={"date": "2026-02-03", "type": "ACTUAL"})
    publish(replay, THREE, studyFirstPostDateStruct={"date": "2026-02-02", "type": "ACTUAL"})

    def unreadable(reply: Reply) -> Reply:
        body = reply.body
        if b"statusModule" in body:  # the listing is complete
            for nct_id in (TWO, THREE):
                body = body.replace(f'"nctId":"{nct_id}"'.encode(), b'"nctId":12')
        return Reply(reply.status, body, reply.headers)

    for _ in range(2):
        clock.sleep(86_400)
        fault = faults.Fault(rewrite=unreadable)
        replay.faults.add(fault, path=r"/v2/studies(/.*)?", times=faults.EVERY_TIME)
        result = run(make_sync())
        assert {failed.nct_id for failed in result.failed} == {TWO, THREE}
        replay.faults.clear()
        replay.catalogue.advance()
    clock.sleep(86_400)
    # first posted after the load before its first failure, and on the day of that load
    assert sorted(event_kinds(run(make_sync()))) == [
        (TWO, Kind.REGISTERED),
        (THREE, Kind.ENTERED),
        (THREE, Kind.FIRST_SEEN),
    ]
    assert members(store) == ([ONE, TWO, THREE], [])


def test_a_changed_query_starts_with_a_new_baseline(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    publish(replay, TWO, overallStatus="COMPLETED")
    follow(store)
    run(make_sync())
    follow(store, overallStatus="COMPLETED")
    result = run(make_sync())
    assert event_kinds(result) == [(TWO, Kind.FIRST_SEEN)]
    assert members(store) == ([TWO], [ONE])


def test_a_trial_named_in_a_watch_neither_enters_nor_leaves_its_query(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync
) -> None:
    publish(replay, ONE)
    publish(replay, TWO, overallStatus="COMPLETED")
    follow(store)
    with store.unit() as unit:
        unit.watches.add_trials("open", {ONE: None, TWO: None}, replay.load)
    run(make_sync())
    for status in ("COMPLETED", "RECRUITING"):
        replay.catalogue.advance()
        replay.catalogue.edit(ONE, {STATUS: status})
        assert event_kinds(run(make_sync())) == [(ONE, Kind.STATUS)]
    assert members(store) == ([ONE, TWO], [])
