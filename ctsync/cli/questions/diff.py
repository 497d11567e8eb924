"""`diff`: compare two versions of a trial."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click
import orjson

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.model import MISSING, FieldChange, NctId
from ctsync.questions.trial.compare import CompareQuestion, compare_versions
from ctsync.record.enum_words import enum_words, is_enum
from ctsync.text import for_terminal

DIFFERENCES = 1


# here -2 is a version number: click must not reject it as an unknown option
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
    for text in (older, newer):
        if text and re.match(r"-\D", text):
            raise click.NoSuchOption(text, ctx=click.get_current_context())
    with app.store() as store:
        found = compare_versions(store, CompareQuestion(trial, older, newer))
    if as_json:
        show_json(found.rows)
    else:
        _show_changes(found.changes)
        tell(
            f"{trial}: {len(found.changes)} fields differ between version {found.before.version} "
            f"and version {found.after.version}"
        )
    if exit_code and found.changes:
        click.get_current_context().exit(DIFFERENCES)


def _show_changes(found: Sequence[FieldChange]) -> None:
    for change in found:
        click.echo(for_terminal(change.path))
        if change.before is not MISSING:
            click.echo(f"  - {_written(change.before, change.field)}")
        if change.after is not MISSING:
            click.echo(f"  + {_written(change.after, change.field)}")


def _written(value: Any, field: str) -> str:
    """A text, in words if it is an enum value; any other value as JSON."""
    if not isinstance(value, str):
        return for_terminal(orjson.dumps(value).decode())
    return for_terminal(enum_words(value, field) if is_enum(field) else value)
