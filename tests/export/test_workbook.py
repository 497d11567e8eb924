"""The workbook of trials, opened by openpyxl."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from openpyxl import load_workbook

from ctsync.errors import UsageError
from ctsync.export import workbook
from ctsync.export.workbook import CHANGE_COLUMNS, VERSION_COLUMNS, trials_workbook
from ctsync.model import NctId
from ctsync.report.formats import xlsx
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history

TRIAL, OTHER = NctId("NCT00000001"), NctId("NCT00000002")
TODAY = date(2026, 3, 13)
FORMULAS = ("=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "＝1")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Follow a trial whose title looks like a formula in each version; keep another one."""
    url = f"sqlite:///{tmp_path_factory.mktemp('workbook') / 'ctsync.db'}"
    with open_store(url, clock=StillClock()) as store:
        keep_history(
            store,
            [
                make_study(
                    TRIAL,
                    identificationModule={"nctId": TRIAL, "briefTitle": title},
                    lastUpdatePostDateStruct={"date": f"2025-0{n}-10"},
                    primaryCompletionDateStruct={"date": moved, "type": "ESTIMATED"},
                )
                for n, (title, moved) in enumerate(
                    zip(FORMULAS, ["2026-06", *["2027-01-15"] * 5], strict=True), 1
                )
            ],
        )
        keep_history(store, [make_study(OTHER)])
        with store.unit() as unit:
            unit.watches.add("mine")
            unit.watches.add_trials("mine", {TRIAL: None}, datetime(2026, 3, 13, tzinfo=UTC))
        yield store


@pytest.fixture(scope="module")
def book(kept: Store) -> Any:
    return load_workbook(io.BytesIO(trials_workbook(kept, Selection(), today=TODAY)))


def rows(sheet: Any) -> list[dict[str, Any]]:
    header, *lines = sheet.iter_rows()
    return [dict(zip([one.value for one in header], line, strict=True)) for line in lines]


def test_each_sheet_has_a_frozen_header_and_a_filter(book: Any) -> None:
    assert book.sheetnames == ["Portfolio", "Changes", "Versions"]
    for sheet in book:
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref.startswith("A1:")
    assert [one.value for one in book["Changes"][1]] == [one.name for one in CHANGE_COLUMNS]
    assert [one.value for one in book["Versions"][1]] == [one.name for one in VERSION_COLUMNS]
    assert [row["nct_id"].value for row in rows(book["Portfolio"])] == [TRIAL]


def test_dates_are_dates_and_months_are_the_text_of_the_registry(book: Any) -> None:
    first, second, *_ = rows(book["Versions"])
    assert first["posted"].value == datetime(2025, 1, 10)  # noqa: DTZ001 - workbooks have no zones
    assert first["posted"].is_date
    assert first["primary_completion_date"].value == "2026-06"
    assert second["primary_completion_date"].is_date
    change = next(
        row for row in rows(book["Changes"]) if row["kind"].value == "primary_completion_date"
    )
    assert change["day"].is_date
    assert change["fetched"].is_date


def test_changes_and_versions_link_to_the_registry_and_its_compare_page(book: Any) -> None:
    study = f"https://clinicaltrials.gov/study/{TRIAL}"
    first, second, *_ = rows(book["Versions"])
    assert first["url"].hyperlink.target.startswith(study)
    assert (first["compare_url"].value, second["compare_url"].value) == (
        None, f"{study}?tab=history&a=1&b=2#version-content-panel",
    )  # fmt: skip
    changes = [row for row in rows(book["Changes"]) if row["from_version"].value]
    assert {row["url"].hyperlink.target for row in changes} == {study}
    assert (
        changes[0]["compare_url"].hyperlink.target + "#version-content-panel"
        in (changes[0]["compare_url"].value)
        or changes[0]["compare_url"].hyperlink.location
    )


def test_a_text_like_a_formula_stays_text_even_if_its_cell_is_edited(
    kept: Store, book: Any
) -> None:
    with zipfile.ZipFile(io.BytesIO(trials_workbook(kept, Selection(), today=TODAY))) as parts:
        names = [name for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
        assert all("<f>" not in parts.read(name).decode() for name in names)
    titles = [row["title"] for row in rows(book["Versions"])]
    assert [one.value for one in titles] == list(FORMULAS)
    assert all(one.quotePrefix for one in titles)


def test_named_trials_and_a_watch_choose_the_rows(kept: Store) -> None:
    def ids(selection: Selection, sheet: str) -> set[str]:
        made = load_workbook(io.BytesIO(trials_workbook(kept, selection, today=TODAY)))
        return {row["nct_id"].value for row in rows(made[sheet])}

    assert ids(Selection((OTHER,)), "Versions") == {OTHER}
    assert ids(Selection((OTHER,)), "Portfolio") == set()
    assert ids(Selection(watch="mine"), "Changes") == {TRIAL}
    assert ids(Selection((OTHER,), "mine"), "Versions") == set()


def test_two_workbooks_of_one_state_are_equal(kept: Store) -> None:
    assert len({trials_workbook(kept, Selection(), today=TODAY) for _ in range(2)}) == 1


def test_more_rows_than_excel_can_read_are_refused(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    with pytest.raises(UsageError, match="at most 3 rows"):
        trials_workbook(kept, Selection(), today=TODAY)


def test_urls_beyond_the_links_that_excel_reads_are_text(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MOST_LINKS", 1)
    made = load_workbook(io.BytesIO(trials_workbook(kept, Selection(), today=TODAY)))
    urls = [row["url"] for row in rows(made["Versions"])]
    assert [one.hyperlink is not None for one in urls] == [True, *[False] * 5]
    assert all(one.value for one in urls)
