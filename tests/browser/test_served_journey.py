"""The 600 real trials on a server: filtered, compared, downloaded, with and without script."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import SIZES, keep_screenshot, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.slow

TRIAL = "NCT06780137"
"""A real trial with three versions; its enrollment target rose from 242 to 262."""
SPONSOR = "Merck Sharp & Dohme LLC"
LOOKS = [
    (size, scheme, script) for size in SIZES for scheme in ("light", "dark") for script in (1, 0)
]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
IS_WIDE = "document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize(("size", "scheme", "script"), LOOKS)
def test_a_reader_sorts_filters_searches_compares_downloads_and_returns(
    browser: Browser, served_address: str, size: str, scheme: str, script: int
) -> None:
    errors: list[str] = []
    page = opened(browser, errors, size, color_scheme=scheme, java_script_enabled=bool(script))
    name = f"served-{size}-{scheme}{'' if script else '-without-script'}"
    page.goto(f"{served_address}/trials")
    keep_screenshot(page, f"{name}-trials")
    choose_sort(page, "Slip", script=script)
    assert slips(page) == sorted(slips(page), reverse=True)
    assert slips(page)[0] > 300
    choose_sponsor(page, script=script)
    assert shown_total(page) == "6 of 600"
    search(page, "gocatamig", script=script)
    assert shown_total(page) == "2 of 600"
    assert {"sort=slip", "q=gocatamig"} <= set(re.split("[?&]", page.url))
    keep_screenshot(page, f"{name}-found")
    check_page(page, "trials", script=script)
    view = page.url
    ids = [row["nct_id"] for row in downloaded_csv(page)]
    assert (TRIAL in ids, len(ids)) == (True, 2)
    compare_versions(page, name, script=script)
    page.goto(view)
    assert shown_total(page) == "2 of 600"
    assert page.locator("input[name=q]").input_value() == "gocatamig"
    page.context.close()
    assert errors == []


def choose_sort(page: Page, column: str, *, script: int) -> None:
    heading = page.get_by_role("link", name=column, exact=True)
    if heading.is_visible():
        heading.click()
    else:  # a narrow page has no headings
        page.get_by_label("Sort by").select_option(label=column)
        submit(page, script=script)
    page.wait_for_url("**sort=slip**")


def choose_sponsor(page: Page, *, script: int) -> None:
    facet = page.locator("details[data-facet=sponsor]")
    facet.locator("summary").click()
    facet.get_by_label(SPONSOR).check()
    submit(page, script=script)
    page.wait_for_url("**sponsor=Merck**")
    if script:
        assert facet.get_by_label(SPONSOR).is_checked()
        page.keyboard.press("Escape")


def search(page: Page, words: str, *, script: int) -> None:
    if script:
        page.keyboard.press("/")
        page.keyboard.type(words)
    else:
        page.locator("input[name=q]").fill(words)
        page.keyboard.press("Enter")
    page.wait_for_url(f"**q={words}**")


def submit(page: Page, *, script: int) -> None:
    """Send the form, unless the script does so by itself."""
    if not script:
        page.get_by_role("button", name="Search and filter").click()


def shown_total(page: Page) -> str:
    return page.locator("form[data-served] output b").inner_text()


def slips(page: Page) -> list[float]:
    """The slips of the rows in days, as the page words them."""
    cells = page.locator("td[data-is=slip]").all_inner_texts()
    words = [re.match(r"([+-]?[\d.]+) (day|month|year)", cell.strip()) for cell in cells]
    days = {"day": 1, "month": 30.5, "year": 365.25}
    return [round(float(one[1]) * days[one[2]] / 40) * 40 for one in words if one]


def downloaded_csv(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    with started.value.path().open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def compare_versions(page: Page, name: str, *, script: int) -> None:
    """Follow the link to the trial, and pick its first and last version."""
    page.locator(f'a[href="/trials/{TRIAL}"]').first.click()
    page.wait_for_url(f"**/trials/{TRIAL}")
    keep_screenshot(page, f"{name}-trial")
    form = page.locator("form[action$=compare]")
    form.locator("select[name=from]").select_option("1")
    form.locator("select[name=to]").select_option("3")
    form.get_by_role("button").click()
    page.wait_for_url("**/compare?from=1&to=3")
    section = page.locator("section#enrollment")
    assert "242 (estimated)" in section.locator(".inline").first.inner_text()
    keep_screenshot(page, f"{name}-compare")
    check_page(page, "compare", script=script)


def check_page(page: Page, kind: str, *, script: int) -> None:
    """Check that a page fits into the window, and run axe-core, which needs scripts."""
    if not script:
        return
    sync_axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    )
    page.evaluate(OPEN_ALL)
    found = sync_axe.Axe().run(page).response
    print(f"axe, {kind}: {len(found['passes'])} rules passed, {len(found['violations'])} broken")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert not page.evaluate(IS_WIDE)


@pytest.mark.parametrize("size", list(SIZES))
def test_changes_are_searched_as_one_types_and_refused_in_words(
    browser: Browser, served_address: str, size: str
) -> None:
    errors: list[str] = []
    page = opened(browser, errors, size)
    page.goto(f"{served_address}/changes")
    every = page.locator("section.of").count()
    page.keyboard.press("/")
    page.keyboard.type("enrollment")
    page.wait_for_url("**/changes?text=enrollment")
    found = page.locator("section.of").count()
    assert 0 < found < every
    assert page.evaluate("document.activeElement.name") == "text"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    second = "[...document.querySelectorAll('section.of')][1].contains(document.activeElement)"
    assert page.evaluate(second)
    page.get_by_label("Lowest level").select_option("critical")
    page.wait_for_url("**level=critical**")
    feed = page.get_by_role("link", name="Atom").first.get_attribute("href")
    assert feed == "/feed.atom?level=critical"
    keep_screenshot(page, f"served-changes-{size}")
    check_page(page, "changes", script=1)
    assert errors == []
    page.locator("input[name=from]").fill("2026-03-12")
    page.wait_for_url("**from=2026-03-12")
    page.locator("input[name=to]").fill("2026-03-01")
    said = page.locator("[data-said]")
    said.filter(has_text="is after").wait_for()
    assert "to=2026-03-01" not in page.url
    assert [one for one in errors if "400" not in one] == []
    page.context.close()


@pytest.mark.parametrize("size", list(SIZES))
def test_a_condition_is_asked_with_enter_and_refused_beside_its_field(
    browser: Browser, served_address: str, size: str
) -> None:
    errors: list[str] = []
    page = opened(browser, errors, size)
    page.goto(f"{served_address}/trials")
    every, said = shown_total(page), page.locator("[data-said]")
    field = page.get_by_label("Condition", exact=True)
    field.fill("enrolment>100")
    field.press("Enter")
    said.filter(has_text="did you mean enrollment?").wait_for()
    assert (page.url.partition("?")[2], shown_total(page)) == ("", every)
    field.fill("enrollment>100")
    field.press("Enter")
    page.wait_for_url("**where=enrollment%3E100")
    assert said.inner_text() == ""
    large = shown_total(page)
    page.get_by_label("and condition").fill("phase=PHASE2")
    page.get_by_label("and condition").press("Enter")
    page.wait_for_url("**phase%3DPHASE2")
    assert len({every, large, shown_total(page)}) == 3
    assert page.locator("input[name=where]").count() == 3
    keep_screenshot(page, f"conditions-{size}")
    check_page(page, "trials", script=1)
    page.context.close()
    assert [one for one in errors if "400" not in one] == []


def test_an_answer_that_comes_late_does_not_replace_a_later_one(
    browser: Browser, served_address: str
) -> None:
    errors: list[str] = []
    page = opened(browser, errors, "desk")
    page.goto(f"{served_address}/trials")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/trials?q=asthma", hold)
    page.keyboard.press("/")
    with page.expect_request("**/trials?q=asthma"):
        page.keyboard.type("asthma")
    page.keyboard.type(" children")
    page.wait_for_url("**q=asthma+children**")
    total = shown_total(page)
    for one in held:
        one.abort()
    page.wait_for_timeout(300)
    assert (shown_total(page), page.url.partition("?")[2]) == (total, "q=asthma+children")
    assert page.locator("[data-said]").inner_text() == ""
    page.locator("table.portfolio tbody a").first.click()
    page.wait_for_url("**/trials/NCT*")
    page.go_back()
    assert shown_total(page) == total
    page.context.close()
    assert errors == []


@pytest.mark.parametrize("size", list(SIZES))
def test_what_is_new_since_the_last_look_is_marked_on_each_page(
    browser: Browser, served_address: str, address: str, size: str
) -> None:
    for start, pages in (
        (served_address, ("/", "/trials", "/changes")),
        (address, ("/index.html", "/trials.html", "/changes.html")),
    ):
        errors: list[str] = []
        page = opened(browser, errors, size)
        page.goto(start + pages[0])
        assert page.locator(".mark.new").count() == 0
        assert page.evaluate("localStorage.getItem('ctsync-seen')") == "2026-03-13"
        page.evaluate("localStorage.setItem('ctsync-seen', '2026-03-09'); sessionStorage.clear()")
        marked = {}
        for path in pages:
            page.goto(start + path)
            marked[path] = page.locator(".mark.new").count()
            keep_screenshot(page, f"new-{start == address:d}-{pages.index(path)}-{size}")
        assert min(marked.values()) > 0, marked
        page.goto(start + pages[0])
        page.get_by_role("link", name="Changes since your last look").click()
        page.wait_for_url("**?from=2026-03-10")
        rows = page.locator("section.of:visible")
        assert rows.count() == rows.locator(".mark.new").count() > 0
        page.context.close()
        assert errors == []
