"""Repair of the problems that `check` found, from stored or fetched data. Deletes no version.

1. Heads, places of events, and sizes follow from the versions. They are corrected in one
   transaction, and rows that belong to nothing are removed with them.
2. A damaged body of a newest version is requested from the registry. It is stored only if its
   digest shows that the registry still has that very version.
3. Events are derived again and stored if they differ, one transaction per trial.

What cannot be repaired stays as it is; the next check reports it again. If killed, a repair can be
started again and ends with the same result.
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

_OF_BODIES = (CORRUPT, WRONG_SIZE)
_BEYOND_REPAIR = {MIXED_FILES, DAMAGED_FILE, WRONG_SCHEMA, UNREADABLE}
_INDEX_ALONE = re.compile(r"row \d+ missing from index |wrong # of entries in index ")
OpenRegistry = Callable[[], AbstractContextManager[Registry]]


@dataclass(frozen=True, slots=True)
class RepairStep:
    """One repair, or one failed attempt if not `is_mended`, with how or why."""

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
    """Repair what can be repaired of `problems`, and yield each step when it is done.

    The registry is opened only if a body must be fetched. Events that differ only in the level that
    rules or thresholds gave them are left alone unless `relevel` is true.
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


def beyond_repair(problems: Sequence[Problem]) -> list[Problem]:
    """Problems that only a backup fixes: a damaged file, a wrong schema, unreadable rows."""
    return [p for p in problems if p.kind in _BEYOND_REPAIR and not is_of_index(p)]


def to_rewrite(store: Store, thresholds: Thresholds, *, relevel: bool) -> Iterator[RederivedTrial]:
    """The trials whose stored events differ from the derived ones in more than level and words.

    With `relevel`, also those that differ only in level or words.
    Includes the trials whose events cannot be derived.
    """
    for found in rederive_events(store, thresholds):
        is_damaged = any(
            not (one.is_level_only or one.is_wording_only) for one in found.differences
        )
        if found.unreadable or relevel or is_damaged:
            yield found


def place_of(found: RederivedTrial, one: EventDifference) -> str:
    """The place of an event, for people."""
    return f"{found.nct_id} version {one.version} {one.path or 'as a whole'}"


def is_of_index(problem: Problem) -> bool:
    """Whether only an index of the file is damaged, which can be rebuilt."""
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
            message = f"the newest version of {nct_id} could not be asked for: {error}"
            yield RepairStep(CORRUPT, digest, message, is_mended=False)


def _restored(store: Store, answer: Observation, wanted: dict[NctId, str]) -> RepairStep:
    digest = wanted[answer.asked_as]
    try:
        record = canonicalize(answer.study)
    except BadRecord as error:
        return RepairStep(CORRUPT, digest, str(error), is_mended=False)
    if record.digest != digest:
        message = f"the registry shows another version of {answer.asked_as} by now"
        return RepairStep(CORRUPT, digest, message, is_mended=False)
    with store.unit() as unit:
        unit.repairs.restore_body(record)
    message = f"fetched again: it is what the registry shows of {answer.asked_as}"
    return RepairStep(CORRUPT, digest, message)
