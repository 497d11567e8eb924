"""Every kind of page in a browser: axe-core, the keyboard, and paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import SIZES, keep_screenshot, opened
from tests.report.test_formats import attacked
from tests.web.contents import pages_of
from tests.web.record_contents import record_pages_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

TRIAL = "NCT06780137"
PAGES = {
    "today": "index.html",
    "days": "days/last-30.html",
    "trials": "trials.html",
    "trial": f"trials/{TRIAL}.html",
    "compare": f"trials/{TRIAL}-1-3.html",
    "record": f"trials/{TRIAL}-record.html",
    "changes": "changes.html",
    "watches": "watches.html",
    "runs": "runs.html",
    "deliveries": "deliveries.html",
    "rules": "rules.html",
}
EXAMPLES = {
    "compare on a server": "served, compare.html",
    "record on a server": "served, record.html",
    "deliveries that wait": "deliveries.html",
    "watches with queries": "watches.html",
    "failed runs": "runs.html",
}
PRINTED = (TRIAL, "NCT07227597", "NCT05935098")
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
TABS = 60
FIRST = 25
"""Elements at the start of a page that the keyboard must reach, each."""

OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
# of several radio buttons, Tab reaches the chosen one, and the arrow keys reach the others
MARK_CONTROLS = """
    [...document.querySelectorAll('a[href], button, input, select, summary')]
    .filter(one => one.checkVisibility() && !one.disabled)
    .filter(one => one.type !== 'radio' || one.checked)
    .map((one, n) => { one.dataset.n = n; return n })
"""
FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    const isSeen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    return [one.dataset.n ?? '', isSeen];
}"""


@pytest.fixture(scope="module")
def pages(site_of_real_trials: Path) -> dict[str, str]:
    """The paths of the pages by kind; examples show what the real trials lack."""
    texts = ("A trial of aspirin", "A trial of ibuprofen in adults", "Pain")
    made = pages_of(texts, attacked(texts)) | record_pages_of(texts)
    paths = dict(PAGES)
    for number, (kind, name) in enumerate(EXAMPLES.items()):
        paths[kind] = f"example-{number}.html"
        (site_of_real_trials / paths[kind]).write_text(made[name], encoding="utf-8")
    return paths


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_axe_finds_no_violation_and_no_page_is_wider_than_the_window(
    browser: Browser, address: str, pages: dict[str, str], size: str, scheme: str
) -> None:
    sync_axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    )
    axe = sync_axe.Axe()
    errors: list[str] = []
    page = opened(browser, errors, size, color_scheme=scheme)
    passed, broken, wide = 0, [], []
    for kind, path in pages.items():
        page.goto(f"{address}/{path}")
        keep_screenshot(page, f"{kind.replace(' ', '-')}-{size}-{scheme}")
        page.evaluate(OPEN_ALL)
        found = axe.run(page).response
        passed += len(found["passes"])
        broken += [(kind, one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(kind)
    page.context.close()
    print(f"axe, {size}, {scheme}: {len(pages)} pages, {passed} rules passed, {len(broken)} broken")
    assert broken == []
    assert wide == []
    assert errors == []


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(
    browser: Browser, address: str, pages: dict[str, str]
) -> None:
    errors: list[str] = []
    page = opened(browser, errors, "desk")
    missed, unseen, reached = {}, {}, 0
    for kind, path in pages.items():
        page.goto(f"{address}/{path}")
        controls = [str(number) for number in page.evaluate(MARK_CONTROLS)][:FIRST]
        focused: dict[str, bool] = {}
        for _ in range(TABS):
            page.keyboard.press("Tab")
            number, is_seen = page.evaluate(FOCUSED)
            # the button in a date field has a mark of its own, and is the same element here
            focused[number] = is_seen or focused.get(number, False)
            if controls and number == controls[-1]:
                break
        missed[kind] = [number for number in controls if number not in focused]
        unseen[kind] = [number for number in controls if not focused.get(number, True)]
        reached += len(focused)
    page.context.close()
    print(f"keyboard: {len(pages)} pages, {reached} controls reached")
    assert {kind: numbers for kind, numbers in missed.items() if numbers} == {}
    assert {kind: numbers for kind, numbers in unseen.items() if numbers} == {}
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_trial_is_printed_on_two_pages(browser: Browser, address: str, scheme: str) -> None:
    errors: list[str] = []
    page = opened(browser, errors, "desk", color_scheme=scheme)
    counts = {}
    for trial in PRINTED:
        page.goto(f"{address}/trials/{trial}.html")
        paper = page.pdf(prefer_css_page_size=True)
        counts[trial] = len(re.findall(rb"/Type\s*/Page\b", paper))
    page.context.close()
    print(f"print: {counts}")
    assert counts == dict.fromkeys(PRINTED, 2)
    assert errors == []
