"""Repair of the problems that `check` found, from stored or fetched data. Deletes no version.

1. Correct heads and the positions of events, and delete orphaned events, in one transaction.
2. Request the newest versions whose bodies are damaged. A fetched body is stored only if its digest
   shows that the registry still has the same version.
3. Correct the sizes of bodies, and delete unused bodies, in one transaction.
4. Derive all events again and store those that differ, in one transaction per trial.
5. Derive the facts of the portfolio again, and replace those that differ.

Anything that cannot be repaired is left unchanged, and the next check reports it again. A killed
repair can be started again and has the same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ctsync.errors import BadRecord, RegistryError
from ctsync.model import NctId, Observation
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.interface import Registry
from ctsync.store.admin.check import (
    CORRUPT,
    DAMAGED_FILE,
    MIXED_FILES,
    UNREADABLE,
    WRONG_SCHEMA,
    WRONG_SIZE,
    Problem,
)
from ctsync.store.store import Store
from ctsync.sync.history.rederive_events import (
    EventDifference,
    RederivedTrial,
    rederive_events,
    rewrite,
)
from ctsync.sync.watches.refresh_facts import refresh_facts, wrong_facts

FACTS_DIFFER = "facts differ"
_OF_BODIES = (CORRUPT, WRONG_SIZE)
_BEYOND_REPAIR = {MIXED_FILES, DAMAGED_FILE, WRONG_SCHEMA, UNREADABLE}
_INDEX_ALONE = re.compile(r"row \d+ missing from index |wrong # of entries in index ")
OpenRegistry = Callable[[], AbstractContextManager[Registry]]


@dataclass(frozen=True, slots=True)
class RepairStep:
    """One repair, or a failed attempt if not `is_mended`; `says` is what was done, or why not."""

    kind: str
    where: str
    says: str
    is_mended: bool = True


def repair(
    store: Store,
    problems: Sequence[Problem],
    *,
    open_registry: OpenRegistry,
    thresholds: Thresholds,
    relevel: bool = False,
) -> Iterator[RepairStep]:
    """Repair `problems` as far as possible, and yield each step when it is done.

    The registry is opened only if a body must be fetched. Events that differ only in level or
    wording are left unchanged unless `relevel` is true.
    """
    where = {kind: [one.where for one in problems if one.kind == kind] for kind in _OF_BODIES}
    with store.unit() as unit:
        if any(is_of_index(problem) for problem in problems):
            unit.repairs.rebuild_indexes()
        done = [*unit.repairs.repair_heads(), *unit.repairs.repair_events()]
    yield from (RepairStep(*one) for one in done)
    yield from _refetch(store, where[CORRUPT], open_registry)
    with store.unit() as unit:
        done = list(unit.repairs.repair_bodies(where[WRONG_SIZE]))
    yield from (RepairStep(*one) for one in done)
    for found in to_rewrite(store, thresholds, relevel=relevel):
        if found.unreadable:
            yield RepairStep("unreadable trial", found.nct_id, found.unreadable, is_mended=False)
            continue
        with store.unit() as unit:
            rewrite(unit, found)
        for one in found.differences:
            yield RepairStep("event differs", place_of(found, one), "stored as it is derived")
    yield from _repair_facts(store)


def _repair_facts(store: Store) -> Iterator[RepairStep]:
    wrong = wrong_facts(store)
    with store.unit() as unit:
        unit.facts.delete(wrong)
    refresh_facts(store)
    for nct_id in wrong:
        yield RepairStep(FACTS_DIFFER, nct_id, "stored as they are derived")


def beyond_repair(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems that only a backup fixes: damaged file, wrong schema, unreadable rows."""
    return [p for p in problems if p.kind in _BEYOND_REPAIR and not is_of_index(p)]


def to_rewrite(store: Store, thresholds: Thresholds, *, relevel: bool) -> Iterator[RederivedTrial]:
    """Yield the trials whose stored events differ from the derived ones, or cannot be derived.

    Without `relevel`, differences only in level or wording do not count.
    """
    for found in rederive_events(store, thresholds):
        is_damaged = any(
            not (one.is_level_only or one.is_wording_only) for one in found.differences
        )
        if found.unreadable or relevel or is_damaged:
            yield found


def place_of(found: RederivedTrial, one: EventDifference) -> str:
    """Return the place of an event as text."""
    return f"{found.nct_id} version {one.version} {one.path or '(entire record)'}"


def is_of_index(problem: Problem) -> bool:
    """Whether only an index of the database file is damaged; indexes can be rebuilt."""
    return problem.kind == DAMAGED_FILE and _INDEX_ALONE.match(problem.says) is not None


def _refetch(
    store: Store, corrupt: Collection[str], open_registry: OpenRegistry
) -> Iterator[RepairStep]:
    wanted = store.damage.bodies_to_refetch(corrupt)
    if not wanted:
        return
    try:
        with open_registry() as registry:
            for answer in registry.studies(list(wanted), registry.version()):
                if isinstance(answer, Observation):
                    yield _restored(store, answer, wanted)
    except RegistryError as error:
        for nct_id, digest in wanted.items():
            message = f"the newest version of {nct_id} could not be requested: {error}"
            yield RepairStep(CORRUPT, digest, message, is_mended=False)


def _restored(store: Store, answer: Observation, wanted: dict[NctId, str]) -> RepairStep:
    digest = wanted[answer.asked_as]
    try:
        record = canonicalize(answer.study)
    except BadRecord as error:
        return RepairStep(CORRUPT, digest, str(error), is_mended=False)
    if record.digest != digest:
        message = f"the registry now has another version of {answer.asked_as}"
        return RepairStep(CORRUPT, digest, message, is_mended=False)
    with store.unit() as unit:
        unit.repairs.restore_body(record)
    message = f"fetched again: it is the registry's current version of {answer.asked_as}"
    return RepairStep(CORRUPT, digest, message)
