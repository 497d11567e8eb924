"""`watch`: what is followed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.tables import show_table
from ctsync.errors import UsageError
from ctsync.text import for_terminal

DEFAULT_WATCH = "default"


@click.group()
def watch() -> None:
    """Say which trials are followed."""


@watch.command("add")
@click.argument("terms", metavar="TERM...", nargs=-1)
@click.option("--name", default=DEFAULT_WATCH, show_default=True, help="The watch to add to.")
@click.option(
    "--file",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="A file of terms, one a line; # begins a comment; - is standard input.",
)
@click.option("--sync", "sync_now", is_flag=True, help="Pull the records at once.")
@click.option(
    "--json", "as_json", is_flag=True, help="What was resolved, an array; with --sync an object."
)
@pass_app
def add(
    app: App,
    *,
    terms: Sequence[str],
    name: str,
    listed: Path | None,
    sync_now: bool,
    as_json: bool,
) -> None:
    """Follow trials: NCT ids, or organisations' study ids such as BM-MSC-01.

    A study id is looked up at the registry at once and must name exactly one trial. If any
    term cannot be resolved nothing is added. Records are pulled by the next `ctsync sync`.
    """
    from ctsync.tracking.watch import resolve_all

    name = _checked_name(name)
    app.sends = sync_now
    wanted = [*terms, *(_read_terms(listed) if listed else ())]
    if not wanted:
        raise UsageError("name a trial to follow: ctsync watch add NCT03389919")
    with app.store() as store, app.registry() as registry:
        if any(w.name == name and w.origin == "file" for w in store.watches()):
            raise UsageError(f"the watch {name!r} stands in the settings file; add the trial there")
        resolved = resolve_all(dict.fromkeys(wanted), registry)
        with store.unit() as unit:
            unit.add_trials(name, {one.nct_id: one.asked_as for one in resolved}, app.clock.now())
    shown = [{"term": one.term, "nct_id": one.nct_id, "watch": name} for one in resolved]
    for one in resolved:
        named = f" ({for_terminal(one.asked_as)})" if one.asked_as else ""
        tell(f"following {one.nct_id}{named} in watch {for_terminal(name)}")
    if not sync_now:
        if as_json:
            show_json(shown)
        tell("next: ctsync sync")
        return
    from ctsync.cli.sync import end_round, outcome_json, run_round

    outcome, misnamed = run_round(app, tuple(dict.fromkeys(one.nct_id for one in resolved)))
    if as_json:
        show_json({"resolved": shown, "sync": outcome_json(outcome)})
    end_round(app, outcome, misnamed, tabled=not as_json)


def _checked_name(name: str) -> str:
    """The name of a watch, held to what the settings file allows."""
    from pydantic import TypeAdapter, ValidationError

    from ctsync.config.problems import sentence
    from ctsync.config.values import Name

    try:
        return TypeAdapter(Name).validate_python(name.strip())
    except ValidationError as wrong:
        (problem,) = wrong.errors()
        problem["loc"], problem["input"] = ("name",), None  # a long name is not repeated
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


@watch.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of watches.")
@pass_app
def list_watches(app: App, as_json: bool) -> None:
    """List the watches, where each comes from, and the trials they follow."""
    from ctsync.report.phrases import counted

    with app.store() as store:
        watches = store.watches()
        heads = store.heads([trial.nct_id for watch in watches for trial in watch.trials])
    if as_json:
        show_json(
            [
                {
                    "name": watch.name,
                    "origin": watch.origin,
                    "trials": [
                        {"nct_id": trial.nct_id, "asked_as": trial.asked_as or None}
                        for trial in watch.trials
                    ],
                }
                for watch in watches
            ]
        )
        return
    rows = [
        (
            watch.name,
            watch.origin,
            trial.nct_id,
            trial.asked_as or "-",
            f"version {heads[trial.nct_id].version}" if trial.nct_id in heads else "not yet pulled",
        )
        for watch in watches
        for trial in watch.trials
    ]
    show_table(("WATCH", "FROM", "TRIAL", "ASKED AS", "STORED"), rows)
    trials = counted(len({row[2] for row in rows}), "trial")
    tell(f"{counted(len(watches), 'watch', 'watches')}, {trials}")
    pending = [w.name for w in app.settings.watches if w.name not in {x.name for x in watches}]
    if pending:
        named = for_terminal(", ".join(pending))
        tell(f"in the settings file, taken up by the next sync: {named}")


@watch.command("remove")
@click.argument("name", metavar="NAME")
@click.argument("trials", metavar="[NCT...]", nargs=-1)
@pass_app
def remove(app: App, name: str, trials: Sequence[str]) -> None:
    """End a watch, or stop following some of its trials; what is stored stays stored."""
    from ctsync.model import parse_nct_id

    ids = [parse_nct_id(text) for text in trials]
    with app.store() as store:
        found = next((one for one in store.watches() if one.name == name), None)
        if found is None:
            raise UsageError(f"there is no watch {name!r}; see: ctsync watch list")
        if found.origin == "file":
            raise UsageError(f"the watch {name!r} stands in the settings file; remove it there")
        absent = [nct_id for nct_id in ids if nct_id not in {t.nct_id for t in found.trials}]
        if absent:
            raise UsageError(f"the watch {name!r} does not follow {', '.join(absent)}")
        with store.unit() as unit:
            if ids:
                unit.remove_trials(name, ids)
            else:
                unit.remove_watch(name)
    ended = for_terminal(", ".join(ids) or f"watch {name}")
    tell(f"no longer following {ended}; its history stays")


COMMANDS = [watch]
