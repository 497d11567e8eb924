"""`ctsync.fetch()`: one trial from the registry, at the pace that all calls share."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import time_machine

import ctsync
from ctsync.model import JsonObject
from tests.docs.conftest import in_history
from tests.registry_fixtures import make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

SEED = "NCT03389919"
UNKNOWN = "NCT99999999"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A registry with a trial and its history, as the settings of the environment name it."""
    catalogue = Catalogue("2026-02-02")
    older, newer = made("RECRUITING"), made("COMPLETED")
    catalogue.publish(newer)
    catalogue.set_history(SEED, [in_history(older), in_history(newer)])
    catalogue.publish(make_study("NCT05935098"))
    monkeypatch.delenv("CTSYNC_CONFIG", raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with (
        ReplayRegistry(catalogue) as replay,
        time_machine.travel("2026-02-02T16:00:00Z", tick=True),
    ):
        monkeypatch.setenv("CTSYNC_REGISTRY_URL", replay.url)
        monkeypatch.setenv("CTSYNC_REGISTRY__REQUESTS_PER_SECOND", "10")
        monkeypatch.setenv("CTSYNC_REGISTRY__BURST", "20")
        monkeypatch.setenv("CTSYNC_REGISTRY__RETRY_SECONDS", "0")
        yield replay


def made(status: str) -> JsonObject:
    return make_study(
        SEED,
        overallStatus=status,
        descriptionModule={"briefSummary": "It is new.\n\nAnd long."},
    )


def test_a_trial_is_fetched_without_a_database(registry: ReplayRegistry, tmp_path: Path) -> None:
    trial = ctsync.fetch("nct03389919")

    assert repr(trial) == "<ctsync.FetchedTrial NCT03389919>"
    record = trial.record
    assert record.value("overall status") == "COMPLETED"
    assert record["protocolSection"]["identificationModule"]["nctId"] == SEED
    assert (record.nct_id, record.version, record.posted) == (SEED, None, "2026-01-13")
    assert "protocolSection" not in repr(record)
    assert len(registry.requests) == 2
    agents = {request.headers["user-agent"] for request in registry.requests}
    assert ["ctsync/" in agent for agent in agents] == [True]
    assert list(tmp_path.iterdir()) == []


def test_the_versions_of_the_registry_history_are_listed_in_one_request(
    registry: ReplayRegistry,
) -> None:
    trial = ctsync.fetch(f"https://clinicaltrials.gov/study/{SEED}")
    registry.forget_requests()

    versions = trial.versions()

    assert len(registry.requests) == 1
    assert [(row.registry_version, row.status) for row in versions] == [
        (0, "RECRUITING"),
        (1, "COMPLETED"),
    ]
    assert versions[1].url == f"https://clinicaltrials.gov/study/{SEED}?tab=history&a=2"
    assert versions.arrow().num_rows == 2


def test_a_version_is_fetched_with_its_texts_as_markdown(registry: ReplayRegistry) -> None:
    trial = ctsync.fetch(SEED)

    first = trial.version(0)

    assert (first.registry_version, first.value("overall status")) == (0, "RECRUITING")
    assert first.value("brief summary") == trial.record.value("brief summary")


def test_a_trial_that_the_registry_lacks_is_an_error(registry: ReplayRegistry) -> None:
    with pytest.raises(ctsync.UnknownTrial, match="the registry has no trial NCT99999999"):
        ctsync.fetch(UNKNOWN)
    with pytest.raises(ctsync.UsageError, match="NCT1"):
        ctsync.fetch("NCT1")
    with pytest.raises(ctsync.UnknownVersion, match="has no versions of NCT05935098"):
        ctsync.fetch("NCT05935098").versions()


def test_an_unreachable_registry_is_an_error(
    registry: ReplayRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTSYNC_REGISTRY_URL", "http://127.0.0.1:9")
    with pytest.raises(ctsync.RegistryError):
        ctsync.fetch(SEED)


@pytest.mark.slow
def test_calls_in_a_loop_share_one_rate_limit(
    registry: ReplayRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call would begin with a burst of its own otherwise: 8 requests at once."""
    monkeypatch.setenv("CTSYNC_REGISTRY__REQUESTS_PER_SECOND", "5")
    monkeypatch.setenv("CTSYNC_REGISTRY__BURST", "2")
    began = time.monotonic()
    for _ in range(4):
        ctsync.fetch(SEED)
    seconds = time.monotonic() - began
    print(f"fetch: {len(registry.requests)} requests in {seconds:.1f} s")
    assert seconds > (len(registry.requests) - 2) / 5 * 0.9
