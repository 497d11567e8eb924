"""Histories rebuilt from published tables come out with the figures the tables have.

Stops and restarts: ctcovidstop; terminated trials: terminated-trials-study (both CC BY 4.0,
Benjamin Gregory Carlisle and colleagues). Only the facts of the tables are in the records.
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from ctsync.model import Event, JsonObject, Kind
from ctsync.record.canonical import canonicalize, key_fields
from ctsync.record.classify import classify
from ctsync.record.diff import diff

STATUSES = {
    "Active, not recruiting": "ACTIVE_NOT_RECRUITING",
    "Recruiting": "RECRUITING",
    "Not yet recruiting": "NOT_YET_RECRUITING",
    "Enrolling by invitation": "ENROLLING_BY_INVITATION",
    "Completed": "COMPLETED",
    "Suspended": "SUSPENDED",
    "Terminated": "TERMINATED",
    "Withdrawn": "WITHDRAWN",
    "Unknown status": "UNKNOWN",
}


def version(nct_id: str, posted: str, **modules: Any) -> JsonObject:
    status = {
        "lastUpdatePostDateStruct": {"date": posted, "type": "ACTUAL"},
        "lastUpdateSubmitDate": posted,
        **modules.pop("status", {}),
    }
    identity = {"identificationModule": {"nctId": nct_id}}
    return {"protocolSection": {**identity, "statusModule": status, **modules}}


def last_events(*versions: JsonObject) -> list[Event]:
    records = [canonicalize(v) for v in versions]
    past = [key_fields(record.body) for record in records[:-1]]
    before, after = records[-2:]
    return classify(diff(before, after), before, after, past=past)


def test_every_suspension_that_ended_has_the_published_length(corpus: Path) -> None:
    rules: Counter[str] = Counter()
    for name in ("stops-2019-2022.csv", "stops-2016-2019.csv"):
        with (corpus / "history" / name).open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                if row["stop_status"] == "Suspended" and row["restart_status"] != "NA":
                    rules[_restart(row).rule] += 1
    print(f"\n{rules.total():,} suspensions that ended (ctcovidstop): every spell as published")
    assert rules == {"R-STA-02": 2623, "R-STA-05": 386, "R-STA-06": 5}


def _restart(row: dict[str, str]) -> Event:
    days = (row["stop_date"], row["restart_date"])
    (event,) = (
        event
        for event in last_events(
            version(row["nctid"], "2010-01-01", status={"overallStatus": "RECRUITING"}),
            version(row["nctid"], days[0], status={"overallStatus": "SUSPENDED"}),
            version(
                row["nctid"],
                days[1],
                status={"overallStatus": STATUSES[row["restart_status"]]},
            ),
        )
        if event.kind is Kind.STATUS
    )
    published = (date.fromisoformat(days[1]) - date.fromisoformat(days[0])).days
    assert event.inputs["spell_days"] == published, row
    assert event.inputs["spell_whole"]
    return event


def test_every_terminated_trial_reached_the_published_share_of_its_target(corpus: Path) -> None:
    source = corpus / "history" / "terminated-enrollment.csv"
    checked = critical = 0
    with source.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            target, actual = row["anticipated_enrollment"], row["actual_enrollment"]
            if not (target.isdigit() and actual.isdigit()) or target == actual:
                continue
            (event,) = (
                event
                for event in last_events(
                    version(row["nctid"], row["start_date"], **_enrolled(target, "ESTIMATED")),
                    version(row["nctid"], row["stop_date"], **_enrolled(actual, "ACTUAL")),
                )
                if event.path.endswith(".count")
            )
            assert f"{event.inputs['percent_of_target']:.2f}" == f"{_percent(row):.2f}", row
            below = event.inputs["percent_of_target"] < 85
            assert (event.rule == "R-ENR-02") is below, row
            checked += 1
            critical += below
    print(f"\n{checked} terminated trials: {critical} below 85 % of their target, all as published")
    assert checked > 190


def _percent(row: dict[str, str]) -> float:
    return float(row["enrollment_percentage"])


def _enrolled(count: str, kind: str) -> dict[str, Any]:
    return {"designModule": {"enrollmentInfo": {"count": int(count), "type": kind}}}
