"""Comparisons of real records: every field change is in each format of a full reading."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import orjson
import pytest

from ctsync.model import Record
from ctsync.record.compare.canonical import canonicalize
from ctsync.report.comparison.comparison import ChangeSelection
from ctsync.report.comparison.reading import reading_of
from tests.report.test_comparison import comparison_of, entry_changes, missing_words, text_of

pytestmark = pytest.mark.slow

LARGEST = "NCT05827016"
STEP = 60
"""One record of so many is compared with the next."""


def versions_in(folder: Path) -> list[Record]:
    return [canonicalize(orjson.loads(file.read_bytes())) for file in sorted(folder.glob("*.json"))]


def real_pairs(corpus: Path) -> Iterator[tuple[Record, Record]]:
    """Yield neighbouring versions of each trial, and its first and last version."""
    for folder in sorted([*(corpus / "versions").glob("NCT*"), *(corpus / "days").glob("NCT*")]):
        found = versions_in(folder)
        yield from pairwise(found)
        if len(found) > 2:
            yield found[0], found[-1]


def test_a_full_reading_of_real_pairs_shows_every_field_change(corpus: Path) -> None:
    pairs, changes, missing = 0, 0, []
    for before, after in real_pairs(corpus):
        comparison = comparison_of(before, after)
        assert entry_changes(comparison) == len(comparison.changes)
        missing += [f"{before.nct_id}: {word}" for word in missing_words(comparison)]
        pairs, changes = pairs + 1, changes + len(comparison.changes)
    print(f"comparisons: {pairs} real pairs, {changes} field changes, {len(missing)} not shown")
    assert missing == []


def test_a_full_reading_of_two_unlike_trials_shows_every_field_change(corpus: Path) -> None:
    """Two trials differ in more kinds of fields than two versions of one trial."""
    with gzip.open(corpus / "studies.jsonl.gz") as lines:
        records = [canonicalize(orjson.loads(line)) for line in islice(lines, 0, None, STEP)]
    changes, missing = 0, []
    for before, after in pairwise(records):
        comparison = comparison_of(before, after)
        assert entry_changes(comparison) == len(comparison.changes)
        missing += [f"{before.nct_id}, {after.nct_id}: {w}" for w in missing_words(comparison)]
        changes += len(comparison.changes)
    print(f"comparisons: {len(records) - 1} unlike pairs, {changes} field changes")
    assert missing == []


def test_the_first_screen_of_the_largest_real_pair_lists_each_category(corpus: Path) -> None:
    comparison = comparison_of(*versions_in(corpus / "versions" / LARGEST))
    reading = reading_of(comparison, ChangeSelection())
    lines = text_of(reading).splitlines()
    screen = "\n".join(lines[:40])

    assert "Overall Status: Not yet recruiting → Recruiting" in screen
    assert all(section.title in screen for section in reading.sections)
    assert len(lines) < 100
    print(f"largest real pair: {len(comparison.changes)} field changes in {len(lines)} lines")
