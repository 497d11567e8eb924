"""`diff`: compare two versions of a trial."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import click
import orjson

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.errors import UnknownVersion, UsageError
from ctsync.model import MISSING, FieldChange, NctId, Version
from ctsync.questions.trial.stored_records import pair_of, stored_versions
from ctsync.questions.trial.version_dates import find_version, version_on
from ctsync.record.compare.diff import diff
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
    known = {"before": change.before, "after": change.after}
    return {
        "path": change.path,
        "field": change.field,
        "added": change.before is MISSING,
        "removed": change.after is MISSING,
        **{name: None if value is MISSING else value for name, value in known.items()},
    }


def _show_changes(found: Sequence[FieldChange]) -> None:
    def written(value: Any) -> str:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return for_terminal(text)

    for change in found:
        click.echo(for_terminal(change.path))
        if change.before is not MISSING:
            click.echo(f"  - {written(change.before)}")
        if change.after is not MISSING:
            click.echo(f"  + {written(change.after)}")
