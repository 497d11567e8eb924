"""The denominators of a report: the trials checked, and those not checked. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ctsync.model import Verdict
from ctsync.report.report import Coverage, UncheckedTrial
from ctsync.store.data.runs import SYNC, Run
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store

LOADS_LOOKED_AT = 10
"""Number of runs to search for a load: a run has none if the registry was unreachable."""


def coverage_of(store: Store, followed: TrialSelection) -> Coverage | None:
    """Return which followed trials were checked in the newest load; None before the first run.

    A trial counts as checked only if a run saw it in that load and no later run failed to check it.
    """
    runs = store.runs.latest(limit=LOADS_LOOKED_AT, kind=SYNC)
    if not runs:
        return None
    loads = [load for run in runs if (load := run.load_after or run.load_before) is not None]
    failed = tuple(_unchecked(store, followed, runs[0], loads[0] if loads else None))
    return Coverage(
        checked=store.watched.count(followed) - len(failed),
        failed=failed,
        load=loads[0] if loads else None,
        refreshed=len(loads) < 2 or loads[0] != loads[1],
        run_ids=(runs[0].id,),
        requests=runs[0].requests,
        retries=runs[0].retries,
    )


def _unchecked(
    store: Store, followed: TrialSelection, last: Run, newest: datetime | None
) -> Iterator[UncheckedTrial]:
    if last.verdict in (Verdict.FAILED, Verdict.STOPPED):
        for nct_id in store.watched.ids(followed):
            yield UncheckedTrial(nct_id, f"the last sync {last.verdict}: {last.error}")
        return
    doubtful = store.watched.unconfirmed(followed, load=newest)
    reasons = {failure.nct_id: failure.error for failure in store.failures.find()}
    seen = store.trials.sightings(doubtful)
    for nct_id in doubtful:
        sighting = seen.get(nct_id)
        if nct_id in reasons:
            yield UncheckedTrial(nct_id, reasons[nct_id])
        elif sighting is None:
            yield UncheckedTrial(nct_id, "not fetched yet")
        elif not sighting.is_stored:
            # an id that the registry does not have was checked; the first sync reported it
            if sighting.absent_since is None:
                yield UncheckedTrial(nct_id, "not fetched yet")
        elif sighting.absent_since is not None:
            yield UncheckedTrial(
                nct_id, f"not in the registry data of {sighting.absent_since:%Y-%m-%d}"
            )
        elif newest is not None and (sighting.last_load is None or sighting.last_load < newest):
            yield UncheckedTrial(nct_id, f"not seen yet in the registry data of {newest:%Y-%m-%d}")
