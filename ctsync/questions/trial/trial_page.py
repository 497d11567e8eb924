"""The content of a trial's page. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from ctsync.errors import CorruptBody
from ctsync.model import Kind, NctId, Version
from ctsync.questions.portfolio.flags import flag_day, flags_shown_with
from ctsync.questions.trial.headings import read_headings
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.record.flags import Flag
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.timeline import trace
from ctsync.store.data.events import EventFilter
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
    days = stands_from(versions)
    end = max(drawn_until, days[-1]) if drawn_until else until.date()
    timeline = trace(versions, days, until=end)
    heading = read_headings(store, [nct_id]).get(nct_id)
    today = until.date()
    flags = _flags(store, versions[-1], today)
    flagged_on = flag_day(store, today)
    return TrialContent(versions, events, timeline, heading, flags, flagged_on, rates)


def _flags(store: Store, version: Version, today: date) -> Sequence[Flag]:
    try:
        return flags_shown_with(store, version, as_of=None, today=today)
    except (CorruptBody, ValueError):  # a damaged body must not prevent the page
        return ()
