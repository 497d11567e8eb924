"""Opens pages at several sizes, and keeps screenshots in the folder CTSYNC_SCREENSHOTS, if set."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


def opened(browser: Browser, errors: list[str], size: str, **options: Any) -> Page:
    """Open an empty page; `errors` gets each error of its scripts and of its policy."""
    context = browser.new_context(viewport=SIZES[size], **options)  # type: ignore[arg-type]  # a plain mapping
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    return page


def wait_for_count(page: Page, text: str | re.Pattern[str]) -> None:
    """Wait until the portfolio says how many trials it shows."""
    # a condition in JavaScript would be text to evaluate, which the policy of the pages forbids
    expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect
    expect(page.locator("[data-count]")).to_have_text(text, timeout=30_000)


def sort_by(page: Page, column: str) -> None:
    """Sort the portfolio by a column, largest first."""
    if page.get_by_role("button", name=column, exact=True).is_visible():
        page.get_by_role("button", name=column, exact=True).click()
    else:  # a narrow page has no headings
        page.locator("[data-order]").select_option(label=f"{column}, largest first")


def keep_screenshot(page: Page, name: str) -> None:
    """Write a picture of what the page shows, if a folder for it is set."""
    if folder := os.environ.get("CTSYNC_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
