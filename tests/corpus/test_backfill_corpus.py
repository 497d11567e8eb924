"""Backfilling real version indexes gives the same numbers, dates and statuses."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from ctsync.model import JsonObject, NctId
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import RegistryHistory
from ctsync.store.admin.check import check
from ctsync.store.store import Store, open_store
from ctsync.sync.history.backfill import Backfill
from ctsync.sync.history.rederive_events import rederive_events
from tests.conftest import StillClock
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

BODY = "int-NCT05254002-history-true.json"
INDEXES = [
    "history-index_NCT03690141_recorded-2023-07-28.json",
    *(
        pytest.param(f"int-{nct_id}-history-true.json", marks=pytest.mark.soak)
        for nct_id in ("NCT02540993", "NCT02545049", "NCT05254002")
    ),
]


def changes_of(recorded: JsonObject) -> list[JsonObject]:
    listed: list[JsonObject] = recorded["history"]["changes"]
    return listed


def reconstructed(body: JsonObject, nct_id: str, index: list[JsonObject]) -> list[JsonObject]:
    """Reconstruct the history of an index, with the real HTML body of another trial."""
    versions = []
    for entry in index:
        study = copy.deepcopy(body)
        protocol = study["protocolSection"]
        protocol["identificationModule"]["nctId"] = nct_id
        protocol["statusModule"] |= {
            "overallStatus": entry["status"],
            "lastUpdateSubmitDate": entry["date"],
            "lastUpdatePostDateStruct": {"date": entry["date"], "type": "ESTIMATED"},
        }
        versions.append(study)
    return versions


@pytest.fixture
def store(migrated_sqlite_url: str) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=StillClock()) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("name", INDEXES)
def test_a_backfill_reproduces_a_real_index_and_a_second_adds_nothing(
    store: Store, migrated_sqlite_url: str, corpus: Path, name: str
) -> None:
    body = orjson.loads((corpus / "history" / BODY).read_bytes())["study"]
    index = changes_of(orjson.loads((corpus / "history" / name).read_bytes()))
    nct_id = NctId(next(part for part in name.replace("_", "-").split("-") if part[:3] == "NCT"))
    catalogue = Catalogue("2026-02-02")
    catalogue.set_history(nct_id, reconstructed(body, nct_id, index), entries=index)
    clock = StillClock()
    with ReplayRegistry(catalogue) as replay:
        transport = Transport(replay.url, clock=clock, requests_per_second=1e6)
        history = RegistryHistory(transport)
        first = Backfill(store=store, history=history, clock=clock).run([nct_id])
        stored = [
            (v.registry_version, v.submitted, v.key.status) for v in store.versions.of(nct_id)
        ]
        rows, events = store.counts(), store.events.find()
        again = Backfill(store=store, history=history, clock=clock).run([nct_id])
        history.close()
        transport.close()
    assert stored == [(e["version"], e["date"], e["status"]) for e in index]
    assert first.trials[0].stored == len(index)
    added = {table: n - rows[table] for table, n in store.counts().items() if n != rows[table]}
    assert (added, store.events.find()) == ({"runs": 1}, events)
    assert again.trials[0].stored == 0
    assert list(rederive_events(store, Thresholds())) == []
    assert check(migrated_sqlite_url) == []
    print(f"{nct_id}: {len(index)} versions, {len(events)} events; again: 0 rows, 0 events")
