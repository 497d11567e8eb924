"""What a trial's page shows of its records: facts, outcomes and sites. Writes nothing.

A record is read only if an event says that its sites or outcomes changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import JsonObject, Kind, NctId, Record, StoredEvent, Version
from ctsync.questions.trial.stored_records import aligned
from ctsync.record.fields.lookup import value_at
from ctsync.record.flags import results_become_due
from ctsync.record.history_form.normalize import form_of, readable
from ctsync.record.registry.unknown_status import Outlook, forecast
from ctsync.report.trial.charts.site_chart import SiteCount
from ctsync.report.trial.content import ForecastLine, RecordParts
from ctsync.report.trial.outcome_course import OutcomeStep, outcome_course
from ctsync.report.trial.trial_facts import sites_by_country, trial_facts
from ctsync.store.store import Store

_OUTCOMES = "protocolSection.outcomesModule"
_READ_FOR = (Kind.SITE, Kind.OUTCOME)


@dataclass(frozen=True, slots=True)
class _ReadVersion:
    """A version whose record was read, and the kinds of its changes."""

    version: Version
    day: date
    body: JsonObject
    kinds: frozenset[Kind]
    stage: str


def read_parts(
    store: Store,
    versions: Sequence[Version],
    events: Sequence[StoredEvent],
    stood_from: Sequence[date],
    *,
    today: date,
) -> tuple[RecordParts, tuple[ForecastLine, ...]]:
    """Read the parts of a trial's records, and what is expected of its newest one.

    Both are empty if there is no record. Raises CorruptBody and ValueError for a damaged record.
    """
    read = list(_read(store, versions, events, stood_from))
    if not read:
        return RecordParts(), ()
    newest = read[-1]
    parts = RecordParts(
        facts=trial_facts(newest.body, newest.version.key),
        outcomes=outcome_course(
            _module(_with_outcomes(newest), newest.version), tuple(_outcome_steps(read))
        ),
        sites=tuple(
            SiteCount(one.day, one.version.version, sites_by_country(one.body))
            for one in read
            if one is read[0] or Kind.SITE in one.kinds
        ),
    )
    is_there = newest.version is versions[-1]
    return parts, tuple(_forecast(newest, today)) if is_there else ()


def _read(
    store: Store,
    versions: Sequence[Version],
    events: Sequence[StoredEvent],
    stood_from: Sequence[date],
) -> Iterator[_ReadVersion]:
    kinds: dict[int, set[Kind]] = defaultdict(set)
    stages: dict[int, str] = {}
    for stored in events:
        kinds[stored.to_version].add(stored.event.kind)
        if stored.event.kind is Kind.OUTCOME:
            stages.setdefault(stored.to_version, str(stored.event.inputs.get("stage") or ""))
    present = [
        (one, day) for one, day in zip(versions, stood_from, strict=True) if one.digest is not None
    ]
    for n, (version, day) in enumerate(present):
        found = frozenset(kinds[version.version])
        if 0 < n < len(present) - 1 and not found.intersection(_READ_FOR):
            continue
        body = orjson.loads(store.bodies.read(version.digest or ""))
        if not isinstance(body, dict):
            raise CorruptBody(f"version {version.version} of {version.nct_id} is not a record")
        yield _ReadVersion(version, day, body, found, stages.get(version.version, ""))


def _outcome_steps(read: Sequence[_ReadVersion]) -> Iterator[OutcomeStep]:
    """Yield the versions that changed outcomes, each beside the last version read before it."""
    before = read[0]
    for one in read[1:]:
        if Kind.OUTCOME in one.kinds:
            old, new = aligned(
                before.version, _with_outcomes(before), one.version, _with_outcomes(one)
            )
            version = one.version.version
            yield OutcomeStep(version, one.day, _outcomes(old), _outcomes(new), one.stage)
        before = one


def _with_outcomes(read: _ReadVersion) -> Record:
    """Return a record of the outcomes alone, so that no other text is converted."""
    nct_id = read.version.nct_id
    body = _only(nct_id, value_at(read.body, _OUTCOMES))
    return Record(nct_id, body, b"", read.version.digest or "")


def _only(nct_id: NctId, outcomes: Any) -> JsonObject:
    module = outcomes if isinstance(outcomes, dict) else {}
    return {
        "protocolSection": {
            "identificationModule": {"nctId": nct_id},
            "outcomesModule": module,
        }
    }


def _module(record: Record, version: Version) -> Mapping[str, Any]:
    return _outcomes(readable(record, form_of(version.source)))


def _outcomes(record: Record) -> Mapping[str, Any]:
    found = value_at(record.body, _OUTCOMES)
    return found if isinstance(found, dict) else {}


def _forecast(newest: _ReadVersion, today: date) -> Iterator[ForecastLine]:
    expected = forecast(newest.version.key, today)
    if expected.on is not None and expected.outlook in {Outlook.DUE, Outlook.OVERDUE}:
        is_late = expected.outlook is Outlook.OVERDUE
        what = "status UNKNOWN is overdue" if is_late else "status UNKNOWN expected"
        yield ForecastLine(expected.on, what, expected.why)
    due = None if newest.version.key.has_results else results_become_due(newest.body)
    if due is not None and due > today:
        yield ForecastLine(due, "results due", "42 CFR 11.44; none submitted")
