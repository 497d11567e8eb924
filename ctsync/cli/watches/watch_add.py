"""`watch add`: follow trials, by name or by query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.sync.backfill import backfill_row, report_backfill, run_backfill
from ctsync.cli.sync.sync import PARTIAL, end_round, run_round
from ctsync.cli.watches.found_trials import MOST_ROWS, show_matches, show_named, tell_oddities
from ctsync.cli.watches.query_options import QueryArguments, QueryOptions
from ctsync.errors import RegistryError, UsageError
from ctsync.model import NctId
from ctsync.query import Query
from ctsync.questions.portfolio.watches import members_of
from ctsync.questions.results.watch_rows import (
    FollowedRow,
    FoundTrialRow,
    WatchAdditionRow,
    WatchPreviewRow,
)
from ctsync.record.value_text import counted
from ctsync.registry.api import RegistryApi
from ctsync.report.rows.report_row import UncheckedTrialRow
from ctsync.sync.cycle_row import sync_row
from ctsync.sync.watches.follow import (
    DEFAULT_WATCH,
    checked_name,
    follow,
    followed_rows,
    split_terms,
)
from ctsync.sync.watches.query_preview import (
    NamedTrials,
    QueryPreview,
    look_up,
    preview_query,
)
from ctsync.sync.watches.resolve import ResolvedTerm, resolve_all
from ctsync.sync.watches.trial_list import join_ids, read_list
from ctsync.text import for_terminal

MOST_RETRY_SECONDS = 20

NO_TRIALS = NamedTrials({}, {})


@click.command("add")
@click.argument("terms", metavar="TERM...", nargs=-1)
@click.option("--name", default=DEFAULT_WATCH, show_default=True, help="Watch to add to.")
@click.option(
    "--query",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="API parameter such as cond=GVHD or overallStatus=RECRUITING; may be repeated.",
)
@click.option(
    "--sponsor", metavar="NAME", help="Trials that this sponsor leads or collaborates in."
)
@click.option("--condition", metavar="NAME", help="Trials of this condition.")
@click.option("--from", "saved", metavar="NAME", help="Start from the query of another watch.")
@click.option(
    "--file",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="File with one term per line, or the CSV download of a search; - reads stdin.",
)
@click.option(
    "--preview", is_flag=True, help="Show how many trials match, and some of them; store nothing."
)
@click.option("--sync", "sync_now", is_flag=True, help="Fetch the records now.")
@click.option(
    "--history", is_flag=True, help="Also fetch their earlier versions now, like `ctsync backfill`."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write the trials found as JSON: an array, or an object with --sync or --history.",
)
@pass_app
def add(
    app: App,
    *,
    terms: Sequence[str],
    name: str,
    listed: Path | None,
    preview: bool,
    sync_now: bool,
    history: bool,
    as_json: bool,
    **asked: Unpack[QueryArguments],
) -> None:
    """Follow trials, or all trials that match a query.

    TERM is an NCT id, the URL of a trial's page, a sponsor's study id such as BM-MSC-01, or the
    URL of a search on ClinicalTrials.gov, which becomes the query of the watch.

    Shows title, status and sponsor of the trials found; totals if more than 20 are named. If a
    term matches no trial or several, nothing is added. The next `ctsync sync` fetches the records.
    ctsync keeps following a trial that no longer matches a query, and reports it as left.
    """
    name = checked_name(name)
    if preview and (sync_now or history):
        raise UsageError("--preview stores nothing: remove --sync and --history")
    wanted, searches = split_terms([*join_ids(terms), *(_read_terms(listed) if listed else ())])
    query = QueryOptions(**asked).query(app, searches)
    if not wanted and query is None:
        raise UsageError("name a trial to follow: ctsync watch add NCT03389919")
    if history and query is not None and not sync_now:
        raise UsageError(
            "--history with a query also needs --sync: a sync must first find the matching trials"
        )
    with app.registry(most_retry_seconds=MOST_RETRY_SECONDS) as registry:
        resolved = resolve_all(wanted, registry)
        matching = None if query is None else preview_query(registry, query)
        ids = _ids(resolved)
        named = look_up(registry, ids) if preview else _look_up(registry, ids)
    if preview:
        _show_preview(resolved, named or NO_TRIALS, query, matching, as_json=as_json)
        click.get_current_context().exit(PARTIAL if named and named.failed else 0)
    app.sends = sync_now
    with app.writable_store() as store:
        new = follow(store, name, resolved, query, now=app.clock.now())
    if not as_json:
        _show_found(resolved, named, matching)
    if named is not None:
        tell_oddities(ids, named)
    _tell_followed(name, resolved, new=new, query=query, matching=matching)
    added = list(followed_rows(resolved, named or NO_TRIALS, query, name=name))
    if sync_now or history:
        _pull(app, name, ids, added, sync_now=sync_now, history=history, as_json=as_json)
        return
    if as_json:
        show_json(added)
    tell("next: ctsync sync")


def _look_up(registry: RegistryApi, ids: Sequence[NctId]) -> NamedTrials | None:
    """Return previews of the named trials; None if the registry cannot be reached.

    An NCT id can be followed without the registry, so a failure is only reported.
    """
    try:
        return look_up(registry, ids)
    except RegistryError as error:
        tell(for_terminal(f"title, status and sponsor cannot be shown: {error}"))
        return None


def _ids(resolved: Sequence[ResolvedTerm]) -> tuple[NctId, ...]:
    return tuple(dict.fromkeys(one.nct_id for one in resolved))


def _pull(
    app: App,
    name: str,
    ids: Sequence[NctId],
    added: Sequence[FollowedRow],
    *,
    sync_now: bool,
    history: bool,
    as_json: bool,
) -> None:
    """Fetch the records of newly followed trials, their registry history, or both."""
    has_query = any(one.query is not None for one in added)
    synced = fetched = None
    if sync_now:
        # only a full sync finds the trials that a query matches
        result, misnamed = run_round(app, () if has_query else ids)
        synced = sync_row(result, app.stored_rates())
    if history:
        with app.writable_store() as store, app.registry() as registry:
            wanted = members_of(store, name) if has_query else ids
            past = run_backfill(app, store, registry, wanted)
            states = store.histories.states(wanted)
        fetched = backfill_row(past, states, now=app.clock.now())
    if as_json:
        show_json(WatchAdditionRow(tuple(added), synced, fetched))
    code = 0
    if history:
        code = report_backfill(past, states, now=app.clock.now(), tabled=not as_json)
    if sync_now:
        end_round(result, misnamed, tabled=not as_json)
    else:
        tell("next: ctsync sync")
    click.get_current_context().exit(code)


def _show_preview(
    resolved: Sequence[ResolvedTerm],
    named: NamedTrials,
    query: Query | None,
    matching: QueryPreview | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        show_json(_preview_row(resolved, named, query, matching))
        return
    _show_found(resolved, named, matching)
    tell_oddities(_ids(resolved), named)
    if matching is not None:
        shown_of = f"{_matches(matching)}, {len(matching.shown)} shown"
        tell(for_terminal(f"{query}: {shown_of}"))
    tell("preview: nothing was stored; to follow these trials, run the command without --preview")


def _show_found(
    resolved: Sequence[ResolvedTerm], named: NamedTrials | None, matching: QueryPreview | None
) -> None:
    if resolved and named is not None:
        show_named(_ids(resolved), named)
    if matching is not None:
        show_matches(matching.shown)


def _tell_followed(
    name: str,
    resolved: Sequence[ResolvedTerm],
    *,
    new: int,
    query: Query | None,
    matching: QueryPreview | None,
) -> None:
    spelled = {one.nct_id: f" ({one.asked_as})" if one.asked_as else "" for one in resolved}
    known = len(spelled) - new
    parts = f": {new:,} new, {known:,} already in it" if known else ""
    if len(spelled) > MOST_ROWS:
        tell(for_terminal(f"following {len(spelled):,} trials in watch {name}{parts}"))
    elif spelled:
        trials = ", ".join(nct_id + org_id for nct_id, org_id in spelled.items())
        tell(for_terminal(f"following {trials} in watch {name}{parts}"))
    if query is not None and matching is not None:
        is_part = len(matching.shown) != matching.total
        shown = f", {len(matching.shown)} shown" if is_part else ""
        tell(for_terminal(f"following {query} in watch {name}: {_matches(matching)}{shown}"))


def _preview_row(
    resolved: Sequence[ResolvedTerm],
    named: NamedTrials,
    query: Query | None,
    matching: QueryPreview | None,
) -> WatchPreviewRow:
    trials = [named.found[nct_id] for nct_id in _ids(resolved) if nct_id in named.found]
    trials += matching.shown if matching else ()
    return WatchPreviewRow(
        query=None if query is None else dict(query.params),
        matches=matching.total if matching else 0,
        named=len(resolved),
        shown=tuple(FoundTrialRow(m.nct_id, m.status, m.sponsor, m.title) for m in trials),
        could_not_check=tuple(
            UncheckedTrialRow(nct_id, str(error)) for nct_id, error in named.failed.items()
        ),
    )


def _matches(seen: QueryPreview) -> str:
    if seen.total is None:
        return "the registry did not report how many trials match"
    if seen.total == 0:
        return "no trial matches now; ctsync follows trials as soon as they match"
    return f"{counted(seen.total, 'trial')} {'matches' if seen.total == 1 else 'match'} now"


def _read_terms(listed: Path) -> list[str]:
    try:
        with click.open_file(str(listed), encoding="utf-8") as file:
            return read_list(file.read())
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {listed}: it is not UTF-8 text") from error
    except OSError as error:
        raise UsageError(f"cannot read {listed}: {error.strerror}") from error
