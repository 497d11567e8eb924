"""Real records in readable form: no text is left out, and the page is quick."""

from __future__ import annotations

import gzip
import re
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.model import Record
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.text_diff import without_escapes
from ctsync.report.record_view.shown_record import ShownField, record_sections
from ctsync.web.pages.record_page import record_page
from tests.report.test_record_view import version_of

pytestmark = pytest.mark.slow

STEP = 40
"""One record of so many is shown."""
SLOWEST_MEDIAN = 0.2
"""Seconds of CPU time for the page of a record, at the median."""


@pytest.fixture(scope="module")
def records(corpus: Path) -> list[Record]:
    """Every fortieth record of the corpus."""
    with gzip.open(corpus / "studies.jsonl.gz") as lines:
        return [canonicalize(orjson.loads(line)) for line in islice(lines, 0, None, STEP)]


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        yield value


def shown_text(fields: tuple[ShownField, ...]) -> Iterator[str]:
    for field in fields:
        yield field.text
        yield from field.lines
        yield from shown_text(field.parts)
        if field.table:
            for row in field.table.rows:
                yield from row


def test_every_text_of_real_records_is_shown(records: list[Record]) -> None:
    texts, missing = 0, []
    for record in records:
        sections = record_sections(record.body)
        shown = squeezed(" ".join(text for s in sections for text in shown_text(s.fields)))
        for leaf in leaves(record.body):
            texts += 1
            if re.fullmatch(r"[A-Z][A-Z0-9_]*", leaf):
                continue  # an enum value, which is in words
            if squeezed(leaf) not in shown and squeezed(without_escapes(leaf)) not in shown:
                missing.append((record.nct_id, leaf[:80]))
    print(f"record view: {len(records)} real records, {texts} texts, {len(missing)} not shown")
    assert missing == []


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_the_page_of_a_real_record_is_quick(records: list[Record]) -> None:
    seconds, sizes = [], []
    for record in records:
        started = time.process_time()
        page = record_page(version_of(record), record)
        seconds.append(time.process_time() - started)
        sizes.append(len(page) / len(record.canonical))
    median = statistics.median(seconds)
    print(
        f"record pages: {len(records)}, CPU {median * 1000:.0f} ms at the median, "
        f"{max(seconds) * 1000:.0f} ms at most, {statistics.median(sizes):.1f} times the record"
    )
    assert median < SLOWEST_MEDIAN
