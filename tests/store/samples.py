"""Small made-up values, and short functions that store them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Engine

from ctsync.model import (
    Category,
    Event,
    KeyFields,
    Kind,
    Level,
    NctId,
    Record,
    Source,
    State,
)
from ctsync.store.data.outbox import NewDelivery
from ctsync.store.store import Store
from ctsync.store.unit import Unit

TRIAL = NctId("NCT03389919")
OTHER = NctId("NCT01203436")
LOAD = datetime(2026, 3, 13, 9, 0, 5, tzinfo=UTC)
FETCHED = datetime(2026, 3, 13, 15, 2, 11, 123456, tzinfo=UTC)
STATUS = "protocolSection.statusModule.overallStatus"

HOSTILE = [
    "",
    "\0",
    "a\0b",
    "\x10",
    "\x100000",
    "\ud800",
    "\udfff\ud800",
    "\U0001f9ea",
    "Ångström Å",
    "'; DROP TABLE trials; --",
    "%(x)s :x ? {x} \\x00 \\u0000",
    "line\nline\r\n\x1b[31m\x85\u2028\u202e",
    "x" * 100_000,
]


def record(number: int, nct_id: NctId = TRIAL, *, size: int = 200) -> Record:
    """Make a record. Records with successive numbers differ in one value."""
    sites = [{"facility": hashlib.md5(f"{nct_id}{n}".encode()).hexdigest()} for n in range(size)]
    return record_of({"nctId": nct_id, "sites": sites, "value": number}, nct_id)


def record_of(body: dict[str, Any], nct_id: NctId = TRIAL) -> Record:
    canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return Record(nct_id, body, canonical, f"1:{hashlib.sha256(canonical).hexdigest()}")


def event(path: str = STATUS, **more: Any) -> Event:
    values: dict[str, Any] = {
        "kind": Kind.STATUS,
        "category": Category.STATUS,
        "level": Level.CRITICAL,
        "rule": "R-STA-01",
        "label": "Overall status",
        "summary": "RECRUITING -> SUSPENDED",
        "before": "RECRUITING",
        "after": "SUSPENDED",
    }
    return Event(path=path, **values | more)


def add(unit: Unit, number: int, after: int | None, nct_id: NctId = TRIAL, **more: Any) -> int:
    """Add version `number` of a trial, and return its snapshot id."""
    values: dict[str, Any] = {
        "record": record(number, nct_id),
        "key": KeyFields(status="RECRUITING", enrollment=number),
        "state": State.PRESENT,
        "source": Source.LIVE,
        "posted": None,
        "submitted": None,
        "observed": LOAD + timedelta(days=number),
        "fetched": FETCHED + timedelta(days=number),
        "run_id": None,
    }
    snapshot_id, _ = unit.versions.add(nct_id, after=after, **values | more)
    return snapshot_id


def add_events(
    unit: Unit, after: int | None, snapshot: int, *events: Event, nct_id: NctId = TRIAL, **more: Any
) -> list[int]:
    values: dict[str, Any] = {
        "run_id": None,
        "posted": "2026-03-13",
        "observed": LOAD,
        "fetched": FETCHED,
    }
    return unit.events.add(
        nct_id,
        from_snapshot=after,
        to_snapshot=snapshot,
        events=events or (event(),),
        **values | more,
    )


def keep(unit: Unit, number: int, after: int | None, nct_id: NctId = TRIAL) -> int:
    """Store a changed trial as a sync does: its version, events and deliveries."""
    snapshot = add(unit, number, after, nct_id)
    step = (event(), event("protocolSection.designModule.enrollmentInfo.count"))
    ids = add_events(unit, after, snapshot, *step, nct_id=nct_id)
    unit.outbox.enqueue([delivery(event_id) for event_id in ids])
    return snapshot


def delivery(event_id: int, recipient: str = "log", **more: Any) -> NewDelivery:
    values: dict[str, Any] = {
        "channel": "log",
        "not_before": FETCHED,
        "dedup_key": f"{event_id}:{recipient}",
    }
    return NewDelivery(event_id=event_id, recipient=recipient, **values | more)


def fill(store: Store, versions: int = 3, nct_id: NctId = TRIAL) -> list[int]:
    """Store this many versions of a trial with their events, and return the snapshot ids."""
    snapshots: list[int] = []
    with store.unit() as unit:
        for number in range(versions):
            snapshots.append(keep(unit, number, snapshots[-1] if snapshots else None, nct_id))
    return snapshots


def engine_of(store: Store) -> Engine:
    """Return the engine of a store, to listen to its statements."""
    with store.view() as connection:
        return connection.engine
