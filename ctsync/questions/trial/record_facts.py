"""What the stored records of trials say: their headings, and flags. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import islice

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import JsonObject, NctId, State
from ctsync.questions.portfolio.flags import flag_day, shown_flags_since, with_day_of_move
from ctsync.record.flags import Flag
from ctsync.report.words.trial_heading import TrialHeading, heading_of, heading_of_key
from ctsync.store.store import Store

RECORDS_AT_ONCE = 300
"""Number of records to read at once: one by one, the data of a report on 1,500 trials took a third
longer, and by the hundred a twentieth. The largest records have several megabytes."""


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
    trials = iter(store.versions.points_of_many(list(ids)).items())
    while several := list(islice(trials, RECORDS_AT_ONCE)):
        points = {nct_id: stored[: last.get(nct_id)] for nct_id, stored in several}
        known = {nct_id: [one for one in points[nct_id] if one.digest] for nct_id in points}
        newest = {
            nct_id: recorded[-1].digest or "" for nct_id, recorded in known.items() if recorded
        }
        bodies = store.bodies.read_many(newest.values())
        for nct_id, digest in newest.items():
            body = _parsed(bodies.get(digest))
            if body is None:
                headings[nct_id] = _heading_of_key(store, nct_id, last.get(nct_id))
                continue
            headings[nct_id] = heading_of(body)
            if day is not None and points[nct_id][-1].state is State.PRESENT:
                start = known[nct_id][0].start_date
                flags[nct_id] = shown_flags_since(start, body, as_of=day)
    if day is not None:
        flags |= with_day_of_move(store, flags, day, until=last)
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
    return _heading_of_key(store, nct_id) if body is None else heading_of(body)


def _heading_of_key(store: Store, nct_id: NctId, until: int | None = None) -> TrialHeading:
    """Return the heading of a trial whose record cannot be read."""
    known = [one for one in store.versions.of(nct_id)[:until] if one.digest is not None]
    return heading_of_key(known[-1].key)


def _body(store: Store, digest: str) -> JsonObject | None:
    try:
        return _parsed(store.bodies.read(digest))
    except CorruptBody:
        return None


def _parsed(raw: bytes | None) -> JsonObject | None:
    """Return a body; None if it is damaged, which must not prevent a report."""
    if raw is None:
        return None
    try:
        body: JsonObject = orjson.loads(raw)
    except ValueError:
        return None
    return body
