"""The portfolio of 600 real trials in Chromium: sorted, filtered, searched, sent as a link.

Screenshots go to the folder CTSYNC_SCREENSHOTS, if it is set. CTSYNC_TEST_AXE is the file of
axe-core, which is not part of the project: `npm install axe-core` brings it as axe.min.js.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

TRIALS = 600
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
SCRIPT_LINES = 400


def opened(browser: Browser, errors: list[str], size: str, **options: Any) -> Page:
    context = browser.new_context(viewport=SIZES[size], **options)  # type: ignore[arg-type]  # a plain mapping
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    return page


def wait_for_count(page: Page, text: str | re.Pattern[str]) -> None:
    """Wait until the page says how many trials it shows."""
    # a condition in JavaScript would be text to evaluate, which the policy of the pages forbids
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page.locator("[data-count]")).to_have_text(text, timeout=30_000)


@pytest.fixture(params=list(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    """Open the portfolio at one size; the page must report no error."""
    errors: list[str] = []
    page = opened(browser, errors, request.param)
    page.goto(f"{address}/trials.html")
    wait_for_count(page, f"{TRIALS}")
    yield page
    if folder := os.environ.get("CTSYNC_SCREENSHOTS"):
        name = f"{request.node.name.partition('[')[0]}-{request.param}.png"
        page.screenshot(path=Path(folder) / name)
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


def sort_by(page: Page, column: str) -> None:
    if page.get_by_role("button", name=column, exact=True).is_visible():
        page.get_by_role("button", name=column, exact=True).click()
    else:  # a narrow page has no headings
        page.locator("[data-order]").select_option(label=f"{column}, largest first")


def days(cell: str) -> int:
    return int(re.sub(r"[^\d-]", "", cell.partition(" d")[0].replace("+", "")))


def test_rows_sort_by_slip_and_those_without_one_come_last(page: Page) -> None:
    sort_by(page, "Slip")
    slips = [days(cell) for cell in shown(page, 6) if cell.strip()]
    assert slips == sorted(slips, reverse=True)
    assert slips[0] > 300
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


def test_nothing_is_wider_than_the_page_and_axe_finds_no_violation(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    axe = os.environ.get("CTSYNC_TEST_AXE")
    if axe is None:
        pytest.skip("set CTSYNC_TEST_AXE to axe.min.js of axe-core")
    page.locator("details[data-facet=flag] summary").click()
    # not as a script element, which the policy of the page forbids
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    broken = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
    print(f"axe: {len(found['passes'])} rules passed, {len(broken)} violated")
    assert broken == []


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
    second = page.locator("table.portfolio tbody tr").count()
    assert first + second == TRIALS
    page.context.close()
