"""The flags of real trials against published figures and an independent program.

`act-2019-09` and `act-tracker-5` are from EBM Data Lab's FDAAA TrialsTracker (MIT licence). Its
table holds no records, so the test builds each from the columns of its row.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.model import JsonObject
from ctsync.record.flags import (
    BY_TIME,
    FlagId,
    FlagState,
    applicable,
    coming_flags,
    flags_of,
    results_due_date,
    shown_flags,
    true_ids,
)
from ctsync.record.flags.flag_record import flag_record

Row = dict[str, str]

TRACKER_DAY = date(2019, 9, 16)
PHASES = {
    "": ["NA"],
    "Phase 1/Phase 2": ["PHASE1", "PHASE2"],
    "Phase 2": ["PHASE2"],
    "Phase 2/Phase 3": ["PHASE2", "PHASE3"],
    "Phase 3": ["PHASE3"],
    "Phase 4": ["PHASE4"],
}
COLUMNS = {
    "results_due": FlagId.RESULTS_DUE,
    "overdue": FlagId.RESULTS_OVERDUE,
    "verification_stale": FlagId.VERIFICATION_STALE,
    "open_past_completion": FlagId.OPEN_PAST_COMPLETION,
    "recruiting_past_primary_completion": FlagId.RECRUITING_PAST_PRIMARY_COMPLETION,
    "registered_over_21_days_late": FlagId.REGISTERED_LATE,
    "enrollment_implausible": FlagId.IMPLAUSIBLE_ENROLLMENT,
    "enrollment_zero_actual_not_withdrawn": FlagId.ZERO_ENROLLMENT,
}
CLASSES = {("1", "0"): "ACT", ("0", "1"): "pACT", ("0", "0"): None}


def table(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def record(row: Row) -> JsonObject:
    """Build the record of a row of the tracker's table."""
    start = "2017-02-01" if row["act_flag"] == "1" else "2015-01-01"
    status: JsonObject = {
        "overallStatus": "COMPLETED",
        "startDateStruct": {"date": start},
        "primaryCompletionDateStruct": {"date": row["available_completion_date"]},
    }
    tracked: list[JsonObject] = []
    if row["has_results"] == "1":
        status["resultsFirstSubmitDate"] = row["first_results_submission"]
    elif row["pending_results"] == "1":
        tracked = [{"releaseDate": row["first_results_submission"]}]
    return {
        "protocolSection": {
            "statusModule": status,
            "oversightModule": {"isFdaRegulatedDrug": True},
            "designModule": {"studyType": "INTERVENTIONAL", "phases": PHASES[row["phase"]]},
        },
        "derivedSection": {"miscInfoModule": {"submissionTracking": {"submissionInfos": tracked}}},
        "hasResults": row["has_results"] == "1",
    }


@pytest.mark.slow
def test_due_overdue_and_late_of_the_public_tracker(corpus: Path) -> None:
    rows = table(corpus / "compliance" / "act-2019-09.tsv.gz")
    count: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    for row in rows:
        body = record(row)
        ids = true_ids(flags_of(body, as_of=TRACKER_DAY))
        due = date.fromisoformat(row["due_date"])
        # the table leaves out the date of a certificate, but only one explains such a row
        is_certified = row["results_due"] == "0" and due < TRACKER_DAY
        count["certificate, left out"] += is_certified
        said = {
            "class": (applicable(body) == "ACT") == (row["act_flag"] == "1"),
            "due date": results_due_date(body) == due,
            "late": (FlagId.REPORTED_LATE in ids) == (row["reported_late"] == "1"),
        }
        if not is_certified:
            said["due"] = (FlagId.RESULTS_DUE in ids) == (row["results_due"] == "1")
            said["overdue"] = (FlagId.RESULTS_OVERDUE in ids) == (row["overdue"] == "1")
        count.update(name for name, is_right in said.items() if is_right)
        wrong += [(row["nct_id"], name) for name, is_right in said.items() if not is_right]
    print(f"\nact-2019-09: {len(rows)} trials, {len(wrong)} differences; equal: {dict(count)}")
    assert wrong == []
    assert count["late"] == len(rows) == 10697
    assert count["due"] == count["overdue"] == len(rows) - count["certificate, left out"]
    assert count["certificate, left out"] == 350


