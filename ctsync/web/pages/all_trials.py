"""The portfolio: pages of all followed trials, and files to download. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ctsync.export.milestone_calendar import MILESTONE_WORDS
from ctsync.export.portfolio_files import PortfolioFormat, portfolio_file
from ctsync.model import State
from ctsync.questions.portfolio.milestones import MilestoneRow
from ctsync.questions.portfolio.portfolio import PortfolioPageRow, PortfolioRow
from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet, PortfolioSort
from ctsync.record.enum_words import enum_words, phase_words
from ctsync.record.flags import FLAG_LABELS
from ctsync.record.value_text import short_signed_days
from ctsync.report.rows.row_json import dump
from ctsync.report.trial.charts.status_band import STOPPED
from ctsync.report.words.trial_heading import cut_at_word
from ctsync.text import for_markup
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page
from ctsync.web.pages.planned_dates import draw_planned_dates

PER_FILE = 500
"""Rows in one page of a site. More rows follow on further pages; the script reads all of them."""
ROWS = "trials.rows.json"

_BETWEEN_ROWS = re.compile(r"(?=<tr )")
_SENT_APART = re.compile(r' data-(?:text|when|value|filter-\w+)="[^"]*"')


@dataclass(frozen=True, slots=True)
class PortfolioColumn:
    """A column: the name it is sorted by, its heading, and whether large values come first."""

    name: PortfolioSort
    words: str
    is_descending: bool = False


COLUMNS = (
    PortfolioColumn(PortfolioSort.TITLE, "Trial"),
    PortfolioColumn(PortfolioSort.SPONSOR, "Sponsor"),
    PortfolioColumn(PortfolioSort.PHASE, "Phase"),
    PortfolioColumn(PortfolioSort.STATUS, "Status"),
    PortfolioColumn(PortfolioSort.MILESTONE, "Next milestone"),
    PortfolioColumn(PortfolioSort.PRIMARY_COMPLETION, "Primary completion"),
    PortfolioColumn(PortfolioSort.SLIP, "Slip", is_descending=True),
    PortfolioColumn(PortfolioSort.ENROLLMENT, "Enrollment", is_descending=True),
    PortfolioColumn(PortfolioSort.FLAGS, "Flags", is_descending=True),
    PortfolioColumn(PortfolioSort.CHANGED, "Last change", is_descending=True),
)

FACET_WORDS: Mapping[PortfolioFacet, str] = {
    PortfolioFacet.WATCH: "Watch",
    PortfolioFacet.SPONSOR: "Sponsor",
    PortfolioFacet.PHASE: "Phase",
    PortfolioFacet.STATUS: "Status",
    PortfolioFacet.CONDITION: "Condition",
    PortfolioFacet.COUNTRY: "Country",
    PortfolioFacet.FLAG: "Flag",
    PortfolioFacet.LEVEL: "Level",
}
_LABELLED = (
    PortfolioFacet.PHASE,
    PortfolioFacet.STATUS,
    PortfolioFacet.FLAG,
    PortfolioFacet.LEVEL,
)
"""The facets whose values differ from their words."""


def portfolio_pages(
    frame: Frame, found: PortfolioPageRow, milestones: Sequence[MilestoneRow]
) -> Iterator[tuple[str, str | bytes]]:
    """Yield the pages of the portfolio and its downloads, as pairs of path and content.

    The rows are in the order of the question. Every page reads without script.
    """
    forms = portfolio_forms()
    for form in forms:
        content = portfolio_file(found.rows, form, as_of=found.as_of, milestones=milestones)
        yield f"portfolio.{form}", content
    parts: list[Sequence[PortfolioRow]] = [
        found.rows[start : start + PER_FILE] for start in range(0, len(found.rows), PER_FILE)
    ] or [()]
    sent: list[Mapping[str, Any]] = []
    for number, part in enumerate(parts, 1):
        page = _page(frame, found, part, number=number, pages=len(parts), forms=forms)
        if len(parts) > 1:
            table = page.partition("<tbody>")[2].partition("</tbody>")[0]
            sent += map(_sent, part, filter(str.strip, _BETWEEN_ROWS.split(table)))
        yield page_path(number), page
    if sent:
        yield ROWS, dump(sent).decode()


def portfolio_forms() -> list[PortfolioFormat]:
    """Return the formats to download; the workbook only if XlsxWriter is installed."""
    return [one for one in PortfolioFormat if one is not PortfolioFormat.XLSX or _has_xlsx()]


def page_path(number: int) -> str:
    """The path of a page of the portfolio."""
    return "trials.html" if number == 1 else f"trials-{number}.html"


def _page(
    frame: Frame,
    found: PortfolioPageRow,
    rows: Sequence[PortfolioRow],
    *,
    number: int,
    pages: int,
    forms: Sequence[PortfolioFormat],
) -> str:
    labels = {
        facet.facet: {one.value: one.label for one in facet.values}
        for facet in found.facets
        if facet.facet in _LABELLED
    }
    return fill_page(
        "trials.html.j2",
        **portfolio_values(frame, found, rows, number=number, pages=pages),
        facets=FACET_WORDS,
        labels=labels,
        page_path=page_path,
        rows_file=ROWS if pages > 1 and number == 1 else "",
        forms=forms,
    )


def portfolio_values(
    frame: Frame,
    found: PortfolioPageRow,
    rows: Sequence[PortfolioRow],
    *,
    number: int,
    pages: int,
) -> dict[str, Any]:
    """Return what the template needs for the rows of page `number` of `pages`."""
    return {
        "frame": frame,
        "found": found,
        "rows": rows,
        "number": number,
        "pages": pages,
        "columns": COLUMNS,
        "row_values": row_values,
        "row_filters": row_filters,
        "row_text": row_text,
        "cut": cut_at_word,
        "enum_words": enum_words,
        "flag_labels": FLAG_LABELS,
        "milestone_words": MILESTONE_WORDS,
        "phase": _phase,
        "draw_planned_dates": draw_planned_dates,
        "moved": short_signed_days,
        "pill": _pill,
    }


def row_values(row: PortfolioRow) -> tuple[str, ...]:
    """Return the value of each column that rows are sorted by; empty if there is none."""
    completion, change = row.primary_completion_date, row.last_change
    values = (
        row.title,
        row.sponsor,
        _phase(row),
        row.status and enum_words(row.status),
        row.milestone_on,
        completion and completion.last,
        row.slip_days,
        row.enrollment,
        len(row.flags) or None,
        change and change.day,
    )
    return tuple("" if value is None else for_markup(f"{value}") for value in values)


def row_filters(row: PortfolioRow) -> dict[str, list[str]]:
    """Return the values of each facet that the row has."""
    values: dict[PortfolioFacet, Sequence[str | None]] = {
        PortfolioFacet.WATCH: row.watches,
        PortfolioFacet.SPONSOR: [row.sponsor],
        PortfolioFacet.PHASE: row.phases,
        PortfolioFacet.STATUS: [row.status],
        PortfolioFacet.CONDITION: row.conditions,
        PortfolioFacet.COUNTRY: row.countries,
        PortfolioFacet.FLAG: row.flags,
        PortfolioFacet.LEVEL: [row.last_change.level] if row.last_change else [],
    }
    named = {
        facet.value: [for_markup(one) for one in some if one] for facet, some in values.items()
    }
    return {name: some for name, some in named.items() if some}


def row_text(row: PortfolioRow) -> str:
    """Return the text that a search looks through, in lower case."""
    parts = (row.nct_id, row.title, row.sponsor, *row.conditions, *row.interventions)
    return for_markup(" ".join(one for one in parts if one)).lower()


def _sent(row: PortfolioRow, html: str) -> Mapping[str, Any]:
    """Return what the script needs to sort and filter a row that it has not shown yet."""
    return {
        "html": _SENT_APART.sub("", html.strip()),
        "values": row_values(row),
        "filters": row_filters(row),
        "text": row_text(row),
        "when": f"{row.last_change.day}" if row.last_change else "",
    }


def _phase(row: PortfolioRow) -> str | None:
    return phase_words("|".join(row.phases)) if row.phases else None


def _pill(row: PortfolioRow) -> str:
    """Return the class of the status mark."""
    if row.state is not State.PRESENT or row.status in STOPPED:
        return "bad"
    return "good" if row.status == "RECRUITING" else "doubtful" if row.status == "UNKNOWN" else ""


def _has_xlsx() -> bool:
    return find_spec("xlsxwriter") is not None
