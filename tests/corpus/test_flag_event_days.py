"""Flag events of 600 real trials on 25 real load days, against flags computed from the bodies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ctsync.model import JsonObject, Kind, NctId
from ctsync.record.flags import flags_of, shown_flags
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import open_store
from ctsync.sync.history.rederive_events import rederive_events
from tests.conftest import StillClock
from tests.corpus.load_days import trials_of
from tests.replay.catalogue import Catalogue

pytestmark = pytest.mark.slow

Line = tuple[str, str, bool]


def truth(corpus: Path, ids: list[NctId], days: list[str]) -> Iterator[Line]:
    """Yield each flag that differs between two load days, from the bodies of those days alone."""
    catalogue = Catalogue.from_folder(corpus / "days")
    first: dict[NctId, JsonObject] = {}
    before: dict[NctId, set[str]] = {}
    for day in days:
        catalogue.set_load(day)
        view = catalogue.view()
        for nct_id in ids:
            body = view.study(nct_id)
            if body is None:
                continue
            as_of = date.fromisoformat(day[:10])
            found = flags_of(body, as_of=as_of, first=first.setdefault(nct_id, body))
            now = {flag.id.value for flag in shown_flags(found)}
            for flag in now ^ before.get(nct_id, now):
                yield nct_id, f"flag:{flag}@{as_of}", flag in now
            before[nct_id] = now


def test_each_flag_that_changes_on_25_days_is_told_once(corpus: Path, days_url: str) -> None:
    days = (corpus / "days/_days.txt").read_text().split()
    ids = trials_of(corpus)
    with open_store(days_url, clock=StillClock()) as store:
        found = [
            (one.nct_id, one.event.path, one.event.after)
            for one in store.events.find(EventFilter(kinds=(Kind.FLAG,)))
        ]
        differences = list(rederive_events(store, Thresholds()))
    expected = set(truth(corpus, ids, days))
    missed, invented = expected - set(found), set(found) - expected
    cleared = sum(not holds for _, _, holds in found)
    print(
        f"flag events: {len(found)} of {len(ids)} trials on {len(days)} days, {cleared} cleared; "
        f"{len(missed)} missed, {len(invented)} invented, {len(found) - len(set(found))} twice; "
        f"{len(differences)} trials differ when derived again"
    )
    assert expected
    assert (missed, invented, len(found)) == (set(), set(), len(set(found)))
    assert differences == []
