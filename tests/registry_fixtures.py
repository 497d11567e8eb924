"""Fixtures for a sync over real HTTP: a replay registry on localhost and the real client."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.dates import Clock
from ctsync.errors import Stopped
from ctsync.model import JsonObject, NctId
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.store.store import Store
from ctsync.sync.result import RunCallbacks
from ctsync.sync.trial_pass import TrialPass
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry


def make_study(nct_id: str, **changes: Any) -> JsonObject:
    """Make a small study; `changes` replace fields of its status module, or complete modules."""
    status: JsonObject = {
        "statusVerifiedDate": "2026-01",
        "overallStatus": "RECRUITING",
        "startDateStruct": {"date": "2025-06", "type": "ACTUAL"},
        "primaryCompletionDateStruct": {"date": "2027-06", "type": "ESTIMATED"},
        "completionDateStruct": {"date": "2027-12", "type": "ESTIMATED"},
        "studyFirstSubmitDate": "2025-05-01",
        "studyFirstPostDateStruct": {"date": "2025-05-06", "type": "ACTUAL"},
        "lastUpdateSubmitDate": "2026-01-10",
        "lastUpdatePostDateStruct": {"date": "2026-01-13", "type": "ACTUAL"},
    }
    protocol: JsonObject = {
        "identificationModule": {
            "nctId": nct_id,
            "orgStudyIdInfo": {"id": f"ORG-{nct_id[-3:]}"},
            "briefTitle": f"A trial called {nct_id}",
        },
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": "A sponsor", "class": "OTHER"}},
        "designModule": {
            "studyType": "INTERVENTIONAL",
            "phases": ["PHASE2"],
            "enrollmentInfo": {"count": 100, "type": "ESTIMATED"},
        },
        "statusModule": status | {k: v for k, v in changes.items() if not k.endswith("Module")},
    }
    protocol |= {k: v for k, v in changes.items() if k.endswith("Module")}
    return {
        "protocolSection": protocol,
        "derivedSection": {"miscInfoModule": {}},
        "hasResults": False,
    }


def an_id(number: int) -> NctId:
    """Return the NCT id with this number."""
    return NctId(f"NCT{number:08d}")


def publish(replay: ReplayRegistry, *ids: str, **changes: Any) -> None:
    """Publish a small study for each id, on the current load; `changes` as in `make_study`."""
    for nct_id in ids:
        replay.catalogue.publish(make_study(nct_id, **changes))


def archive_of(replay: ReplayRegistry, file: Path, *, without: int = 0) -> Path:
    """Write a bulk archive of all studies but the last `without`; return `file`."""
    view = replay.catalogue.view()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for nct_id in sorted(view.ids)[: len(list(view.ids)) - without]:
            archive.writestr(f"{nct_id[-2:]}/{nct_id}.json", orjson.dumps(view.study(nct_id)))
    return file


def stop_after(checks: int) -> RunCallbacks:
    """Return callbacks that stop a run at the check after this many."""
    left = [checks]

    def check() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped("told to stop")

    return RunCallbacks(check=check)


@pytest.fixture
def replay() -> Iterator[ReplayRegistry]:
    """A registry without studies that shows the load of 2026-02-02."""
    with ReplayRegistry(Catalogue("2026-02-02")) as registry:
        yield registry


@pytest.fixture
def make_sync(
    store: Store, clock: Clock, replay: ReplayRegistry
) -> Iterator[Callable[..., TrialPass]]:
    """Return a function that makes a sync between the replay registry and the store."""
    opened: list[Transport] = []

    def make(**changes: Any) -> TrialPass:
        transport = Transport(replay.url, clock=clock, requests_per_second=1000)
        opened.append(transport)
        registry = RegistryApi(transport, clock=clock)
        return TrialPass(store=store, registry=registry, clock=clock, **changes)

    yield make
    for transport in opened:
        transport.close()
