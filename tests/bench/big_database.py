"""Generates a database of the size of a team's in a minute, by inserting rows directly."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from ctsync.model import Category, JsonObject, Kind, Level
from ctsync.store.bodies import codec
from ctsync.store.data.events import path_key
from ctsync.store.data.versions import POSITION_STEP
from ctsync.store.store import open_store
from tests.fakes import FakeClock
from tests.registry_fixtures import an_id

VERSIONS = 5
YEARS = 5
WATCHED = "all of them"
_STEPS = (
    (Kind.STATUS, Category.STATUS, Level.NOTABLE, "protocolSection.statusModule.overallStatus"),
    (
        Kind.CONTACT,
        Category.CONTACTS,
        Level.ADMINISTRATIVE,
        "protocolSection.contactsLocationsModule",
    ),
    (
        Kind.ENROLLMENT,
        Category.ENROLLMENT,
        Level.ROUTINE,
        "protocolSection.designModule.enrollmentInfo.count",
    ),
)
_KEYS = [path_key(path) for *_, path in _STEPS]
_STATUSES = ("NOT_YET_RECRUITING", "RECRUITING", "ACTIVE_NOT_RECRUITING", "COMPLETED", "UNKNOWN")


def make_database(
    file: Path,
    trials: int,
    *,
    now: datetime,
    versions: int = VERSIONS,
    years: int = YEARS,
    study: JsonObject | None = None,
) -> None:
    """Fill a new SQLite file: each trial has its versions spread over the years before `now`.

    Every trial is followed. Each step has three events, each delivered to the log channel. Bodies
    are packed as ctsync packs them; they are small, or copies of `study` with another id, status
    and enrollment.
    """
    open_store(f"sqlite:///{file}", clock=FakeClock(now)).close()
    connection = sqlite3.connect(file)
    for pragma in ("synchronous = OFF", "foreign_keys = OFF", "cache_size = -200000"):
        connection.execute(f"PRAGMA {pragma}")
    with connection:
        _insert(connection, "runs", _runs(now))
        _insert(connection, "trials", _trials(trials, now, versions))
        digests: list[bytes] = []
        _insert(connection, "bodies", _bodies(trials, versions, study, digests))
        spread = _Spread(trials, versions, years, now)
        _insert(connection, "snapshots", _snapshots(spread, digests))
        _insert(connection, "events", _events(spread))
        _insert(connection, "deliveries", _deliveries(trials, now, versions))
        _insert(connection, "watches", [_watch(now)])
        _insert(connection, "watched_trials", _watched(trials, now))
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, rows: Any) -> None:
    rows = iter(rows)
    while batch := list(islice(rows, 20_000)):
        names = ", ".join(batch[0])
        marks = ", ".join("?" * len(batch[0]))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        connection.executemany(statement, [tuple(row.values()) for row in batch])


@dataclass(frozen=True, slots=True)
class _Spread:
    """Spreads the versions of the trials evenly over the years before `now`."""

    trials: int
    versions: int
    years: int
    now: datetime

    def when(self, trial: int, version: int) -> datetime:
        """Return when a version was observed."""
        if version == 0:
            return self.now - timedelta(days=365 * self.years + 1)
        steps = self.versions - 1
        place = (trial * 7919 + (version - 1) * self.trials) % (self.trials * steps)
        share = place / (self.trials * steps)
        # one version per equal part of the years, so that a trial's versions are in order
        part = (version - 1 + share % (1 / steps) * steps) / steps
        return self.now - timedelta(days=365 * self.years) * (1 - part) - timedelta(hours=1)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _body(trial: int, version: int, study: JsonObject | None) -> bytes:
    status = _STATUSES[min(version, 4)]
    if study is not None:
        protocol = study["protocolSection"]
        identification = protocol["identificationModule"]
        design = protocol["designModule"]
        edited = protocol | {
            "identificationModule": identification | {"nctId": an_id(trial)},
            "statusModule": protocol["statusModule"] | {"overallStatus": status},
            "designModule": design | {
                "enrollmentInfo": {"count": 100 + version, "type": "ESTIMATED"}
            },
        }  # fmt: skip
        body = {**study, "protocolSection": edited}
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return orjson.dumps(
        {
            "protocolSection": {
                "identificationModule": {"nctId": an_id(trial), "briefTitle": f"Trial {trial}"},
                "statusModule": {"overallStatus": status, "version": version},
                "designModule": {"enrollmentInfo": {"count": 100 + version, "type": "ESTIMATED"}},
            }
        },
        option=orjson.OPT_SORT_KEYS,
    )


def _digest(body: bytes) -> bytes:
    return b"\1" + hashlib.sha256(body).digest()


def _bodies(
    trials: int, versions: int, study: JsonObject | None, digests: list[bytes]
) -> Iterator[dict[str, Any]]:
    for trial in range(trials):
        earlier: list[bytes] = []
        for version in range(versions):
            raw = _body(trial, version, study)
            base = earlier[codec.base_depth(version)] if earlier else None
            digests.append(_digest(raw))
            yield {
                "digest": digests[-1],
                "raw_size": len(raw),
                "encoding": "keyframe" if base is None else "delta",
                "base_digest": None if base is None else _digest(base),
                "depth": version,
                "data": codec.pack(raw, base),
            }
            earlier.append(raw)


def _trials(trials: int, now: datetime, versions: int) -> Iterator[dict[str, Any]]:
    for trial in range(trials):
        yield {
            "nct_id": an_id(trial),
            "head_snapshot_id": (trial + 1) * versions,
            "state": "present",
            "last_seen_run_id": 1000,
            "last_seen_load": _stamp(now - timedelta(hours=2)),
        }


def _runs(now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(1000):
        started = now - timedelta(days=999 - number, hours=1)
        load = _stamp(started - timedelta(hours=1))
        yield {
            "id": number + 1,
            "kind": "sync",
            "started": _stamp(started),
            "finished": _stamp(started + timedelta(minutes=9)),
            "load_before": load,
            "load_after": load,
            "verdict": "ok",
            "notices": "[]",
        }


def _snapshots(spread: _Spread, digests: list[bytes]) -> Iterator[dict[str, Any]]:
    for trial in range(spread.trials):
        for version in range(spread.versions):
            seen = spread.when(trial, version)
            number = trial * spread.versions + version
            yield {
                "id": number + 1,
                "nct_id": an_id(trial),
                "position": (version + 1) * POSITION_STEP,
                "state": "present",
                "digest": digests[number],
                "source": "live",
                "posted": f"{seen:%Y-%m-%d}",
                "observed": _stamp(seen),
                "fetched": _stamp(seen),
                "run_id": 1000,
                "status": _STATUSES[min(version, 4)],
                "start_date": "2021-06",
                "start_date_type": "ACTUAL",
                "primary_completion_date": f"202{6 + version % 3}-06-30",
                "primary_completion_date_type": "ESTIMATED",
                "enrollment": 100 + version,
                "enrollment_type": "ESTIMATED",
                "brief_title": f"Trial {trial} of a drug of a long name in patients who have it",
                "lead_sponsor": "A sponsor",
                "first_posted": "2021-05-01",
                "last_update_posted": f"{seen:%Y-%m-%d}",
                "has_results": 0,
            }


def _events(spread: _Spread) -> Iterator[dict[str, Any]]:
    number, versions = 0, spread.versions
    for trial in range(spread.trials):
        for version in range(1, versions):
            seen = _stamp(spread.when(trial, version))
            before, after = (_STATUSES[min(one, 4)] for one in (version - 1, version))
            for (kind, category, level, path), key in zip(_STEPS, _KEYS, strict=True):
                number += 1
                yield {
                    "id": number,
                    "nct_id": an_id(trial),
                    "from_snapshot_id": trial * versions + version,
                    "to_snapshot_id": trial * versions + version + 1,
                    "path": path,
                    "path_key": key,
                    "kind": kind,
                    "category": category,
                    "level": level,
                    "rule": "R-STA-06",
                    "label": "Overall Status",
                    "summary": f"{before} -> {after}",
                    "before": f'"{before}"',
                    "after": f'"{after}"',
                    "inputs": "{}",
                    "posted": seen[:10],
                    "observed": seen,
                    "fetched": seen,
                    "happened": seen,
                    "run_id": 1000,
                }


def _deliveries(trials: int, now: datetime, versions: int) -> Iterator[dict[str, Any]]:
    stamp = _stamp(now - timedelta(days=1))
    for number in range(1, trials * (versions - 1) * len(_STEPS) + 1):
        yield {
            "id": number,
            "event_id": number,
            "channel": "log",
            "recipient": "log",
            "dedup_key": f"{number}:log",
            "state": "sent",
            "created": stamp,
            "not_before": stamp,
            "attempts": 1,
            "sent_at": stamp,
        }


def _watch(now: datetime) -> dict[str, Any]:
    return {"id": 1, "name": WATCHED, "origin": "cli", "created": _stamp(now), "rules": "{}"}


def _watched(trials: int, now: datetime) -> Iterator[dict[str, Any]]:
    for trial in range(trials):
        yield {"watch_id": 1, "nct_id": an_id(trial), "since": _stamp(now)}
