"""Backfill: a trial's registry history joined with the versions seen live."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ctsync.errors import Unstorable
from ctsync.model import JsonObject, Kind, NctId, Source, State, StoredEvent, Verdict
from ctsync.questions.trial.field_history import field_history
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import HistoryTransport, RegistryHistory
from ctsync.route import Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from ctsync.sync.history.backfill import Backfill
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry

TRIAL, OTHER, THIRD = map(NctId, ("NCT03389919", "NCT05935098", "NCT00000141"))
STATUS = "protocolSection.statusModule"
DESIGN = "protocolSection.designModule"
PRIMARY = f"{STATUS}.primaryCompletionDateStruct.date"
MAIL = Route("email", "me@example.org", takes_baselines=False)
MakeSync = Callable[..., TrialPass]
MakeBackfill = Callable[..., Backfill]


# --- one trial in two forms ----------------------------------------------------------------------


def a_day(posted: str, **changed: Any) -> JsonObject:
    """A study as v2 shows it, posted on a day and submitted two days before."""
    day = datetime.fromisoformat(posted)
    submitted = f"{day.replace(day=max(day.day - 2, 1)):%Y-%m-%d}"
    count = changed.pop("count", 100)
    nct_id = changed.pop("nct_id", TRIAL)
    values: dict[str, Any] = {
        "lastUpdateSubmitDate": submitted,
        "lastUpdatePostDateStruct": {"date": posted, "type": "ACTUAL"},
        "studyFirstPostDateStruct": {"date": "2018-01-04", "type": "ACTUAL"},
        "descriptionModule": {"briefSummary": "Safety & effect.\n\n* one\n* two m\\^2"},
    }
    study = make_study(nct_id, **(values | changed))
    study["protocolSection"]["designModule"]["enrollmentInfo"]["count"] = count
    study["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = "A & B"
    return study


def as_html(study: JsonObject) -> JsonObject:
    """The same study as the history endpoint returns it."""

    def escaped(value: Any) -> Any:
        match value:
            case dict():
                return {key: escaped(child) for key, child in value.items()}
            case list():
                return [escaped(item) for item in value]
            case str():
                return html.escape(value)
            case _:
                return value

    past: JsonObject = escaped(copy.deepcopy(study))
    past.pop("derivedSection")
    past["protocolSection"]["descriptionModule"]["briefSummary"] = (
        "<p>Safety &amp; effect.</p><ul><li>one</li><li>two m^2</li></ul>"
    )
    return past


def dated(posted: str, **more: Any) -> JsonObject:
    return {"date": posted, "type": more.pop("type", "ESTIMATED")}


FIRST = a_day("2018-01-04", overallStatus="NOT_YET_RECRUITING", count=200)
SECOND = a_day("2019-03-12", overallStatus="RECRUITING", count=200)
THIRD_ONE = a_day("2021-06-09", primaryCompletionDateStruct=dated("2028-06"), count=150)
NEWEST = a_day("2026-01-13", primaryCompletionDateStruct=dated("2029-06"))
LIFE = [FIRST, SECOND, THIRD_ONE, NEWEST]
LATER = a_day(
    "2026-02-03", overallStatus="TERMINATED", primaryCompletionDateStruct=dated("2029-12")
)


@pytest.fixture
def make_backfill(
    store: Store, clock: StillClock, replay: ReplayRegistry
) -> Iterator[MakeBackfill]:
    opened: list[Any] = []

    def make(way: HistoryTransport = HistoryTransport.REQUESTS, **changes: Any) -> Backfill:
        transport = Transport(replay.url, clock=clock, requests_per_second=1000, retry_seconds=0)
        history = RegistryHistory(transport, way=way)
        opened.extend((history, transport))
        return Backfill(store=store, history=history, clock=clock, **changes)

    yield make
    for one in opened:
        one.close()


def tell_history(replay: ReplayRegistry, *studies: JsonObject, nct_id: str = TRIAL) -> None:
    replay.catalogue.set_history(nct_id, [as_html(study) for study in studies])


@pytest.fixture
def lived(replay: ReplayRegistry) -> ReplayRegistry:
    """A registry that shows the newest of four versions and has the history of all."""
    replay.catalogue.publish(NEWEST)
    tell_history(replay, *LIFE, LATER)
    return replay


def shown(store: Store, nct_id: NctId = TRIAL) -> list[tuple[int | None, Source, str | None]]:
    return [(v.registry_version, v.source, v.posted) for v in store.versions.of(nct_id)]


def events_of(store: Store, **narrowed: Any) -> list[StoredEvent]:
    return store.events.find(EventFilter(nct_ids=(TRIAL,), **narrowed))


def deliveries(store: Store) -> list[tuple[str, Kind]]:
    """The deliveries in the outbox."""
    kinds = {one.event_id: one.event.kind for one in store.events.find()}
    return [(d.recipient, kinds[d.event_id]) for d in store.outbox.deliveries()]


def assert_events_follow(store: Store) -> None:
    differences = [
        (one.nct_id, each)
        for one in rederive_events(store, Thresholds())
        for each in one.differences
    ]
    assert differences == []


H, B, L = Source.HISTORY, Source.BOTH, Source.LIVE
FOUR_KNOWN = [
    (0, H, "2018-01-04"),
    (1, H, "2019-03-12"),
    (2, H, "2021-06-09"),
    (3, B, "2026-01-13"),
]


# --- backfill and sync in either order -----------------------------------------------------------


def test_a_history_fetched_after_the_first_sync_joins_its_version(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync(routes=[MAIL]).run([TRIAL])
    sent = store.outbox.deliveries()
    result = make_backfill().run([TRIAL])
    assert result.verdict is Verdict.OK
    (trial,) = result.trials
    assert (trial.state, trial.listed, trial.stored, trial.joined) == ("complete", 4, 3, 1)
    assert shown(store) == FOUR_KNOWN
    assert store.outbox.deliveries() == sent
    assert_events_follow(store)


def test_the_first_sync_joins_a_history_fetched_before_it(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_backfill().run([TRIAL])
    assert [source for _, source, _ in shown(store)] == [H] * 4
    assert_events_follow(store)
    result = make_sync(routes=[MAIL]).run([TRIAL])
    assert shown(store) == FOUR_KNOWN
    assert [one.event.kind for one in result.events] == [Kind.FIRST_SEEN]
    assert {kind for _, kind in deliveries(store)} <= {Kind.FIRST_SEEN}
    assert_events_follow(store)
    again = make_sync(routes=[MAIL]).run([TRIAL])
    assert (again.tally.same, again.events) == (1, ())


def test_a_confirmed_version_that_cannot_be_stored_counts_as_failed_and_not_as_the_same(
    store: Store,
    lived: ReplayRegistry,
    make_sync: MakeSync,
    make_backfill: MakeBackfill,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_backfill().run([TRIAL])

    def refuse(*_: object, **__: object) -> None:
        raise Unstorable("a value is too large")

    with monkeypatch.context() as patched:
        patched.setattr("ctsync.sync.history.link.link_history", refuse)
        refused = make_sync().run([TRIAL])
    tally = refused.tally
    assert (tally.same, tally.changed, tally.new, tally.failed) == (0, 0, 0, 1)
    assert [source for _, source, _ in shown(store)] == [H] * 4
    assert make_sync().run([TRIAL]).tally.same == 1
    assert shown(store) == FOUR_KNOWN


@pytest.mark.slow
def test_backfill_and_sync_in_either_order_store_the_same_versions_and_events(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    other = [{**study} for study in (copy.deepcopy(one) for one in LIFE)]
    for study in other:
        study["protocolSection"]["identificationModule"]["nctId"] = OTHER
    lived.catalogue.publish(other[-1])
    tell_history(lived, *other, nct_id=OTHER)
    make_sync().run([TRIAL])
    make_backfill().run([TRIAL, OTHER])
    make_sync().run([TRIAL, OTHER])

    def course(nct_id: NctId) -> list[Any]:
        events = store.events.find(EventFilter(nct_ids=(nct_id,)))
        return sorted(
            (one.to_version, one.event.path, one.event.summary, one.event.days_since_first)
            for one in events
            if one.event.kind is not Kind.FIRST_SEEN
        )

    assert [row[1:] for row in shown(store, TRIAL)] == [row[1:] for row in shown(store, OTHER)]
    assert course(TRIAL) == course(OTHER) != []


# --- backfilled events ---------------------------------------------------------------------------


def test_backfilled_events_happened_when_posted_and_notify_nobody(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync(routes=[MAIL]).run([TRIAL])
    make_backfill().run([TRIAL])
    followed = datetime(2026, 2, 1, tzinfo=UTC)
    assert [one.event.kind for one in events_of(store, since=followed)] == [Kind.FIRST_SEEN]
    past = events_of(store, until=followed)
    days = {
        (f"{one.event.before} -> {one.event.after}", one.posted)
        for one in past
        if one.event.kind in (Kind.STATUS, Kind.ENROLLMENT, Kind.PRIMARY_COMPLETION_DATE)
    }
    assert days == {
        ("NOT_YET_RECRUITING -> RECRUITING", "2019-03-12"),
        ("2027-06 -> 2028-06", "2021-06-09"),
        ("200 -> 150", "2021-06-09"),
        ("2028-06 -> 2029-06", "2026-01-13"),
        ("150 -> 100", "2026-01-13"),
    }
    assert all(one.observed is None for one in past)
    # a text that only its source wrote differently is not an event
    kinds = {Kind.STATUS, Kind.ENROLLMENT, Kind.PRIMARY_COMPLETION_DATE, Kind.BOOKKEEPING}
    assert {one.event.kind for one in past} == kinds
    assert {kind for _, kind in deliveries(store)} <= {Kind.FIRST_SEEN}


def test_a_later_event_has_figures_since_the_first_registration(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync(routes=[MAIL]).run([TRIAL])
    make_backfill().run([TRIAL])
    lived.load = "2026-02-03"
    lived.catalogue.publish(LATER)
    result = make_sync(routes=[MAIL]).run([TRIAL])
    moved = next(one for one in result.events if one.event.path == PRIMARY)
    assert (moved.event.days, moved.event.days_since_first) == (183, 914)
    assert Kind.STATUS in {kind for _, kind in deliveries(store)}
    assert_events_follow(store)


@pytest.mark.slow
def test_live_versions_keep_their_events_and_get_figures_of_the_complete_history(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync(routes=[MAIL]).run([TRIAL])
    lived.load = "2026-02-03"
    lived.catalogue.publish(LATER)
    make_sync(routes=[MAIL]).run([TRIAL])
    before = {one.event_id: one for one in events_of(store)}
    sent = store.outbox.deliveries()
    make_backfill().run([TRIAL])
    after = {one.event_id: one for one in events_of(store)}
    assert shown(store) == [*FOUR_KNOWN, (4, B, "2026-02-03")]
    for event_id, one in before.items():
        assert (after[event_id].event.path, after[event_id].observed) == (
            one.event.path,
            one.observed,
        )
    (moved,) = (one for one in before.values() if one.event.path == PRIMARY)
    assert (moved.event.days_since_first, after[moved.event_id].event.days_since_first) == (
        183,
        914,
    )
    assert store.outbox.deliveries() == sent
    assert_events_follow(store)


def test_the_join_of_history_and_live_versions_is_not_an_event(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    tell_history(lived, NEWEST)
    make_sync().run([TRIAL])
    make_backfill().run([TRIAL])
    assert shown(store) == [(0, B, "2026-01-13")]
    assert [one.event.kind for one in events_of(store)] == [Kind.FIRST_SEEN]
    assert [v.key.lead_sponsor for v in store.versions.of(TRIAL)] == ["A & B"]


def test_a_text_in_another_form_is_the_same_value(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_backfill().run([TRIAL])
    make_sync().run([TRIAL])
    until = datetime(2026, 2, 2, tzinfo=UTC)
    for name, spells in (("brief summary", 1), ("sponsor", 1), ("enrollment", 3)):
        found = field_history(store, store.versions.of(TRIAL), name, until=until)
        assert len(found.spells) == spells, name


@pytest.mark.slow
def test_a_second_backfill_requests_only_the_index_and_stores_nothing(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync().run([TRIAL])
    make_backfill().run([TRIAL])
    before, rows = events_of(store), store.counts()
    lived.forget_requests()
    result = make_backfill().run([TRIAL])
    assert len(lived.requests) == result.requests == 1
    assert events_of(store) == before
    grown = {table: n - rows[table] for table, n in store.counts().items() if n != rows[table]}
    assert grown == {"runs": 1}
    assert result.trials[0].is_settled


# --- places of the versions ----------------------------------------------------------------------


def test_a_change_to_unknown_follows_the_registry_version_it_derives_from(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    only = a_day(
        "2018-01-04", statusVerifiedDate="2017-12", completionDateStruct=dated("2022-12-31")
    )
    flipped = copy.deepcopy(only)
    flipped["protocolSection"]["statusModule"] |= {
        "overallStatus": "UNKNOWN",
        "lastKnownStatus": "RECRUITING",
    }
    replay.catalogue.publish(flipped)
    tell_history(replay, only)
    make_sync().run([TRIAL])
    make_backfill().run([TRIAL])
    assert shown(store) == [(0, H, "2018-01-04"), (None, L, "2018-01-04")]
    assert [v.key.status for v in store.versions.of(TRIAL)] == ["RECRUITING", "UNKNOWN"]
    flips = events_of(store, kinds=(Kind.STATUS,))
    assert ("RECRUITING", "UNKNOWN") in {(one.event.before, one.event.after) for one in flips}
    # the registry's rule: the first load after the completion date, if last verified long ago
    day = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 4, tzinfo=UTC)
    assert events_of(store, kinds=(Kind.STATUS,), since=day[0], until=day[1]) == flips
    assert_events_follow(store)


@pytest.mark.slow
def test_a_live_version_between_two_registry_versions_keeps_its_place(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    old, new = a_day("2025-12-02"), a_day("2026-02-03", count=90)
    replay.catalogue.publish(old)
    make_sync().run([TRIAL])
    touched = copy.deepcopy(old)  # changed by the registry, without an update date
    touched["protocolSection"]["referencesModule"] = {
        "references": [{"pmid": "1", "type": "DERIVED"}]
    }
    replay.catalogue.advance()
    replay.catalogue.publish(touched)
    make_sync().run([TRIAL])
    replay.catalogue.publish(new)
    make_sync().run([TRIAL])
    tell_history(replay, FIRST, old, new)
    make_backfill().run([TRIAL])
    assert shown(store) == [
        (0, H, "2018-01-04"),
        (1, B, "2025-12-02"),
        (None, L, "2025-12-02"),
        (2, B, "2026-02-03"),
    ]
    assert_events_follow(store)


def test_a_version_missed_between_two_loads_takes_over_its_events(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    old = a_day("2025-12-02")
    missed = a_day("2026-01-20", count=90)
    new = a_day("2026-01-27", count=90, overallStatus="TERMINATED")
    replay.catalogue.publish(old)
    make_sync(routes=[MAIL]).run([TRIAL])
    replay.catalogue.advance()
    replay.catalogue.publish(new)
    make_sync(routes=[MAIL]).run([TRIAL])
    before = {one.event_id: one for one in events_of(store)}
    tell_history(replay, old, missed, new)
    make_backfill().run([TRIAL])
    assert shown(store) == [(0, B, "2025-12-02"), (1, H, "2026-01-20"), (2, B, "2026-01-27")]
    (fewer,) = events_of(store, kinds=(Kind.ENROLLMENT,))
    (ended,) = events_of(store, kinds=(Kind.STATUS,))
    assert (fewer.to_version, ended.to_version) == (2, 3)
    assert {fewer.event_id, ended.event_id} <= before.keys()
    assert fewer.observed == before[fewer.event_id].observed
    assert_events_follow(store)


def test_several_versions_of_one_day_stay_in_the_registrys_order(
    store: Store, replay: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    day = [a_day("2026-01-13", count=count) for count in (10, 20, 30)]
    replay.catalogue.publish(day[-1])
    make_sync().run([TRIAL])
    tell_history(replay, *day)
    make_backfill().run([TRIAL])
    assert [(v.registry_version, v.source, v.key.enrollment) for v in store.versions.of(TRIAL)] == [
        (0, H, 10),
        (1, H, 20),
        (2, B, 30),
    ]
    assert_events_follow(store)


@pytest.mark.slow
def test_history_versions_of_a_gone_trial_are_inserted_before_its_end(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync().run([TRIAL])
    lived.catalogue.withdraw(TRIAL)
    for _ in range(3):
        lived.catalogue.advance()
        make_sync().run([TRIAL])
    make_backfill().run([TRIAL])
    states = [(v.registry_version, v.state) for v in store.versions.of(TRIAL)]
    assert states == [*((n, State.PRESENT) for n in range(5)), (None, State.GONE)]
    assert store.trials.heads([TRIAL])[TRIAL].state is State.GONE
    assert_events_follow(store)
    lived.catalogue.publish(LATER)
    result = make_sync(routes=[MAIL]).run([TRIAL])
    assert Kind.RETURNED in {one.event.kind for one in result.events}
    assert_events_follow(store)


def test_a_change_backfilled_before_the_sync_is_reported_when_a_load_shows_it(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync(routes=[MAIL]).run([TRIAL])
    lived.load = "2026-02-03"
    make_backfill().run([TRIAL])  # the history is newer than the last load seen
    assert shown(store)[-1] == (4, H, "2026-02-03")
    assert Kind.STATUS not in {kind for _, kind in deliveries(store)}
    lived.catalogue.publish(LATER)
    result = make_sync(routes=[MAIL]).run([TRIAL])
    assert shown(store)[-1] == (4, B, "2026-02-03")
    assert {Kind.STATUS, Kind.PRIMARY_COMPLETION_DATE} <= {one.event.kind for one in result.events}
    assert {Kind.STATUS, Kind.PRIMARY_COMPLETION_DATE} <= {kind for _, kind in deliveries(store)}
    assert all(one.observed == lived.load for one in result.events)
    assert_events_follow(store)


@pytest.mark.slow
def test_a_change_backfilled_before_the_sync_is_reported_by_a_later_load(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync(routes=[MAIL]).run([TRIAL])
    lived.load = "2026-02-03"
    make_backfill().run([TRIAL])
    further = a_day("2026-02-04", overallStatus="WITHDRAWN", count=0)
    lived.load = "2026-02-04"
    lived.catalogue.publish(further)
    result = make_sync(routes=[MAIL]).run([TRIAL])
    steps = [(e.event.before, e.event.after) for e in result.events if e.event.kind is Kind.STATUS]
    assert steps == [("RECRUITING", "TERMINATED"), ("TERMINATED", "WITHDRAWN")]
    assert [kind for _, kind in deliveries(store)].count(Kind.STATUS) == 2
    tell_history(lived, *LIFE, LATER, further)
    make_backfill().run([TRIAL])
    assert shown(store)[-2:] == [(4, H, "2026-02-03"), (5, B, "2026-02-04")]
    assert_events_follow(store)


@pytest.mark.slow
def test_a_gone_trial_is_reported_with_the_unreported_events_of_its_history(
    store: Store, lived: ReplayRegistry, make_sync: MakeSync, make_backfill: MakeBackfill
) -> None:
    make_sync(routes=[MAIL]).run([TRIAL])
    lived.load = "2026-02-03"
    make_backfill().run([TRIAL])
    lived.catalogue.withdraw(TRIAL)
    make_sync(routes=[MAIL]).run([TRIAL])
    lived.catalogue.advance()
    result = make_sync(routes=[MAIL]).run([TRIAL])
    assert {Kind.STATUS, Kind.GONE} <= {one.event.kind for one in result.events}
    assert {Kind.STATUS, Kind.GONE} <= {kind for _, kind in deliveries(store)}
    assert_events_follow(store)


@pytest.mark.slow
def test_a_backfill_tells_no_flag_and_changes_none(
    store: Store,
    clock: StillClock,
    replay: ReplayRegistry,
    make_sync: MakeSync,
    make_backfill: MakeBackfill,
) -> None:
    ending = {
        "overallStatus": "ACTIVE_NOT_RECRUITING",
        "startDateStruct": dated("2018-02-01"),
        "primaryCompletionDateStruct": dated("2026-02"),
        "completionDateStruct": dated("2026-02"),
    }
    early = a_day("2018-01-04", startDateStruct=dated("2017-01-01"), count=200)
    life = [early, a_day("2019-03-12", **ending, count=90), a_day("2026-01-13", **ending)]
    replay.catalogue.publish(life[-1])
    tell_history(replay, *life)
    with store.unit() as unit:
        unit.watches.add("mine")
        unit.watches.add_trials("mine", {TRIAL: None}, clock.now())
    for load in ("2026-02-02", "2026-03-02"):
        replay.load = load
        make_sync(routes=[MAIL]).run([TRIAL])
    flags = EventFilter(kinds=(Kind.FLAG,))
    (told,) = store.events.find(flags)
    assert (told.event.path, told.to_version) == ("flag:open_past_completion@2026-03-02", 1)
    deliveries = store.outbox.deliveries()
    make_backfill().run([TRIAL])
    replay.load = "2026-03-03"
    make_sync(routes=[MAIL]).run([TRIAL])
    (still,) = store.events.find(flags)
    assert (still.event, still.event_id) == (told.event, told.event_id)
    assert (still.from_version, still.to_version) == (3, 3)
    assert store.outbox.deliveries() == deliveries
    assert list(rederive_events(store, Thresholds())) == []
