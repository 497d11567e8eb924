"""Remote text on every page of a site: it adds no tag, no attribute, no script and no link."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import pytest

from ctsync.web.pages import all_trials
from tests.report.test_formats import ATTACKED, attacked, tags_of
from tests.security.attacks import ATTACKS
from tests.web.contents import pages_of
from tests.web.html_pages import html_faults
from tests.web.record_contents import record_pages_of
from tests.web.test_all_trials import pages as portfolio_pages_of
from tests.web.test_all_trials import row

BENIGN_TEXTS = ("A trial of aspirin", "long " * 200, "name@example.org") * 11
LINK = re.compile(
    r"https://clinicaltrials\.gov/study/NCT\d{8}(\?tab=history\S*)?"
    r"|(trials/NCT\d{8}|(days|changes)/[\w-]+|[a-z]+)\.html(#[\w-]+)?|feed\.(atom|json)"
    r"|feeds/(level|watch)-[\w-]+\.(atom|json)|assets/[\w.]+|#content"
)
PORTFOLIO_LINK = re.compile(
    LINK.pattern + r"|trials(/NCT\d{8}|-\d)\.html|portfolio\.(csv|xlsx|json|ics)"
)
RECORD_LINK = re.compile(
    r"https://clinicaltrials\.gov/(study/NCT\d{8}(\?tab=history\S*)?|api/v2/studies/NCT\d{8})"
    r"|\.\./(trials/NCT\d{8}(-\d-\d|-record)?|[a-z]+)\.html(#versions)?"
    r"|/(trials/NCT\d{8}(#versions|/compare(\?from=\d&to=\d)?|/record(\?version=\d)?)?|[a-z]*)"
    r"|(\.\.)?/(feed\.(atom|json)|assets/[\w.]+)|#[\w.-]+"
)


@pytest.mark.slow
def test_no_attack_adds_a_tag_an_attribute_or_a_link_to_a_page() -> None:
    benign = pages_of(BENIGN_TEXTS, attacked(BENIGN_TEXTS))
    assert_safe(pages_of(ATTACKS, ATTACKED), benign, LINK)


@pytest.mark.slow
def test_no_attack_adds_a_tag_an_attribute_or_a_link_to_a_comparison_or_a_record() -> None:
    texts = tuple(f"{BENIGN_TEXTS[n % 3]}{n}" for n in range(len(ATTACKS)))
    assert_safe(record_pages_of(ATTACKS), record_pages_of(texts), RECORD_LINK)


@pytest.mark.slow
def test_no_attack_adds_a_tag_an_attribute_or_a_link_to_the_portfolio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(all_trials, "PER_FILE", 100)
    attacked_pages, benign = (portfolio_of(texts) for texts in (ATTACKS, ["A trial", ""]))
    every = "".join(benign.values())
    assert len(attacked_pages) == 4
    assert_safe(attacked_pages, dict.fromkeys(attacked_pages, every), PORTFOLIO_LINK)


def portfolio_of(texts: Sequence[str]) -> dict[str, str]:
    """The pages of a portfolio, and the rows that the script adds; at least two pages."""
    rows = [row(n + 1, texts[n % len(texts)]) for n in range(max(101, len(texts)))]
    files = {name: str(text) for name, text in portfolio_pages_of(*rows).items()}
    sent = "".join(one["html"] for one in json.loads(files[all_trials.ROWS]))
    own = {name: text for name, text in files.items() if name.endswith(".html")}
    return {**own, all_trials.ROWS: f"<table><caption></caption><thead></thead>{sent}</table>"}


def assert_safe(
    pages: Mapping[str, str], benign: Mapping[str, str], own_link: re.Pattern[str]
) -> None:
    foreign = {
        name: tags_of(page).seen - tags_of(benign[name]).seen for name, page in pages.items()
    }
    links = {link for page in pages.values() for link in tags_of(page).links}
    strange = sorted(link for link in links if not own_link.fullmatch(link))
    found = sum(map(len, foreign.values()))
    print(f"{len(pages)} pages, {len(ATTACKS)} attacks: {found} tags or attributes from data, "
          f"{len(strange)} links from data")  # fmt: skip
    assert {name: seen for name, seen in foreign.items() if seen} == {}
    assert strange == []
    faults = {name: html_faults(page) for name, page in pages.items() if name.endswith(".html")}
    assert {name: found for name, found in faults.items() if found} == {}


def test_no_page_needs_an_inline_style_or_script() -> None:
    """A server may send Content-Security-Policy: default-src 'self'."""
    texts = BENIGN_TEXTS[:3]
    framed = {k: v for k, v in record_pages_of(texts).items() if not k.startswith("alone")}
    for name, page in (pages_of(texts, attacked(texts)) | framed).items():
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page), name
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), name
        assert html_faults(page) == [], name
