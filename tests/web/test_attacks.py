"""Remote text on every page of a site: it adds no tag, no attribute, no script and no link."""

from __future__ import annotations

import re

import pytest

from tests.report.test_formats import ATTACKED, attacked, tags_of
from tests.security.attacks import ATTACKS
from tests.web.contents import pages_of
from tests.web.html_pages import html_faults

BENIGN_TEXTS = ("A trial of aspirin", "long " * 200, "name@example.org") * 11
LINK = re.compile(
    r"https://clinicaltrials\.gov/study/NCT\d{8}(\?tab=history\S*)?"
    r"|(trials/NCT\d{8}|(days|changes)/[\w-]+|[a-z]+)\.html(#[\w-]+)?|feed\.(atom|json)"
    r"|assets/[\w.]+|#content"
)


@pytest.mark.slow
def test_no_attack_adds_a_tag_an_attribute_or_a_link_to_a_page() -> None:
    benign = pages_of(BENIGN_TEXTS, attacked(BENIGN_TEXTS))
    pages = pages_of(ATTACKS, ATTACKED)
    foreign = {
        name: tags_of(page).seen - tags_of(benign[name]).seen for name, page in pages.items()
    }
    links = {link for page in pages.values() for link in tags_of(page).links}
    strange = sorted(link for link in links if not LINK.fullmatch(link))
    found = sum(map(len, foreign.values()))
    print(f"{len(pages)} pages, {len(ATTACKS)} attacks: {found} tags or attributes from data, "
          f"{len(strange)} links from data")  # fmt: skip
    assert {name: seen for name, seen in foreign.items() if seen} == {}
    assert strange == []
    assert [fault for page in pages.values() for fault in html_faults(page)] == []


def test_no_page_needs_an_inline_style_or_script() -> None:
    """A server may send Content-Security-Policy: default-src 'self'."""
    for name, page in pages_of(BENIGN_TEXTS[:3], attacked(BENIGN_TEXTS[:3])).items():
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page), name
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), name
        assert html_faults(page) == [], name
