"""The rated pairs of outcomes, which are not part of the project, and their form."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[1]


def corpus() -> Path | None:
    """The folder of rated pairs: in CTSYNC_CORPUS, or ../shared/corpus beside the checkout."""
    folder = Path(os.environ.get("CTSYNC_CORPUS", ROOT.parent / "shared" / "corpus")) / "outcomes"
    return folder if (folder / "pairs.jsonl.gz").is_file() else None


def pairs_in(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the rated pairs, one after the other."""
    with gzip.open(folder / "pairs.jsonl.gz") as lines:
        for line in lines:
            yield orjson.loads(line)


def module_of(pair: Mapping[str, Any], side: str) -> dict[str, Any]:
    """Return the outcomesModule of one side of a rated pair, "before" or "after"."""
    module = {"primaryOutcomes": pair[f"primary_{side}"] or []}
    if pair["secondary_known"]:
        module["secondaryOutcomes"] = pair[f"secondary_{side}"] or []
    return module
