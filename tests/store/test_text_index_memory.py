"""The memory that building the text index keeps."""

from __future__ import annotations

import gc

from sqlalchemy import select

from ctsync.store.database.tables import BODIES
from ctsync.store.store import Store
from tests.record.studies import study
from tests.registry_fixtures import an_id
from tests.sync.histories import keep_history

RECORDS = 12


def test_no_batch_of_an_index_waits_for_the_search_for_cycles(store: Store) -> None:
    """Otherwise the memory of a build grows with the registry: the search is rare in a command."""
    for number in range(1, RECORDS + 1):
        keep_history(store, [study(protocolSection__identificationModule__nctId=an_id(number))])
    with store.unit() as unit:
        digests = list(unit.connection.scalars(select(BODIES.c.digest)))
        detail = unit.texts.create()
        unit.texts.add(digests[:2], detail)  # compiles the statements
        gc.collect()
        gc.disable()
        try:
            for digest in digests[2:]:
                unit.texts.add([digest], detail)
        finally:
            unreachable = gc.collect()
            gc.enable()
    print(f"text index: {unreachable} objects in cycles after {RECORDS - 2} batches")
    assert len(digests) == RECORDS
    assert unreachable < RECORDS - 2
