"""What a trial's page shows of its records: facts, outcomes and sites. Writes nothing.

Only the newest record is read, and those whose events say that an outcome changed. The sites of
earlier versions follow from the events of the sites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import JsonObject, Kind, NctId, Record, StoredEvent, Version
from ctsync.questions.portfolio.forecast import Expectation, expected_of_trial
from ctsync.questions.trial.stored_records import aligned
from ctsync.record.events.lists import SITES
from ctsync.record.events.site_text import SiteChanges, changes_of
from ctsync.record.fields.lookup import value_at
from ctsync.record.flags import FLAG_LABELS, FlagId
from ctsync.record.history_form.normalize import form_of, readable
from ctsync.record.registry.unknown_status import Outlook
from ctsync.report.trial.charts.site_counts import site_counts
from ctsync.report.trial.content import ForecastLine, RecordParts
from ctsync.report.trial.outcome_course import OutcomeStep, outcome_course
from ctsync.report.trial.trial_profile import sites_by_country, trial_facts
from ctsync.store.store import Store

_OUTCOMES = "protocolSection.outcomesModule"
_FORECAST_DAYS = 366
"""A page leaves out what is expected later; `ctsync forecast --within all` lists it."""
_RESULTS = b',"resultsSection":{'


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """The outcomes of a version, in a record without anything else."""

    version: Version
    day: date
    record: Record


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
    present = [
        (one, day) for one, day in zip(versions, stood_from, strict=True) if one.digest is not None
    ]
    if not present:
        return RecordParts(), ()
    newest, day = present[-1]
    body = _body(store, newest)
    last = _Outcomes(newest, day, _with_outcomes(newest, body))
    stages = {
        stored.to_version: str(stored.event.inputs.get("stage") or "")
        for stored in events
        if stored.event.kind is Kind.OUTCOME
    }
    steps = tuple(_outcome_steps(store, present, last, stages))
    parts = RecordParts(
        facts=trial_facts(body, newest.key),
        outcomes=outcome_course(_module(last.record, newest), steps),
        sites=site_counts(sites_by_country(body), _site_changes(events), present),
    )
    is_there = newest is versions[-1]
    return parts, tuple(_forecast(store, newest.nct_id, today)) if is_there else ()


def _body(store: Store, version: Version, *, with_results: bool = True) -> JsonObject:
    """Return the body of a record; without results, it is read several times as fast."""
    raw = store.bodies.read(version.digest or "")
    if not with_results:
        # keys are sorted, so that the results are last; a quote in a text has a backslash
        head, found, _ = raw.partition(_RESULTS)
        raw = head + b"}" if found else raw
    body = orjson.loads(raw)
    if not isinstance(body, dict):
        raise CorruptBody(f"version {version.version} of {version.nct_id} is not a record")
    return body


def _site_changes(events: Sequence[StoredEvent]) -> dict[int, SiteChanges]:
    return {
        stored.to_version: changes_of(stored.event)
        for stored in events
        if stored.event.path == SITES
    }


def _outcome_steps(
    store: Store,
    present: Sequence[tuple[Version, date]],
    newest: _Outcomes,
    stages: Mapping[int, str],
) -> Iterator[OutcomeStep]:
    """Yield the versions that changed outcomes, beside the last different version before.

    A version without an event of an outcome has the outcomes of the version before.
    """
    if not stages:
        return
    before: _Outcomes | None = None
    for n, (version, day) in enumerate(present):
        if n and version.version not in stages:
            continue
        if version is newest.version:
            here = newest
        else:
            body = _body(store, version, with_results=False)
            here = _Outcomes(version, day, _with_outcomes(version, body))
        if before is not None:
            old, new = aligned(before.version, before.record, version, here.record)
            stage = stages[version.version]
            yield OutcomeStep(version.version, day, _outcomes(old), _outcomes(new), stage)
        before = here


def _with_outcomes(version: Version, body: JsonObject) -> Record:
    """Return a record of the outcomes alone, so that no other text is converted."""
    outcomes = value_at(body, _OUTCOMES)
    protocol = {
        "identificationModule": {"nctId": version.nct_id},
        "outcomesModule": outcomes if isinstance(outcomes, dict) else {},
    }
    digest = version.digest or ""
    return Record(version.nct_id, {"protocolSection": protocol}, b"", digest)


def _module(record: Record, version: Version) -> Mapping[str, Any]:
    return _outcomes(readable(record, form_of(version.source)))


def _outcomes(record: Record) -> Mapping[str, Any]:
    found = value_at(record.body, _OUTCOMES)
    return found if isinstance(found, dict) else {}


def _forecast(store: Store, nct_id: NctId, today: date) -> Iterator[ForecastLine]:
    for row in expected_of_trial(store, nct_id, today):
        if row.days > _FORECAST_DAYS:
            return
        if row.what is not Expectation.UNKNOWN:
            yield ForecastLine(row.on, FLAG_LABELS[FlagId(row.what.value)].lower(), row.why)
        elif row.outlook is Outlook.OVERDUE:
            yield ForecastLine(row.on, "status UNKNOWN is overdue", row.why)
        else:
            yield ForecastLine(row.on, "status UNKNOWN expected", row.why)
