"""The replay registry serves the right body of each of 600 real trials on each of 25 load days."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import requests

from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

BATCH = 500


def expected_on(day: str, days: Path) -> set[bytes]:
    """Read the newest body of each trial up to a day from the files, with that day as its load."""
    shown = set()
    for folder in days.glob("NCT*"):
        newest = max((file.stem for file in folder.iterdir() if file.stem <= day), default=None)
        if newest is not None:
            study = orjson.loads((folder / f"{newest}.json").read_bytes())
            study["derivedSection"]["miscInfoModule"]["versionHolder"] = day
            shown.add(orjson.dumps(study))
    return shown


def listed_lines(answer: requests.Response) -> set[bytes]:
    """Return the studies of a page byte for byte, which the registry serves one per line."""
    lines = answer.content.split(b"\n")
    return {line.removesuffix(b",") for line in lines if line.startswith(b'{"protocolSection"')}


def test_each_trial_has_the_right_body_on_each_load_day(corpus: Path) -> None:
    days = corpus / "days"
    ids = sorted(folder.name for folder in days.glob("NCT*"))
    checked = 0
    with ReplayRegistry(Catalogue.from_folder(days)) as registry, requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        for day in (days / "_days.txt").read_text().split():
            registry.load = day
            shown = set()
            for start in range(0, len(ids), BATCH):
                asked = {"filter.ids": "|".join(ids[start : start + BATCH]), "pageSize": "1000"}
                answer = session.get(f"{registry.url}/v2/studies", params=asked, timeout=30)
                shown |= listed_lines(answer)
            expected = expected_on(day, days)
            assert len(shown) == len(expected)
            assert shown == expected
            checked += len(expected)
    print(f"\n{checked} bodies of {len(ids)} trials on 25 load days: all equal to the files")
    assert checked > 10_000
