"""Syncs of the 600 real trials on each of the 25 load days."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ctsync.model import NctId
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.store.store import Store
from ctsync.sync.result import SyncResult
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry


@dataclass
class SyncedDays:
    """The store, and the results and request counts of each load day."""

    store: Store
    results: list[SyncResult]
    requests: list[int]


def trials_of(corpus: Path) -> list[NctId]:
    return [NctId(folder.name) for folder in sorted((corpus / "days").glob("NCT*"))]


def sync_all_days(corpus: Path, store: Store, clock: StillClock) -> SyncedDays:
    """Sync all trials on each load day. Takes half a minute: a test that can shares the result."""
    catalogue = Catalogue.from_folder(corpus / "days")
    days = (corpus / "days/_days.txt").read_text().split()
    ids = trials_of(corpus)
    synced = SyncedDays(store, [], [])
    with ReplayRegistry(catalogue) as registry:
        for day in days:
            registry.load = day
            registry.forget_requests()
            transport = Transport(registry.url, clock=clock, requests_per_second=1000)
            api = RegistryApi(transport, clock=clock, accept_load=True)
            synced.results.append(TrialPass(store=store, registry=api, clock=clock).run(ids))
            synced.requests.append(len(registry.requests))
            transport.close()
    return synced
