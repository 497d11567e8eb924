"""Short headings of trials, from their stored records. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import NctId, Version
from ctsync.report.words.trial_heading import TrialHeading, heading_of, heading_of_key
from ctsync.store.store import Store


def read_headings(
    store: Store, ids: Iterable[NctId], *, until: Mapping[NctId, int] | None = None
) -> dict[NctId, TrialHeading]:
    """Return the heading of each trial, from its newest version that has a record.

    `until` gives the last version to use, for a report whose window ends before the newest.
    Leaves out trials without a record. If a record cannot be read, key fields are used instead.
    """
    last = until or {}
    found = {}
    for nct_id, versions in store.versions.of_many(list(ids)).items():
        known = [one for one in versions[: last.get(nct_id)] if one.digest is not None]
        if known:
            found[nct_id] = _heading(store, known[-1])
    return found


def _heading(store: Store, version: Version) -> TrialHeading:
    try:
        return heading_of(orjson.loads(store.bodies.read(version.digest or "")))
    except (CorruptBody, ValueError):  # a damaged body must not prevent a report
        return heading_of_key(version.key)
