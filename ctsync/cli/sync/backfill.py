"""`backfill`: fetch earlier versions of trials from the registry history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.cli.sync.sync import PARTIAL, progress_bar
from ctsync.cli.terminal_table import show_table
from ctsync.dates import format_minute
from ctsync.errors import RegistryError, UsageError
from ctsync.model import NctId
from ctsync.questions.portfolio.watches import members_of
from ctsync.questions.results.sync_rows import BackfillRow, FetchedHistoryRow
from ctsync.questions.trial.versions import history_words
from ctsync.record.history_form.module_labels import read_labels
from ctsync.record.rules.rules import Thresholds
from ctsync.record.value_text import counted
from ctsync.registry.api import RegistryApi
from ctsync.store.data.history_versions import HistoryState
from ctsync.store.store import Store
from ctsync.sync.history.backfill import Backfill, BackfillResult
from ctsync.sync.history.fetch_scope import EVERY_VERSION, INDEX_ONLY, FetchScope
from ctsync.sync.history.trial_fetch import NOT_ASKED, FetchedHistory
from ctsync.text import for_terminal

BETWEEN_TRIALS_SECONDS = 600
"""Longest wait, between two trials, for a sync that has taken the writer lock."""


@click.command()
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option("--watch", metavar="NAME", help="Only trials of this watch.")
@click.option("--all", "every", is_flag=True, help="All trials you follow.")
@click.option(
    "--index-only",
    "index_only",
    is_flag=True,
    help="Fetch only the list of versions, with one request per trial.",
)
@click.option(
    "--labels",
    metavar="LABELS",
    help="Fetch only versions that changed these modules, by the registry's labels.",
)
@click.option(
    "--wait",
    type=float,
    default=0,
    metavar="SECONDS",
    help="Wait up to SECONDS for another writer.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write the run and the result of each trial as JSON."
)
@pass_app
def backfill(
    app: App,
    *,
    trials: Sequence[NctId],
    watch: str | None,
    every: bool,
    index_only: bool,
    labels: str | None,
    wait: float,
    as_json: bool,
) -> None:
    """Fetch the earlier versions of trials from the registry history.

    The registry keeps every version of a record since its registration. Fetching takes about one
    second per version. An interrupted backfill resumes when you run it again, and with each sync.
    Backfilled changes trigger no notifications.

    With --index-only: store the number, day, status and changed modules of each version, without
    its record. With --labels "Study Status,Study Design": also fetch the first and the newest
    version, and each version that changed one of these modules. The other versions are listed and
    not fetched; commands that read the past say so. A later backfill fetches them.

    Exits with code 3 if a history could not be fetched, and names the reason. Later syncs try
    again. "no versions" is final: the registry keeps no history of that trial.
    """
    scope = _scope(labels, index_only=index_only)
    with app.writable_store() as store:
        ids = _chosen(store, trials, watch, every=every)
        with app.registry() as registry:
            result = run_backfill(app, store, registry, ids, wait=wait, scope=scope)
        states = store.histories.states(ids)
    now = app.clock.now()
    if as_json:
        show_json(backfill_row(result, states, now=now))
    code = report_backfill(result, states, now=now, tabled=not as_json)
    click.get_current_context().exit(code)


def _scope(labels: str | None, *, index_only: bool) -> FetchScope:
    if labels is None:
        return INDEX_ONLY if index_only else EVERY_VERSION
    if index_only:
        raise UsageError("specify --index-only or --labels, not both")
    return FetchScope(read_labels(labels))


def _chosen(
    store: Store, trials: Sequence[NctId], watch: str | None, *, every: bool
) -> Sequence[NctId]:
    """Return the chosen trials, each once."""
    if bool(trials) + (watch is not None) + every != 1:
        raise UsageError("specify NCT ids, --watch NAME or --all")
    if trials:
        return tuple(dict.fromkeys(trials))
    if watch is not None:
        return members_of(store, watch)
    ids = store.watched.ids()
    if not ids:
        raise UsageError("no trial is watched yet; add one: ctsync watch add NCT03389919")
    return ids


def run_backfill(
    app: App,
    store: Store,
    registry: RegistryApi,
    ids: Sequence[NctId],
    *,
    wait: float = 0,
    scope: FetchScope = EVERY_VERSION,
) -> BackfillResult:
    """Fetch the history of trials; show progress on a terminal."""
    with app.history(registry) as history, progress_bar("requests") as watcher:
        return Backfill(
            store=store,
            history=history,
            clock=app.clock,
            thresholds=Thresholds().replace(app.settings.rules),
            watcher=watcher,
            lock=_lock_of(store, wait),
            scope=scope,
        ).run(ids)


def _lock_of(store: Store, wait: float) -> Callable[[], AbstractContextManager[None]]:
    """Return a function that takes the writer lock.

    The first call waits up to `wait` seconds. Later calls wait at least BETWEEN_TRIALS_SECONDS, so
    that a sync can finish in between.
    """
    waits = [wait]

    def lock() -> AbstractContextManager[None]:
        seconds, waits[0] = waits[0], max(wait, BETWEEN_TRIALS_SECONDS)
        return store.writer(holder="ctsync backfill", wait_seconds=seconds)

    return lock


def report_backfill(
    result: BackfillResult, states: dict[NctId, HistoryState], *, now: datetime, tabled: bool
) -> int:
    """Report the fetched history and return the exit code."""
    if tabled:
        show_table(
            ("TRIAL", "HISTORY", "VERSIONS", "STORED", "SEEN LIVE"),
            [_row(trial) for trial in result.trials],
        )
    lacking = [trial for trial in result.trials if not trial.is_settled]
    failed = [trial for trial in lacking if trial.state != NOT_ASKED]
    for trial in failed:
        state = states.get(trial.nct_id)
        following = state.next_try(now) if state else None
        again = f"; next try {format_minute(following)}" if following else ""
        tell(for_terminal(f"{trial.nct_id}: history {trial.state}: {trial.error}{again}"))
    if waiting := len(lacking) - len(failed):
        verb = "was" if waiting == 1 else "were"
        tell(
            for_terminal(
                f"{counted(waiting, 'trial')} {verb} not requested: {lacking[-1].error}; the next "
                "syncs fetch them, or run this command again"
            )
        )
    stored = sum(trial.stored for trial in result.trials)
    tell(
        f"fetched the history of {len(result.trials) - len(lacking)} of "
        f"{counted(len(result.trials), 'trial')}: {counted(stored, 'version')} stored "
        f"({counted(result.requests, 'request')})"
    )
    if unfetched := [trial for trial in result.trials if trial.unfetched]:
        tell(_unfetched_sentence(unfetched))
    if not lacking:
        return 0
    is_nothing = len(lacking) == len(result.trials) and not stored
    return RegistryError.exit_code if is_nothing else PARTIAL


def _unfetched_sentence(trials: Sequence[FetchedHistory]) -> str:
    versions = sum(trial.unfetched for trial in trials)
    verb, one = "is" if versions == 1 else "are", trials[0].nct_id
    return (
        f"{counted(versions, 'version')} of {counted(len(trials), 'trial')} {verb} listed and not "
        f"fetched; to see them: ctsync history {one}; to fetch them: ctsync backfill {one}"
    )


def _row(trial: FetchedHistory) -> tuple[str, ...]:
    listed = "-" if trial.listed is None else str(trial.listed)
    state = history_words(trial.state)
    return (trial.nct_id, state, listed, str(trial.stored), str(trial.joined))


def backfill_row(
    result: BackfillResult, states: Mapping[NctId, HistoryState], *, now: datetime
) -> BackfillRow:
    """Return the row of a backfill."""
    return BackfillRow(
        run=result.run_id,
        verdict=result.verdict,
        requests=result.requests,
        trials=tuple(
            FetchedHistoryRow(
                nct_id=trial.nct_id,
                history=trial.state,
                listed=trial.listed,
                stored=trial.stored,
                seen_live=trial.joined,
                unfetched=trial.unfetched,
                error=trial.error or None,
                retry=states[trial.nct_id].next_try(now) if trial.nct_id in states else None,
            )
            for trial in result.trials
        ),
    )
