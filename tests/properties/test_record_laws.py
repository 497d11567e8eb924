"""Laws of records: canonical form, differences, and events, for random and hostile input."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctsync.model import FieldChange, JsonObject, Record
from ctsync.record.compare.canonical import canonicalize, digest_of, key_fields, restore
from ctsync.record.compare.diff import apply, diff, is_order
from ctsync.record.events.classify import classify, first_seen
from ctsync.record.rules.rules import Thresholds, assign
from tests.properties.strategies import (
    hostile_json,
    pairs_of_studies,
    permuted,
    seeds,
    spoilt_studies,
    studies,
)
from tests.record.studies import uncovered

OTHER_THRESHOLDS = Thresholds(
    enrollment_below_target_percent=20,
    enrollment_target_change_percent=60,
    implausible_enrollment=50,
    slip_critical_days=40,
    slip_notable_days=10,
    start_slip_notable_days=4000,
    implausible_move_days=9000,
)

# no deadline: on a busy machine one record can take long
law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
long_law = settings(law, max_examples=200)

any_pair = st.one_of(
    pairs_of_studies(),
    pairs_of_studies(odd=0.15),
    st.tuples(studies(), studies()),
    st.tuples(spoilt_studies(), spoilt_studies()),
)


def records(pair: tuple[JsonObject, JsonObject]) -> tuple[Record, Record]:
    return canonicalize(pair[0]), canonicalize(pair[1])


def as_read(change: FieldChange) -> tuple[str, str, str]:
    """Return a change without item names, which come from the record before."""
    if is_order(change):
        return change.field, "an order", "another order"
    return change.field, as_json(change.before), as_json(change.after)


def read_backwards(change: FieldChange) -> tuple[str, str, str]:
    field, before, after = as_read(change)
    return (field, before, after) if is_order(change) else (field, after, before)


def as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


@law
@given(studies(odd=0.05), seeds)
def test_a_reordered_record_is_the_same_record(study, seed):
    assert canonicalize(permuted(study, seed)) == canonicalize(study)


@law
@given(studies(odd=0.05))
def test_canonicalizing_does_not_modify_the_study(study):
    as_given = copy.deepcopy(study)
    canonicalize(study)
    assert study == as_given


@pytest.mark.slow
@law
@given(st.one_of(studies(odd=0.05), spoilt_studies()))
def test_canonicalizing_a_canonical_record_changes_nothing(study):
    record = canonicalize(study)
    assert canonicalize(record.body) == record
    assert restore(record.canonical, record.digest) == record
    assert digest_of(record.canonical) == record.digest


@law
@given(studies(odd=0.05), seeds)
def test_a_reordered_record_has_no_differences_and_no_events(study, seed):
    record, again = canonicalize(study), canonicalize(permuted(study, seed))
    assert diff(record, again) == []
    assert classify([], record, again) == []


@pytest.mark.slow
@long_law
@given(any_pair)
def test_applying_the_difference_gives_the_other_record(pair):
    before, after = records(pair)
    assert apply(before, diff(before, after)).canonical == after.canonical


@pytest.mark.slow
@law
@given(any_pair)
def test_swapping_two_records_reverses_each_change(pair):
    before, after = records(pair)
    there, back = diff(before, after), diff(after, before)
    assert Counter(map(as_read, there)) == Counter(map(read_backwards, back))


@pytest.mark.slow
@law
@given(any_pair)
def test_every_change_has_two_different_values_and_its_own_path(pair):
    before, after = records(pair)
    changes = diff(before, after)
    assert all(as_json(c.before) != as_json(c.after) for c in changes)
    assert len({c.path for c in changes}) == len(changes)


@pytest.mark.slow
@long_law
@given(any_pair)
def test_every_change_is_reported_by_exactly_one_event(pair):
    before, after = records(pair)
    changes = diff(before, after)
    events = classify(changes, before, after)
    assert uncovered(changes, events) == {}
    assert all(event.covers for event in events)
    assert len({event.path for event in events}) == len(events)
    assert all("\n" not in event.summary and len(event.summary) < 2000 for event in events)


@pytest.mark.slow
@law
@given(any_pair)
def test_an_event_is_json_without_nul_characters(pair):
    before, after = records(pair)
    for event in classify(diff(before, after), before, after):
        kept = orjson.dumps([event.before, event.after, event.inputs, event.summary])
        assert orjson.loads(kept)
        assert "\x00" not in event.summary + event.path


@pytest.mark.slow
@law
@given(any_pair)
def test_a_level_derived_from_inputs_equals_that_of_classifying_again(pair):
    before, after = records(pair)
    changes = diff(before, after)
    stored = classify(changes, before, after)
    again = classify(changes, before, after, thresholds=OTHER_THRESHOLDS)
    for old, new in zip(stored, again, strict=True):
        inputs = orjson.loads(orjson.dumps(old.inputs))
        assert assign(old.kind, inputs, Thresholds()) == (old.rule, old.level)
        assert assign(old.kind, inputs, OTHER_THRESHOLDS) == (new.rule, new.level)


@pytest.mark.slow
@law
@given(any_pair)
def test_events_rebuilt_from_stored_records_are_equal(pair):
    before, after = records(pair)
    past = [key_fields(before.body)]
    events = classify(diff(before, after), before, after, past=past)
    stored = [restore(record.canonical, record.digest) for record in (before, after)]
    assert classify(diff(*stored), *stored, past=past) == events


@pytest.mark.slow
@law
@given(spoilt_studies())
def test_any_record_gives_a_first_seen_event_of_one_line(study):
    record = canonicalize(study)
    assert "\n" not in first_seen(record).summary


@pytest.mark.slow
@law
@given(st.dictionaries(st.text(max_size=12), hostile_json, max_size=6))
def test_no_key_can_forge_a_path(keys):
    """Every path names only keys that the record has."""
    identity = {"identificationModule": {"nctId": "NCT03389919"}}
    before = canonicalize({"protocolSection": identity})
    after = canonicalize({"protocolSection": {**identity, "statusModule": keys}})
    prefix = "protocolSection.statusModule"
    written = {
        f"{prefix}.{key if key.isidentifier() else orjson.dumps(key).decode()}" for key in keys
    }
    for change in diff(before, after):
        assert change.path == prefix or any(
            change.path == path or change.path.startswith((f"{path}.", f"{path}["))
            for path in written
        )


@pytest.mark.parametrize("name", ['a"].b["c', "a] | [b", "x.status", "\u202e", "\n", 'q"', "\\"])
def test_no_item_can_forge_a_path(name):
    identity = {"identificationModule": {"nctId": "NCT03389919"}}
    sites: dict[str, Any] = {"locations": [{"facility": name, "status": "RECRUITING"}]}
    before = canonicalize({"protocolSection": {**identity, "contactsLocationsModule": sites}})
    sites = {"locations": [{"facility": name, "status": "COMPLETED"}]}
    after = canonicalize({"protocolSection": {**identity, "contactsLocationsModule": sites}})
    (change,) = diff(before, after)
    quoted = orjson.dumps(name).decode()
    assert change.path == f"protocolSection.contactsLocationsModule.locations[{quoted}].status"
    assert change.field == "protocolSection.contactsLocationsModule.locations.status"
