"""`watch add`: follow trials, by name or by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click
from pydantic import TypeAdapter, ValidationError

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.sync.backfill import backfill_json, report_backfill, run_backfill
from ctsync.cli.sync.sync import end_round, run_round, sync_json
from ctsync.cli.terminal_table import show_table
from ctsync.config.error_text import sentence
from ctsync.config.values import Name
from ctsync.errors import UsageError
from ctsync.model import JsonObject, NctId
from ctsync.query import PARAMETERS, Query, exactly, read_query
from ctsync.questions.portfolio.watches import members_of
from ctsync.record.enum_words import enum_words
from ctsync.record.value_text import counted
from ctsync.registry.api import RegistryApi
from ctsync.store.store import Store
from ctsync.sync.watches.query_preview import QueryPreview, preview_query
from ctsync.sync.watches.resolve import ResolvedTerm, resolve_all
from ctsync.text import for_terminal

DEFAULT_WATCH = "default"


class QueryArguments(TypedDict):
    """The query options of `watch add`, as click passes them."""

    pairs: Sequence[str]
    sponsor: str | None
    condition: str | None
    saved: str | None


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The query options of the command line."""

    pairs: Sequence[str] = ()
    sponsor: str | None = None
    condition: str | None = None
    saved: str | None = None

    def query(self, app: App) -> Query | None:
        """Build and check the query; return None if no option sets one."""
        given: dict[str, object] = self._saved(app) if self.saved is not None else {}
        for pair in self.pairs:
            name, equals, value = pair.partition("=")
            if not equals:
                raise UsageError(f"--query {pair}: write KEY=VALUE, as in cond=asthma")
            given[_long(name.strip())] = value
        for name, text in (("query.spons", self.sponsor), ("query.cond", self.condition)):
            if text is not None:
                if name in given:
                    raise UsageError(f"{name} is given twice: by name and by --query or --from")
                given[name] = exactly(text)
        return read_query(given) if given else None

    def _saved(self, app: App) -> dict[str, object]:
        """Return the query of another watch, from the settings file or the database."""
        for known in app.settings.watches:
            if known.name == self.saved and known.query:
                return dict(known.query)
        with app.store() as store:
            names = {watch.name: watch.query for watch in store.watches.all()}
        if names.get(str(self.saved)) is None:
            raise UsageError(f"--from: no watch {self.saved!r} has a query; see: ctsync watch list")
        return dict(names[str(self.saved)] or {})


def _long(name: str) -> str:
    return PARAMETERS.get(name, name)


