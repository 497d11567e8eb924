"""Reading and comparing records, checked on every real record and change of the corpus."""

from __future__ import annotations

import csv
import gzip
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.model import MISSING, Event, JsonObject, Kind, Level, Record
from ctsync.record.compare.canonical import canonicalize, key_fields, restore
from ctsync.record.compare.diff import apply, diff
from ctsync.record.events.classify import classify, first_seen
from ctsync.record.fields.table import FIELDS, VOLATILE
from ctsync.record.registry.schema_drift import unknown_paths
from ctsync.record.rules.rules import Thresholds, assign
from tests.properties.strategies import edited, permuted
from tests.record.studies import uncovered

pytestmark = pytest.mark.slow

Pair = tuple[str, Record, Record]

KNOWN_DRIFT = {
    # removed by the registry or added by a collector before the loads of 2026
    "protocolSection.armsInterventionsModule.interventions.interventionMappedName",
    "protocolSection.contactsLocationsModule.locations_nested",
}


@pytest.fixture(scope="module")
def studies(corpus: Path) -> list[JsonObject]:
    with gzip.open(corpus / "studies.jsonl.gz") as lines:
        return [orjson.loads(line) for line in lines]


@pytest.fixture(scope="module")
def records(studies: list[JsonObject]) -> list[Record]:
    return [canonicalize(study) for study in studies]


def pairs_in(folder: Path) -> Iterator[Pair]:
    for trial in sorted(folder.glob("NCT*")):
        bodies = [orjson.loads(path.read_bytes()) for path in sorted(trial.iterdir())]
        for before, after in pairwise(map(canonicalize, bodies)):
            yield trial.name, before, after


@pytest.fixture(scope="module")
def day_pairs(corpus: Path) -> list[Pair]:
    """Pairs of consecutive bodies of the 600 trials over 25 load days."""
    return list(pairs_in(corpus / "days"))


@pytest.fixture(scope="module")
def real_pairs(corpus: Path, day_pairs: list[Pair]) -> list[Pair]:
    """Pairs of consecutive versions that differ."""
    return [pair for pair in [*day_pairs, *pairs_in(corpus / "versions")] if pair[1] != pair[2]]


def events_of(before: Record, after: Record) -> list[Event]:
    changes = diff(before, after)
    events = classify(changes, before, after)
    assert uncovered(changes, events) == {}
    assert len({event.path for event in events}) == len(events)
    return events


def test_every_observed_path_is_declared(corpus: Path) -> None:
    with (corpus / "observed-field-paths.tsv").open(encoding="utf-8") as rows:
        next(rows)
        paths = {row.split("\t")[1].strip().replace("[]", "") for row in rows}
    assert len(paths) > 400
    assert paths - FIELDS.keys() == set()


def test_every_record_is_read_the_same_in_any_key_order(
    studies: list[JsonObject], records: list[Record]
) -> None:
    for number, (study, record) in enumerate(zip(studies, records, strict=True)):
        if number % 5 == 0:
            assert canonicalize(permuted(study, number)).digest == record.digest
        assert restore(record.canonical, record.digest) == record
        assert diff(record, record) == []
        assert first_seen(record).summary
    print(f"\n{len(records)} records: the same form in any order")


def test_records_have_no_undeclared_path_except_the_known_drift(records: list[Record]) -> None:
    found = Counter(path for record in records for path in unknown_paths(record.body))
    print(f"\nundeclared paths in {len(records)} records: {dict(found)}")
    assert found.keys() <= KNOWN_DRIFT


def test_exactly_the_real_changes_are_found(corpus: Path, day_pairs: list[Pair]) -> None:
    with (corpus / "days" / "_truth.tsv").open(encoding="utf-8", newline="") as rows:
        truth = Counter(row[0] for row in csv.reader(rows, delimiter="\t"))
    found = Counter(nct_id for nct_id, before, after in day_pairs if before != after)
    assert found == truth
    assert found.total() == 31


