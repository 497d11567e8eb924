"""Questions about the past: changes, show, diff, timeline."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.param_types import DayParam, MomentParam, TrialParam
from ctsync.cli.terminal_table import show_table
from ctsync.errors import UnknownTrial, UnknownVersion, UsageError
from ctsync.model import Category, Kind, Level, NctId, Version
from ctsync.text import for_terminal

if TYPE_CHECKING:
    from ctsync.model import FieldChange, Record
    from ctsync.store.store import Store

DIFFERENCES = 1


def stored_versions(store: Store, nct_id: NctId) -> list[Version]:
    """The versions of a trial; raises UnknownTrial where there are none."""
    versions = store.versions(nct_id)
    if not versions:
        raise UnknownTrial(
            f"nothing is stored of {nct_id}; follow it with: ctsync watch add {nct_id} --sync"
        )
    return versions


@click.command()
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option(
    "--since", type=MomentParam(), help="What happened at or after WHEN: 2026-03-13, 7d, 12h."
)
@click.option("--until", type=MomentParam(end_of_day=True), help="What happened up to WHEN.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([k.value for k in Kind]),
    metavar="KIND",
    help=f"Only these kinds; may be given again: {', '.join(Kind)}.",
)
@click.option(
    "--level", type=click.Choice([level.value for level in Level]), help="This level or worse."
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    type=click.Choice([category.value for category in Category]),
    metavar="CATEGORY",
    help=f"Only these parts of the record; may be given again: {', '.join(Category)}.",
)
@click.option("--watch", help="Only trials of this watch.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many, newest kept.")
@click.option("--json", "as_json", is_flag=True, help="An array of events.")
@pass_app
def changes(
    app: App,
    *,
    trials: Sequence[NctId],
    since: datetime | None,
    until: datetime | None,
    kinds: Sequence[str],
    level: str | None,
    categories: Sequence[str],
    watch: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List what changed, oldest first: all that is stored, or as the options narrow it."""
    from ctsync.questions.changes.report_data import events_told
    from ctsync.report.event_json import event_json
    from ctsync.store.data.events import EventFilter

    wanted = EventFilter(
        nct_ids=tuple(trials),
        since=since,
        until=until,
        kinds=tuple(Kind(kind) for kind in kinds),
        minimum_level=Level(level) if level else None,
        categories=tuple(Category(category) for category in categories),
        watch=watch,
        limit=limit,
    )
    with app.store() as store:
        events, found = events_told(store, wanted)
        if as_json:
            show_json([event_json(event) for event in events])
        else:
            show_table(
                ("DAY", "TRIAL", "LEVEL", "RULE", "WHAT"),
                [
                    (
                        f"{event.happened or event.observed or event.fetched:%Y-%m-%d}",
                        event.nct_id,
                        event.event.level,
                        event.event.rule,
                        event.event.summary,
                    )
                    for event in events
                ],
            )
    if found > len(events):
        tell(f"the newest {len(events)} of {found} changes; without --limit all are shown")
    elif not as_json:
        tell(f"{found} changes" if found != 1 else "1 change")


