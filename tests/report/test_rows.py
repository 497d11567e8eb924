"""Events and reports as rows: the published keys in their order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from ctsync.model import MISSING, Category, Event, Kind, Level, NctId, StoredEvent
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.report import UncheckedTrial
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.report_row import report_row
from ctsync.report.rows.row_json import dump, to_json
from tests.report.examples import coverage, demo_events, event, report, stored

PUBLISHED = """{
 "nct_id":"NCT05935098","kind":"enrollment","category":"enrollment","level":"critical",
 "rule":"R-ENR-02","path":"protocolSection.designModule.enrollmentInfo.count",
 "label":"Enrollment","before":263,"after":99,"before_type":"ESTIMATED","after_type":"ACTUAL",
 "days":null,"days_since_first":null,"percent":-62.4,"percent_since_first":-62.5,
 "from_version":1,"to_version":2,"posted":"2026-03-13","observed":"2026-03-13T09:00:05Z",
 "fetched":"2026-03-13T15:02:11Z",
 "summary":"Enrollment 263 (estimated) -> 99 (actual), 37.6 % of target",
 "url":"https://clinicaltrials.gov/study/NCT05935098","context":[],"unfetched":0}"""
"""One event as in the documentation; values that could be confused differ."""

HALVED = StoredEvent(
    event_id=7,
    nct_id=NctId("NCT05935098"),
    brief_title="A trial of something",
    event=Event(
        kind=Kind.ENROLLMENT,
        category=Category.ENROLLMENT,
        level=Level.CRITICAL,
        rule="R-ENR-02",
        path="protocolSection.designModule.enrollmentInfo.count",
        label="Enrollment",
        summary="Enrollment 263 (estimated) -> 99 (actual), 37.6 % of target",
        before=263,
        after=99,
        before_type="ESTIMATED",
        after_type="ACTUAL",
        percent=-62.4,
        percent_since_first=-62.5,
    ),
    from_version=1,
    to_version=2,
    from_registry_version=0,
    to_registry_version=1,
    posted="2026-03-13",
    observed=datetime(2026, 3, 13, 9, 0, 5, tzinfo=UTC),
    fetched=datetime(2026, 3, 13, 15, 2, 11, 654321, tzinfo=UTC),
    run_id=118,
)
MOVED = event(Kind.START_DATE, days=214, days_since_first=300)


def test_an_event_is_written_as_documented() -> None:
    assert dump(event_row(HALVED)).decode() == PUBLISHED.replace("\n ", "").replace("\n", "")


def test_a_row_has_the_move_in_days_and_the_move_since_the_first_version() -> None:
    row = event_row(stored(MOVED))

    assert (row.days, row.days_since_first) == (214, 300)
    assert (row.percent, row.percent_since_first) == (None, None)


def test_a_missing_value_is_null() -> None:
    row = event_row(stored(event(before=MISSING, after={"a": [1, None]}), observed=None))
    written = json.loads(dump(row))

    assert written == to_json(row)
    assert (written["before"], written["after"]) == (None, {"a": [1, None]})
    assert written["observed"] is None


def test_a_report_keeps_its_published_keys_in_order() -> None:
    failed = (UncheckedTrial(NctId("NCT00000009"), "no connection to the registry"),)
    row = to_json(report_row(report(coverage=coverage(3, failed=failed))))
    (trial, *_), (standing, *_), (new, *_) = row["trials"], row["standing"], row["newly_followed"]

    assert " ".join(row) == (
        "report_id subject headline title since until watched coverage counts shown collapsed "
        "left_out left_out_trials left_out_command total trials newly_followed "
        "newly_followed_total standing notices footer filters flags_as_of"
    )
    assert " ".join(row["coverage"]) == (
        "checked load refreshed run_ids requests retries could_not_check"
    )
    assert row["coverage"]["could_not_check"] == [
        {"nct_id": "NCT00000009", "reason": "no connection to the registry"}
    ]
    assert row["counts"] == {"critical": 2, "notable": 0, "routine": 0, "administrative": 0}
    assert " ".join(trial) == (
        "nct_id title level what since_registration moves url versions administrative "
        "administrative_versions left_out notes command acronym sponsor phase conditions folded "
        "flags"
    )
    assert " ".join(trial["moves"][0]) == (
        "kind label level before after before_type after_type days percent changes is_reversed text"
    )
    assert " ".join(trial["versions"][0]) == "version title compare_url command events"
    assert " ".join(new) == "nct_id title state url"
    assert " ".join(standing) == "what trials text"


def test_an_event_of_a_report_also_has_its_moves_in_words() -> None:
    (trial, *_) = report_row(report()).trials
    events = {row.kind: to_json(row) for row in trial.versions[0].events}
    moved = events[Kind.PRIMARY_COMPLETION_DATE]

    assert list(moved) == [*to_json(event_row(HALVED)), "move", "move_since_registration"]
    assert (moved["move"], moved["move_since_registration"]) == (
        "+1 month (30 days ±30)",
        "+2.2 years (820 days ±30)",
    )
    assert events[Kind.STATUS]["move"] is None


def test_a_report_as_json_is_its_row_in_ascii() -> None:
    row = report_row(report([stored(event(summary="é\x7f\u2028"))]))
    written = render(report([stored(event(summary="é\x7f\u2028"))]), ReportFormat.JSON)

    assert written.isascii()
    assert "\x7f" not in written
    assert json.loads(written) == to_json(row)
    assert written == json.dumps(to_json(row), indent=2) + "\n"


def test_a_report_without_a_run_has_no_coverage_and_counts_left_out_changes() -> None:
    row = report_row(report(demo_events(), coverage=None, limit=1))

    assert row.coverage is None
    assert row.left_out > 0
    assert row.left_out_command is not None
    assert row.shown + row.collapsed + row.left_out == row.total