def test_each_real_change_has_the_events_of_the_truth_table(
    corpus: Path, day_pairs: list[Pair]
) -> None:
    """Covers status, enrollment and primary completion of _truth.tsv, one event each."""
    with (corpus / "days" / "_truth.tsv").open(encoding="utf-8", newline="") as rows:
        truth = [row[3:10] for row in csv.reader(rows, delimiter="\t")]
    found_events = [events_of(b, a) for _, b, a in day_pairs if b != a]
    checked = 0
    for (old, new, old_n, new_n, old_end, new_end, posted), events in zip(
        truth, found_events, strict=True
    ):
        for kind, leaf, before, after in (
            (Kind.STATUS, ".overallStatus", old, new),
            (Kind.ENROLLMENT, ".count", *_heads(old_n, new_n)),
            (Kind.ENROLLMENT, ".type", *_tails(old_n, new_n)),
            (Kind.PRIMARY_COMPLETION_DATE, ".date", *_heads(old_end, new_end)),
            (Kind.PRIMARY_COMPLETION_DATE, ".type", *_tails(old_end, new_end)),
        ):
            found = [
                (str(e.before), str(e.after))
                for e in events
                if e.kind is kind and e.path.endswith(leaf)
            ]
            assert found == ([(before, after)] if before != after else [])
            checked += before != after
        update = "protocolSection.statusModule.lastUpdatePostDateStruct.date"
        assert any(e.path == update for e in events) == (posted == "1")
    assert checked == 15


def _heads(*values: str) -> list[str]:
    return [value.partition("/")[0] for value in values]


def _tails(*values: str) -> list[str]:
    return [value.partition("/")[2] for value in values]