def test_the_five_trials_of_the_trackers_own_test(corpus: Path) -> None:
    trials = json.loads((corpus / "compliance" / "act-tracker-5.json").read_text())
    equal = 0
    for trial in trials:
        expected, body = trial["expected"], trial["study"]
        ids = true_ids(flags_of(body, as_of=date.fromisoformat(trial["asof"])))
        found = {
            "act_flag": applicable(body) == "ACT",
            "included_pact_flag": applicable(body) == "pACT",
            "results_due": FlagId.RESULTS_DUE in ids,
            "late_cert": FlagId.LATE_CERTIFICATE in ids,
        }
        equal += all(value == (expected[name] == "1") for name, value in found.items())
    print(f"\nact-tracker-5: {equal} of {len(trials)} as expected")
    assert equal == len(trials) == 5


@pytest.fixture(scope="module")
def studies(corpus: Path) -> dict[str, JsonObject]:
    with gzip.open(corpus / "studies.jsonl.gz") as lines:
        bodies = [orjson.loads(line) for line in lines]
    return {body["protocolSection"]["identificationModule"]["nctId"]: body for body in bodies}


@pytest.mark.slow
def test_the_class_of_real_records(corpus: Path, studies: dict[str, JsonObject]) -> None:
    rows = table(corpus / "compliance" / "corpus-act-class.tsv.gz")
    found = {row["nct"]: applicable(studies[row["nct"]]) or "none" for row in rows}
    in_2019 = sum(found[row["nct"]] == row["trialstracker_2019_09"] for row in rows)
    computed = sum(found[row["nct"]] == row["computed_from_corpus_record"] for row in rows)
    print(
        f"\ncorpus-act-class: {in_2019} of {len(rows)} ({in_2019 / len(rows):.1%}) as in 2019, "
        f"{computed} of {len(rows)} as computed from the same record"
    )
    assert computed == len(rows)
    assert in_2019 / len(rows) >= 0.98


@pytest.mark.slow
def test_the_flags_of_an_independent_program(corpus: Path, studies: dict[str, JsonObject]) -> None:
    rows = table(corpus / "compliance" / "flags-expected.tsv.gz")
    compared: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    for row in rows:
        for name, is_equal in comparisons(row, studies[row["nct"]]):
            compared[name] += 1
            reason = None if is_equal else explanation(name, row, studies[row["nct"]])
            if reason:
                explained[reason] += 1
            elif not is_equal:
                wrong.append((row["nct"], name))
    print(
        f"\nflags-expected: {len(rows)} trials, {compared.total()} comparisons, "
        f"{len(wrong)} not explained; explained: {dict(explained)}"
    )
    assert wrong == []
    assert min(compared.values()) == len(rows)
    assert explained.total() < len(rows) * 0.05


def comparisons(row: Row, body: JsonObject) -> Iterator[tuple[str, bool]]:
    found = {one.id: one for one in flags_of(body, as_of=date.fromisoformat(row["asof"]))}
    ids = true_ids(tuple(found.values()))
    yield "class", applicable(body) == CLASSES[row["act"], row["pact"]]
    yield "due date", str(results_due_date(body) or "") == row["due_date"]
    for column, flag_id in COLUMNS.items():
        yield column, (flag_id in ids) == (row[column] == "1")
    late = found.get(FlagId.REPORTED_LATE)
    yield "reported_late", (str(late.inputs["days"]) if late else "") == row["reported_late_days"]
    days = row["registered_after_start_days"]
    yield "retrospective", (FlagId.RETROSPECTIVE in ids) == (days != "" and int(days) > 0)


