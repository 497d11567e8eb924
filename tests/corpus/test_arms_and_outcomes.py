"""Arms and outcomes of real records, changed in one respect: how many events, and which words."""

from __future__ import annotations

import copy
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.model import Event, JsonObject, Level
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.events.item_names import NAME_WIDTH
from ctsync.record.value_text import quoted
from tests.record.studies import uncovered

pytestmark = pytest.mark.slow

LISTS = {"primaryOutcomes": "Primary", "secondaryOutcomes": "Secondary", "otherOutcomes": "Other"}


@pytest.fixture(scope="module")
def studies(corpus: Path) -> list[JsonObject]:
    with gzip.open(corpus / "studies.jsonl.gz") as lines:
        return [canonicalize(orjson.loads(line)).body for line in lines]


def events_between(before: JsonObject, after: JsonObject) -> list[Event]:
    old, new = canonicalize(before), canonicalize(after)
    changes = diff(old, new)
    events = classify(changes, old, new)
    assert uncovered(changes, events) == {}
    return events


def module_of(study: JsonObject, name: str) -> dict[str, list[JsonObject]]:
    module: dict[str, list[JsonObject]] = study["protocolSection"].get(name, {})
    return module


def relabelled(study: JsonObject, label: str, new: str) -> JsonObject:
    """Return the study with another label of an arm, also in its interventions."""
    after = copy.deepcopy(study)
    module = module_of(after, "armsInterventionsModule")
    for arm in module["armGroups"]:
        arm["label"] = new if arm["label"] == label else arm["label"]
    for intervention in module.get("interventions", []):
        labels = intervention.get("armGroupLabels", [])
        labels[:] = [new if one == label else one for one in labels]
    return after


def test_a_relabelled_arm_is_one_event_that_counts_its_interventions(
    studies: list[JsonObject],
) -> None:
    folded = 0
    for study in studies[::3]:
        module = module_of(study, "armsInterventionsModule")
        labels = Counter(arm["label"] for arm in module.get("armGroups", []))
        arm = next((one for one in module.get("armGroups", []) if labels[one["label"]] == 1), {})
        if not (arm.get("description") or arm.get("interventionNames")):
            continue  # nothing but the label could tell that it is the same arm
        label = arm["label"]
        (event,) = events_between(study, relabelled(study, label, f"{label} (2/3L)"))
        listing = [
            one for one in module.get("interventions", []) if label in one.get("armGroupLabels", [])
        ]
        assert event.level is Level.ROUTINE
        assert quoted(label, NAME_WIDTH)[:20] in event.summary
        assert len(event.covers) == 1 + 2 * len(listing)
        assert (" too)" in event.summary) == bool(listing)
        folded += len(event.covers) - 1
    print(f"\n{folded} changes that follow from a relabelled arm have no event of their own")
    assert folded > 1500


def test_a_removed_arm_is_one_event_that_counts_its_interventions(
    studies: list[JsonObject],
) -> None:
    removed = 0
    for study in studies[::3]:
        module = module_of(study, "armsInterventionsModule")
        arms = module.get("armGroups", [])
        labels = {arm.get("label") for arm in arms}
        if len(arms) < 2 or len(labels) != len(arms):
            continue
        after = copy.deepcopy(study)
        changed = module_of(after, "armsInterventionsModule")
        label = changed["armGroups"].pop()["label"]
        for intervention in changed.get("interventions", []):
            labels_of = intervention.pop("armGroupLabels", [])
            if kept := [one for one in labels_of if one != label]:
                intervention["armGroupLabels"] = kept
        (event,) = events_between(study, after)
        assert event.summary.startswith("Arm removed: ")
        removed += 1
    assert removed > 300


def test_the_arm_that_nct02942355_relabelled_is_one_event(corpus: Path) -> None:
    """The labels of TrialDiff's patch for versions of NCT02942355, in the arms it changed."""
    with gzip.open(corpus / "history" / "registry-patches.jsonl.gz") as lines:
        patches = [orjson.loads(line)["patch_operations"] for line in lines]
    module = "/protocolSection/armsInterventionsModule/"
    (labels,) = (
        found
        for patch in patches
        if (found := [one for one in patch if one["path"].startswith(module)])
        and found[0]["old_value"] == "Cohort B: Maintenance thrapy"
    )
    assert [one["path"].removeprefix(module) for one in labels] == [
        "armGroups/1/label",
        "interventions/0/armGroupLabels/1",
        "interventions/1/armGroupLabels/1",
    ]

    def study(name: str) -> JsonObject:
        both = ["Cohort A", labels[0][name]]
        arms = {
            "armGroups": [{"label": label} for label in both],
            "interventions": [
                {"type": "DRUG", "name": drug, "armGroupLabels": both} for drug in ("A", "B")
            ],
        }
        identity = {"nctId": "NCT02942355"}
        return {"protocolSection": {
            "identificationModule": identity, "armsInterventionsModule": arms,
        }}  # fmt: skip

    (event,) = events_between(study("old_value"), study("new_value"))
    assert event.summary == (
        'Arm renamed: "Cohort B: Maintenance thrapy" -> "Cohort B: Maintenance therapy" '
        "(in 2 interventions too)"
    )


def outcome_lists(studies: list[JsonObject]) -> Iterator[tuple[JsonObject, str, list[JsonObject]]]:
    for study in studies:
        for name in LISTS:
            outcomes = module_of(study, "outcomesModule").get(name)
            if outcomes:
                yield study, name, outcomes


def with_outcomes(study: JsonObject, name: str, outcomes: list[JsonObject]) -> JsonObject:
    module = {**module_of(study, "outcomesModule"), name: outcomes}
    return {**study, "protocolSection": {**study["protocolSection"], "outcomesModule": module}}


def test_a_duplicate_entry_of_a_real_record_is_administrative(
    studies: list[JsonObject],
) -> None:
    for study, name, outcomes in outcome_lists(studies[::4]):
        twice = with_outcomes(study, name, [*outcomes, outcomes[0]])
        (event,) = events_between(twice, study)
        assert (event.rule, event.level) == ("R-OUT-11", Level.ADMINISTRATIVE)
        assert event.summary.startswith(f"{LISTS[name]} outcome duplicate removed: ")
        (event,) = events_between(study, twice)
        assert event.rule == "R-OUT-11"


def test_one_of_several_time_frames_dropped_from_a_real_record_is_named(
    studies: list[JsonObject],
) -> None:
    found: Counter[str] = Counter()
    for study, name, outcomes in outcome_lists(studies):
        of_measure: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in outcomes:
            of_measure[one["measure"]].append(one)
        for entries in of_measure.values():
            frames = {one.get("timeFrame") for one in entries}
            if len(entries) < 2 or len(frames) < len(entries):
                continue
            rest = [one for one in outcomes if one is not entries[-1]]
            (event,) = events_between(study, with_outcomes(study, name, rest))
            assert f" at {quoted(entries[-1]['timeFrame'], NAME_WIDTH)}" in event.summary
            found[event.inputs["change"]] += 1
            if event.inputs["change"] == "time frame dropped":
                assert event.level in {Level.NOTABLE, Level.ROUTINE}
    print(f"\none of several time frames removed: {dict(found)}")
    assert found["time frame dropped"] > 450
    assert found.keys() <= {"time frame dropped", "dropped"}
