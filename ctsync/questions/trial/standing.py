"""The context of what a trial's version shows: how long it has been suspended. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ctsync.model import State, Version
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.context import PUBLISHED_RATES, BaseRates, ContextNote
from ctsync.record.context.standing_context import (
    StatusOnDay,
    current_suspension,
    suspension_context,
)
from ctsync.store.store import Store


def standing_shown_with(
    store: Store,
    version: Version,
    *,
    as_of: date | None,
    today: date,
    rates: BaseRates | None = PUBLISHED_RATES,
) -> tuple[ContextNote, ...]:
    """Return the context to show with a version: as of a day, or of the newest registry data.

    A version that was replaced has none without a day, because it did not stand on one day only.
    """
    versions = store.versions.of(version.nct_id)
    is_newest = versions[-1].version == version.version
    if rates is None or (as_of is None and not is_newest):
        return ()
    day = flag_day(store, today) if as_of is None else as_of
    return standing_context(versions[: version.version], as_of=day, rates=rates)


def standing_context(
    versions: Sequence[Version], *, as_of: date, rates: BaseRates | None = PUBLISHED_RATES
) -> tuple[ContextNote, ...]:
    """Return the context of the last of these versions of a trial, oldest first, on a day.

    Empty if the registry does not show the trial, or if `rates` is None.
    """
    if versions[-1].state is not State.PRESENT:
        return ()
    statuses = [
        StatusOnDay(version.key.status, day, version.registry_version)
        for version, day in zip(versions, stands_from(versions), strict=True)
        if version.state is State.PRESENT
    ]
    found = current_suspension(statuses, as_of=as_of)
    return () if found is None else suspension_context(found, rates)
