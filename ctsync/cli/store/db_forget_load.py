"""`db forget-load`: undo registry data whose dataTimestamp was wrong."""

from __future__ import annotations

from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.dates import format_minute, parse_timestamp
from ctsync.errors import UsageError
from ctsync.questions.changes.rules import thresholds_in_force
from ctsync.record.value_text import counted
from ctsync.registry.load_checks import forget_command
from ctsync.store.store import Store
from ctsync.sync.forget_load import UndoneLoad, forget_load


@click.command("forget-load")
@click.argument("stamp", metavar="TIME")
@pass_app
def forget_load_command(app: App, *, stamp: str) -> None:
    """Undo registry data whose date is in the future.

    Such a date makes all later registry data look older, so that every sync is refused.
    `ctsync doctor` shows the TIME to specify.

    Deletes no version. Versions and changes found in this data get the day of the sync that fetched
    them; a flag that had not changed on that day is removed. Runs, watches and scans get the date
    of the data before. A trial that was missing in this data must be missing in two other refreshes
    before it counts as gone.
    """
    now = app.clock.now()
    with (
        app.writable_store(create=False) as store,
        store.writer(holder="ctsync db forget-load"),
    ):
        load = _load(store, stamp, now)
        thresholds = thresholds_in_force(app.settings)
        found = forget_load(store, load, now=now, thresholds=thresholds)
    if found is None:
        raise UsageError(f"no run saw registry data of {format_minute(load)}; see: ctsync runs")
    tell(_sentence(load, found))


def _load(store: Store, stamp: str, now: datetime) -> datetime:
    """Read the time; raises UsageError for one that is not of registry data in the future."""
    ahead = [forget_command(load) for load in store.times.loads_ahead(now)]
    hint = f"to undo: {'; '.join(ahead)}" if ahead else "no stored registry data are"
    try:
        load = parse_timestamp(stamp)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{stamp!r} is not a time such as 2026-03-13T09:00:05Z; {hint}") from error
    if load <= now:
        raise UsageError(
            f"registry data of {format_minute(load)} are not ahead of this computer's clock, which "
            f"says {format_minute(now)}; {hint}"
        )
    return load


def _sentence(load: datetime, found: UndoneLoad) -> str:
    redated, forgotten = found.redated, found.forgotten
    versions = counted(redated.versions, "version")
    changes = counted(redated.events - found.removed_flags, "change")
    runs = counted(forgotten.runs, "run")
    before = format_minute(forgotten.before) if forgotten.before else "no registry data"
    flags = f", {counted(found.removed_flags, 'flag')} removed" if found.removed_flags else ""
    return (
        f"forgot registry data of {format_minute(load)}: {versions} and {changes} now count as "
        f"found on {redated.seen:%Y-%m-%d}{flags}, {runs} as of {before}; run: ctsync sync"
    )
