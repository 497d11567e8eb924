"""`report`: report the changes of a time window, worst first, in a chosen format."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import STDOUT, tell, write_bytes, write_document, write_file
from ctsync.cli.param_types import MomentParam, NumberParam, PhaseParam, TrialParam, WordParam
from ctsync.errors import UsageError
from ctsync.model import Category, Kind, Level, NctId
from ctsync.questions.changes.filters import last_report_end
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.portfolio.watches import require_watch
from ctsync.report.formats.plain_text import WIDEST, WIDTH, render_text
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.report import Report, Window
from ctsync.report.report_filter import ReportFilter
from ctsync.report.sentences import left_out_sentence
from ctsync.text import for_terminal

WINDOW = timedelta(days=7)
MOST_LINES = 5_000
XLSX = "xlsx"
_TABLES = frozenset({XLSX, ReportFormat.CSV.value})


@click.command(
    "report",
    epilog=f"Kinds: {', '.join(Kind)}.\n\nCategories: {', '.join(Category)}.",
)
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option(
    "--since",
    type=MomentParam(or_last_report=True),
    help='From WHEN on: 2026-03-13, 7d (default), yesterday, "last week", "last report", all.',
)
@click.option(
    "--until", type=MomentParam(end_of_day=True), help="End of the report (default: now)."
)
@click.option("--watch", help="Only trials of this watch.")
@click.option("--level", type=WordParam(Level), help=f"Lowest level to report: {', '.join(Level)}.")
@click.option(
    "--category",
    "categories",
    multiple=True,
    type=WordParam(Category),
    help="Only this part of the record (listed below); may be repeated.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=WordParam(Kind),
    help="Only this kind of change (listed below); may be repeated.",
)
@click.option("--sponsor", metavar="TEXT", help="Only trials with TEXT in the lead sponsor's name.")
@click.option("--phase", type=PhaseParam(), help="Only trials of this phase: early 1, 1 to 4, NA.")
@click.option(
    "--format",
    "form",
    type=click.Choice([*(form.value for form in ReportFormat), XLSX]),
    default="text",
    show_default=True,
    help="csv and xlsx have one row per change; xlsx needs --output.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to a file, replaced atomically (default: stdout).",
)
@click.option(
    "--limit",
    type=NumberParam(least=0),
    help=f"Most changes to show; 0 for all. Default: {MOST_LINES:,}; csv and xlsx: all.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@pass_app
def report_command(
    app: App,
    *,
    trials: Sequence[NctId],
    since: datetime | str | None,
    until: datetime | None,
    watch: str | None,
    level: Level | None,
    categories: Sequence[Category],
    kinds: Sequence[Kind],
    sponsor: str | None,
    phase: str | None,
    form: str,
    output: Path | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Report changes per trial, worst first.

    "last week" begins on its Monday. "last report" begins after the registry data of the newest
    message that was sent to a recipient.
    """
    if form == XLSX and output in {None, STDOUT}:
        raise UsageError("a workbook needs a file: add --output report.xlsx")
    now = app.clock.now()
    default = 0 if form in _TABLES else MOST_LINES
    with app.store() as store:
        require_watch(store, watch)
        start = now - WINDOW if since is None else since
        if isinstance(start, str):
            start = last_report_end(store, now)
        window = Window(None if start <= MomentParam.BEGINNING else start, until or now)
        found = report_data(
            store,
            ReportQuestion(
                window,
                title=watch or "all watches",
                watch=watch,
                ids=tuple(trials),
                limit=(default if limit is None else limit) or None,
                drawn=form == "html",
                rates=app.rates(store),
                selection=ReportFilter(level, categories, kinds, sponsor=sponsor, phase=phase),
            ),
        )
    site = app.settings.web.url if form == ReportFormat.HTML and not as_json else ""
    _write(found, "json" if as_json else form, output, site=site)


def _write(report: Report, form: str, output: Path | None, *, site: str) -> None:
    if form == XLSX and output is not None:
        from ctsync.report.formats.xlsx import render_xlsx  # noqa: PLC0415 - an extra

        write_bytes(output, render_xlsx(report))
    elif output is None or output == STDOUT:
        if form == "text":
            click.echo(render_text(report, width=_width()).rstrip("\n"))
        else:
            write_document(_rendered(report, ReportFormat(form), site))
    else:
        write_file(output, _rendered(report, ReportFormat(form), site))
    if form in _TABLES and (sentence := left_out_sentence(report)):
        tell(for_terminal(sentence))
    if output not in {None, STDOUT}:
        tell(for_terminal(f"wrote {output}: {report.headline}"))


def _rendered(report: Report, form: ReportFormat, site: str) -> str:
    """The report in a format; HTML links to the pages of your site, if it has an address."""
    if form is not ReportFormat.HTML or not site:
        return render(report, form)
    # the template library takes a twentieth of the time of a text report
    from ctsync.report.addresses import Addresses  # noqa: PLC0415 - see above
    from ctsync.report.formats.html import render_html  # noqa: PLC0415 - see above

    changed = {trial.nct_id for trial in report.trials}
    trials = changed | {welcome.nct_id for welcome in report.welcomes}
    return render_html(report, links=Addresses(f"{site}/", trials))


def _width() -> int:
    """The width of the terminal within limits; the usual width for a pipe or a file."""
    if not sys.stdout.isatty():
        return WIDTH
    return min(WIDEST, max(WIDTH, shutil.get_terminal_size().columns))
