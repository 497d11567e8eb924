"""`portfolio`: list the followed trials with their milestones, slips, flags and last changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import STDOUT, show_json, tell, write_bytes, write_file
from ctsync.cli.param_types import NumberParam, PhaseParam, WordParam
from ctsync.cli.terminal_table import show_table
from ctsync.errors import UsageError
from ctsync.export.portfolio_files import PortfolioFormat, portfolio_file
from ctsync.model import Level
from ctsync.questions.portfolio.milestones import MilestoneRow, find_milestones
from ctsync.questions.portfolio.portfolio import (
    PAGE,
    PortfolioPageRow,
    PortfolioRow,
    find_portfolio,
    portfolio_question,
)
from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet, PortfolioSort
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import FlagId
from ctsync.record.value_text import counted, short_signed_days


@click.command(
    "portfolio",
    epilog=f"Columns: {', '.join(PortfolioSort)}.\n\nFlags: {', '.join(FlagId)}.",
)
@click.option("--watch", "watches", multiple=True, help="Only trials of this watch; repeatable.")
@click.option("--sponsor", "sponsors", multiple=True, help="Only this lead sponsor; repeatable.")
@click.option(
    "--phase", "phases", multiple=True, type=PhaseParam(), help="Only this phase; repeatable."
)
@click.option("--status", "statuses", multiple=True, help="Only this status; repeatable.")
@click.option("--condition", "conditions", multiple=True, help="Only this condition; repeatable.")
@click.option("--country", "countries", multiple=True, help="Only sites in it; repeatable.")
@click.option(
    "--flag",
    "flag_ids",
    multiple=True,
    type=WordParam(FlagId),
    help="Only this flag; repeatable.",
)
@click.option(
    "--level",
    "levels",
    multiple=True,
    type=WordParam(Level),
    help="Only this level of the last change.",
)
@click.option("--search", "text", default="", metavar="TEXT", help="Only trials with these words.")
@click.option(
    "--where",
    "conditions_met",
    multiple=True,
    metavar="CONDITION",
    help="Only trials that meet it, as in find; repeatable.",
)
@click.option(
    "--sort",
    type=WordParam(PortfolioSort),
    default=PortfolioSort.CHANGED,
    metavar="COLUMN",
    help="Sort by this column (listed below).",
)
@click.option("--reverse", is_flag=True, help="Sort in the other direction.")
@click.option("--limit", type=NumberParam(), help=f"Rows per page; {PAGE} in a table.")
@click.option("--page", type=NumberParam(), default=1, help="The page to show.")
@click.option("--json", "as_json", is_flag=True, help="Write the page and its facets as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Short for --format csv.")
@click.option(
    "--format",
    "form",
    type=click.Choice([one.value for one in PortfolioFormat]),
    help="Write a file of all trials: a table, JSON, or a calendar.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; default stdout."
)
@pass_app
def portfolio(
    app: App,
    *,
    watches: Sequence[str],
    sponsors: Sequence[str],
    phases: Sequence[str],
    statuses: Sequence[str],
    conditions: Sequence[str],
    countries: Sequence[str],
    flag_ids: Sequence[FlagId],
    levels: Sequence[Level],
    text: str,
    conditions_met: Sequence[str],
    sort: PortfolioSort,
    reverse: bool,
    limit: int | None,
    page: int,
    as_json: bool,
    as_csv: bool,
    form: str | None,
    output: Path | None,
) -> None:
    """List followed trials: milestones, slips, flags.

    Days and flags are computed for the day of the newest registry data. A slip is how far the
    primary completion has moved since the trial was registered, or since ctsync first saw it if
    its history is not stored.

    --where takes the conditions of `ctsync find`, such as intervention~pembrolizumab. The newest
    version of a trial must meet all of them.
    """
    wanted = PortfolioFormat.CSV if as_csv else PortfolioFormat(form) if form else None
    if output is not None and wanted is None:
        raise UsageError("--output needs --format")
    if wanted is PortfolioFormat.XLSX and (output is None or output == STDOUT):
        raise UsageError("--format xlsx needs --output FILE")
    chosen = {
        PortfolioFacet.WATCH: watches,
        PortfolioFacet.SPONSOR: sponsors,
        PortfolioFacet.PHASE: phases,
        PortfolioFacet.STATUS: statuses,
        PortfolioFacet.CONDITION: conditions,
        PortfolioFacet.COUNTRY: countries,
        PortfolioFacet.FLAG: flag_ids,
        PortfolioFacet.LEVEL: levels,
    }
    is_table = not as_json and wanted is None
    question = portfolio_question(
        chosen,
        text,
        where=conditions_met,
        sort=sort,
        reverse=reverse,
        page=page,
        limit=limit or (PAGE if is_table else None),
    )
    today = app.clock.now().date()
    dates: Sequence[MilestoneRow] = ()
    with app.store() as store:
        found = find_portfolio(store, question, today=today)
        if wanted is PortfolioFormat.ICS:
            trials = [row.nct_id for row in found.rows]
            dates = list(find_milestones(store, trials=trials, today=today))
    if wanted is not None:
        _write(found, wanted, dates, output or STDOUT)
    elif as_json:
        show_json(found)
    else:
        _show(found)


def _write(
    found: PortfolioPageRow, form: PortfolioFormat, dates: Sequence[MilestoneRow], output: Path
) -> None:
    content = portfolio_file(found.rows, form, as_of=found.as_of, milestones=dates)
    if isinstance(content, bytes):
        write_bytes(output, content)
    else:
        write_file(output, content)
    if output != STDOUT:
        tell(f"wrote {output}: {counted(len(found.rows), 'trial')}")


def _show(found: PortfolioPageRow) -> None:
    show_table(
        (
            "TRIAL", "STATUS", "NEXT", "DAYS", "PRIMARY COMPLETION", "SLIP", "ENROLLMENT", "FLAGS",
            "CHANGED", "LEVEL", "SPONSOR", "TITLE",
        ),
        [_cells(row) for row in found.rows],
        drop=("SPONSOR", "FLAGS", "ENROLLMENT", "LEVEL", "DAYS"),
        shorten=("SPONSOR", "FLAGS", "TITLE"),
    )  # fmt: skip
    shown = f"{len(found.rows):,} of " if len(found.rows) < found.total else ""
    tell(
        f"{shown}{counted(found.total, 'trial')} of {found.followed:,} followed, "
        f"registry data of {found.as_of}"
    )
    if found.next_after is not None:
        tell(f"for more rows: ctsync portfolio --page {found.page + 1}")


def _cells(row: PortfolioRow) -> tuple[str, ...]:
    change = row.last_change
    return (
        row.nct_id,
        enum_words(row.status) if row.status else "-",
        f"{row.milestone}".replace("_", " ") if row.milestone else "-",
        "-" if row.milestone_days is None else f"{row.milestone_days}",
        row.primary_completion_date.text if row.primary_completion_date else "-",
        "-" if row.slip_days is None else short_signed_days(row.slip_days),
        _enrollment(row),
        ", ".join(row.flags) or "-",
        f"{change.day}" if change else "-",
        f"{change.level}" if change else "-",
        row.sponsor or "-",
        row.title or "-",
    )


def _enrollment(row: PortfolioRow) -> str:
    if row.enrollment is None:
        return "-"
    if row.enrollment_type == "ACTUAL" and row.enrollment_target is not None:
        return f"{row.enrollment} of {row.enrollment_target}"
    return f"{row.enrollment}"
