"""Syncs of 600 real trials on 25 real load days, over real HTTP into a real database."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ctsync.model import Kind
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.store.store import open_store
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.corpus.conftest import RESULTS
from tests.corpus.load_days import SyncedDays
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

REAL_CHANGES = 31
LATER_LOADS = 5


@dataclass(frozen=True)
class Truth:
    """One real change, found by a plain comparison of the bodies."""

    nct_id: str
    load: str
    status: tuple[str, str]
    enrollment: tuple[str, str]
    primary_completion: tuple[str, str]


def read_truth(corpus: Path) -> list[Truth]:
    rows = (line.split("\t") for line in (corpus / "days/_truth.tsv").read_text().splitlines())
    return [
        Truth(nct, day, (status, status2), (count, count2), (done, done2))
        for nct, _, day, status, status2, count, count2, done, done2, *_ in rows
    ]


@pytest.fixture(scope="module")
def replayed(followed_days: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncedDays]:
    """A copy of the database of all days, and what each sync of it returned."""
    url = f"sqlite:///{shutil.copy(followed_days, tmp_path_factory.mktemp('days'))}"
    results, requests = pickle.loads((followed_days.parent / RESULTS).read_bytes())
    with open_store(url, clock=StillClock()) as store:
        yield SyncedDays(store, results, requests)


def test_each_real_change_is_stored_once_and_nothing_else(
    corpus: Path, replayed: SyncedDays
) -> None:
    truth = read_truth(corpus)
    assert len(truth) == REAL_CHANGES
    stored = [
        (version.nct_id, f"{version.observed:%Y-%m-%d}")
        for nct_id in replayed.store.trials.stored_ids()
        for version in replayed.store.versions.of(nct_id)[1:]
    ]
    print(f"days: {len(truth)} real changes, {len(stored)} stored, 600 trials, 25 loads")
    assert sorted(stored) == sorted((change.nct_id, change.load) for change in truth)


def test_events_occur_only_on_days_with_a_real_change(corpus: Path, replayed: SyncedDays) -> None:
    changed = {(change.nct_id, change.load) for change in read_truth(corpus)}
    # flags also change because time passes: test_flag_event_days.py
    others = {Kind.FIRST_SEEN, Kind.REGISTERED, Kind.FLAG}
    found = {
        (stored.nct_id, f"{stored.observed:%Y-%m-%d}")
        for result in replayed.results
        for stored in result.events
        if stored.event.kind not in others
    }
    assert found == changed


def test_status_enrollment_and_primary_completion_events_match_the_truth(
    corpus: Path, replayed: SyncedDays
) -> None:
    module = "protocolSection.statusModule"
    paths = {
        f"{module}.overallStatus": lambda c: c.status,
        "protocolSection.designModule.enrollmentInfo.count": lambda c: c.enrollment,
        f"{module}.primaryCompletionDateStruct.date": lambda c: c.primary_completion,
    }
    expected = {
        (change.nct_id, change.load, path, *(value.split("/")[0] for value in values(change)))
        for change in read_truth(corpus)
        for path, values in paths.items()
        if len({value.split("/")[0] for value in values(change)}) == 2
    }
    found = {
        (s.nct_id, f"{s.observed:%Y-%m-%d}", s.event.path, str(s.event.before), str(s.event.after))
        for result in replayed.results
        for s in result.events
        if s.event.path in paths and s.event.kind is not Kind.FIRST_SEEN
    }
    assert len(expected) >= 9
    assert found == expected


def test_an_unchanged_day_of_600_trials_takes_at_most_four_requests(replayed: SyncedDays) -> None:
    quiet = [
        requests
        for result, requests in zip(replayed.results, replayed.requests, strict=True)
        if result.tally.changed == result.tally.new == result.tally.failed == 0
    ]
    print(f"requests on {len(quiet)} unchanged days: {sorted(set(quiet))}")
    assert len(quiet) == 8
    assert max(quiet) <= 4


def test_events_derived_again_from_the_days_equal_those_stored(replayed: SyncedDays) -> None:
    differing = list(rederive_events(replayed.store, Thresholds()))
    counts = replayed.store.counts()
    print(
        f"rebuild, days: {counts['trials']} trials, {counts['snapshots']} versions, "
        f"{counts['events']} events, {len(differing)} trials differ"
    )
    assert counts["events"] > counts["trials"]
    assert differing == []
    assert [notice for result in replayed.results for notice in result.notices] == []


def test_later_loads_with_unchanged_bodies_store_no_row(corpus: Path, replayed: SyncedDays) -> None:
    """An older load is refused, so the newest bodies are served again with later load dates."""
    before = replayed.store.counts()
    catalogue = Catalogue.from_folder(corpus / "days")
    catalogue.set_load(catalogue.loads[-1])
    clock = StillClock()
    with ReplayRegistry(catalogue) as registry:
        for _ in range(LATER_LOADS):
            transport = Transport(registry.url, clock=clock, requests_per_second=1000)
            api = RegistryApi(transport, clock=clock, accept_load=True)
            result = TrialPass(store=replayed.store, registry=api, clock=clock).run(
                replayed.store.trials.stored_ids()
            )
            assert (result.tally.same, result.events) == (600, ())
            catalogue.advance()
            transport.close()
    after = replayed.store.counts()
    assert {t: after[t] for t in after if t != "runs"} == {
        t: before[t] for t in before if t != "runs"
    }
