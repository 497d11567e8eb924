"""`find`: find trials by the values of fields in any of their versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import DayParam, NumberParam
from ctsync.cli.terminal_table import show_table
from ctsync.questions.portfolio.find import FindQuestion, FoundTrial, first_results, search_notes
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.enum_words import key_field_words
from ctsync.record.rules.conditions import field_named, read_condition
from ctsync.record.value_text import NOTHING, counted

_SHOWN_ITEMS = 3
"""The most items of a list in the table. The JSON has all that match."""


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
@click.option("--limit", type=NumberParam(), help="List at most this many results.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of the trials found.")
@pass_app
def find(
    app: App,
    *,
    conditions: Sequence[str],
    ever: bool,
    as_of: date | None,
    watch: str | None,
    limit: int | None,
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
      condition~"lung cancer"     has all the words, in any order; !~ does not
      'eligibility~"ECOG 0" egfr' words in double quotes stand side by side
      intervention~immuno*        a word that begins so
      country=Germany|France      one of its countries
      phase=PHASE2                one of its phases
      has_results=yes             or no
      why_stopped!=none           none means no value

    \b
    Fields of the record: condition, keyword, intervention, intervention_type, collaborator,
    sponsor_class, country, city, facility (a site), eligibility (the text of the criteria)
    and outcome (an outcome measure: primary, secondary or other).

    \b
    Fields of each version: status, last_known_status, why_stopped, start, primary_completion,
    completion (each with _type: estimated or actual), enrollment, enrollment_type, phase,
    study_type, sponsor (the lead), org_id, title, verified, first_submitted, first_posted,
    submitted, posted, results_first_posted, has_results, nct, and state (present, gone, moved).

    Words ignore case and accents. On a field of each version, ~ also finds parts of words. A field
    of the record is a list: one item must meet the condition. `ctsync db index-text` builds an
    index for these fields; without it, the search reads the records.
    """  # noqa: D301 - \b is click's mark for text that it must not rewrap
    wanted = [read_condition(text) for text in conditions]
    with app.store() as store:
        require_watch(store, watch)
        question = FindQuestion(wanted, ever, as_of, watch)
        for note in search_notes(store, question):
            tell(note)
        found, total = first_results(store, question, today=app.clock.now().date(), limit=limit)
    if total > len(found):
        tell(f"the first {len(found):,} of {total:,} results; without --limit all are shown")
    if as_json:
        show_json(found)
        return
    first = ("FIRST",) if ever else ()
    show_table(
        ("TRIAL", *first, "VERSIONS", "SINCE", "UNTIL", "DAYS", "WHAT", "TITLE"),
        [
            (
                one.nct_id,
                *([str(one.first_match)] if ever else []),
                _versions(one),
                str(one.since),
                "-" if one.is_open else str(one.until),
                f"{one.days:,}",
                "; ".join(f"{name} {_said(name, value)}" for name, value in one.values.items()),
                one.title or "-",
            )
            for one in found
        ],
        drop=("VERSIONS", *first, "TITLE"),
        shorten=("TITLE",),
        wrap=("WHAT",),
    )
    if total == len(found):
        tell(counted(len({one.nct_id for one in found}), "trial"))


def _versions(one: FoundTrial) -> str:
    if one.to_version > one.from_version:
        return f"{one.from_version}-{one.to_version}"
    return str(one.to_version)


def _said(name: str, value: object) -> str:
    if isinstance(value, list):
        return _listed(value)
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return key_field_words(field_named(name), value) if isinstance(value, str) else str(value)


def _listed(items: list[str]) -> str:
    shown = ", ".join(items[:_SHOWN_ITEMS])
    more = len(items) - _SHOWN_ITEMS
    return f"{shown} and {more:,} more" if more > 0 else shown or NOTHING
