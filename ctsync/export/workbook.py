"""A workbook of trials: the portfolio, their changes and their versions. Only reads the database.

Needs XlsxWriter, the extra `ctsync[xlsx]`. A date is a date cell if its day is known, otherwise the
registry's text, such as 2026-06. Times are UTC.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time

from ctsync.dates import PartialDate
from ctsync.errors import UsageError
from ctsync.export.portfolio_table import COLUMNS as PORTFOLIO_COLUMNS
from ctsync.export.portfolio_table import day_or_text, portfolio_values
from ctsync.model import NctId, StoredEvent, compare_url
from ctsync.questions.changes.changes import day_of_change, find_changes
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.portfolio.portfolio import portfolio_rows
from ctsync.questions.portfolio.portfolio_trials import read_portfolio
from ctsync.questions.trial.versions import version_row
from ctsync.report.formats.change_table import Column, Value, change_in_words
from ctsync.report.formats.xlsx import new_workbook, write_sheet
from ctsync.report.words.event_text import sides
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store

MOST_ROWS = 1_048_575
"""Rows of a sheet in Excel, less the header."""

CHANGE_COLUMNS = (
    Column("day", "day of the data refresh or of the post that showed the change", 12),
    Column("nct_id", "NCT id", 13),
    Column("title", "brief title", 40),
    Column("sponsor", "lead sponsor", 24),
    Column("level", "level of the change", 13),
    Column("category", "part of the record", 13),
    Column("kind", "kind of change", 22),
    Column("label", "name of the field", 24),
    Column("what", "the change in words", 50),
    Column("before", "value before, in words; for a list, the items removed", 30),
    Column("after", "value after, in words; for a list, the items added", 30),
    Column("days", "days that a date moved; positive if it is now later", 8),
    Column("days_since_registration", "days that it moved since the first version", 10),
    Column("percent", "percent by which a count changed", 8),
    Column("from_version", "number of the version before in ctsync", 9),
    Column("to_version", "number of the version in ctsync, from 1", 9),
    Column("posted", "day on which the registry posted the version", 12),
    Column("observed", "data refresh in which ctsync saw it (UTC); empty if from history", 17),
    Column("fetched", "when ctsync fetched it (UTC)", 17),
    Column("rule", "id of the rule that gave the level", 11),
    Column("path", "place in the record", 40),
    Column("compare_url", "page of the registry that compares both versions", 20, is_link=True),
    Column("url", "page of the trial at the registry", 30, is_link=True),
    Column("unfetched", "number of versions between both that are not fetched", 10),
)
VERSION_COLUMNS = (
    Column("nct_id", "NCT id", 13),
    Column("title", "brief title in this version", 40),
    Column("version", "number of the version in ctsync, from 1", 9),
    Column("registry_version", "number of the version at the registry, from 0", 9),
    Column("posted", "day on which the registry posted the version", 12),
    Column("submitted", "day on which the sponsor submitted it", 12),
    Column("observed", "data refresh in which ctsync saw it (UTC); empty if from history", 17),
    Column("fetched", "when ctsync fetched it (UTC)", 17),
    Column("source", "where ctsync saw it: live, history or both", 9),
    Column("state", "present, or gone or moved if the registry had no record", 9),
    Column("status", "overall status, in the registry's words", 24),
    Column("start_date", "start date", 12),
    Column("start_date_type", "ESTIMATED or ACTUAL", 12),
    Column("primary_completion_date", "primary completion date", 12),
    Column("primary_completion_date_type", "ESTIMATED or ACTUAL", 12),
    Column("completion_date", "completion date", 12),
    Column("completion_date_type", "ESTIMATED or ACTUAL", 12),
    Column("enrollment", "number of participants", 10),
    Column("enrollment_type", "ESTIMATED or ACTUAL", 12),
    Column("level", "worst level of the changes in this version", 13),
    Column("kinds", "kinds of change in this version, separated by semicolons", 40),
    Column(
        "compare_url",
        "page of the registry that compares it with the version before",
        20,
        is_link=True,
    ),
    Column("url", "page of the version at the registry", 30, is_link=True),
)


def trials_workbook(store: Store, selection: Selection, *, today: date) -> bytes:
    """Write the selected trials, or all followed trials, as a workbook of three sheets.

    The portfolio lists only trials that are followed. Raises UsageError if XlsxWriter is missing,
    or if a sheet would have more rows than Excel can read.
    """
    as_of = flag_day(store, today)
    created = datetime.combine(as_of, time(), UTC)
    content = io.BytesIO()
    book = new_workbook(content, f"ctsync trials, registry data of {as_of}", created=created)
    ids = _trials(store, selection)
    portfolio = [one for one in read_portfolio(store, as_of=as_of) if one.nct_id in ids]
    rows = portfolio_rows(store, portfolio, as_of=as_of)
    write_sheet(book, "Portfolio", PORTFOLIO_COLUMNS, map(portfolio_values, rows))
    wanted = EventFilter(nct_ids=sorted(ids), watch=selection.watch)
    changes = find_changes(store, wanted).events if ids else ()
    _require_room("changes", len(changes))
    write_sheet(book, "Changes", CHANGE_COLUMNS, map(_change_values, changes))
    steps: dict[tuple[NctId, int], list[StoredEvent]] = defaultdict(list)
    for stored in changes:
        steps[stored.nct_id, stored.to_version].append(stored)
    versions = list(_version_rows(store, sorted(ids), steps))
    _require_room("versions", len(versions))
    write_sheet(book, "Versions", VERSION_COLUMNS, versions)
    book.close()
    return content.getvalue()


def _trials(store: Store, selection: Selection) -> frozenset[NctId]:
    followed = store.watched.ids(TrialSelection(watch=selection.watch))
    if not selection.nct_ids:
        return frozenset(followed)
    if selection.watch is None:
        return frozenset(selection.nct_ids)
    return frozenset(selection.nct_ids).intersection(followed)


def _require_room(what: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise UsageError(
            f"a sheet of a workbook has at most {MOST_ROWS:,} rows, and these trials have {rows:,} "
            f"{what}; choose trials with --watch, or write them with ctsync export parquet"
        )


def _change_values(stored: StoredEvent) -> tuple[Value, ...]:
    event = stored.event
    before, after = sides(event)
    older, newer = stored.from_registry_version, stored.to_registry_version
    has_page = older is not None and newer is not None
    return (
        day_of_change(stored),
        stored.nct_id,
        stored.brief_title,
        stored.lead_sponsor,
        event.level.value,
        event.category.value,
        event.kind.value,
        event.label,
        change_in_words(stored),
        before,
        after,
        event.days,
        event.days_since_first,
        event.percent,
        stored.from_version,
        stored.to_version,
        _date(stored.posted),
        stored.observed,
        stored.fetched,
        event.rule,
        event.path,
        compare_url(stored.nct_id, older or 0, newer or 0) if has_page else None,
        stored.url,
        stored.unfetched,
    )


def _version_rows(
    store: Store,
    ids: Sequence[NctId],
    steps: Mapping[tuple[NctId, int], Sequence[StoredEvent]],
) -> Iterator[tuple[Value, ...]]:
    if not ids:
        return
    for versions in store.bulk.versions_by_trial(Selection(ids)):
        before: int | None = None
        for version in versions:
            row = version_row(version, steps.get((version.nct_id, version.version), ()))
            number = row.registry_version
            has_page = before is not None and number is not None
            yield (
                row.nct_id,
                version.key.brief_title,
                row.version,
                number,
                _date(row.posted),
                _date(row.submitted),
                row.observed,
                row.fetched,
                row.source.value,
                row.state.value,
                row.status,
                _date(row.start_date),
                row.start_date_type,
                _date(row.primary_completion_date),
                row.primary_completion_date_type,
                _date(row.completion_date),
                row.completion_date_type,
                row.enrollment,
                row.enrollment_type,
                row.level.value if row.level else None,
                "; ".join(row.kinds),
                compare_url(row.nct_id, before or 0, number or 0) if has_page else None,
                row.url,
            )
            before = number


def _date(text: str | None) -> Value:
    found = PartialDate.parse(text)
    return text if found is None else day_or_text(found)
