"""Fixtures of the benchmarks: pairs of real records that differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from ctsync.model import Record
from ctsync.record.compare.canonical import canonicalize
from tests.corpus.conftest import corpus

__all__ = ["corpus"]


@pytest.fixture(scope="session")
def day_pairs(corpus: Path) -> list[tuple[Record, Record]]:
    """Pairs of consecutive daily records that differ."""
    return list(_pairs(corpus / "days"))


@pytest.fixture(scope="session")
def real_pairs(corpus: Path, day_pairs: list[tuple[Record, Record]]) -> list[tuple[Record, Record]]:
    """All pairs of consecutive records that differ, also from loads that are months apart."""
    return [*day_pairs, *_pairs(corpus / "versions")]


def _pairs(folder: Path) -> Iterator[tuple[Record, Record]]:
    for trial in sorted(folder.glob("NCT*")):
        records = [canonicalize(orjson.loads(f.read_bytes())) for f in sorted(trial.glob("*.json"))]
        for before, after in pairwise(records):
            if before.digest != after.digest:
                yield before, after
