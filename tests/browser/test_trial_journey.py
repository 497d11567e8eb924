"""From the portfolio to a trial, to two of its versions, and back, with and without script."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import SIZES, keep_screenshot, opened, sort_by, wait_for_count

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

TRIAL = "NCT06780137"
"""A real trial with three versions; its enrollment target rose from 242 to 262."""
SPONSOR = "Merck Sharp & Dohme LLC"
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_reader_filters_compares_two_versions_and_returns_to_the_same_view(
    browser: Browser, address: str, size: str, scheme: str
) -> None:
    errors: list[str] = []
    page = opened(browser, errors, size, color_scheme=scheme)
    page.goto(f"{address}/trials.html")
    wait_for_count(page, "600")
    sort_by(page, "Slip")
    choose_sponsor(page)
    page.locator("[data-search]").fill("gocatamig")
    page.wait_for_url("**q=gocatamig**")
    wait_for_count(page, re.compile(r"^\d of 600$"))
    view, shown = page.url, page.locator("[data-count]").inner_text()
    assert "sort=slip" in view
    compare_versions(page, f"journey-{size}-{scheme}")
    page.goto(view)
    wait_for_count(page, shown)
    assert page.locator("[data-search]").input_value() == "gocatamig"
    assert len(downloaded_csv(page)) == 600
    page.context.close()
    assert errors == []


def choose_sponsor(page: Page) -> None:
    facet = page.locator("details[data-facet=sponsor]")
    facet.locator("summary").click()
    facet.locator("input[type=search]").fill("merck sharp")
    facet.get_by_label(SPONSOR).check()
    page.keyboard.press("Escape")


def downloaded_csv(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    with started.value.path().open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def compare_versions(page: Page, name: str) -> None:
    """Follow the link to the trial, compare its first and last version, then a single step."""
    page.locator(f'a[href="trials/{TRIAL}.html"]').first.click()
    page.wait_for_url(f"**/trials/{TRIAL}.html")
    keep_screenshot(page, f"{name}-trial")
    page.get_by_role("link", name="compare first and last").click()
    page.wait_for_url(f"**/{TRIAL}-1-3.html")
    section = page.locator("section#enrollment")
    assert "242 (estimated)" in section.locator(".inline").first.inner_text()
    assert not section.locator(".sides").first.is_visible()
    page.get_by_label("side by side").check()
    sides = section.locator(".sides > div")
    assert [words.split()[:2] for words in sides.all_inner_texts()[:2]] == [
        ["before", "242"], ["after", "262"],
    ]  # fmt: skip
    assert not section.locator(".inline").first.is_visible()
    keep_screenshot(page, f"{name}-compare")
    page.get_by_role("link", name="link to this change of Enrollment").click()
    assert re.search(r"#change-[0-9a-f]{10}$", page.url)
    page.get_by_role("link", name="Last step: version 2 to 3").click()
    page.wait_for_url(f"**/{TRIAL}-2-3.html")
    page.get_by_role("link", name="record of version 3").click()
    page.wait_for_url(f"**/{TRIAL}-record.html")
    assert "version 3" in page.locator("main header").inner_text()
    keep_screenshot(page, f"{name}-record")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_without_script_a_reader_compares_two_versions_and_returns(
    browser: Browser, address: str, size: str, scheme: str
) -> None:
    errors: list[str] = []
    page = opened(browser, errors, size, color_scheme=scheme, java_script_enabled=False)
    page.goto(f"{address}/trials.html")
    keep_screenshot(page, f"without-script-{size}-{scheme}-trials")
    compare_versions(page, f"without-script-{size}-{scheme}")
    page.goto(f"{address}/trials.html")
    assert len(downloaded_csv(page)) == 600
    page.context.close()
    assert errors == []
