"""`show`: show a record now, on a day, or in a version."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell, write_document
from ctsync.cli.param_types import DayParam, NumberParam, TrialParam
from ctsync.errors import UsageError
from ctsync.model import NctId, Record, Version
from ctsync.questions.parameters import MOST
from ctsync.questions.portfolio.flags import flags_shown_with
from ctsync.questions.trial.record_as_of import RecordQuestion, record_as_of
from ctsync.questions.trial.standing import standing_shown_with
from ctsync.record.context import BaseRates, ContextNote, flag_context
from ctsync.record.enum_words import enum_words, is_enum
from ctsync.record.fields.lookup import values_of_field
from ctsync.record.fields.table import field_of
from ctsync.record.flags import Flag
from ctsync.report.record_view.record_text import record_lines
from ctsync.report.trial.record_summary import overview
from ctsync.text import for_terminal


@click.command()
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.option(
    "--as-of", "as_of", type=DayParam(), help="The record as it was at the end of this day."
)
@click.option(
    "--version", "number", type=NumberParam(least=-MOST), help="Version number; -1 is the newest."
)
@click.option(
    "--field",
    "path",
    metavar="PATH",
    help="Only one field: its label, its path, or the end of its path.",
)
@click.option("--raw", is_flag=True, help="Write the stored record unchanged, for another program.")
@click.option("--json", "as_json", is_flag=True, help="Write the record or field as JSON.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html"]),
    help="Write all fields in readable form, as text or as an HTML page.",
)
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
    form: str | None,
) -> None:
    """Show a record: the newest version, or an earlier one."""
    if form is not None and (raw or as_json or path is not None):
        raise UsageError("--format writes all fields: omit --raw, --json and --field")
    if raw and sys.stdout.isatty():
        raise UsageError("--raw is not shown on a terminal: redirect the output, or use --json")
    is_data = raw or as_json or path is not None or form is not None
    with app.store() as store:
        found = record_as_of(store, RecordQuestion(trial, as_of, number, as_stored=raw))
        today = app.clock.now().date()
        flags = () if is_data else flags_shown_with(store, found.version, as_of=as_of, today=today)
        rates = None if is_data else app.rates(store)
        notes = standing_shown_with(store, found.version, as_of=as_of, today=today, rates=rates)
    record = found.record
    if raw:
        click.echo(record.canonical)  # click writes bytes unchanged and flushes them
    elif path is not None:
        _show_field(record, path, as_json=as_json)
    elif as_json:
        show_json(record.body)
    elif form == "html":
        # measured: with Jinja, a sixth of `ctsync show`
        from ctsync.web.pages.record_page import record_page  # noqa: PLC0415 - see above

        write_document(record_page(found.version, record))
    elif form == "text":
        for line in record_lines(found.version, record):
            click.echo(for_terminal(line))
    else:
        _show_overview(found.version, [*_context_lines(notes), *_flag_lines(flags, rates)])
    if found.note and (as_of is not None or not is_data):
        tell(found.note)


def _show_field(record: Record, path: str, *, as_json: bool) -> None:
    found = values_of_field(record.body, path)
    if as_json:
        show_json(found if len(found) > 1 else next(iter(found.values())))
        return
    for where, value in found.items():
        if isinstance(value, dict | list):
            tell(for_terminal(where))
            show_json(value)
        else:
            text = for_terminal(_said(value, where))
            click.echo(text if len(found) == 1 else f"{for_terminal(where)}: {text}")


def _said(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    field = field_of(where)
    return enum_words(str(value), field) if is_enum(field) else str(value)


def _flag_lines(flags: Sequence[Flag], rates: BaseRates | None) -> Iterator[tuple[str, str]]:
    for flag in flags:
        since = f" since {flag.since}" if flag.since else ""
        yield "Flag", f"{flag.id}{since}: {flag.words}"
        yield from _context_lines(flag_context(flag.id, rates))


def _context_lines(notes: Sequence[ContextNote]) -> Iterator[tuple[str, str]]:
    return (("Context", note.text) for note in notes)


def _show_overview(version: Version, facts: Sequence[tuple[str, str]]) -> None:
    for label, value in (*overview(version), *facts):
        click.echo(f"{label + ':':<22} {for_terminal(value)}")
    tell("all fields: --format text; one field: --field PATH")
