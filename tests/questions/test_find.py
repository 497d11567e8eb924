"""Trials are found by the fields of their versions, with the days that the values lasted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.dates import PartialDate
from ctsync.model import JsonObject, NctId, Source, State, Version
from ctsync.questions.portfolio.find import (
    FindQuestion,
    FoundTrial,
    count_found,
    find,
    find_trials,
    trials_found,
)
from ctsync.questions.trial.version_dates import version_on
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.rules.conditions import read_condition
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.record.studies import counted, dated, study
from tests.registry_fixtures import an_id
from tests.security.attacks import ATTACKS
from tests.sync.histories import FETCHED, keep_history, leave

TODAY = date(2026, 3, 13)
_DAY = len("2020-01-01")


def found(store: Store, *conditions: str, today: date = TODAY, **how: Any) -> list[FoundTrial]:
    wanted = [read_condition(text) for text in conditions]
    rows = list(find(store, wanted, today=today, **how))
    if not how:  # a portfolio asks for the same trials without their results
        trials = list(trials_found(store, FindQuestion(wanted)))
        assert trials == list(dict.fromkeys(one.nct_id for one in rows))
    return rows


def ids(store: Store, *conditions: str, **how: Any) -> list[str]:
    return [one.nct_id for one in found(store, *conditions, **how)]


def made(number: int, **values: Any) -> JsonObject:
    values = {"protocolSection__identificationModule__nctId": an_id(number), **values}
    return study(**values)


@pytest.mark.parametrize("trial", ["NCT03693833", "NCT04161976", "NCT02025543"])
def test_an_earlier_suspension_is_found_with_its_published_length(store: Store, trial: str) -> None:
    days = {"NCT03693833": 91, "NCT04161976": 44, "NCT02025543": 294}[trial]
    keep_history(store, studies(trial))
    (spell,) = found(store, "status=SUSPENDED", ever=True)
    assert (spell.nct_id, spell.days, spell.is_open) == (trial, days, False)
    assert (spell.from_version, spell.to_version) == (2, 2)
    assert found(store, "status=SUSPENDED") == []


def test_neighbouring_versions_that_meet_a_condition_are_one_result(store: Store) -> None:
    states = ["RECRUITING", "SUSPENDED", "SUSPENDED", "RECRUITING", "SUSPENDED"]
    keep_history(
        store,
        [
            made(1, status=status, posted=f"2020-0{month}-01")
            for month, status in enumerate(states, 1)
        ],
    )
    runs = found(store, "status=SUSPENDED", ever=True, today=date(2020, 5, 31))
    assert [(run.from_version, run.to_version, run.days, run.is_open) for run in runs] == [
        (2, 3, 60, False),
        (5, 5, 30, True),
    ]
    assert [run.from_version for run in found(store, "status=SUSPENDED")] == [5]


def test_as_of_a_day_uses_the_versions_of_that_day(store: Store) -> None:
    keep_history(store, studies("NCT03693833"))
    days = {"2019-01-14": 0, "2020-03-15": 0, "2020-03-16": 1, "2020-06-14": 1, "2020-06-15": 0}
    asked = {day: date.fromisoformat(day) for day in days}
    assert {day: len(found(store, "status=SUSPENDED", as_of=asked[day])) for day in days} == days
    (then,) = found(store, "status=SUSPENDED", as_of=date(2020, 4, 16))
    assert (then.days, then.is_open) == (31, True)


@pytest.mark.slow
def test_a_search_of_a_day_agrees_with_the_version_of_that_day(store: Store) -> None:
    posts = ["2020-01-01", "2020-03", "2020", "2019-12-31", "2020-05-07"]
    for number, source in enumerate((Source.HISTORY, Source.LIVE), 1):
        days = posts if source is Source.HISTORY else [one for one in posts if len(one) == _DAY]
        keep_history(
            store,
            [made(number, posted=day, enrollment=counted(n)) for n, day in enumerate(days, 1)],
            source=source,
        )
    ends = ["2019-12-31", "2020-01-01", "2020-03-31", "2020-05-07", "2020-12-31"]
    for day in (date.fromisoformat(end) + timedelta(days=n) for end in ends for n in (-1, 0)):
        expected = []
        for nct_id in store.trials.stored_ids():
            then = version_on(store.versions.of(NctId(nct_id)), day)
            if isinstance(then, Version):
                expected.append((nct_id, then.key.enrollment))
        rows = found(store, "enrollment>0", as_of=day)
        assert [(one.nct_id, one.values["enrollment"]) for one in rows] == expected
        for _, count in expected:
            assert ids(store, f"enrollment={count}", as_of=day)


@pytest.mark.parametrize("how", [{}, {"ever": True}, {"as_of": date(2020, 3, 15)}])
def test_a_search_can_leave_out_the_versions_stored_after_one(
    store: Store, how: dict[str, Any]
) -> None:
    asked = FindQuestion([read_condition("status!=SUSPENDED")], **how)
    answers: dict[int, list[FoundTrial]] = {0: []}
    for number, status in itertools.product((2, 1), ("RECRUITING", "SUSPENDED", "COMPLETED")):
        before = replace(asked, newest_id=store.search.newest_id())
        add_version(store, made(number, status=status, posted=f"2020-0{number + 1}-01"))
        assert list(find_trials(store, before, today=TODAY)) == answers[before.newest_id or 0]
        assert count_found(store, before, today=TODAY) == len(answers[before.newest_id or 0])
        answers[store.search.newest_id()] = list(find_trials(store, asked, today=TODAY))
    for newest, expected in answers.items():
        before = replace(asked, newest_id=newest)
        assert list(find_trials(store, before, today=TODAY)) == expected, newest
        assert count_found(store, before, today=TODAY) == len(expected), newest


def add_version(store: Store, body: JsonObject) -> None:
    """Store one more version of a trial."""
    record = canonicalize(body)
    key = key_fields(record.body)
    head = store.trials.heads([record.nct_id]).get(record.nct_id)
    with store.unit() as unit:
        unit.versions.add(
            record.nct_id, after=head.snapshot_id if head else None, record=record, key=key,
            state=State.PRESENT, source=Source.HISTORY, posted=key.posted, submitted=key.submitted,
            observed=None, fetched=FETCHED, run_id=None,
        )  # fmt: skip


def test_one_version_must_meet_all_conditions(store: Store) -> None:
    keep_history(
        store,
        [
            made(1, status="SUSPENDED", enrollment=counted(50), posted="2020-01-01"),
            made(1, status="RECRUITING", enrollment=counted(500), posted="2020-02-01"),
        ],
    )
    assert found(store, "status=SUSPENDED", "enrollment>100", ever=True) == []
    (one,) = found(store, "status=SUSPENDED", "enrollment<=50", ever=True)
    assert one.values == {"status": "SUSPENDED", "enrollment": 50}


def test_texts_match_in_any_case_and_without_wildcards(store: Store) -> None:
    names = ["Novartis Pharma", "100% Care_Group", "Ångström AB", "a\\b"]
    for number, name in enumerate(names, 1):
        keep_history(store, [made(number, sponsor={"name": name})])
    assert ids(store, "sponsor~NOVARTIS") == ["NCT00000001"]
    assert ids(store, "sponsor=novartis pharma") == ["NCT00000001"]
    assert ids(store, "sponsor~%") == ids(store, "sponsor~e_g") == ["NCT00000002"]
    assert ids(store, "sponsor~Ångström") == ["NCT00000003"]
    assert ids(store, "sponsor~\\") == ["NCT00000004"]
    assert ids(store, "sponsor!~a") == []
    assert ids(store, "sponsor~novartis|care") == ["NCT00000001", "NCT00000002"]


def test_none_matches_a_field_without_a_value(store: Store) -> None:
    keep_history(store, [made(1, why="Slow accrual")])
    keep_history(store, [made(2)])
    assert ids(store, "why_stopped=none") == ["NCT00000002"]
    assert ids(store, "why_stopped!=none") == ["NCT00000001"]
    assert ids(store, "why_stopped!~slow") == ["NCT00000002"]


def test_a_trial_matches_if_one_of_its_phases_matches(store: Store) -> None:
    path = "protocolSection__designModule__phases"
    keep_history(store, [made(1, **{path: ["PHASE1", "PHASE2"]})])
    keep_history(store, [made(2, **{path: ["EARLY_PHASE1"]})])
    assert ids(store, "phase=2") == ids(store, "phase=1") == ["NCT00000001"]
    assert ids(store, "phase!=2") == ["NCT00000002"]


def test_a_gone_trial_matches_its_state_but_no_field(store: Store) -> None:
    trial = keep_history(store, [made(1, posted="2020-01-01")])
    assert ids(store, "status=RECRUITING") == [trial]
    leave(store, trial)
    assert ids(store, "status=RECRUITING") == []
    assert ids(store, "state=gone") == [trial]
    (before,) = found(store, "status=RECRUITING", ever=True)
    assert (before.since, before.until) == (date(2020, 1, 1), TODAY)


def test_a_search_can_be_limited_to_a_watch(store: Store) -> None:
    for number in (1, 2):
        keep_history(store, [made(number)])
    with store.unit() as unit:
        unit.watches.add_trials("mine", {NctId("NCT00000002"): None}, StillClock().now())
    assert ids(store, "status=RECRUITING", watch="mine") == ["NCT00000002"]


def test_a_live_version_counts_from_its_load(store: Store) -> None:
    keep_history(store, studies("NCT03389919")[:2], source=Source.LIVE)
    assert len(found(store, "status=UNKNOWN|RECRUITING", ever=True)) == 1


DAYS = st.dates(date(2018, 12, 1), date(2021, 1, 31))
PARTIAL = st.builds(lambda day, length: str(day)[:length], DAYS, st.sampled_from([4, 7, 10]))
MEANT = {
    "=": lambda one, other: other.first <= one.first and one.last <= other.last,
    "<": lambda one, other: one.last < other.first,
    "<=": lambda one, other: one.last <= other.last,
    ">": lambda one, other: one.first > other.last,
    ">=": lambda one, other: one.first >= other.first,
}


@pytest.fixture(scope="module")
def dated_store(tmp_path_factory: pytest.TempPathFactory):
    """Trials that start on many days, months and years, and some with an invalid start date."""
    ends = [f"{year}-{month:02d}" for year in (2019, 2020) for month in range(1, 13)]
    days = [f"{end}-{day}" for end, day in itertools.product(ends, ("01", "28"))]
    last = [str(PartialDate(end).last) for end in ends]
    starts = ["2019", "2020", *ends, *days, *last]
    url = f"sqlite:///{tmp_path_factory.mktemp('dated') / 'ctsync.db'}"
    with open_store(url, clock=StillClock()) as store:
        for number, text in enumerate([*starts, "soon", "12345", "2020-xx"], 1):
            keep_history(store, [made(number, start=dated(text))])
        yield store, starts


@pytest.mark.slow
@settings(max_examples=60)
@given(asked=PARTIAL, operator=st.sampled_from(sorted(MEANT)))
def test_partial_dates_compare_as_intervals(dated_store, asked: str, operator: str) -> None:
    store, starts = dated_store
    other = PartialDate(asked)
    expected = {text for text in starts if MEANT[operator](PartialDate(text), other)}
    matching = {one.values["start"] for one in found(store, f"start{operator}{asked}")}
    assert matching == expected


@pytest.mark.slow
def test_any_typed_text_is_a_value_and_never_sql(store: Store) -> None:
    keep_history(store, studies("NCT03693833"))
    payloads = [
        "' OR '1'='1", "'; DROP TABLE snapshots; --", '" OR ""="', "1; DELETE FROM trials",
        "') UNION SELECT name FROM sqlite_master --", "\\'; SELECT pg_sleep(9); --", "%", "_",
        "%%%", "\\", "\\\\", "$1", ":x", "?", "{}", "%s", "%(x)s", "/*", "*/", "--", ";", "\0",
        "'||(SELECT 1)||'", "0x27", "CHAR(39)", "x' AND randomblob(1000000000) --", "NULL", "()",
        "' UNION ALL SELECT NULL,NULL,NULL --", "ATTACH DATABASE 'x' AS y", "PRAGMA writable",
        "COPY trials TO PROGRAM 'id'", "'; VACUUM INTO '/tmp/x'; --", "\u2019 OR 1=1", "\ud800",
        *ATTACKS[:30],
    ]  # fmt: skip
    before = store.counts(), store.versions.of(NctId("NCT03693833"))
    for payload in payloads:
        for operator in ("=", "~", "!=", "!~"):
            if payload.strip() and "|" not in payload:
                asked = [f"{field}{operator}{payload}" for field in ("sponsor", "title", "nct")]
                for conditions in (asked, [f"why_stopped{operator}{payload}"]):
                    assert len(found(store, *conditions, ever=True)) <= 2
    assert (store.counts(), store.versions.of(NctId("NCT03693833"))) == before
    print(f"\n{len(payloads)} payloads, none changed the database, all treated as values")
