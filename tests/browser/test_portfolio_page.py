"""The portfolio of 600 real trials in Chromium: sorted, filtered, searched, sent as a link."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import SIZES, keep_screenshot, opened, sort_by, wait_for_count

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

TRIALS = 600


@pytest.fixture(params=list(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    """Open the portfolio at one size; the page must report no error."""
    errors: list[str] = []
    page = opened(browser, errors, request.param)
    page.goto(f"{address}/trials.html")
    wait_for_count(page, f"{TRIALS}")
    yield page
    keep_screenshot(page, f"{request.node.name.partition('[')[0]}-{request.param}")
    page.context.close()
    assert errors == []


def shown(page: Page, column: int) -> list[str]:
    cells: list[str] = page.evaluate(
        "n => [...document.querySelectorAll('[data-list] > tbody > tr')]"
        ".map(row => row.children[n].innerText)",
        column,
    )
    return cells


def count(page: Page) -> str:
    return page.locator("[data-count]").inner_text()


def test_rows_sort_by_slip_and_those_without_one_come_last(
    page: Page, site_of_real_trials: Path
) -> None:
    rows = json.loads((site_of_real_trials / "portfolio.json").read_text(encoding="utf-8"))
    days = {row["nct_id"]: row["slip_days"] for row in rows}
    sort_by(page, "Slip")
    ids = [re.findall(r"NCT\d{8}", cell)[-1] for cell in shown(page, 0)]
    slips = [days[one] for one in ids]
    known = sorted((slip for slip in days.values() if slip is not None), reverse=True)
    assert slips == known[: len(slips)]
    assert slips[0] > 300
    assert shown(page, 6)[0].startswith("+")
    assert "sort=slip&dir=desc" in page.url


def test_a_sponsor_is_chosen_and_removed(page: Page) -> None:
    facet = page.locator("details[data-facet=sponsor]")
    facet.locator("summary").click()
    facet.locator("input[type=search]").fill("novartis")
    facet.get_by_label("Novartis Pharmaceuticals").check()
    sponsors = set(shown(page, 1))
    found = len(shown(page, 1))
    assert sponsors == {"Novartis Pharmaceuticals"}
    assert count(page) == f"{found} of {TRIALS}"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove the filter Novartis Pharmaceuticals").click()
    assert count(page) == f"{TRIALS}"


def test_the_search_follows_each_key_and_reads_conditions(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("asthma children")
    page.wait_for_url("**/trials.html?q=asthma+children")
    found, _, every = count(page).partition(" of ")
    assert 0 < int(found) < 50
    assert every == f"{TRIALS}"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.closest('tr')?.rowIndex")
    assert focused == 2


def test_a_link_shows_the_same_view_and_back_leads_to_it(
    page: Page, browser: Browser, address: str
) -> None:
    page.keyboard.press("/")
    page.keyboard.type("lung cancer")
    page.wait_for_url("**q=lung+cancer")
    sort_by(page, "Slip")
    seen, view = shown(page, 0), page.url
    page.locator("[data-list] tbody tr").first.get_by_role("link").click()
    page.wait_for_url("**/trials/NCT*.html")
    assert page.get_by_role("heading", level=1).is_visible()
    page.go_back()
    wait_for_count(page, re.compile(r" of 600$"))
    assert shown(page, 0) == seen
    page.go_back()
    assert "sort=" not in page.url

    errors: list[str] = []
    other = opened(browser, errors, "desk")
    other.goto(view)
    wait_for_count(other, re.compile(r" 600$"))
    assert len(shown(other, 0)) == len(seen)
    assert other.locator("th[aria-sort=descending]").inner_text().startswith("Slip")
    other.context.close()
    assert errors == []


def test_the_csv_has_each_trial_of_the_page(page: Page) -> None:
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    with started.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == TRIALS
    assert [row["title"][:40] for row in rows[:5]] == [cell[:40] for cell in shown(page, 0)[:5]]


def test_changes_since_the_last_visit_are_marked(browser: Browser, address: str) -> None:
    errors: list[str] = []
    page = opened(browser, errors, "desk")
    page.goto(f"{address}/trials.html")
    assert page.evaluate("localStorage.getItem('ctsync-seen')") == "2026-03-13"
    assert page.locator("[data-new]").is_hidden()
    page.evaluate("localStorage.setItem('ctsync-seen', '2026-03-09'); sessionStorage.clear()")
    page.reload()
    wait_for_count(page, f"{TRIALS}")
    button = page.locator("[data-new]")
    assert re.fullmatch(r"\d+ new since 2026-03-09", button.inner_text())
    button.click()
    marks = page.locator("[data-list] tbody tr .mark.new").count()
    assert f"{marks} of {TRIALS}" == count(page)
    assert marks == int(button.inner_text().split()[0]) > 0
    page.context.close()
    assert errors == []


def test_without_script_every_row_is_on_a_page(browser: Browser, address: str) -> None:
    page = opened(browser, [], "desk", java_script_enabled=False)
    page.goto(f"{address}/trials.html")
    assert not page.locator("[data-tools]").is_visible()
    first = page.locator("table.portfolio tbody tr").count()
    page.get_by_role("navigation", name="Pages of trials", exact=True).get_by_text("Next").click()
    page.wait_for_url("**/trials-2.html")  # until then the rows are still arriving
    second = page.locator("table.portfolio tbody tr").count()
    assert first + second == TRIALS
    page.context.close()
