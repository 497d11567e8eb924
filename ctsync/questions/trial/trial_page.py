"""The content of a trial's page. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from ctsync.errors import CorruptBody
from ctsync.model import Kind, NctId, StoredEvent, Version
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.trial.record_facts import read_facts
from ctsync.questions.trial.record_parts import read_parts
from ctsync.questions.trial.standing import standing_context
from ctsync.questions.trial.unfetched_versions import course_points, unfetched_note
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.report.trial.content import ForecastLine, RecordParts, TrialContent
from ctsync.report.trial.timeline import trace
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store


def trial_page(
    store: Store,
    nct_id: NctId,
    *,
    until: datetime,
    drawn_until: date | None = None,
    rates: BaseRates | None = PUBLISHED_RATES,
) -> TrialContent:
    """Collect the stored content of one trial; raises ValueError if there is none.

    The timeline ends on the day of `until`; with `drawn_until` it ends on that day, or with the
    newest version if that is later. `rates` are the base rates shown beside changes; with None,
    changes have no context.
    """
    versions = store.versions.of(nct_id)
    events = [
        stored
        for stored in store.events.find(EventFilter(nct_ids=(nct_id,)))
        if stored.event.kind is not Kind.FIRST_SEEN  # a baseline is not a change
    ]
    days, today, listed = stands_from(versions), until.date(), store.listed.unfetched(nct_id)
    end = max(drawn_until, days[-1]) if drawn_until else today
    facts = read_facts(store, [nct_id], today=today)
    parts, expected = _parts(store, versions, events, days, today=today)
    return TrialContent(
        versions,
        events,
        trace(versions, days, until=end, points=course_points(versions, listed)),
        facts.headings.get(nct_id),
        facts.flags.get(nct_id, ()),
        facts.flagged_on,
        rates,
        standing_context(versions, as_of=flag_day(store, today), rates=rates),
        parts,
        expected,
        unfetched_note(nct_id, listed),
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
