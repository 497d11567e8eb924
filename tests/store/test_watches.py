"""Watches added by the command line and by the settings file."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ctsync.errors import ConfigError, UsageError
from ctsync.model import NctId
from ctsync.store.data.watches import NewWatch, WatchedTrial
from ctsync.store.store import Store
from tests.store.samples import FETCHED, OTHER, TRIAL

THIRD = NctId("NCT00000102")


def test_adding_trials_creates_the_watch_and_stores_the_requested_ids(store: Store) -> None:
    with store.unit() as unit:
        assert unit.watches.add_trials("mine", {TRIAL: "BM-MSC-01", OTHER: None}, FETCHED) == 2
    (watch,) = store.watches.all()
    assert (watch.name, watch.origin, watch.query, watch.rules) == ("mine", "cli", None, {})
    assert watch.trials == (
        WatchedTrial(OTHER, None, FETCHED),
        WatchedTrial(TRIAL, "BM-MSC-01", FETCHED),
    )


def test_a_trial_added_twice_is_in_the_watch_once_with_the_first_date(store: Store) -> None:
    for days in (0, 1):
        with store.unit() as unit:
            added = unit.watches.add_trials("mine", {TRIAL: None}, FETCHED + timedelta(days=days))
    assert added == 0
    assert store.watches.all()[0].trials == (WatchedTrial(TRIAL, None, FETCHED),)


def test_a_trial_of_several_watches_is_followed_once(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("b", {TRIAL: None, OTHER: None}, FETCHED)
        unit.watches.add_trials("a", {TRIAL: None}, FETCHED)
    assert store.watched.ids() == (OTHER, TRIAL)
    assert store.watches.names_of(TRIAL) == ("a", "b")
    assert store.watches.names_of(THIRD) == ()


def test_removing_a_watch_stops_following_only_its_own_trials(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("a", {TRIAL: None}, FETCHED)
        unit.watches.add_trials("b", {TRIAL: None, OTHER: None}, FETCHED)
        assert unit.watches.remove("b")
        assert not unit.watches.remove("b")
    assert store.watched.ids() == (TRIAL,)


def test_single_trials_can_be_removed_from_a_watch(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("a", {TRIAL: None, OTHER: None}, FETCHED)
        assert unit.watches.remove_trials("a", [TRIAL, THIRD]) == 1
    assert store.watched.ids() == (OTHER,)


def merged(store: Store, old: NctId, into: NctId) -> None:
    """Record that the registry merged a trial into another one."""
    with store.unit() as unit:
        unit.trials.mark_moved(old, into)
        unit.watched.follow_successor(old, into)


def test_a_successor_is_removed_with_the_trials_that_it_took_over(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("a", {TRIAL: None, THIRD: None}, FETCHED)
    merged(store, TRIAL, OTHER)
    assert store.watched.ids() == (THIRD, OTHER)
    with store.unit() as unit:
        unit.watches.remove_trials("a", [OTHER])
    (watch,) = store.watches.all()
    assert (store.watched.ids(), watch.merged) == ((THIRD,), ())
    assert not store.watched.lack_successor(TRIAL, OTHER)


def test_a_trial_named_itself_stays_if_a_trial_that_it_took_over_is_removed(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("a", {TRIAL: None, THIRD: None}, FETCHED)
        unit.watches.add_trials("b", {TRIAL: None, OTHER: None}, FETCHED)
    merged(store, TRIAL, OTHER)
    merged(store, THIRD, OTHER)
    for name in ("a", "b"):
        with store.unit() as unit:
            unit.watches.remove_trials(name, [TRIAL])
    a, b = store.watches.all()
    assert [(t.nct_id, t.asked_as) for t in a.trials] == [(OTHER, THIRD)]
    assert [(t.nct_id, t.asked_as) for t in b.trials] == [(OTHER, None)]
    with store.unit() as unit:
        unit.watches.remove_trials("a", [THIRD])
    assert store.watches.all()[0].trials == ()


def test_two_trials_that_took_each_other_over_are_both_followed(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("a", {TRIAL: None}, FETCHED)
    merged(store, TRIAL, OTHER)
    merged(store, OTHER, TRIAL)  # the answer for the first one could not be read
    assert store.watched.ids() == (OTHER, TRIAL)
    assert store.watched.moved_ids() == ()


def test_a_successor_requested_by_its_own_id_counts_as_named(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("a", {TRIAL: None}, FETCHED)
    merged(store, TRIAL, OTHER)
    with store.unit() as unit:
        unit.watches.add_trials("a", {OTHER: None}, FETCHED)
        unit.watches.remove_trials("a", [TRIAL])
    assert [(t.nct_id, t.asked_as) for t in store.watches.all()[0].trials] == [(OTHER, None)]


def test_a_trial_of_the_settings_file_stays_while_another_took_it_over(store: Store) -> None:
    of_file = [NewWatch("one", {TRIAL: "X-1"})]
    with store.unit() as unit:
        unit.watches.replace_from_file(of_file)
    merged(store, TRIAL, OTHER)
    with store.unit() as unit:
        unit.watches.replace_from_file(of_file)
    (watch,) = store.watches.all()
    assert [(t.nct_id, t.asked_as) for t in watch.trials] == [(OTHER, "X-1")]
    assert [one.trial.nct_id for one in watch.merged] == [TRIAL]
    with store.unit() as unit:
        unit.watches.replace_from_file([NewWatch("one", {THIRD: None})])
    assert store.watched.ids() == (THIRD,)


def test_removing_trials_from_an_unknown_watch_is_an_error(store: Store) -> None:
    with pytest.raises(UsageError, match="'nothing'; see: ctsync watch list"), store.unit() as unit:
        unit.watches.remove_trials("nothing", [TRIAL])


def test_a_trial_that_left_the_query_is_still_followed_and_can_return(store: Store) -> None:
    later = FETCHED + timedelta(days=1)
    with store.unit() as unit:
        unit.watches.add("q", query={"cond": "asthma"})
        unit.watches.add_trials("q", {OTHER: None}, FETCHED)
        assert unit.watches.add_matches("q", [TRIAL, OTHER], at=FETCHED) == 1
        assert (
            unit.watches.mark_left("q", [OTHER], at=later) == 0
        )  # added by hand, not by the query
        assert unit.watches.mark_left("q", [TRIAL], at=later) == 1
        assert unit.watches.mark_left("q", [TRIAL], at=later + timedelta(days=1)) == 0
    assert store.watches.all()[0].trials[1].left_at == later
    assert store.watched.ids() == (OTHER, TRIAL)
    with store.unit() as unit:
        assert unit.watches.add_matches("q", [TRIAL], at=later) == 0
    assert store.watches.all()[0].trials[1] == WatchedTrial(TRIAL, None, FETCHED, by_query=True)
    with store.unit() as unit:
        unit.watches.add_trials("q", {TRIAL: None}, later)
    assert not store.watches.all()[0].trials[1].by_query


def test_the_watches_of_the_settings_file_are_replaced_by_its_content(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("by hand", {THIRD: None}, FETCHED)
        unit.watches.replace_from_file(
            [NewWatch("one", {TRIAL: None}), NewWatch("two", {TRIAL: None, OTHER: "X-1"})]
        )
    with store.unit() as unit:
        unit.watches.replace_from_file(
            [NewWatch("two", {OTHER: "X-1", THIRD: None}, rules={"slip_days": 30.0})]
        )
    by_hand, two = store.watches.all()
    assert by_hand.name == "by hand"
    assert (two.name, two.origin, two.rules) == ("two", "file", {"slip_days": 30.0})
    assert [(t.nct_id, t.asked_as) for t in two.trials] == [(THIRD, None), (OTHER, "X-1")]


def test_a_watch_of_the_settings_file_cannot_replace_one_added_by_hand(store: Store) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("mine", {TRIAL: None}, FETCHED)
    with pytest.raises(ConfigError, match="'mine' was also added by hand"), store.unit() as unit:
        unit.watches.replace_from_file([NewWatch("mine", {})])
    assert store.watches.all()[0].origin == "cli"
