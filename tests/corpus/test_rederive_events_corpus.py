"""Real records: events derived again equal the stored ones, and schema drift is reported."""

from __future__ import annotations

from pathlib import Path

from ctsync.model import NctId
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.store.store import Store, open_store
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.result import SyncResult
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry


def follow(folder: Path, store: Store, clock: StillClock) -> list[SyncResult]:
    """Sync all trials of a folder of dated records on each of its loads."""
    catalogue = Catalogue.from_folder(folder)
    ids = [NctId(trial.name) for trial in sorted(folder.glob("NCT*"))]
    results = []
    with ReplayRegistry(catalogue) as registry:
        for load in catalogue.loads:
            registry.load = load
            transport = Transport(registry.url, clock=clock, requests_per_second=1000)
            api = RegistryApi(transport, clock=clock, accept_load=True)
            results.append(TrialPass(store=store, registry=api, clock=clock).run(ids))
            transport.close()
    return results


# a program that added its own fields published one of these trials
DRIFT = [
    "protocolSection.armsInterventionsModule.interventions.interventionMappedName",
    "protocolSection.contactsLocationsModule.locations_nested",
]


def test_events_derived_again_from_real_versions_equal_those_stored(
    corpus: Path, tmp_path: Path
) -> None:
    clock = StillClock()
    with open_store(f"sqlite:///{tmp_path / 'ctsync.db'}", clock=clock) as store:
        results = follow(corpus / "versions", store, clock)
        differing = list(rederive_events(store, Thresholds()))
        counts = store.counts()
    print(
        f"rebuild, versions: {counts['trials']} trials, {counts['snapshots']} versions, "
        f"{counts['events']} events, {len(differing)} trials differ"
    )
    assert counts["events"] > counts["trials"]
    assert differing == []
    drifted = [path for result in results for one in result.notices for path in one.parts]
    assert drifted == DRIFT
