"""Stored versions and events as rows for other programs, one trial at a time. Only reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from ctsync.errors import CorruptBody
from ctsync.export.cohort import cohort_row
from ctsync.export.cthist import cthist_row
from ctsync.model import State, Version
from ctsync.questions.portfolio.flags import TrialFlagRow, flag_day, version_flags
from ctsync.questions.trial.stored_records import record_of
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.record.flags import Flag, shown_flags
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.row_json import dump
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store


def cthist_rows(store: Store, selection: Selection) -> Iterator[dict[str, Any]]:
    """Yield one row of cthist's table per version that has a record; raises CorruptBody."""
    for versions in store.bulk.versions_by_trial(selection):
        total = sum(one.registry_version is not None for one in versions) or None
        for version, day in zip(versions, stands_from(versions), strict=True):
            if version.digest is not None:
                body = record_of(store, version).body
                yield cthist_row(version, body, stood_from=day, total=total)


def cohort_rows(store: Store, selection: Selection, *, today: date) -> Iterator[dict[str, Any]]:
    """Yield one row per trial that has a record.

    Flags are computed for trials that are followed or named, as `ctsync flags` does. `today` is
    the last day for which they count.
    """
    day = flag_day(store, today)
    flagged = {*store.watched.ids(), *selection.nct_ids}
    for versions in store.bulk.versions_by_trial(selection):
        flags = _flags(store, versions, day) if versions[0].nct_id in flagged else None
        row = cohort_row(versions, stands_from(versions), flags=flags, flagged_on=day)
        if row is not None:
            yield row


def _flags(store: Store, versions: Sequence[Version], day: date) -> Sequence[Flag] | None:
    """Return the flags to show; None if the record cannot be read."""
    if versions[-1].state is not State.PRESENT:
        return ()
    try:
        return shown_flags(version_flags(store, versions, as_of=day))
    except (CorruptBody, ValueError):  # a damaged body must not prevent the other rows
        return None


def flag_lines(flags: Iterable[TrialFlagRow]) -> Iterator[str]:
    """Yield one line of JSON per flag in the published schema."""
    for flag in flags:
        yield f"{dump(flag).decode()}\n"


def event_lines(
    store: Store, selection: Selection, rates: BaseRates | None = PUBLISHED_RATES
) -> Iterator[str]:
    """Yield one line of JSON per event in the published schema, oldest first."""
    wanted = EventFilter(nct_ids=selection.nct_ids, watch=selection.watch)
    for stored in store.events.each(wanted):
        yield f"{dump(event_row(stored, rates)).decode()}\n"
