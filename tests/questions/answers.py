"""Rows of every type, from real histories and from values that no history has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ctsync.model import MISSING, KeyFields, Kind, NctId, StoredEvent, Verdict, Version
from ctsync.questions.changes.changes import find_changes
from ctsync.questions.changes.relevel import RelevelledEvent, relevel_events, relevelled_row
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.changes.rules import rule_table_row
from ctsync.questions.operation.health import HealthFacts, LastRun, assess
from ctsync.questions.operation.runs import run_row
from ctsync.questions.operation.status import quarantined_trial_row, status_row
from ctsync.questions.portfolio.base_rates import stored_rates
from ctsync.questions.portfolio.find import find
from ctsync.questions.portfolio.flags import flag_row
from ctsync.questions.portfolio.forecast import (
    Expectation,
    ExpectedChange,
    ExpectedChangeRow,
    expected_change_row,
)
from ctsync.questions.portfolio.milestones import find_milestones
from ctsync.questions.portfolio.portfolio import PortfolioQuestion, find_portfolio
from ctsync.questions.portfolio.watches import MemberFacts, watch_row
from ctsync.questions.trial.compare import field_change_row
from ctsync.questions.trial.field_history import field_history, field_value_row
from ctsync.questions.trial.timeline import timeline_row, trial_timeline
from ctsync.questions.trial.trial_page import trial_page
from ctsync.questions.trial.trial_status import trial_status
from ctsync.questions.trial.versions import version_row
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.flags import Flag, flags_of
from ctsync.record.registry.notices import Notice, NoticeKind, notice_json
from ctsync.record.rules.conditions import read_condition
from ctsync.record.rules.rules import Thresholds
from ctsync.report.report import Window
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.flag_row import trial_flag_rows
from ctsync.report.rows.report_row import report_row
from ctsync.report.trial.field_history import Unshown
from ctsync.report.trial.timeline import query_steps
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.failures import Failure
from ctsync.store.data.runs import Run
from ctsync.store.data.watches import MergedTrial, Watch, WatchedTrial
from ctsync.store.store import Store
from tests.questions.results import results
from tests.record.reconstructed import FOLDER, studies
from tests.record.studies import study
from tests.report.examples import KEYS, SEED, SLOW, event, report, stored
from tests.sync.histories import keep_history

NOW = datetime(2026, 3, 13, 15, 2, 11, tzinfo=UTC)
LOAD = datetime(2026, 3, 13, 9, 0, 5, tzinfo=UTC)
TRIAL = NctId("NCT01352702")

NOTICE = Notice(
    NoticeKind.REPROCESSING,
    "The registry changed derived terms of 600 trials",
    ("derivedSection",),
    command="ctsync changes --level administrative --since 2026-03-13",
    runs=frozenset({119, 118}),
    trials=frozenset({SEED, TRIAL}),
)
RUN = Run(
    id=118, kind="sync", started=NOW, finished=NOW + timedelta(seconds=41), load_before=LOAD,
    load_after=LOAD + timedelta(days=1), api_version="2.0.5", verdict=Verdict.MIXED,
    error="the registry loaded new data", requests=5, retries=1, asked=9, answered=8, same=7,
    changed=6, new=4, gone=3, failed=2, delivered=10, notices=[notice_json(NOTICE)],
)  # fmt: skip
INTERRUPTED = replace(
    RUN, finished=None, load_after=None, load_before=None, api_version=None, error=None,
    verdict=Verdict.RUNNING, notices=None,
)  # fmt: skip
BEFORE = NOW - timedelta(minutes=1)
FAILURE = Failure(
    nct_id=TRIAL, run_id=118, first_at=LOAD, last_at=NOW, attempts=3, next_try=NOW,
    error_class="BadAnswer", error="not JSON", raw=b"<html>",
)  # fmt: skip
WATCH = Watch(
    name="mine", origin="cli", created=LOAD, query={"query.cond": "GVHD"}, rules={}, listed=LOAD,
    trials=(
        WatchedTrial(SEED, "BM-MSC-01", LOAD),
        WatchedTrial(NctId("NCT00000001"), None, LOAD, by_query=True),
        WatchedTrial(NctId("NCT00000002"), "", LOAD, by_query=True),
        WatchedTrial(TRIAL, None, LOAD, left_at=NOW, by_query=True),
    ),
    merged=(MergedTrial(WatchedTrial(NctId("NCT00000009"), None, LOAD), SEED),),
)  # fmt: skip
MEMBERS = MemberFacts({SEED: NOW}, {SEED: "none"})
NAMED = replace(WATCH, origin="file", query=None, listed=None, trials=WATCH.trials[:1])
FACTS = HealthFacts(
    watched=4,
    last=LastRun(NOW, Verdict.PARTIAL, None),
    last_complete=LOAD,
    newest_load=LOAD,
    failures=1,
    oldest_waiting=None,
    parked=0,
)
STATUS = status_row(
    assess(FACTS, NOW),
    FACTS,
    database="sqlite:///ctsync.db",
    stored={"trials": 4, "snapshots": 12, "events": 30},
    histories={"partial": 1, "complete": 2},
    quarantine=[
        quarantined_trial_row(FAILURE, BEFORE),
        quarantined_trial_row(replace(FAILURE, error_class="DeadlineExceeded"), BEFORE),
    ],
    notices=[NOTICE],
)
NEVER_RUN = HealthFacts(0, None, None, None, failures=0, oldest_waiting=None, parked=0)
LEFT = stored(event(Kind.LEFT, inputs={"query": "mine"}), observed=None, from_version=None)


def keep_all(store: Store) -> list[NctId]:
    """Store the reconstructed histories."""
    return [keep_history(store, studies(file.stem)) for file in sorted(FOLDER.glob("NCT*.json"))]


def answers(store: Store) -> Mapping[str, Sequence[Any]]:
    """Return rows of every type by schema name; `store` holds the histories."""
    events = find_changes(store, EventFilter()).events
    content = trial_page(store, TRIAL, until=NOW)
    versions = content.versions
    strict = Thresholds(slip_critical_days=1)
    changed = relevel_events(store, EventFilter(), thresholds=strict).differing
    conditions = [read_condition("status=RECRUITING"), read_condition("enrollment>=0")]
    table = rule_table_row(Thresholds())
    return {
        "change": [event_row(one) for one in [*events, LEFT]],
        "version": [
            *(version_row(v, _led_to(v, events)) for v in versions),
            version_row(replace(versions[0], registry_version=None, observed=LOAD), ()),
        ],
        "field_change": list(_differences()),
        "field_value": list(_values(store, versions)),
        "timeline": [
            timeline_row(trial_timeline(store, TRIAL, until=NOW)),
            timeline_row(replace(content.timeline, queries=query_steps([LEFT]))),
        ],
        "found_trial": list(find(store, conditions, today=NOW.date(), ever=True)),
        "expected_change": [
            expected_change_row(
                ExpectedChange(SEED, key, what, day, is_overdue=overdue, why="why"), NOW.date()
            )
            for key, what, day, overdue in [
                (KEYS[SEED], Expectation.RESULTS_DUE, date(2026, 4, 1), False),
                (versions[0].key, Expectation.UNKNOWN, date(2026, 3, 2), True),
            ]
        ],
        "base_rate": [
            *(rates := stored_rates(store, today=NOW.date()).rows),
            replace(rates[0], own=rates[0].published[0], is_own_preferred=True),
        ],
        "portfolio": list(_portfolios(store)),
        "milestone": list(_milestones(store)),
        "trial_flag": [flag_row(versions[-1], one, NOW.date()) for one in _flags()],
        "trial_status": [
            trial_status(store, TRIAL, today=NOW.date()),
            replace(
                trial_status(store, TRIAL, today=NOW.date()),
                flags=trial_flag_rows(tuple(_flags())),
                expected=(_expected(versions[0].key),),
            ),
        ],
        "watch": [watch_row(WATCH, MEMBERS), watch_row(NAMED, MEMBERS)],
        "rule": table.rules,
        "rule_table": [table],
        "relevelled_change": [relevelled_row(one) for one in [*changed, _relevelled()]],
        "run": [run_row(RUN, NOW), run_row(INTERRUPTED, NOW - timedelta(days=9))],
        "status": [
            STATUS,
            status_row(assess(NEVER_RUN, NOW), NEVER_RUN, database="", stored={}, histories={}),
        ],
        "report": [
            report_row(report_data(store, ReportQuestion(Window(None, NOW), limit=5))),
            report_row(report()),
            report_row(report([])),
            report_row(report(flags={SLOW: tuple(_flags())}, flagged_on=NOW.date())),
        ],
        **results(),
    }


def _led_to(version: Version, events: Sequence[StoredEvent]) -> list[StoredEvent]:
    place = (version.nct_id, version.version)
    return [one for one in events if (one.nct_id, one.to_version) == place]


def _differences() -> Any:
    first, *_, last = (canonicalize(study) for study in studies(TRIAL))
    for before, after in ((first, last), (last, first)):
        changes = diff(before, after)
        events = classify(changes, before, after)
        event_of = {path: event for event in events for path in event.covers}
        yield from (field_change_row(one, event_of[one.path]) for one in changes)


def _values(store: Store, versions: Sequence[Version]) -> Any:
    for name in ("overall status", "primary completion", "why stopped"):
        found = field_history(store, versions, name, until=NOW)
        yield from found.rows
    path, spells = found.path, found.spells
    yield field_value_row(path, replace(spells[0], value=Unshown.NOT_CARRIED))
    yield field_value_row(path, replace(spells[0], value=MISSING))
    listed = replace(spells[0], from_version=None, to_version=None, listed=(0, 1))
    yield field_value_row(path, listed)


def _expected(key: KeyFields) -> ExpectedChangeRow:
    due = ExpectedChange(
        TRIAL, key, Expectation.RESULTS_DUE, NOW.date(), is_overdue=False, why="why"
    )
    return expected_change_row(due, NOW.date())


def _portfolios(store: Store) -> Any:
    with store.unit() as unit:
        unit.watches.add("mine")
        unit.watches.add_trials("mine", dict.fromkeys(store.trials.stored_ids()), NOW)
    first = PortfolioQuestion(limit=1)
    yield find_portfolio(store, first, today=NOW.date())
    yield (every := find_portfolio(store, today=date(2016, 1, 1)))
    yield replace(every, rows=(replace(every.rows[0], last_change=None, slip_days=None),))


def _milestones(store: Store) -> Any:
    rows = list(find_milestones(store, today=NOW.date()))
    yield from rows
    yield replace(rows[0], last_move=None, title=None, sponsor=None, status=None, type=None)


def _flags() -> Sequence[Flag]:
    before, after = (
        study(start=start, first_submitted="2019-07-15", verified="2019-08")
        for start in ({"date": "2019-06-01"}, {"date": "2019-07"})
    )
    return [*flags_of(after, as_of=NOW.date(), first=before), *flags_of(before, as_of=NOW.date())]


def _relevelled() -> RelevelledEvent:
    return RelevelledEvent(LEFT, replace(LEFT.event, rule="R-NEW-99"))
