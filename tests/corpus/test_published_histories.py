"""Events of histories rebuilt from published tables give the published figures.

Stops and restarts: ctcovidstop; terminated trials: terminated-trials-study (both CC BY 4.0,
Benjamin Gregory Carlisle and colleagues). The records hold only the values of the tables.
"""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ctsync.model import Event, JsonObject, Kind
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify

pytestmark = pytest.mark.slow

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
    "Withheld": "WITHHELD",
}


def version(nct_id: str, posted: str, **modules: Any) -> JsonObject:
    status = {
        "lastUpdatePostDateStruct": {"date": posted, "type": "ACTUAL"},
        "lastUpdateSubmitDate": posted,
        **modules.pop("status", {}),
    }
    identity = {"identificationModule": {"nctId": nct_id}}
    return {"protocolSection": {**identity, "statusModule": status, **modules}}


def steps(*versions: JsonObject) -> list[list[Event]]:
    """Return the events of each step from one version to the next."""
    records = [canonicalize(v) for v in versions]
    keys = [key_fields(record.body) for record in records]
    return [
        classify(
            diff(before, after),
            before,
            after,
            past=keys[: n + 1],
            registry_versions=range(n + 2),
        )
        for n, (before, after) in enumerate(pairwise(records))
    ]


@dataclass(slots=True)
class Tally:
    """The number of stops with one status, and the days until the trials restarted."""

    stops: int = 0
    spells: list[int] = field(default_factory=list)

    @property
    def restarted(self) -> str:
        return f"{len(self.spells) / self.stops:.1%}"


# as published: stops, the share that restarted, and the median days of suspensions that ended
PUBLISHED: dict[str, dict[str, tuple[int, str, int | None]]] = {
    "stops-2019-2022.csv": {
        "SUSPENDED": (3453, "64.1%", 151),
        "TERMINATED": (6216, "1.7%", None),
        "WITHDRAWN": (3654, "2.0%", None),
    },
    "stops-2016-2019.csv": {
        "SUSPENDED": (1415, "56.5%", None),
        "TERMINATED": (5388, "2.9%", None),
        "WITHDRAWN": (2862, "2.4%", None),
    },
}


@pytest.mark.parametrize(
    "name",
    ["stops-2019-2022.csv", pytest.param("stops-2016-2019.csv", marks=pytest.mark.soak)],
)
def test_stops_and_restarts_give_the_published_figures(corpus: Path, name: str) -> None:
    found: dict[str, Tally] = defaultdict(Tally)
    rows = 0
    with (corpus / "history" / name).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            stopped, restart = _stop_and_restart(row)
            tally = found[stopped.after]
            tally.stops += 1
            if restart is not None:
                tally.spells.append(restart.inputs["spell_days"])
            rows += 1
    figures = {status: (tally.stops, tally.restarted) for status, tally in found.items()}
    print(f"\n{rows:,} reconstructed histories (ctcovidstop): every stop, every spell; {figures}")
    assert figures == {status: row[:2] for status, row in PUBLISHED[name].items()}
    for status, (*_, median) in PUBLISHED[name].items():
        if median is not None:
            assert round(statistics.median(found[status].spells)) == median


def _stop_and_restart(row: dict[str, str]) -> tuple[Event, Event | None]:
    """Return the stop and the restart event of a row, from two or three versions."""
    stop, restart = row["stop_date"], row["restart_date"]
    after, again = STATUSES[row["stop_status"]], STATUSES.get(row["restart_status"])
    versions = [
        version(row["nctid"], "2010-01-01", status={"overallStatus": "RECRUITING"}),
        version(row["nctid"], stop, status={"overallStatus": after}),
    ]
    if again is not None:
        versions.append(version(row["nctid"], restart, status={"overallStatus": again}))
    status_events = [[e for e in events if e.kind is Kind.STATUS] for events in steps(*versions)]
    assert all(len(events) == 1 for events in status_events), row
    (stopped,), *rest = status_events
    assert (stopped.rule, stopped.before, stopped.after) == ("R-STA-01", "RECRUITING", after)
    if again is None:
        return stopped, None
    ((restarted,),) = rest
    published = (date.fromisoformat(restart) - date.fromisoformat(stop)).days
    assert (restarted.before, restarted.after) == (after, again)
    assert restarted.inputs["spell_days"] == published, row
    assert restarted.inputs["spell_whole"]
    return stopped, restarted


def test_terminated_trials_reach_the_published_share_of_their_target(corpus: Path) -> None:
    source = corpus / "history" / "terminated-enrollment.csv"
    checked = critical = 0
    with source.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            target, actual = row["anticipated_enrollment"], row["actual_enrollment"]
            if not (target.isdigit() and actual.isdigit()) or target == actual:
                continue
            (event,) = (
                event
                for event in steps(
                    version(row["nctid"], row["start_date"], **_enrolled(target, "ESTIMATED")),
                    version(row["nctid"], row["stop_date"], **_enrolled(actual, "ACTUAL")),
                )[0]
                if event.path.endswith(".count")
            )
            assert f"{event.inputs['percent_of_target']:.2f}" == f"{_percent(row):.2f}", row
            below = event.inputs["percent_of_target"] < 85
            assert (event.rule == "R-ENR-02") is below, row
            checked += 1
            critical += below
    print(f"\n{checked} terminated trials: {critical} below 85 % of their target, all as published")
    assert checked == 198


def _percent(row: dict[str, str]) -> float:
    return float(row["enrollment_percentage"])


def _enrolled(count: str, kind: str) -> dict[str, Any]:
    return {"designModule": {"enrollmentInfo": {"count": int(count), "type": kind}}}
