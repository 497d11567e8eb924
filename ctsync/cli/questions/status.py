"""`status`: show the last run, the stored data and the state of health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.config.settings import WatchSettings
from ctsync.dates import format_timestamp
from ctsync.deliver.routes import routes_from
from ctsync.model import JsonObject
from ctsync.questions.operation.health import Health, HealthState, assess
from ctsync.questions.operation.health_state import health_facts
from ctsync.record.registry.notices import read_notices
from ctsync.record.value_text import counted
from ctsync.store.data.failures import Failure
from ctsync.sync.quarantine import waits_until
from ctsync.text import for_terminal

NOTICES_SHOWN = timedelta(days=7)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
@pass_app
def status(app: App, as_json: bool) -> None:
    """Tell the last run, what is stored and whether all is well; the exit code is for monitors.

    0 well, 3 partial or stale, 4 the last sync failed, 7 a delivery is overdue.
    """
    with app.store() as store:
        failing, origins = store.watched.failing_ids(), store.watches.origins()
        failures = [one for one in store.failures.find() if one.nct_id in failing]
        pending = _pending_watches(app.settings.watches, origins)
        # count watches that no sync has added yet: else the state would be "idle", which is ok
        wanted = sum(_terms(one) for one in app.settings.watches) if pending else 0
        standing = health_facts(store, routes_from(app.settings))
        standing = replace(standing, watched=max(standing.watched, wanted))
        health = _with_pending(assess(standing, app.clock.now()), pending)
        counts = store.counts()
        histories, next_try = store.watched.history_summary()
        runs = store.runs.with_notices(since=app.clock.now() - NOTICES_SHOWN)
        notices = [one for run in runs for one in read_notices(run.notices)]
        misnamed = app.settings.unknown_watches(list(origins))
    if as_json:
        show_json(
            {
                "condition": health.condition,
                "reasons": health.reasons,
                "database": app.settings.database.shown_url,
                "watched": standing.watched,
                "stored": {str(table): count for table, count in counts.items()},
                "newest_load": standing.newest_load and format_timestamp(standing.newest_load),
                "last_whole_run": standing.last_whole and format_timestamp(standing.last_whole),
                "histories": _history_counts(histories, standing.watched),
                "failures": [_failure_json(one) for one in failures],
                "notices": [
                    {"kind": one.kind, "summary": one.summary, "parts": one.parts}
                    for one in notices
                ],
            }
        )
    else:
        click.echo(f"{health.condition}")
        for reason in health.reasons:
            click.echo(f"  {for_terminal(reason)}")
        for one in failures:
            click.echo(f"  {one.nct_id}: {for_terminal(one.error)} ({_tries(one)})")
        for notice in notices:
            click.echo(f"  {for_terminal(notice.line)}")
        load, whole = standing.newest_load, standing.last_whole
        click.echo(
            f"registry load   {load:%Y-%m-%d %H:%M}Z" if load else "registry load   none seen"
        )
        click.echo(f"last whole run  {whole:%Y-%m-%d %H:%M}Z" if whole else "last whole run  none")
        click.echo(
            f"stored          trials {counts['trials']:,}, versions {counts['snapshots']:,}, "
            f"events {counts['events']:,}; watched {standing.watched:,}"
        )
        if histories:
            click.echo(f"histories       {_histories_line(histories, next_try, standing.watched)}")
        click.echo(f"database        {for_terminal(app.settings.database.shown_url)}")
    for problem in misnamed:
        tell(for_terminal(problem))
    click.get_current_context().exit(health.exit_code)


def _with_pending(health: Health, pending: Sequence[str]) -> Health:
    """Add the watches to the health that are only in the settings file so far."""
    if not pending:
        return health
    reason = f"in the settings file, not taken up yet: watch {', '.join(pending)}; run: ctsync sync"
    is_ok = health.exit_code == 0
    return Health(HealthState.PARTIAL if is_ok else health.condition, (*health.reasons, reason))


def _pending_watches(wanted: Sequence[WatchSettings], stored: Mapping[str, str]) -> list[str]:
    """Return the watches of the settings file that no sync has added to the store yet."""
    return [watch.name for watch in wanted if stored.get(watch.name) != "file"]


def _terms(watch: WatchSettings) -> int:
    return len(watch.trials) + len(watch.org_ids)


def _history_counts(histories: Mapping[str, int], watched: int) -> dict[str, int]:
    """Count the watched trials by the state of their registry history."""
    counts = Counter(histories)
    return {**dict(sorted(counts.items())), "not asked for": watched - counts.total()}


def _histories_line(histories: Mapping[str, int], retry: datetime | None, watched: int) -> str:
    counts = _history_counts(histories, watched)
    line = ", ".join(f"{state} {count:,}" for state, count in counts.items() if count)
    return f"{line}; next try {retry:%Y-%m-%d %H:%M}Z" if retry else line


def _tries(failure: Failure) -> str:
    until = waits_until(failure)
    following = f"after {until:%Y-%m-%d %H:%M}Z" if until else "with the next sync"
    since = f"{failure.first_at:%Y-%m-%d %H:%M}Z"
    return f"{counted(failure.attempts, 'attempt')} since {since}, next {following}"


def _failure_json(failure: Failure) -> JsonObject:
    """Return a quarantined trial as JSON; `next_try` is null if every sync retries it."""
    until = waits_until(failure)
    return {
        "nct_id": failure.nct_id,
        "error": failure.error,
        "error_class": failure.error_class,
        "attempts": failure.attempts,
        "first_seen": format_timestamp(failure.first_at),
        "last_seen": format_timestamp(failure.last_at),
        "next_try": until and format_timestamp(until),
        "bytes_kept": len(failure.raw),
    }
