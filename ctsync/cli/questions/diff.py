"""`diff`: compare two versions of a trial."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import STDOUT, show_json, tell, write_file
from ctsync.cli.param_types import TrialParam
from ctsync.model import Category, Level, NctId
from ctsync.pasted_url import versions_of
from ctsync.questions.changes.rules import thresholds_in_force
from ctsync.questions.trial.compare import (
    CompareQuestion,
    compare_versions,
    comparison_rows,
)
from ctsync.report.comparison.comparison import ChangeSelection
from ctsync.report.comparison.comparison_text import comparison_lines
from ctsync.report.comparison.reading import ComparisonReading, reading_of
from ctsync.report.comparison.styled_lines import Line, Span, Style, as_text
from ctsync.report.rows.row_json import dump
from ctsync.text import for_terminal

DIFFERENCES = 1
FORMATS = ("text", "html", "markdown", "json")
PIPE_WIDTH = 100
_WIDEST = 120
_NARROWEST = 50
_STYLES: dict[Style, dict[str, Any]] = {
    Style.HEADING: {"bold": True},
    Style.LABEL: {"bold": True},
    Style.CRITICAL: {"bold": True, "fg": "red"},
    Style.NOTABLE: {"bold": True, "fg": "yellow"},
    Style.SOFT: {"dim": True},
    Style.REMOVED: {"fg": "red"},
    Style.ADDED: {"fg": "green"},
}


class PastedTrial(NamedTuple):
    """A trial, and the registry's numbers of two versions if a URL names them."""

    nct_id: NctId
    versions: tuple[int, int] | None


class PastedTrialParam(click.ParamType[Any]):
    """A trial, or the URL of a page that compares two of its versions."""

    name = "NCT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> PastedTrial:
        """Return the trial; raises BadNctId."""
        return PastedTrial(TrialParam().convert(value, param, ctx), versions_of(value))


# here -2 is a version number: click must not reject it as an unknown option
@click.command(
    "diff",
    context_settings={"ignore_unknown_options": True},
    epilog=f"Categories: {', '.join(Category)}.",
)
@click.argument("trial", metavar="NCT", type=PastedTrialParam())
@click.argument("older", metavar="[FROM]", required=False)
@click.argument("newer", metavar="[TO]", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Output format; json has the paths of all changed fields.",
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    type=click.Choice([category.value for category in Category]),
    metavar="CATEGORY",
    help="Only this part of the record (listed below); may be repeated.",
)
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    help="Lowest level to show (default: routine; json: administrative).",
)
@click.option(
    "--all",
    "is_full",
    is_flag=True,
    help="Show administrative changes too, and each value in full.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file; - is standard output.",
)
@click.option("--exit-code", is_flag=True, help="Exit with code 1 if the versions differ.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@pass_app
def diff_command(
    app: App,
    *,
    trial: PastedTrial,
    older: str | None,
    newer: str | None,
    form: str,
    categories: Sequence[str],
    level: str | None,
    is_full: bool,
    output: Path | None,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Compare two versions of a trial, worst changes first.

    Compares the last two versions by default. FROM and TO are version numbers (3, or -1 for the
    last), registry versions (v2) or days (2020-01-01). FROM..TO works too. NCT may be the URL of a
    compare page at ClinicalTrials.gov.
    """
    for text in (older, newer):
        if text and re.match(r"-\D", text):
            raise click.NoSuchOption(text, ctx=click.get_current_context())
    thresholds = thresholds_in_force(app.settings)
    question = CompareQuestion(trial.nct_id, older, newer, trial.versions, thresholds)
    with app.store() as store:
        found = compare_versions(store, question)
    form = "json" if as_json else form
    shows_all = is_full or form == "json"
    lowest = Level(level) if level else Level.ADMINISTRATIVE if shows_all else Level.ROUTINE
    selection = ChangeSelection(lowest, tuple(map(Category, categories)), is_full=is_full)
    if form == "json":
        rows = comparison_rows(found, selection)
        if found.note:
            tell(for_terminal(found.note))
        _write_json(rows, output)
    else:
        _write(reading_of(found, selection), form, output)
    if exit_code and found.changes:
        click.get_current_context().exit(DIFFERENCES)


def _write_json(rows: Sequence[Any], output: Path | None) -> None:
    if output is None:
        show_json(rows)
    else:
        write_file(output, dump(rows, indent=True).decode() + "\n")


def _write(reading: ComparisonReading, form: str, output: Path | None) -> None:
    if form == "text" and output is None:
        is_terminal = sys.stdout.isatty()
        has_colour = is_terminal and not os.environ.get("NO_COLOR")
        for line in comparison_lines(reading, _width(is_terminal=is_terminal)):
            click.echo(_painted(line) if has_colour else as_text(line))
        return
    text = _text(reading, form)
    if form == "text" and output == STDOUT:
        click.echo(text.rstrip("\n"))
    else:
        write_file(output or STDOUT, text)


def _text(reading: ComparisonReading, form: str) -> str:
    # imported when needed: text output need not load the template library
    if form == "html":
        from ctsync.web.pages.compare_page import compare_page  # noqa: PLC0415 - see above

        return compare_page(reading)
    if form == "markdown":
        from ctsync.report.comparison.comparison_markdown import (  # noqa: PLC0415 - see above
            comparison_markdown,
        )

        return comparison_markdown(reading)
    return "".join(f"{as_text(line)}\n" for line in comparison_lines(reading, PIPE_WIDTH))


def _width(*, is_terminal: bool) -> int:
    if not is_terminal:
        return PIPE_WIDTH
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((PIPE_WIDTH, 24)).columns))


def _painted(line: Line) -> str:
    return "".join(map(_painted_span, line))


def _painted_span(span: Span) -> str:
    style = _STYLES.get(span.style)
    return click.style(span.text, **style) if style and span.text else span.text