@click.command("add")
@click.argument("terms", metavar="TERM...", nargs=-1)
@click.option("--name", default=DEFAULT_WATCH, show_default=True, help="The watch to add to.")
@click.option(
    "--query",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="What matches cond=, term=, overallStatus=, …: a parameter of the API; all must hold.",
)
@click.option("--sponsor", metavar="NAME", help="What this sponsor leads or takes part in.")
@click.option("--condition", metavar="NAME", help="What is about this condition.")
@click.option("--from", "saved", metavar="NAME", help="What the query of another watch matches.")
@click.option(
    "--file",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="A file of terms, one a line; # begins a comment; - is standard input.",
)
@click.option("--preview", is_flag=True, help="Show how many match, and some; store nothing.")
@click.option("--sync", "sync_now", is_flag=True, help="Pull the records at once.")
@click.option("--history", is_flag=True, help="Fetch their past at once, as `backfill` does.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="What was resolved, an array; with --sync or --history an object.",
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
    """Follow trials: NCT ids, study ids such as BM-MSC-01, or whatever matches a query.

    A study id is looked up at the registry at once and must name exactly one trial. If any
    term cannot be resolved nothing is added. Records are pulled by the next `ctsync sync`.
    A trial that leaves a query stays followed, and is told as left.
    """
    name = checked_name(name)
    if preview and (sync_now or history):
        raise UsageError("--preview stores nothing: leave --sync and --history out")
    query = QueryOptions(**asked).query(app)
    wanted = list(dict.fromkeys([*terms, *(_read_terms(listed) if listed else ())]))
    if not wanted and query is None:
        raise UsageError("name a trial to follow: ctsync watch add NCT03389919")
    if history and query is not None and not sync_now:
        raise UsageError("which trials a query matches only a sync finds: add --sync")
    with app.registry() as registry:
        if preview:
            _preview(registry, wanted, query, as_json=as_json)
            return
        app.sends = sync_now
        with app.writable_store() as store:
            _check_watch(store, name, query)
            resolved, seen = _look_up(registry, wanted, query)
            _store(store, name, resolved, query, now=app.clock.now())
    for one in resolved:
        named = f" ({for_terminal(one.asked_as)})" if one.asked_as else ""
        tell(f"following {one.nct_id}{named} in watch {for_terminal(name)}")
    if query is not None and seen is not None:
        tell(for_terminal(f"following {query} in watch {name}: {_matches(seen)}"))
    shown: list[JsonObject] = [
        {"term": one.term, "nct_id": one.nct_id, "watch": name} for one in resolved
    ]
    if query is not None:
        shown.append({"query": dict(query.params), "watch": name})
    ids = tuple(dict.fromkeys(one.nct_id for one in resolved))
    if sync_now or history:
        _pull(app, name, ids, shown, sync_now=sync_now, history=history, as_json=as_json)
        return
    if as_json:
        show_json(shown)
    tell("next: ctsync sync")


def _look_up(
    registry: RegistryApi, wanted: Sequence[str], query: Query | None
) -> tuple[list[ResolvedTerm], QueryPreview | None]:
    resolved = resolve_all(wanted, registry)
    return resolved, None if query is None else preview_query(registry, query)


def _check_watch(store: Store, name: str, query: Query | None) -> None:
    known = next((watch for watch in store.watches.all() if watch.name == name), None)
    if known is None:
        return
    if known.origin == "file":
        raise UsageError(f"the watch {name!r} stands in the settings file; add the trial there")
    if query is not None and known.query not in (None, dict(query.params)):
        raise UsageError(
            f"the watch {name!r} has another query; choose another --name, or end it first: "
            "ctsync watch remove"
        )


def _store(
    store: Store, name: str, resolved: Sequence[ResolvedTerm], query: Query | None, *, now: datetime
) -> None:
    with store.unit() as unit:
        if query is not None:
            unit.watches.add(name, query=query.params)
        if resolved:
            terms = {one.nct_id: one.asked_as for one in resolved}
            unit.watches.add_trials(name, terms, now)


def _pull(
    app: App,
    name: str,
    ids: Sequence[NctId],
    shown: Sequence[JsonObject],
    *,
    sync_now: bool,
    history: bool,
    as_json: bool,
) -> None:
    """Fetch the records of newly followed trials, their registry history, or both."""
    told: JsonObject = {"resolved": shown}
    has_query = any("query" in one for one in shown)
    if sync_now:
        # only a full sync finds the trials that a query matches
        result, misnamed = run_round(app, () if has_query else ids)
        told["sync"] = sync_json(result)
    if history:
        with app.writable_store() as store, app.registry() as registry:
            wanted = members_of(store, name) if has_query else ids
            past = run_backfill(app, store, registry, wanted)
            states = store.histories.states(wanted)
        told["history"] = backfill_json(past, states)
    if as_json:
        show_json(told)
    code = report_backfill(past, states, tabled=not as_json) if history else 0
    if sync_now:
        end_round(app, result, misnamed, tabled=not as_json)
    else:
        tell("next: ctsync sync")
    click.get_current_context().exit(code)


def _preview(
    registry: RegistryApi, wanted: Sequence[str], query: Query | None, *, as_json: bool
) -> None:
    resolved, seen = _look_up(registry, wanted, query)
    matches = list(seen.shown) if seen is not None else []
    if resolved:
        named = list(dict.fromkeys(one.nct_id for one in resolved))[:100]
        found = preview_query(registry, read_query({"ids": list(named)}), size=len(named))
        matches = [*found.shown, *matches]
    total = (seen or QueryPreview(0, ())).total
    if as_json:
        trials = [{"nct_id": m.nct_id, "status": m.status, "title": m.title} for m in matches]
        params = None if query is None else dict(query.params)
        show_json({"query": params, "matches": total, "named": len(resolved), "shown": trials})
        return
    show_table(
        ("TRIAL", "STATUS", "TITLE"), [(m.nct_id, enum_words(m.status), m.title) for m in matches]
    )
    if seen is not None:
        tell(for_terminal(f"{query}: {_matches(seen)}, {len(seen.shown)} shown"))
    tell("preview: nothing stored; to follow them, say the same without --preview")


def _matches(seen: QueryPreview) -> str:
    if seen.total is None:
        return "the registry does not say how many match"
    if seen.total == 0:
        return "no trial matches now; those that will are followed from then on"
    return f"{counted(seen.total, 'trial')} {'matches' if seen.total == 1 else 'match'} now"


def checked_name(name: str) -> str:
    """Check the name of a watch by the rules of the settings file; raises UsageError."""
    try:
        return TypeAdapter(Name).validate_python(name.strip())
    except ValidationError as wrong:
        (problem,) = wrong.errors()
        problem["loc"], problem["input"] = ("name",), None  # do not repeat a long name in the error
        raise UsageError(f"--name: {sentence(problem)}") from None


def _read_terms(listed: Path) -> list[str]:
    try:
        with click.open_file(str(listed), encoding="utf-8") as file:
            lines = [line.split("#", 1)[0].strip() for line in file]
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {listed}: it is not UTF-8 text") from error
    except OSError as error:
        raise UsageError(f"cannot read {listed}: {error.strerror}") from error
    return [line for line in lines if line]
