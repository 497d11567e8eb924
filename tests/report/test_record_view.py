"""A record in readable form: every value is shown, also those that ctsync does not know."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

import pytest

from ctsync.model import Record, Source, State, Version
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.report.record_view.record_text import record_lines
from ctsync.report.record_view.shown_record import record_sections
from ctsync.web.pages.record_page import record_page
from tests.record.studies import study
from tests.report.test_formats import tags_of
from tests.security.attacks import ATTACKS
from tests.web.html_pages import html_faults

SITES = [
    {"facility": "A", "city": "Gdańsk", "country": "Poland", "status": "RECRUITING"},
    {"facility": "B", "city": "Madrid", "country": "Spain"},
]
RICH = study(
    protocolSection__designModule__phases=["PHASE2", "PHASE3"],
    protocolSection__contactsLocationsModule={"locations": SITES},
    protocolSection__eligibilityModule={"eligibilityCriteria": "Inclusion:\n\n* Age \\> 18"},
    protocolSection__designModule__newThing={"a": [1, "two"]},
    newSection={"b": True},
)


def version_of(record: Record) -> Version:
    moment = datetime(2026, 3, 13, tzinfo=UTC)
    key = key_fields(record.body)
    return Version(
        snapshot_id=1, nct_id=record.nct_id, version=3, registry_version=2, source=Source.BOTH,
        state=State.PRESENT, digest=record.digest, posted=key.posted, submitted=key.submitted,
        observed=moment, fetched=moment, key=key,
    )  # fmt: skip


def text_of(body: dict[str, Any]) -> str:
    record = canonicalize(body)
    return "\n".join(record_lines(version_of(record), record))


def page_of(body: dict[str, Any]) -> str:
    record = canonicalize(body)
    return record_page(version_of(record), record)


def test_dates_counts_and_enum_values_are_in_words() -> None:
    text = text_of(RICH)

    assert "  Overall Status: Recruiting" in text
    assert "  Primary Completion: 2021-06 (estimated)" in text
    assert "    - Phase 2\n    - Phase 3" in text


def test_sections_have_the_order_of_the_registry() -> None:
    titles = [section.title for section in record_sections(canonicalize(RICH).body)]

    assert titles[:3] == ["Study Identification", "Study Status", "Study Design"]
    assert titles[-1] == "Fields ctsync does not know"


def test_sites_are_a_table() -> None:
    sections = {section.title: section for section in record_sections(canonicalize(RICH).body)}
    (sites,) = sections["Contacts and Locations"].fields

    assert sites.table is not None
    assert len(sites.table.rows) == 2
    assert ("B", "", "Madrid", "Spain") in sites.table.rows
    assert "<td data-is" in page_of(RICH)


def test_a_text_keeps_its_lines_without_escapes() -> None:
    assert "Age > 18" in html.unescape(page_of(RICH))
    assert "Inclusion:\n\n* Age" in html.unescape(page_of(RICH))


def test_unknown_fields_are_shown_at_the_end() -> None:
    text = text_of(RICH)

    assert text.endswith(
        "FIELDS CTSYNC DOES NOT KNOW\n"
        "  newSection: b: yes\n"
        "  protocolSection.designModule.newThing: a: 1; two"
    )


def test_fields_can_be_left_out() -> None:
    body = canonicalize(RICH).body
    without = {"protocolSection.contactsLocationsModule.locations.status"}
    titles = [section.title for section in record_sections(body, without=without)]

    assert "Contacts and Locations" not in titles
    assert "Fields ctsync does not know" not in titles


def test_a_page_has_the_raw_record_and_no_fault() -> None:
    page = page_of(RICH)

    assert html_faults(page) == []
    assert '"newSection": {' in html.unescape(page)


@pytest.mark.slow
def test_remote_text_adds_no_markup() -> None:
    known = tags_of(page_of(RICH)).seen
    foreign = set()
    for text in ATTACKS:
        body = study(
            protocolSection__identificationModule__briefTitle=text,
            protocolSection__designModule__phases=[text, text],
            protocolSection__contactsLocationsModule={
                "locations": [site | {"facility": text, "status": text} for site in SITES]
            },
            protocolSection__eligibilityModule={"eligibilityCriteria": text},
        )
        body[text or "empty"] = {text: text}
        foreign |= tags_of(page_of(body)).seen - known
    print(f"record: {len(ATTACKS)} attacks, {len(foreign)} tags or attributes from data")
    assert not foreign
