"""Derives the facts of followed trials whose record has changed: see `trial_facts`.

Runs after a sync has stored its versions. A trial without current facts costs a reader
the time to read its record, but never a wrong answer. If interrupted, the next sync continues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import NctId
from ctsync.record.flags.expected_flags import expected_flags
from ctsync.record.flags.flag_record import flag_record
from ctsync.record.portfolio_facts import FORM, facts_to_json, portfolio_facts
from ctsync.store.derived.trial_facts import StoredFacts
from ctsync.store.store import Store

_PER_UNIT = 200  # facts of 500 trials take 15 MB


def refresh_facts(store: Store, *, check: Callable[[], None] = lambda: None) -> int:
    """Store the facts of each followed trial that has none of its newest record.

    Returns the number of trials. Leaves out damaged records, which `ctsync check` reports.
    `check` may raise Stopped between transactions.
    """
    outdated = list(store.facts.outdated(FORM).items())
    count = 0
    for start in range(0, len(outdated), _PER_UNIT):
        check()
        rows = _derived(store, outdated[start : start + _PER_UNIT])
        with store.unit() as unit:
            unit.facts.replace(rows, form=FORM)
        count += len(rows)
    return count


def wrong_facts(store: Store) -> list[NctId]:
    """Return the trials whose stored facts do not follow from the record that they name."""
    stored = store.facts.current(FORM)
    derived = {row.nct_id: row for row in _derived(store, [(s.nct_id, s.digest) for s in stored])}
    return [row.nct_id for row in stored if derived.get(row.nct_id, row) != row]


def _derived(store: Store, records: Iterable[tuple[NctId, str]]) -> list[StoredFacts]:
    found = []
    for nct_id, digest in records:
        try:
            body = orjson.loads(store.bodies.read(digest))
        except (CorruptBody, ValueError):
            continue
        facts = StoredFacts(
            nct_id,
            digest,
            _as_json(facts_to_json(portfolio_facts(body))),
            _as_json(flag_record(body)),
            _as_json([tuple(one) for one in expected_flags(body)]),
        )
        found.append(facts)
    return found


def _as_json(value: Any) -> Any:
    """Return a value as it is read again: JSON has lists, and no tuples."""
    return orjson.loads(orjson.dumps(value))