def explanation(name: str, row: Row, body: JsonObject) -> str | None:
    start = body["protocolSection"]["statusModule"].get("startDateStruct", {}).get("date", "")
    if name == "registered_over_21_days_late" and start[:10] < "2008-09-27":
        return "start before 2008-09-27, whose 21 days count from that day"
    if name == "reported_late" and row["results_pending"] == "1":
        return "submitted late and in review, where the program reads posted results only"
    return None


def test_no_start_of_81_trials_was_moved_across_the_registration(corpus: Path) -> None:
    source = corpus / "compliance" / "retro-prospective-cthist.tsv"
    with source.open(encoding="utf-8", newline="") as lines:
        _, *rows = csv.reader(lines, delimiter="\t")
    states: Counter[str] = Counter()
    for _, _, registered, first, first_precision, last, last_precision, *_ in rows:
        bodies = [
            registration(registered, day, precision)
            for day, precision in ((first, first_precision), (last, last_precision))
        ]
        for flag in flags_of(bodies[1], as_of=TRACKER_DAY, first=bodies[0]):
            if flag.id is FlagId.RETROACTIVELY_PROSPECTIVE:
                states[flag.state.value] += 1
    print(f"\nretro-prospective-cthist: {len(rows)} trials without one, found {dict(states)}")
    assert len(rows) == 81
    assert set(states) <= {FlagState.UNDECIDED}


def registration(registered: str, start: str, precision: str) -> dict[str, Any]:
    length = {"day": 10, "month": 7, "year": 4}[precision]
    status = {"studyFirstSubmitDate": registered, "startDateStruct": {"date": start[:length]}}
    return {"protocolSection": {"statusModule": status}}


DAY, DAYS = date(2026, 3, 13), 420


@pytest.mark.slow
def test_a_forecast_gives_the_day_on_which_each_flag_becomes_true(
    studies: dict[str, JsonObject],
) -> None:
    sample = dict(list(studies.items())[:: len(studies) // 150])
    count: Counter[str] = Counter()
    missed: list[tuple[str, FlagId, date]] = []
    invented: list[tuple[str, FlagId, date]] = []
    for nct_id, body in sample.items():
        happened = {(nct_id, *one) for one in day_by_day(body)}
        expected = {
            (nct_id, flag.id, flag.since)
            for flag in coming_flags(body, after=DAY)
            if flag.since and flag.since <= DAY + timedelta(days=DAYS)
        }
        missed += happened - expected
        invented += expected - happened
        count.update(flag_id.value for _, flag_id, _ in happened)
    print(
        f"\nforecast: {len(sample)} records, {DAYS} days each: {count.total()} flags became true, "
        f"{len(missed)} missed, {len(invented)} invented; {dict(count)}"
    )
    assert (missed, invented) == ([], [])
    assert set(count) == {flag_id.value for flag_id in BY_TIME}


@pytest.mark.slow
def test_the_stored_part_of_each_record_has_the_same_flags(
    studies: dict[str, JsonObject],
) -> None:
    days = (date.min, date(2010, 5, 1), date(2019, 9, 16), DAY, date.max)
    first = {"protocolSection": {"statusModule": {"startDateStruct": "2012"}}}
    differ = size = 0
    for body in studies.values():
        written = orjson.dumps(flag_record(body))
        kept, size = orjson.loads(written), size + len(written)
        differ += sum(
            flags_of(body, as_of=day, first=first) != flags_of(kept, as_of=day, first=first)
            for day in days
        )
    print(
        f"\nflag records: {len(studies)} records on {len(days)} days, {differ} with other flags; "
        f"{size / len(studies):.0f} bytes each"
    )
    assert differ == 0


def day_by_day(body: JsonObject) -> Iterator[tuple[FlagId, date]]:
    """Yield each flag that was not true on the day before, with its day."""
    before = true_ids(shown_flags(flags_of(body, as_of=DAY)))
    for number in range(1, DAYS + 1):
        day = DAY + timedelta(days=number)
        now = true_ids(shown_flags(flags_of(body, as_of=day)))
        yield from ((flag_id, day) for flag_id in now - before)
        before = now