@click.command()
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.option(
    "--as-of", "as_of", type=DayParam(), help="As the record stood at the end of that day."
)
@click.option("--version", "number", type=int, help="A version by its number; -1 is the newest.")
@click.option(
    "--field", "path", metavar="PATH", help="One field: its path or the end of it, or label."
)
@click.option("--raw", is_flag=True, help="The stored bytes, untouched, for another program.")
@click.option("--json", "as_json", is_flag=True, help="The record (or field) as JSON.")
@pass_app
def show(
    app: App,
    *,
    trial: NctId,
    as_of: date | None,
    number: int | None,
    path: str | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Show a record as it stood: now, on a day, or in a version."""
    from ctsync.questions.trial.stored_records import record_of, stored_record
    from ctsync.questions.trial.version_dates import (
        NotKnown,
        NotRegistered,
        find_version,
        version_on,
    )

    if as_of is not None and number is not None:
        raise UsageError("give --as-of or --version, not both")
    if raw and sys.stdout.isatty():
        raise UsageError("--raw is for another program: redirect it, or use --json")
    with app.store() as store:
        versions = stored_versions(store, trial)
        stood = (
            version_on(versions, as_of)
            if as_of
            else find_version(versions, -1 if number is None else number)
        )
        match stood:
            case NotRegistered(first_posted):
                raise UnknownVersion(
                    f"not registered yet: {trial} was first posted on {first_posted}, after {as_of}"
                )
            case NotKnown(since):
                raise UnknownVersion(
                    f"not known: {trial} was registered by {as_of}, but the oldest stored version "
                    f"stands from {since}; what stood before: ctsync backfill {trial}"
                )
        record = stored_record(store, stood) if raw else record_of(store, stood)
    if raw:
        click.echo(record.canonical)  # bytes go out as they are, and at once
    elif path is not None:
        _show_field(record, path, as_json=as_json)
    elif as_json:
        show_json(record.body)
    else:
        _show_overview(stood)


def _show_field(record: Record, path: str, *, as_json: bool) -> None:
    from ctsync.record.fields.lookup import find_path, values_at

    found = values_at(record.body, path) or values_at(record.body, find_path(path))
    if not found:
        raise UsageError(f"{record.nct_id} has no {path!r} in this version")
    if as_json:
        show_json(found if len(found) > 1 else next(iter(found.values())))
        return
    for where, value in found.items():
        if isinstance(value, dict | list):
            tell(for_terminal(where))
            show_json(value)
        else:
            text = for_terminal(str(value))
            click.echo(text if len(found) == 1 else f"{for_terminal(where)}: {text}")


def _show_overview(version: Version) -> None:
    from ctsync.report.trial.record_summary import overview

    for label, value in overview(version):
        click.echo(f"{label + ':':<22} {for_terminal(value)}")
    tell("the whole record: --json; one field: --field PATH")


# -2 is a version here, and no option that click does not know
@click.command("diff", context_settings={"ignore_unknown_options": True})
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.argument("older", metavar="[FROM]", required=False)
@click.argument("newer", metavar="[TO]", required=False)
@click.option("--exit-code", is_flag=True, help="End with 1 where the versions differ.")
@click.option("--json", "as_json", is_flag=True, help="An array of field changes.")
@pass_app
def diff_command(
    app: App,
    *,
    trial: NctId,
    older: str | None,
    newer: str | None,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Compare two versions field by field: numbers, days, or by default the last two.

    FROM and TO are version numbers (3, -1) or days (2020-01-01).
    """
    from ctsync.questions.trial.stored_records import pair_of
    from ctsync.record.compare.diff import diff

    for text in (older, newer):
        if text and re.match(r"-\D", text):
            raise click.NoSuchOption(text, ctx=click.get_current_context())
    with app.store() as store:
        versions = stored_versions(store, trial)
        if older is None and len(versions) < 2:
            raise UnknownVersion(f"there is only one version of {trial}, nothing to compare")
        before = _pick(versions, older or "-2")
        after = _pick(versions, newer or "-1")
        found = diff(*pair_of(store, before, after))
    if as_json:
        show_json([_change_json(change) for change in found])
    else:
        _show_changes(found)
        tell(
            f"{trial}: {len(found)} fields differ between version {before.version} "
            f"and version {after.version}"
        )
    if exit_code and found:
        click.get_current_context().exit(DIFFERENCES)


def _pick(versions: Sequence[Version], text: str) -> Version:
    from ctsync.questions.trial.version_dates import find_version, version_on

    if re.fullmatch(r"-?\d{1,6}", text):
        return find_version(versions, int(text))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is neither a version number nor a day (2020-01-01)") from None
    stood = version_on(versions, day)
    if not isinstance(stood, Version):
        raise UnknownVersion(f"no version of {versions[0].nct_id} is known to stand on {day}")
    return stood


def _change_json(change: FieldChange) -> dict[str, Any]:
    from ctsync.model import MISSING

    known = {"before": change.before, "after": change.after}
    return {
        "path": change.path,
        "field": change.field,
        "added": change.before is MISSING,
        "removed": change.after is MISSING,
        **{name: None if value is MISSING else value for name, value in known.items()},
    }


def _show_changes(found: Sequence[FieldChange]) -> None:
    import orjson

    from ctsync.model import MISSING

    def written(value: Any) -> str:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return for_terminal(text)

    for change in found:
        click.echo(for_terminal(change.path))
        if change.before is not MISSING:
            click.echo(f"  - {written(change.before)}")
        if change.after is not MISSING:
            click.echo(f"  + {written(change.after)}")


@click.command()
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.option("--width", type=click.IntRange(min=40), help="Columns (default: the terminal's).")
@click.option("--ascii", "ascii_only", is_flag=True, help="Plain ASCII only.")
@click.option("--json", "as_json", is_flag=True, help="The spells and moves as JSON.")
@pass_app
def timeline(app: App, *, trial: NctId, width: int | None, ascii_only: bool, as_json: bool) -> None:
    """Draw a trial's life: status spells, planned and actual dates, enrollment."""
    import shutil

    from ctsync.questions.changes.report_data import timeline_of
    from ctsync.report.trial.timeline_terminal import render_timeline, timeline_json

    with app.store() as store:
        stored_versions(store, trial)
        drawn = timeline_of(store, trial, until=app.clock.now())
    if as_json:
        show_json(timeline_json(drawn))
        return
    columns = width or shutil.get_terminal_size((80, 24)).columns
    click.echo(render_timeline(drawn, width=columns, ascii_only=ascii_only))


COMMANDS = [changes, show, diff_command, timeline]
