"""What the stored records of trials say: their headings, and flags. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import JsonObject, NctId, State
from ctsync.questions.portfolio.flags import flag_day, shown_flags_of_versions
from ctsync.record.flags import Flag
from ctsync.report.words.trial_heading import TrialHeading, heading_of, heading_of_key
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """The heading of each trial, and its flags on the day `flagged_on`; both by NCT id."""

    headings: Mapping[NctId, TrialHeading] = field(default_factory=dict)
    flags: Mapping[NctId, tuple[Flag, ...]] = field(default_factory=dict)
    flagged_on: date | None = None


def read_facts(
    store: Store,
    ids: Iterable[NctId],
    *,
    today: date | None,
    until: Mapping[NctId, int] | None = None,
) -> RecordFacts:
    """Read the newest record of each trial once. `today` is the last day for which flags count;
    with None, no trial has flags.

    `until` gives the last version to use, for a report whose window ends before the newest.
    Trials without a record have no heading. If a record cannot be read, key fields are used for
    the heading. Only the flags to show are given, and none for a trial that is not public.
    """
    last, day = until or {}, None if today is None else flag_day(store, today)
    headings: dict[NctId, TrialHeading] = {}
    flags: dict[NctId, tuple[Flag, ...]] = {}
    for nct_id, stored in store.versions.of_many(list(ids)).items():
        versions = stored[: last.get(nct_id)]
        known = [one for one in versions if one.digest is not None]
        if not known:
            continue
        body = _body(store, known[-1].digest)
        headings[nct_id] = heading_of_key(known[-1].key) if body is None else heading_of(body)
        if body is not None and day is not None and versions[-1].state is State.PRESENT:
            flags[nct_id] = shown_flags_of_versions(known, body, as_of=day)
    return RecordFacts(headings, flags, day)


KeepHeading = Callable[[str, Callable[[], TrialHeading]], TrialHeading]
"""Returns the heading of the record with this digest, made before or made now."""


def read_headings(
    store: Store, ids: Iterable[NctId], *, keep: KeepHeading = lambda _, make: make()
) -> dict[NctId, TrialHeading]:
    """Read the heading of each trial from its newest record, as `read_facts` does.

    Reads one row per trial in place of all its versions. A server keeps the headings of records.
    """
    return {
        nct_id: keep(digest, partial(_heading, store, nct_id, digest))
        for nct_id, digest in store.versions.newest_digests(ids).items()
    }


def _heading(store: Store, nct_id: NctId, digest: str) -> TrialHeading:
    body = _body(store, digest)
    if body is not None:
        return heading_of(body)
    known = [one for one in store.versions.of(nct_id) if one.digest is not None]
    return heading_of_key(known[-1].key)


def _body(store: Store, digest: str | None) -> JsonObject | None:
    try:
        body: JsonObject = orjson.loads(store.bodies.read(digest or ""))
    except (CorruptBody, ValueError):  # a damaged body must not prevent a report
        return None
    return body
