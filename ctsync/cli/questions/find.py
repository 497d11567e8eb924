"""`find`: find trials by the values of fields in any of their versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import DayParam
from ctsync.cli.terminal_table import show_table
from ctsync.questions.portfolio.find import find as search
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.enum_words import key_field_words
from ctsync.record.rules.conditions import field_named, read_condition
from ctsync.record.value_text import NOTHING, counted


@click.command()
@click.argument("conditions", metavar="CONDITION...", nargs=-1, required=True)
@click.option("--ever", is_flag=True, help="Search all versions, not only the newest.")
@click.option(
    "--as-of",
    "as_of",
    type=DayParam(),
    help="Search the records as they were at the end of this day.",
)
@click.option("--watch", help="Only trials of this watch.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of the trials found.")
@pass_app
def find(
    app: App,
    *,
    conditions: Sequence[str],
    ever: bool,
    as_of: date | None,
    watch: str | None,
    as_json: bool,
) -> None:
    """Find trials by the values of their versions.

    A condition is FIELD, an operator and a value in one word; quote < > and | for your shell.

    \b
      status=SUSPENDED            the value; "Active, not recruiting" is accepted too
      status=SUSPENDED|WITHDRAWN  any of several
      'enrollment>100'            = != < <= > >=
      'primary_completion<2020'   all of it before 2020; dates may be years and months
      start=2020-01               within that month
      sponsor~novartis            contains the text, in upper or lower case; !~ does not
      phase=PHASE2                one of its phases
      has_results=yes             or no
      why_stopped!=none           none means no value

    \b
    Fields: status, last_known_status, why_stopped, start, primary_completion, completion
    (each with _type: estimated or actual), enrollment, enrollment_type, phase, study_type,
    sponsor, org_id, title, verified, first_submitted, first_posted, submitted, posted,
    results_first_posted, has_results, nct, and state (present, gone, moved).
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    wanted = [read_condition(text) for text in conditions]
    with app.store() as store:
        require_watch(store, watch)
        found = list(
            search(store, wanted, today=app.clock.now().date(), ever=ever, as_of=as_of, watch=watch)
        )
    if as_json:
        show_json(found)
        return
    show_table(
        ("TRIAL", "VERSIONS", "SINCE", "UNTIL", "DAYS", "WHAT"),
        [
            (
                one.nct_id,
                f"{one.from_version}-{one.to_version}"
                if one.to_version > one.from_version
                else str(one.to_version),
                str(one.since),
                "-" if one.is_open else str(one.until),
                f"{one.days:,}",
                "; ".join(f"{name} {_said(name, value)}" for name, value in one.values.items()),
            )
            for one in found
        ],
        drop=("VERSIONS",),
    )
    tell(counted(len({one.nct_id for one in found}), "trial"))


def _said(name: str, value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return key_field_words(field_named(name), value) if isinstance(value, str) else str(value)
