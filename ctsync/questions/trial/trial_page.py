"""The content of a trial's page. Writes nothing."""

from __future__ import annotations

from datetime import datetime

from ctsync.model import Kind, NctId
from ctsync.questions.trial.headings import read_headings
from ctsync.questions.trial.version_dates import stands_from
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.timeline import trace
from ctsync.store.data.events import EventFilter
from ctsync.store.store import Store


def trial_page(store: Store, nct_id: NctId, *, until: datetime) -> TrialContent:
    """Collect the stored content of one trial; raises ValueError if there is none."""
    versions = store.versions.of(nct_id)
    events = [
        stored
        for stored in store.events.find(EventFilter(nct_ids=(nct_id,)))
        if stored.event.kind is not Kind.FIRST_SEEN  # a baseline is not a change
    ]
    timeline = trace(versions, stands_from(versions), until=until.date())
    heading = read_headings(store, [nct_id]).get(nct_id)
    return TrialContent(versions, events, timeline, heading)