def leaves(value: Any, path: str = "") -> Counter[tuple[str, str]]:
    """Count the leaves of a record by field, ignoring item and order. Uses no code of ctsync."""
    found: Counter[tuple[str, str]] = Counter()
    if isinstance(value, dict) and value:
        for key, child in value.items():
            found += leaves(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for item in value:
            found += leaves(item, path)
    else:
        found[path, orjson.dumps(value).decode()] += 1
    return found


def test_changes_cover_exactly_the_leaves_that_differ(real_pairs: list[Pair]) -> None:
    checked = 0
    for _, before, after in real_pairs:
        old, new = leaves(before.body), leaves(after.body)
        added: Counter[tuple[str, str]] = Counter()
        removed: Counter[tuple[str, str]] = Counter()
        for change in diff(before, after):
            if change.before is not MISSING:
                removed += leaves(change.before, change.field)
            if change.after is not MISSING:
                added += leaves(change.after, change.field)
        assert added - removed == new - old
        assert removed - added == old - new
        checked += (new - old).total() + (old - new).total()
    print(f"\n{checked:,} leaves added or removed in {len(real_pairs)} real pairs: all covered")


def test_applying_the_changes_of_a_real_pair_gives_the_real_record(real_pairs: list[Pair]) -> None:
    for _, before, after in real_pairs:
        for one, other in ((before, after), (after, before)):
            changes = diff(one, other)
            assert apply(one, changes) == other
            assert events_of(one, other)
            for number in range(0, len(changes), 7):
                assert apply_without(one, changes, number) != other


def apply_without(record: Record, changes: list[Any], number: int) -> Record | None:
    """Apply all changes except one. Return None if the others cannot be applied without it."""
    try:
        return apply(record, [*changes[:number], *changes[number + 1 :]])
    except (KeyError, IndexError):
        return None


def test_levels_of_real_changes_are_assigned_again_from_stored_inputs(
    real_pairs: list[Pair],
) -> None:
    levels: Counter[str] = Counter()
    for _, before, after in real_pairs:
        for event in events_of(before, after):
            inputs = orjson.loads(orjson.dumps(event.inputs))
            assert assign(event.kind, inputs, Thresholds()) == (event.rule, event.level)
            levels[event.level] += 1
    print(f"\nevents of {len(real_pairs)} real pairs by level: {dict(levels)}")
    assert levels[Level.CRITICAL] == 6


def test_both_real_changes_to_unknown_are_derived_by_the_registry(real_pairs: list[Pair]) -> None:
    flips = [
        event
        for _, before, after in real_pairs
        for event in events_of(before, after)
        if event.rule == "R-STA-06"
    ]
    assert len(flips) == 2
    assert all(event.inputs["registry_derived"] for event in flips)
    assert all("last known not yet recruiting" in event.summary for event in flips)


def test_the_published_example_has_the_published_event(real_pairs: list[Pair]) -> None:
    ((before, after),) = [pair[1:] for pair in real_pairs if pair[0] == "NCT05935098"]
    (event,) = [e for e in events_of(before, after) if e.path.endswith("enrollmentInfo.count")]
    assert (event.kind, event.category, event.level) == ("enrollment", "enrollment", "critical")
    assert (event.rule, event.label) == ("R-ENR-02", "Enrollment")
    assert (event.before, event.after) == (263, 99)
    assert (event.before_type, event.after_type) == ("ESTIMATED", "ACTUAL")
    assert (event.days, event.days_since_first) == (None, None)
    assert (event.percent, event.percent_since_first) == (-62.4, -62.4)
    assert event.summary == "Enrollment 263 (estimated) -> 99 (actual), 37.6 % of target"


def test_changes_between_unrelated_records_can_be_applied_and_are_covered(
    records: list[Record],
) -> None:
    chosen = random.Random(7).sample(records, 120)
    for one, other in pairwise(chosen):
        other_body = orjson.loads(other.canonical)
        assert apply(one, diff(one, other)).canonical == other.canonical
        events_of(one, canonicalize(other_body))
    print(f"\n{len(chosen) - 1} pairs of unrelated trials: applied to the byte, every leaf covered")


def test_changes_of_edited_real_records_can_be_applied_both_ways(studies: list[JsonObject]) -> None:
    chance = random.Random(11)
    for number in range(150):
        study = chance.choice(studies)
        changed = permuted(edited(study, number, edits=number % 9), number)
        before, after = canonicalize(study), canonicalize(changed)
        assert apply(before, diff(before, after)).canonical == after.canonical, number
        assert apply(after, diff(after, before)).canonical == before.canonical, number
        events_of(before, after)
    print(
        "\n150 real records with up to 8 edits: applied to the byte both ways, every leaf covered"
    )


def test_each_operation_of_a_registry_patch_is_one_event(corpus: Path) -> None:
    """Covers status, date and enrollment operations, with the values before and after."""
    source = corpus / "history" / "status-date-enrollment-changes.csv"
    steps: dict[tuple[str, ...], list[dict[str, str]]] = {}
    with source.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            steps.setdefault((row["nct_id"], row["from_version"]), []).append(row)
    operations = 0
    for (nct_id, _), rows_of_step in steps.items():
        before, after = (_patched(nct_id, rows_of_step, side) for side in ("old", "new"))
        events = events_of(before, after)
        for row in rows_of_step:
            path = row["path"].strip("/").replace("/", ".")
            found = [e for e in events if e.path == path or e.path.startswith(f"{path}.")]
            assert len(found) == 1, (nct_id, path, [e.summary for e in found])
            assert found[0].before == _value(row["old"]), (nct_id, path)
            assert found[0].after == _value(row["new"]), (nct_id, path)
            operations += 1
        assert len(events) == len(rows_of_step)
    print(f"\n{operations} operations of {len(steps)} registry patches: one event each (TrialDiff)")
    assert operations > 200


def _patched(nct_id: str, rows: list[dict[str, str]], side: str) -> Record:
    """Make a record that holds only the operations' values of one side of a step."""
    study: JsonObject = {"protocolSection": {"identificationModule": {"nctId": nct_id}}}
    for row in rows:
        value = orjson.loads(row[side])
        if value != {"__missing__": True}:
            here = study
            *steps, last = row["path"].strip("/").split("/")
            for step in steps:
                here = here.setdefault(step, {})
            here[last] = value
    return canonicalize(study)


def _value(text: str) -> Any:
    """Return the value of an operation, for a date or count with its type without the type."""
    value = orjson.loads(text)
    if isinstance(value, dict):
        return None if "__missing__" in value else value.get("date", value.get("count"))
    return value


def test_the_speed_of_reading_and_comparing_is_printed(
    corpus: Path, studies: list[JsonObject], real_pairs: list[Pair]
) -> None:
    """Prints figures and asserts no time."""
    of_days = [pair for pair in real_pairs if (corpus / "days" / pair[0]).is_dir()]
    pasts = [[key_fields(before.body)] for _, before, _ in of_days]
    spent = []
    for _ in range(5):
        for (_, before, after), past in zip(of_days, pasts, strict=True):
            began = time.process_time()
            classify(diff(before, after), before, after, past=past)
            spent.append(time.process_time() - began)
    reading = []
    for study in islice(studies, 0, None, 4):
        began = time.process_time()
        canonicalize(study)
        reading.append(time.process_time() - began)
    print(
        f"\nmedian of {len(of_days)} real pairs: {1 / statistics.median(spent):,.0f} pairs/s "
        f"diffed and classified; median record canonical in "
        f"{1e6 * statistics.median(reading):.0f} µs"
    )
    assert len(of_days) == 31


def test_no_canonical_record_holds_the_load_date(records: list[Record]) -> None:
    stamp = VOLATILE[0].rpartition(".")[2].encode()
    assert not any(stamp in record.canonical for record in records)
