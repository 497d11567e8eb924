"""A feed page by page: every version once, with the changes that its filters select."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ctsync.errors import UsageError
from ctsync.model import KeyFields, Kind, Level, NctId
from ctsync.questions.changes import feed_page as pages
from ctsync.questions.changes.feed_page import FeedPlace, FeedQuestion, feed_page
from ctsync.report.formats.feed import version_entries
from ctsync.report.report import ReportTrial, Window
from ctsync.report.report_filter import ReportFilter
from ctsync.store.store import Store
from tests.store.samples import LOAD, TRIAL, add, add_events, event

IDS = (NctId("NCT02835040"), TRIAL, NctId("NCT03690141"))
DAYS = 3
SLIP = event("protocolSection.a", kind=Kind.START_DATE, level=Level.NOTABLE, days=20,
             before="2026-01-01", after="2026-01-21")  # fmt: skip
STATUS = event("protocolSection.b", level=Level.CRITICAL, inputs={"step": "stopped"})
CONTACT = event("protocolSection.c", kind=Kind.CONTACT, level=Level.ADMINISTRATIVE)
FLAG = event("flag", kind=Kind.FLAG, level=Level.ROUTINE)
KEY = KeyFields(status="RECRUITING", lead_sponsor="A Sponsor")
WINDOW = Window(LOAD - timedelta(days=1), LOAD + timedelta(days=10))


@pytest.fixture
def changed(store: Store) -> Store:
    """Three trials with a baseline and a version on each of three days; a flag is stored last."""
    newest: dict[NctId, int] = {}
    with store.unit() as unit:
        unit.watches.add("own", rules={"slip_notable_days": 365.0})
        unit.watches.add_trials("own", {TRIAL: None}, LOAD)
        for number in range(DAYS + 1):
            for nct_id in IDS:
                before = newest.get(nct_id)
                newest[nct_id] = add(unit, number, before, nct_id, key=KEY)
                first_seen = event("", kind=Kind.FIRST_SEEN, level=Level.ROUTINE)
                found = (SLIP, STATUS, CONTACT) if number else (first_seen,)
                add_events(unit, before, newest[nct_id], *found, nct_id=nct_id,
                           observed=LOAD + timedelta(days=number))  # fmt: skip
        add_events(unit, newest[IDS[0]], newest[IDS[0]], FLAG, nct_id=IDS[0],
                   observed=LOAD + timedelta(days=DAYS))  # fmt: skip
    return store


def read_all(store: Store, **asked: Any) -> list[list[ReportTrial]]:
    """Read every page of a feed."""
    found: list[list[ReportTrial]] = []
    after: FeedPlace | None = None
    while not found or after is not None:
        question = FeedQuestion(WINDOW, "all", after=after, **asked)
        page = feed_page(store, question)
        found.append(list(page.report.trials))
        after = page.last
    return found


def versions(page: list[ReportTrial]) -> list[tuple[str, int]]:
    return [(trial.nct_id, step.to_version) for trial in page for step in trial.steps]


@pytest.mark.parametrize("most", [1, 2, 4, 9, 50])
def test_the_pages_of_a_feed_have_each_version_once_newest_day_first(
    changed: Store, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(pages, "FEED_PAGE", most)
    found = [versions(page) for page in read_all(changed)]
    assert len(found) == -(-DAYS * len(IDS) // most)
    every = [one for page in found for one in page]
    assert sorted(every) == sorted((i, v) for i in IDS for v in range(2, DAYS + 2))
    numbers = [max(number for _, number in page) for page in found]
    assert numbers == sorted(numbers, reverse=True)


def test_a_version_keeps_a_flag_that_was_stored_after_the_other_trials(
    changed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "FEED_PAGE", 1)
    first = read_all(changed)[0][0]
    kinds = {line.stored.event.kind for line in first.steps[-1].lines}
    assert (first.nct_id, kinds) == (IDS[0], {Kind.START_DATE, Kind.STATUS, Kind.FLAG})


def test_a_flag_that_time_changed_is_an_entry_of_its_own_each_time(changed: Store) -> None:
    newest = max(number for i, number in versions(read_all(changed)[0]) if i == TRIAL)
    later = [LOAD + timedelta(days=DAYS + number) for number in (2, 4)]
    with changed.unit() as unit:
        for seen in later:
            path = f"flag:overdue@{seen.date()}"
            flag = event(path, kind=Kind.FLAG, level=Level.CRITICAL, inputs={"by": "time"})
            add_events(unit, newest, newest, flag, nct_id=TRIAL, observed=seen)
    report = feed_page(changed, FeedQuestion(WINDOW, "all")).report
    found = {one.id: one.updated for one in version_entries(report)}
    assert len(found) == len(version_entries(report)) == DAYS * len(IDS) + len(later)
    of_flags = {
        seen.date(): found[name] for name in found for seen in later if f"@{seen.date()}" in name
    }
    assert of_flags == {seen.date(): seen for seen in later}


def test_filters_apply_to_each_change_as_in_the_list_of_changes(changed: Store) -> None:
    worst = read_all(changed, selection=ReportFilter(minimum=Level.CRITICAL))
    lines = [line for page in worst for trial in page for line in trial.lines]
    assert {line.stored.event.level for line in lines} == {Level.CRITICAL}
    assert len(lines) == len(IDS) * DAYS
    every = read_all(changed, selection=ReportFilter(minimum=Level.ADMINISTRATIVE))
    found = [line.stored.event.kind for page in every for trial in page for line in trial.lines]
    assert found.count(Kind.CONTACT) == len(IDS) * DAYS
    contacts = read_all(changed, selection=ReportFilter(kinds=(Kind.CONTACT,)))
    assert sum(len(trial.lines) for page in contacts for trial in page) == len(IDS) * DAYS


def test_a_feed_of_a_watch_has_its_trials_at_its_own_levels(
    changed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "FEED_PAGE", 2)
    found = read_all(changed, watch="own", selection=ReportFilter(minimum=Level.NOTABLE))
    lines = [line for page in found for trial in page for line in trial.lines]
    assert {line.stored.nct_id for line in lines} == {TRIAL}
    # a slip of 20 days is notable for others, and not for this watch
    assert {line.stored.event.kind for line in lines} == {Kind.STATUS}


def test_a_feed_of_a_sponsor_finds_a_part_of_the_name_and_refuses_another(changed: Store) -> None:
    found = read_all(changed, selection=ReportFilter(sponsor="SPONS"))
    assert len(versions(found[0])) == DAYS * len(IDS)
    with pytest.raises(UsageError, match="no followed trial has a lead sponsor"):
        read_all(changed, selection=ReportFilter(sponsor="nobody at all"))


def test_a_feed_without_a_change_has_one_empty_page(store: Store) -> None:
    assert read_all(store) == [[]]
