"""Events of primary outcomes between the records of rated pairs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ctsync.model import Event, Kind, Level, Record
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from tests.rated_pairs import corpus as pairs_folder
from tests.rated_pairs import module_of, pairs_in
from tests.record.studies import study, uncovered

pytestmark = pytest.mark.slow

MIRRORED = {
    "new_primary": "primary_omitted",
    "primary_omitted": "new_primary",
    "primary_from_secondary": "primary_to_secondary",
    "primary_to_secondary": "primary_from_secondary",
}
GONE = {"primary_omitted", "primary_to_secondary"}


@pytest.fixture(scope="module")
def pairs() -> list[tuple[dict[str, Any], Record, Record]]:
    folder = pairs_folder()
    if folder is None:
        pytest.skip("the rated pairs are not part of the project")
    return [
        (pair, record(pair, "before"), record(pair, "after"))
        for pair in pairs_in(folder)
        if not pair["text_identical"]
    ]


def record(pair: dict[str, Any], side: str) -> Record:
    lists = {
        f"protocolSection__outcomesModule__{name}": found
        for name, found in module_of(pair, side).items()
        if found
    }
    return canonicalize(study(**lists))


def primary_events(before: Record, after: Record) -> list[Event]:
    changes = diff(before, after)
    events = classify(changes, before, after)
    assert uncovered(changes, events) == {}
    assert len({event.path for event in events}) == len(events)
    return [e for e in events if e.kind is Kind.OUTCOME and e.inputs["rank"] == "primary"]


def labels(events: list[Event]) -> set[str]:
    return {label for event in events for label in event.inputs.get("labels", ())}


def mirrored(label: str) -> str:
    what, _, part = label.partition("_")
    other = {"added": "omitted", "omitted": "added"}.get(what, what)
    return MIRRORED.get(label, f"{other}_{part}" if part else label)


def test_the_events_of_the_reverse_have_the_mirrored_labels(pairs) -> None:
    unequal = [
        pair["id"]
        for pair, before, after in pairs
        if {*map(mirrored, labels(primary_events(before, after)))}
        != labels(primary_events(after, before))
    ]
    assert not unequal


def test_unchanged_outcomes_are_not_critical_and_mostly_administrative(pairs) -> None:
    worst: dict[str, Counter[str]] = {"change": Counter(), "no_change": Counter()}
    for pair, before, after in pairs:
        levels = [event.level for event in primary_events(before, after)]
        found = min(levels, key=lambda level: level.rank, default=Level.ADMINISTRATIVE)
        worst[pair["class"]][found] += 1
    print(f"\nworst level of a primary outcome, by what raters say: {worst}")
    assert worst["no_change"][Level.CRITICAL] <= 2
    assert worst["no_change"][Level.ADMINISTRATIVE] > worst["no_change"].total() / 2


def test_unresolved_is_never_critical_and_always_said(pairs) -> None:
    doubtful = [
        event
        for _, before, after in pairs
        for event in primary_events(before, after)
        if event.inputs.get("labels") == ["unresolved"]
    ]
    assert {(event.rule, event.level) for event in doubtful} == {("R-OUT-13", Level.NOTABLE)}
    assert all("(cannot tell whether in substance" in event.summary for event in doubtful)
    print(f"\n{len(doubtful)} events are unresolved")


def test_a_critical_event_has_a_verdict_that_an_outcome_is_gone(pairs) -> None:
    for _, before, after in pairs:
        for event in primary_events(before, after):
            if event.level is Level.CRITICAL:
                assert GONE & set(event.inputs["labels"])
