"""The keys of each answer, their order, and the source of their values."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date, timedelta

from ctsync.model import (
    MISSING,
    FieldChange,
    KeyFields,
    Kind,
    Level,
    NctId,
    Source,
    State,
    Version,
)
from ctsync.questions.changes.relevel import RelevelledEvent, relevelled_row
from ctsync.questions.changes.rules import rule_table_row
from ctsync.questions.operation.runs import run_row
from ctsync.questions.operation.status import quarantined_trial_row
from ctsync.questions.portfolio.find import FoundTrial
from ctsync.questions.portfolio.forecast import Expectation, ExpectedChange, expected_change_row
from ctsync.questions.portfolio.watches import MemberFacts, watch_row
from ctsync.questions.trial.compare import field_change_row
from ctsync.questions.trial.field_history import field_value_row
from ctsync.questions.trial.versions import version_row
from ctsync.record.registry.notices import notice_json
from ctsync.record.rules.rules import RULES, RULES_VERSION, Thresholds
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.row_json import to_json
from ctsync.report.trial.field_history import Unshown, ValueSpell
from tests.questions.answers import BEFORE, FAILURE, INTERRUPTED, NOTICE, NOW, RUN, STATUS, WATCH
from tests.report.examples import event, stored

ENDED = Version(
    snapshot_id=1, nct_id=NctId("NCT03690141"), version=8, registry_version=7,
    source=Source.HISTORY, state=State.PRESENT, digest="1:ab", posted="2019-07-16",
    submitted="2019-07-12", observed=None, fetched=NOW,
    key=KeyFields(
        status="ACTIVE_NOT_RECRUITING", start_date="2018-10", start_date_type="ACTUAL",
        primary_completion_date="2020-03", primary_completion_date_type="ESTIMATED",
        completion_date="2020-04", completion_date_type="ESTIMATED", enrollment=16,
        enrollment_type="ACTUAL",
    ),
)  # fmt: skip
STEP = [
    stored(event(Kind.STATUS, Level.NOTABLE)),
    stored(event(Kind.ENROLLMENT, Level.CRITICAL)),
    stored(event(Kind.STATUS, Level.ROUTINE)),
]


def test_a_version_is_written_as_documented() -> None:
    expected = {
        "nct_id": "NCT03690141", "version": 8, "registry_version": 7, "source": "history",
        "state": "present", "posted": "2019-07-16", "submitted": "2019-07-12", "observed": None,
        "fetched": "2026-03-13T15:02:11Z", "status": "ACTIVE_NOT_RECRUITING",
        "start_date": "2018-10", "start_date_type": "ACTUAL",
        "primary_completion_date": "2020-03", "primary_completion_date_type": "ESTIMATED",
        "completion_date": "2020-04", "completion_date_type": "ESTIMATED", "enrollment": 16,
        "enrollment_type": "ACTUAL", "level": "critical", "kinds": ["status", "enrollment"],
        "substantive": True,
        "digest": "1:ab",
        "url": "https://clinicaltrials.gov/study/NCT03690141?tab=history&a=8",
    }  # fmt: skip
    assert list(to_json(version_row(ENDED, STEP)).items()) == list(expected.items())
    # a backfill in parts stores the events of a step in another order than a complete one
    assert version_row(ENDED, STEP[::-1]) == version_row(ENDED, STEP)


def test_a_version_without_changes_and_number_has_no_level_and_no_own_url() -> None:
    row = version_row(replace(ENDED, registry_version=None, digest=None, state=State.GONE), ())

    assert (row.level, row.kinds, row.state, row.digest) == (None, (), State.GONE, None)
    assert row.url == "https://clinicaltrials.gov/study/NCT03690141"


def test_a_field_change_marks_added_and_removed_values() -> None:
    def written(before: object, after: object) -> dict[str, object]:
        change = FieldChange("a[x].b", "a.b", ("a", 0), before, after)
        return to_json(field_change_row(change, STEP[0].event))

    assert list(written(None, 1).items()) == [
        ("path", "a[x].b"), ("field", "a.b"), ("label", "a.b"), ("item", None),
        ("category", "status"), ("kind", "status"), ("level", STEP[0].event.level.value),
        ("rule", STEP[0].event.rule), ("summary", STEP[0].event.summary), ("days", None),
        ("percent", None), ("added", False), ("removed", False), ("before", None), ("after", 1),
    ]  # fmt: skip
    added, removed = written(MISSING, [1]), written({"c": 1}, MISSING)
    assert (added["added"], added["before"], added["after"]) == (True, None, [1])
    assert (removed["removed"], removed["before"], removed["after"]) == (True, {"c": 1}, None)


def test_a_field_value_is_null_if_it_is_missing_or_unknown() -> None:
    spell = ValueSpell(
        "x", State.PRESENT, 2, 3, since=date(2020, 1, 1), until=date(2020, 1, 11), is_open=False
    )

    assert list(to_json(field_value_row("a.b", spell)).items()) == [
        ("path", "a.b"), ("value", "x"), ("carried", True), ("state", "present"),
        ("from_version", 2), ("to_version", 3), ("listed", []), ("since", "2020-01-01"),
        ("until", "2020-01-11"), ("days", 10),
    ]  # fmt: skip
    only_listed = replace(spell, from_version=None, to_version=None, listed=(0, 1))
    row = to_json(field_value_row("a.b", only_listed))
    assert (row["from_version"], row["to_version"], row["listed"]) == (None, None, [0, 1])
    still = to_json(field_value_row("a.b", replace(spell, value=MISSING, is_open=True)))
    assert (still["value"], still["carried"], still["until"], still["days"]) == (
        None, True, None, 10,
    )  # fmt: skip
    unknown = to_json(field_value_row("a.b", replace(spell, value=Unshown.NOT_CARRIED)))
    assert (unknown["value"], unknown["carried"]) == (None, False)


def test_a_found_trial_has_no_end_while_it_meets_the_conditions() -> None:
    found = FoundTrial(
        nct_id=NctId("NCT00000001"), title=None, from_version=1, to_version=2,
        since=date(2020, 1, 1), until=None, days=9, values={"enrollment": 50},
        first_match=1,
    )  # fmt: skip

    assert found.is_open
    assert not replace(found, until=date(2020, 1, 10)).is_open
    assert list(to_json(found).items()) == [
        ("nct_id", "NCT00000001"), ("title", None), ("from_version", 1), ("to_version", 2),
        ("since", "2020-01-01"), ("until", None), ("days", 9), ("values", {"enrollment": 50}),
        ("first_match", 1),
    ]  # fmt: skip


def test_an_expected_change_has_the_days_until_its_date() -> None:
    key = KeyFields(
        status="RECRUITING", verified="2024-02", completion_date="2025-01", brief_title="A trial"
    )
    expected = ExpectedChange(
        NctId("NCT00000001"),
        key,
        Expectation.UNKNOWN,
        date(2026, 3, 2),
        is_overdue=False,
        why="verified long ago",
    )

    assert list(to_json(expected_change_row(expected, date(2026, 2, 3))).items()) == [
        ("nct_id", "NCT00000001"), ("what", "unknown"), ("on", "2026-03-02"), ("outlook", "due"),
        ("days", 27),
        ("status", "RECRUITING"), ("verified", "2024-02"), ("completion_date", "2025-01"),
        ("why", "verified long ago"), ("title", "A trial"),
        ("url", "https://clinicaltrials.gov/study/NCT00000001"),
        ("rule", "the registry's rule for the status Unknown, measured on 1,178 records"),
    ]  # fmt: skip
    late = to_json(expected_change_row(replace(expected, is_overdue=True), date(2026, 3, 12)))
    assert (late["outlook"], late["days"]) == ("overdue", -10)


def test_a_watch_counts_the_trials_that_match_and_that_left_its_query() -> None:
    row = to_json(watch_row(WATCH, MemberFacts({}, {NctId("NCT03389919"): "complete"})))

    assert " ".join(row) == "name origin query listed matching left trials merged"
    assert (row["matching"], row["left"]) == (2, 1)
    assert (row["query"], row["listed"]) == ({"query.cond": "GVHD"}, "2026-03-13T09:00:05Z")
    assert list(row["trials"][0].items()) == [
        ("nct_id", "NCT03389919"), ("asked_as", "BM-MSC-01"), ("by_query", False),
        ("left_at", None), ("unknown_since", None), ("history", "complete"),
    ]  # fmt: skip
    assert row["trials"][3]["left_at"] == "2026-03-13T15:02:11Z"
    assert list(row["merged"][0].items()) == [
        ("nct_id", "NCT00000009"), ("into", "NCT03389919"), ("asked_as", None),
    ]  # fmt: skip


def test_the_rule_table_has_every_rule_with_the_thresholds_filled_in() -> None:
    row = to_json(rule_table_row(Thresholds(slip_notable_days=60)))

    assert list(row) == ["version", "thresholds", "rules"]
    assert row["version"] == RULES_VERSION
    assert row["thresholds"] == asdict(Thresholds(slip_notable_days=60))
    assert [rule["id"] for rule in row["rules"]] == [rule.id for rule in RULES]
    rules = {rule["id"]: rule for rule in row["rules"]}
    assert list(rules["R-STA-01"].items()) == [
        ("id", "R-STA-01"), ("level", "critical"), ("kinds", ["status"]),
        ("says", "stopped: terminated, withdrawn or suspended"), ("when", "step is stopped"),
    ]  # fmt: skip
    assert rules["R-DAT-02"]["says"] == "moved by 60 days or more"


def test_a_relevelled_change_is_the_change_with_its_new_level() -> None:
    (one, *_) = STEP
    other = replace(one.event, level=Level.ROUTINE, rule="R-XXX-01")
    row = to_json(relevelled_row(RelevelledEvent(one, other)))

    assert row == to_json(event_row(one)) | {"new_level": "routine", "new_rule": "R-XXX-01"}
    assert list(row)[-2:] == ["new_level", "new_rule"]


def test_a_run_is_written_with_its_counts_and_notices() -> None:
    row = to_json(run_row(RUN, NOW))

    assert list(row.items()) == [
        ("id", 118), ("kind", "sync"), ("started", "2026-03-13T15:02:11Z"),
        ("finished", "2026-03-13T15:02:52Z"), ("data_timestamp_before", "2026-03-13T09:00:05Z"),
        ("data_timestamp_after", "2026-03-14T09:00:05Z"), ("api_version", "2.0.5"),
        ("requests", 5), ("retries", 1), ("asked", 9), ("answered", 8), ("same", 7),
        ("changed", 6), ("new", 4), ("gone", 3), ("failed", 2), ("delivered", 10),
        ("verdict", "mixed"), ("error", "the registry loaded new data"),
        ("notices", [notice_json(NOTICE)]), ("in_future", []),
    ]  # fmt: skip
    assert list(row["notices"][0]) == list(notice_json(NOTICE))
    interrupted = run_row(INTERRUPTED, NOW)
    assert (interrupted.finished, interrupted.notices) == (None, ())
    early = run_row(RUN, NOW - timedelta(days=2))
    assert early.in_future == (
        "started",
        "finished",
        "data_timestamp_before",
        "data_timestamp_after",
    )


def test_the_status_has_its_state_and_the_counts_of_stored_rows() -> None:
    row = to_json(STATUS)

    assert " ".join(row) == (
        "state reasons database watched stored newest_load last_complete_run histories "
        "quarantine notices"
    )
    assert row["state"] == "partial"
    assert "1 trial could not be checked" in row["reasons"]
    assert row["stored"] == {"trials": 4, "versions": 12, "events": 30}
    assert list(row["histories"].items()) == [
        ("complete", 2), ("partial", 1), ("not_requested", 1),
    ]  # fmt: skip
    assert row["newest_load"] == row["last_complete_run"] == "2026-03-13T09:00:05Z"
    assert row["notices"] == [
        {"kind": NOTICE.kind, "summary": NOTICE.summary, "parts": ["derivedSection"]}
    ]
    assert [one["next_try"] for one in row["quarantine"]] == ["2026-03-13T15:02:11Z", None]


def test_a_quarantined_trial_is_written_with_its_error_and_attempts() -> None:
    assert list(to_json(quarantined_trial_row(FAILURE, BEFORE)).items()) == [
        ("nct_id", "NCT01352702"), ("error", "not JSON"), ("error_class", "BadAnswer"),
        ("attempts", 3), ("first_seen", "2026-03-13T09:00:05Z"),
        ("last_seen", "2026-03-13T15:02:11Z"), ("next_try", "2026-03-13T15:02:11Z"),
        ("bytes_kept", 6),
    ]  # fmt: skip
