"""Real trials synced on some load days, with their history fetched at any time in between.

The bodies are real. The history is reconstructed from them: one version per submission, its texts
rewritten as HTML by the tests' own renderer. In any order of syncs and backfills, no stored step
is only a rewriting from HTML to Markdown.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from ctsync.model import JsonObject, NctId, Source, Verdict
from ctsync.questions.trial.stored_records import pair_of
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import RegistryHistory
from ctsync.store.admin.check import check
from ctsync.store.store import Store, open_store
from ctsync.sync.history.backfill import Backfill
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.corpus.test_normalize_corpus import ESCAPED, leaves
from tests.record.registry_html import as_html
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

FIRST_LOAD = "2026-02-04"


def submitted(body: JsonObject) -> str:
    found: str = body["protocolSection"]["statusModule"]["lastUpdateSubmitDate"]
    return found


def posted(body: JsonObject) -> str:
    found: str = body["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"]["date"]
    return found


@pytest.fixture(scope="module")
def bodies_by_trial(corpus: Path) -> dict[NctId, list[JsonObject]]:
    """Read the bodies of each trial that existed at FIRST_LOAD and changed later, oldest first."""
    found = {}
    for folder in sorted((corpus / "days").glob("NCT*")):
        paths = sorted(folder.iterdir())
        if len(paths) > 1 and paths[0].stem <= FIRST_LOAD:
            found[NctId(folder.name)] = [orjson.loads(path.read_bytes()) for path in paths]
    return found


@pytest.fixture(scope="module")
def histories(bodies_by_trial: dict[NctId, list[JsonObject]]) -> dict[NctId, list[JsonObject]]:
    markdown = frozenset(
        path
        for bodies in bodies_by_trial.values()
        for body in bodies
        for path, _, text in leaves(body)
        if isinstance(text, str) and ESCAPED.search(text)
    )
    return {nct_id: list(versions(bodies, markdown)) for nct_id, bodies in bodies_by_trial.items()}


def versions(bodies: list[JsonObject], markdown: frozenset[str]) -> Iterator[JsonObject]:
    """Yield one version per submission; the registry's own changes make no version."""
    known: set[str] = set()
    for body in bodies:
        if submitted(body) not in known:
            known.add(submitted(body))
            yield as_html({k: v for k, v in body.items() if k != "derivedSection"}, markdown)


class Following:
    """A replay registry, and the store that follows its trials."""

    def __init__(self, store: Store, replay: ReplayRegistry, ids: list[NctId]) -> None:
        self.store, self.replay, self.ids, self.clock = store, replay, ids, StillClock()

    def sync(self) -> None:
        transport = Transport(self.replay.url, clock=self.clock, requests_per_second=1e6)
        api = RegistryApi(transport, clock=self.clock, accept_load=True)
        result = TrialPass(store=self.store, registry=api, clock=self.clock).run(self.ids)
        assert result.verdict is Verdict.OK
        transport.close()

    def backfill(self, histories: dict[NctId, list[JsonObject]], load: str) -> int:
        """Fetch the registry history as of a load, and return how many versions were stored."""
        known = {
            nct_id: [one for one in history_of_trial if posted(one) <= load]
            for nct_id, history_of_trial in histories.items()
        }
        ids = [nct_id for nct_id, history_of_trial in known.items() if history_of_trial]
        for nct_id in ids:
            self.replay.catalogue.set_history(nct_id, known[nct_id])
        transport = Transport(self.replay.url, clock=self.clock, requests_per_second=1e6)
        history = RegistryHistory(transport)
        result = Backfill(store=self.store, history=history, clock=self.clock).run(ids)
        assert result.verdict is Verdict.OK, [one for one in result.trials if one.error]
        history.close()
        transport.close()
        return sum(one.stored for one in result.trials)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 30))]
)
def test_live_versions_and_history_form_one_sequence_without_empty_steps(
    corpus: Path,
    tmp_path: Path,
    migrated_file: Path,
    bodies_by_trial: dict[NctId, list[JsonObject]],
    histories: dict[NctId, list[JsonObject]],
    seed: int,
) -> None:
    chance = random.Random(seed)
    loads = [d for d in (corpus / "days/_days.txt").read_text().split() if d >= FIRST_LOAD]
    seen, asked = (set(chance.sample(loads, chance.randint(0, 4))) for _ in range(2))
    folder = tmp_path / "days"
    folder.mkdir()
    for name in (*bodies_by_trial, "_days.txt"):
        (folder / name).symlink_to(corpus / "days" / name)
    url = f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'ctsync.db')}"
    with (
        open_store(url, clock=StillClock()) as store,
        ReplayRegistry(Catalogue.from_folder(folder)) as replay,
    ):
        following = Following(store, replay, list(bodies_by_trial))
        for load in loads:
            replay.load = load
            todo = ["sync"] * (load in seen) + ["backfill"] * (load in asked)
            for action in chance.sample(todo, len(todo)):
                if action == "sync":
                    following.sync()
                else:
                    following.backfill(histories, load)
        following.sync()
        following.backfill(histories, loads[-1])
        sources: Counter[Source] = Counter()
        for nct_id, history_of_trial in histories.items():
            kept = store.versions.of(nct_id)
            numbers = [v.registry_version for v in kept if v.registry_version is not None]
            assert numbers == list(range(len(history_of_trial))), nct_id
            assert [v.key.submitted for v in kept if v.registry_version is not None] == [
                submitted(one) for one in history_of_trial
            ]
            for one, other in pairwise(kept):
                before, after = pair_of(store, one, other)
                assert before.canonical != after.canonical, (nct_id, one.version, other.version)
            sources.update(version.source for version in kept)
        assert [one.differences for one in rederive_events(store, Thresholds())] == []
        assert check(url) == []
        counts = store.counts()
        assert following.backfill(histories, loads[-1]) == 0
        assert {k: v - counts[k] for k, v in store.counts().items() if v != counts[k]} == {
            "runs": 1
        }
        print(
            f"\nseed {seed}: {len(bodies_by_trial)} trials, versions {dict(sources)}, no empty step"
        )
