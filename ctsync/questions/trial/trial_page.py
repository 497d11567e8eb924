"""The content of a trial's page. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from ctsync.errors import CorruptBody
from ctsync.model import Kind, NctId, StoredEvent, Version
from ctsync.questions.portfolio.flags import flag_day, flags_shown_with
from ctsync.questions.trial.headings import read_headings
from ctsync.questions.trial.record_parts import read_parts
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.record.flags import Flag
from ctsync.report.trial.content import ForecastLine, RecordParts, TrialContent
from ctsync.report.trial.timeline import trace
from ctsync.store.data.events import EventFilter
from ctsync.store.store import Store


def trial_page(
    store: Store,
    nct_id: NctId,
    *,
    until: datetime,
    rates: BaseRates | None = PUBLISHED_RATES,
) -> TrialContent:
    """Collect the stored content of one trial; raises ValueError if there is none.

    `rates` are the base rates shown beside changes; with None, changes have no context.
    """
    versions = store.versions.of(nct_id)
    events = [
        stored
        for stored in store.events.find(EventFilter(nct_ids=(nct_id,)))
        if stored.event.kind is not Kind.FIRST_SEEN  # a baseline is not a change
    ]
    days, today = stands_from(versions), until.date()
    timeline = trace(versions, days, until=today)
    heading = read_headings(store, [nct_id]).get(nct_id)
    flags = _flags(store, versions[-1], today)
    flagged_on = flag_day(store, today)
    parts, expected = _parts(store, versions, events, days, today=today)
    return TrialContent(
        versions, events, timeline, heading, flags, flagged_on, rates, parts, expected
    )


def _parts(
    store: Store,
    versions: Sequence[Version],
    events: Sequence[StoredEvent],
    days: Sequence[date],
    *,
    today: date,
) -> tuple[RecordParts, Sequence[ForecastLine]]:
    try:
        return read_parts(store, versions, events, days, today=today)
    except (CorruptBody, ValueError):  # a damaged body must not prevent the page
        return RecordParts(), ()


def _flags(store: Store, version: Version, today: date) -> Sequence[Flag]:
    try:
        return flags_shown_with(store, version, as_of=None, today=today)
    except (CorruptBody, ValueError):  # a damaged body must not prevent the page
        return ()
