"""Texts, JSON, numbers and times are read back unchanged from both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine.default import DefaultDialect

from ctsync.errors import Unstorable
from ctsync.model import KeyFields, RegistryVersion
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.database.types import Digest, dump_json, escape, load_json, pack_digest, unescape
from ctsync.store.store import Store
from tests.store.samples import (
    FETCHED,
    HOSTILE,
    LOAD,
    TRIAL,
    add,
    add_events,
    delivery,
    event,
    record_of,
)

any_text = st.text(st.characters(codec=None))  # lone surrogates included


@given(any_text)
def test_escaped_text_is_restored_and_has_no_character_a_database_refuses(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert "\0" not in escaped
    escaped.encode()


@pytest.mark.slow
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | any_text,
        lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    )
)
def test_any_json_value_is_read_back_equal(value: object) -> None:
    text = dump_json(value)
    text.encode()
    assert "\0" not in text
    assert load_json(text) == value


@given(st.binary(min_size=32, max_size=32), st.integers(1, 255))
def test_a_digest_is_packed_into_33_bytes_and_read_back(sha256: bytes, form: int) -> None:
    read, name = Digest().result_processor(DefaultDialect(), None), f"{form}:{sha256.hex()}"
    assert len(pack_digest(name)) == 33
    assert read(pack_digest(name)) == name


@pytest.mark.parametrize("text", ["", "1", "x:00", "1:0", "1:zz", "256:00", "-1:00"])
def test_an_invalid_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the digest of a body"):
        pack_digest(text)


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_stored_unchanged_in_every_column(store: Store, text: str) -> None:
    key = KeyFields(status=text, brief_title=text, org_study_id=text, lead_sponsor=text)
    given = event(
        path=text, label=text, summary=text, before=text, after=[text], before_type=text,
        inputs={text: text},
    )  # fmt: skip
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", FETCHED)
        unit.runs.set_load(run_id, RegistryVersion(text, FETCHED))
        snapshot = add(unit, 0, None, key=key, posted=text, record=record_of({"a": 1}))
        (event_id,) = add_events(unit, None, snapshot, given, run_id=run_id)
        unit.outbox.enqueue([delivery(event_id, channel=text)])
        unit.outbox.park([1], error=text)
        unit.failures.record(TRIAL, ValueError(text), b"\0raw", run_id=run_id, now=FETCHED)
        unit.watches.add(text, query={text: text}, rules={text: 1.5})
        unit.watches.add_trials(text, {TRIAL: text}, FETCHED)
    (version,) = store.versions.of(TRIAL)
    assert version.key == key
    assert version.posted == text
    (stored,) = store.events.find(EventFilter(watch=text))
    assert stored.event == given
    assert stored.brief_title == text
    assert store.outbox.deliveries()[0].last_error == text
    (failure,) = store.failures.find()
    assert (failure.error, failure.raw) == (text, b"\0raw")
    (watch,) = store.watches.all()
    assert (watch.name, watch.query, watch.trials[0].asked_as) == (text, {text: text}, text or None)


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        (0, 0),
        (188_814_085, 188_814_085),
        (10**18, 10**18),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (-(2**63), None),
        (10**400, None),
    ],
    ids=lambda value: f"{value:.3g}" if isinstance(value, int) and value < 10**300 else None,
)
def test_a_number_beyond_64_bits_is_stored_as_null_without_an_error(
    store: Store, number: int, stored: int | None
) -> None:
    with store.unit() as unit:
        snapshot = add(unit, 0, None, key=KeyFields(enrollment=number))
        add_events(unit, None, snapshot, event(after=number, inputs={"n": number}))
    assert store.versions.of(TRIAL)[0].key.enrollment == stored
    assert store.events.find()[0].event.after == number


def test_times_are_read_back_in_utc_to_the_microsecond(store: Store) -> None:
    zone = timezone(timedelta(hours=-5, minutes=-30))
    with store.unit() as unit:
        add(unit, 0, None, observed=LOAD.astimezone(zone), fetched=FETCHED)
    (version,) = store.versions.of(TRIAL)
    assert version.observed == LOAD
    assert version.observed is not None
    assert version.observed.tzinfo is UTC
    assert version.fetched == FETCHED


def test_a_year_with_three_digits_sorts_before_all_others(store: Store) -> None:
    mistyped = datetime(201, 10, 1, tzinfo=UTC)  # mistyped for 2010; the registry has such dates
    with store.unit() as unit:
        snapshot = add(unit, 0, None, fetched=mistyped)
        add_events(unit, None, snapshot, observed=None, posted="0201-10-01")
    assert store.versions.of(TRIAL)[0].fetched == mistyped
    assert store.events.count(EventFilter(since=datetime(1999, 1, 1, tzinfo=UTC))) == 0


def test_a_naive_time_is_refused(store: Store) -> None:
    naive = datetime(2026, 3, 13)  # noqa: DTZ001 - must be refused
    with pytest.raises(Unstorable, match="needs a zone"), store.unit() as unit:
        add(unit, 0, None, fetched=naive)
    assert store.versions.of(TRIAL) == []
