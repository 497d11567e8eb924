"""Syncs and watches for scripts, over the use cases and the lock of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ctsync.config.loading import load
from ctsync.dates import SystemClock
from ctsync.errors import UsageError
from ctsync.python import arguments
from ctsync.python.arguments import PathText
from ctsync.python.connections import polite
from ctsync.python.rows import Rows
from ctsync.questions.portfolio.base_rates import rates_in_use
from ctsync.questions.results.sync_rows import SyncRow
from ctsync.questions.results.watch_rows import FollowedRow
from ctsync.registry.connection import connected_history
from ctsync.store.store import open_store
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.cycle_row import sync_row
from ctsync.sync.watches.follow import (
    DEFAULT_WATCH,
    build_query,
    checked_name,
    follow,
    followed_rows,
    split_terms,
)
from ctsync.sync.watches.query_preview import look_up, preview_query
from ctsync.sync.watches.resolve import resolve_all
from ctsync.sync.watches.trial_list import join_ids


def run_sync(
    *trials: str,
    url: PathText | None = None,
    config: PathText | None = None,
    wait: float = 0,
    accept_gone: bool = False,
    accept_load: bool = False,
) -> SyncRow:
    """Fetch the followed trials, or only those named, store new versions and notify.

    Does the same as `ctsync sync`, with the same writer lock: raises LockHeld if another process
    writes, after waiting up to `wait` seconds. `could_not_check` of the result has the trials that
    could not be checked. Raises RegistryError if the registry gives no usable answer.
    """
    ids = tuple(dict.fromkeys(arguments.trials(trials)))
    settings = load(Path(config) if config else None, database_url=arguments.database(url))
    clock = SystemClock()
    with (
        open_store(settings.database.url, clock=clock) as store,
        polite(settings.registry, accept_load=accept_load) as registry,
        connected_history(registry, settings.registry) as history,
    ):
        cycle = SyncCycle(
            settings=settings,
            store=store,
            registry=registry,
            history=history,
            clock=clock,
            accept_gone=accept_gone,
        )
        result = cycle.run(ids, holder="ctsync.run_sync", wait_seconds=wait)
        return sync_row(result, rates_in_use(store) if settings.reports.context else None)


def watch(
    *terms: str,
    name: str = DEFAULT_WATCH,
    query: Mapping[str, str] | None = None,
    sponsor: str | None = None,
    condition: str | None = None,
    url: PathText | None = None,
    config: PathText | None = None,
) -> Rows[FollowedRow]:
    """Follow trials, or all trials that match a query, like `ctsync watch add`.

    A term is an NCT id, the URL of a trial's page, a sponsor's study id, or the URL of a search.
    `query` has parameters of the registry, such as {"cond": "GVHD"}. The next sync fetches the
    records. If a term matches no trial or several, nothing is added, and UsageError is raised.
    """
    watch_name = checked_name(name)
    wanted, searches = split_terms(join_ids(terms))
    asked = build_query(searches, (query or {}).items(), sponsor=sponsor, condition=condition)
    if not wanted and asked is None:
        raise UsageError("name a trial to follow, as in ctsync.watch('NCT03389919')")
    settings = load(
        Path(config) if config else None,
        database_url=arguments.database(url),
        need_secrets=False,
    )
    clock = SystemClock()
    with polite(settings.registry) as registry:
        resolved = resolve_all(wanted, registry)
        if asked is not None:
            preview_query(registry, asked)  # the registry checks the query
        named = look_up(registry, [one.nct_id for one in resolved])
    with open_store(settings.database.url, clock=clock) as store:
        follow(store, watch_name, resolved, asked, now=clock.now())
    return Rows(FollowedRow, list(followed_rows(resolved, named, asked, name=watch_name)))
