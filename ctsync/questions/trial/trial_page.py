"""The content of a trial's page. Writes nothing."""

from __future__ import annotations

from datetime import datetime

from ctsync.model import Kind, NctId
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.trial.record_facts import read_facts
from ctsync.questions.trial.standing import standing_context
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.report.trial.content import TrialContent
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
    timeline = trace(versions, stands_from(versions), until=until.date())
    facts = read_facts(store, [nct_id], today=until.date())
    return TrialContent(
        versions,
        events,
        timeline,
        facts.headings.get(nct_id),
        facts.flags.get(nct_id, ()),
        facts.flagged_on,
        rates,
        standing_context(versions, as_of=flag_day(store, until.date()), rates=rates),
    )
