"""State machine test: what a person asks for stays followed over mergers, reversals and returns.

The machine merges, splits, withdraws and returns trials, and asks for trials by the command line
and by the settings file. Its model holds what was asked for, and nothing else: the registry says
which trial has an asked id now. The store must follow that one and keep the asked id.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ctsync.errors import RegistryError
from ctsync.model import JsonObject, NctId
from ctsync.query import read_query
from ctsync.store.data.watches import Watch
from tests.installation import Installation
from tests.registry_fixtures import make_study
from tests.replay import faults

POOL = tuple(NctId(f"NCT0000020{number}") for number in range(4))
MINE, OTHERS, FILED, MATCHING = "mine", "others", "filed", "matching"
BY_HAND = (MINE, OTHERS)
LONGEST_QUARANTINE_SECONDS = 8 * 24 * 3600
one_id = st.sampled_from(POOL)
SPOILT = (
    faults.html_page(),
    faults.body(b'{"studies": []}'),
    faults.body(b"{}"),
    faults.status(503),
    faults.emptied(),
)


class MergerMachine(RuleBasedStateMachine):
    """One installation, a registry that merges and splits trials, and the asked ids by watch."""

    performed: ClassVar[Counter[str]] = Counter()
    new_url: Callable[[], str]

    @initialize(filed=st.sets(one_id))
    def begin(self, filed: set[NctId]) -> None:
        self.here = Installation(self.new_url(), watches={FILED: sorted(filed)} if filed else {})
        for nct_id in POOL:
            self.here.catalogue.publish(make_study(nct_id))
        self.asked: dict[str, set[NctId]] = {name: set() for name in BY_HAND}
        self.filed = filed
        self.heirs: dict[NctId, set[NctId]] = {nct_id: {nct_id} for nct_id in POOL}
        with self.here.store.unit() as unit:
            unit.watches.add(MATCHING, query=read_query({"overallStatus": "RECRUITING"}).params)
            for name in BY_HAND:
                unit.watches.add(name)
        self.count("example")

    def count(self, what: str) -> None:
        self.performed[what] += 1

    # --- the registry ---------------------------------------------------------------------------

    def canonical(self, nct_id: NctId) -> NctId | None:
        return self.here.catalogue.view().canonical(nct_id)

    def is_shown(self, nct_id: NctId) -> bool:
        return self.canonical(nct_id) == nct_id

    def merge(self, old: NctId, into: NctId) -> None:
        self.here.catalogue.merge(old, into=into)
        for nct_id in POOL:
            if (now := self.canonical(nct_id)) is not None:
                self.heirs[nct_id].add(now)

    def split(self, nct_id: NctId) -> None:
        heir = self.canonical(nct_id)
        assert heir is not None
        self.here.catalogue.edit(heir, partial(disown, nct_id))
        self.here.catalogue.publish(make_study(nct_id))

    @rule(old=one_id, into=one_id)
    def two_trials_are_merged(self, old: NctId, into: NctId) -> None:
        if old != into and self.is_shown(old) and self.is_shown(into):
            self.merge(old, into)
            self.count("merged")

    @rule(nct_id=one_id)
    def a_merger_ends(self, nct_id: NctId) -> None:
        if self.canonical(nct_id) not in {None, nct_id}:
            self.split(nct_id)
            self.count("split")

    @rule(nct_id=one_id)
    def a_merger_is_reversed(self, nct_id: NctId) -> None:
        heir = self.canonical(nct_id)
        if heir is not None and heir != nct_id:
            self.split(nct_id)
            self.merge(heir, into=nct_id)
            self.count("reversed")

    @rule(nct_id=one_id)
    def a_trial_is_withdrawn_or_published(self, nct_id: NctId) -> None:
        if self.is_shown(nct_id):
            self.here.catalogue.withdraw(nct_id)
            self.count("withdrawn")
        elif self.canonical(nct_id) is None:
            self.here.catalogue.publish(make_study(nct_id))
            self.count("published")

    @rule(nct_id=one_id, status=st.sampled_from(["RECRUITING", "COMPLETED"]))
    def a_trial_changes_its_status(self, nct_id: NctId, status: str) -> None:
        if self.is_shown(nct_id):
            path = "protocolSection.statusModule.overallStatus"
            self.here.catalogue.edit(nct_id, {path: status})

    # --- the person -----------------------------------------------------------------------------

    @rule(name=st.sampled_from(BY_HAND), nct_id=one_id)
    def ask(self, name: str, nct_id: NctId) -> None:
        with self.here.store.unit() as unit:
            unit.watches.add_trials(name, {nct_id: None}, self.here.clock.now())
        self.asked[name].add(nct_id)
        self.count("asked")

    @precondition(lambda self: any(self.asked.values()))
    @rule(name=st.sampled_from(BY_HAND), nct_id=one_id)
    def stop_asking(self, name: str, nct_id: NctId) -> None:
        """Remove a trial by the id that was asked for, or by the one that is followed for it."""
        merged = {one.trial.nct_id: one.into for one in self.watch(name).merged}
        with self.here.store.unit() as unit:
            unit.watches.remove_trials(name, [nct_id])
        gone = {nct_id, *(old for old, into in merged.items() if into == nct_id)}
        self.asked[name] -= gone
        assert gone.isdisjoint(members(self.watch(name)))
        self.count("stopped asking")

    @rule(filed=st.sets(one_id))
    def edit_the_settings_file(self, filed: set[NctId]) -> None:
        self.here.store.close()
        self.here.watches = {FILED: sorted(filed)} if filed else {}
        self.here.__post_init__()
        self.filed = filed

    # --- the program ----------------------------------------------------------------------------

    @rule()
    def sync(self) -> None:
        """Sync, and compare what is followed with what was asked for."""
        self.here.catalogue.advance()
        self.here.clock.sleep(LONGEST_QUARANTINE_SECONDS)
        result = self.here.round()
        assert result.sync.failed == ()
        self.asked[FILED] = set(self.filed)
        names = {watch.name for watch in self.here.store.watches.all()}
        requested = {*self.here.store.watched.ids(), *self.here.store.watched.moved_ids()}
        for name, asked in self.asked.items():
            followed = following(self.watch(name)) if name in names else set()
            for nct_id in asked:
                now = self.canonical(nct_id)
                assert now is None or now in followed, f"{nct_id} is {now} now, not followed"
                assert nct_id in requested, f"{nct_id} is not requested any more"
            if name == FILED:
                reasons = {heir for nct_id in asked for heir in self.heirs[nct_id]}
                assert followed <= reasons, f"{followed - reasons} followed without a reason"
        self.count("sync")

    @rule(fault=st.sampled_from(SPOILT), skip=st.integers(0, 2))
    def sync_with_a_bad_answer(self, fault: faults.Fault, skip: int) -> None:
        self.here.catalogue.advance()
        self.here.registry.faults.add(fault, path="/v2/studies.*", skip=skip, times=2)
        try:
            self.here.round()
        except RegistryError:
            self.count("failed sync")
        self.here.registry.faults.clear()
        self.asked[FILED] = self.asked.get(FILED, set()) & self.filed

    @invariant()
    def every_asked_id_is_kept(self) -> None:
        if not hasattr(self, "here"):
            return
        for watch in self.here.store.watches.all():
            lost = self.asked.get(watch.name, set()) - members(watch)
            assert not lost or watch.name == FILED, f"{lost} was asked for and is lost"

    def teardown(self) -> None:
        if not hasattr(self, "here"):
            return
        try:
            self.sync()
            assert self.here.problems() == []
        finally:
            self.here.store.close()

    def watch(self, name: str) -> Watch:
        (found,) = [watch for watch in self.here.store.watches.all() if watch.name == name]
        return found


def following(watch: Watch) -> set[NctId]:
    return {trial.nct_id for trial in watch.trials}


def members(watch: Watch) -> set[NctId]:
    """Return what a watch follows, and what it keeps as asked for."""
    return following(watch) | {one.trial.nct_id for one in watch.merged}


def disown(nct_id: NctId, study: JsonObject) -> None:
    study["protocolSection"]["identificationModule"]["nctIdAliases"].remove(nct_id)


def run_machine(new_url: Callable[[], str], *, examples: int, steps: int) -> None:
    """Run the machine and print what it did."""

    class Once(MergerMachine):
        performed: ClassVar[Counter[str]] = Counter()

    Once.new_url = staticmethod(new_url)
    run_state_machine_as_test(
        Once,
        settings=settings(
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
            max_examples=examples,
            stateful_step_count=steps,
        ),
    )
    done = Once.performed
    ran = done.pop("example")
    counts = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
    print(f"merger machine: {ran} examples, 0 asked ids lost, 0 not followed; {counts}")
    assert ran >= examples


@pytest.fixture
def new_url(migrated_file: Path, tmp_path: Path) -> Callable[[], str]:
    def new() -> str:
        for old in tmp_path.glob("ctsync.db*"):
            old.unlink()
        shutil.copy(migrated_file, tmp_path / "ctsync.db")
        return f"sqlite:///{tmp_path / 'ctsync.db'}"

    return new


@pytest.mark.slow
def test_what_was_asked_for_stays_followed_over_mergers(new_url: Callable[[], str]) -> None:
    run_machine(new_url, examples=3, steps=10)


@pytest.mark.slow
def test_what_was_asked_for_stays_followed_over_many_mergers(new_url: Callable[[], str]) -> None:
    run_machine(new_url, examples=100, steps=25)


@pytest.mark.soak
def test_what_was_asked_for_stays_followed_over_long_chains(new_url: Callable[[], str]) -> None:
    run_machine(new_url, examples=1000, steps=50)
