"""The pages about single records, with given texts in every place of remote text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from ctsync.model import JsonObject, NctId
from ctsync.record.compare.canonical import canonicalize
from ctsync.report.addresses import Addresses
from ctsync.report.comparison.comparison import ChangeSelection, Comparison
from ctsync.report.comparison.reading import reading_of
from ctsync.report.trial.version_day import VersionDay
from ctsync.web.frame import Frame
from ctsync.web.pages.compare_page import compare_page
from ctsync.web.pages.record_page import record_page
from tests.record.studies import study
from tests.report.test_comparison import comparison_of

TRIAL = NctId("NCT03389919")
FILES = Frame(Addresses("../", {TRIAL}), "all watches")
SERVED = Frame(Addresses("/", {TRIAL}, is_served=True), "all watches")
DAYS = tuple(VersionDay(n, date(2026, 1, n)) for n in range(1, 5))
LONG = " and seven more words that make a longer text of it"


def record_of(texts: Sequence[str], *, is_later: bool) -> JsonObject:
    """A record with all texts in fields of each kind; the later one has other values in each."""
    more = LONG if is_later else ""
    kept = [*texts[is_later:]]  # an item is added, another is removed
    values: dict[str, Any] = {
        "protocolSection__identificationModule__briefTitle": f"{texts[0]}{more}",
        "protocolSection__identificationModule__organization": {"fullName": texts[0] + more},
        "protocolSection__sponsorCollaboratorsModule": {"leadSponsor": {"name": texts[1] + more}},
        "protocolSection__designModule__phases": list(kept),
        "protocolSection__conditionsModule": {"conditions": list(kept), "keywords": kept[::-1]},
        "protocolSection__eligibilityModule": {
            "eligibilityCriteria": "\n".join(f"* {text}{LONG}{more}" for text in texts)
        },
        "protocolSection__contactsLocationsModule": {
            "locations": [
                {"facility": text, "city": text, "country": text, "status": text + more}
                for text in kept
            ]
        },
        "protocolSection__outcomesModule": {
            "primaryOutcomes": [
                {"measure": text, "timeFrame": f"{text}{LONG}{more}", "description": text + more}
                for text in kept
            ]
        },
        "why": texts[1] + more,
    }
    body = study(**values)
    body["protocolSection"]["statusModule"]["newThing"] = list(kept)
    body |= {text or "empty": {text: text + more} for text in texts}
    return body


def comparison_with(texts: Sequence[str]) -> Comparison:
    """The two records compared, in the middle of a history."""
    before, after = (canonicalize(record_of(texts, is_later=later)) for later in (False, True))
    found = comparison_of(before, after)
    older = replace(found.before, version=2, registry_version=2)
    newer = replace(found.after, version=3, registry_version=3)
    return replace(found, before=older, after=newer, newer=after, versions=DAYS, note=texts[0])


def record_pages_of(texts: Sequence[str]) -> dict[str, str]:
    """The comparison and the record in each frame, by name."""
    compared = comparison_with(texts)
    reading = reading_of(compared, ChangeSelection())
    assert compared.newer is not None
    frames = {"site": FILES, "served": SERVED, "alone": None}
    pages = {}
    for name, frame in frames.items():
        pages[f"{name}, compare.html"] = compare_page(reading, frame=frame)
        pages[f"{name}, record.html"] = record_page(
            compared.after, compared.newer, frame=frame, versions=DAYS, has_raw=name != "site"
        )
    return pages
