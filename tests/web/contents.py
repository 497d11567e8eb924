"""The content of each page of a site, with given texts in every place of remote text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from ctsync.model import Kind, Level, NctId, Verdict
from ctsync.questions.changes.change_list import ListedChange
from ctsync.questions.changes.rules import rule_table_row
from ctsync.questions.operation.health import Health, HealthState
from ctsync.questions.operation.load_days import LoadDay
from ctsync.questions.operation.runs import RunNoticeRow, RunRow, run_row
from ctsync.questions.portfolio.watches import (
    ListedWatch,
    MergedTrialRow,
    WatchedTrialRow,
    WatchRow,
)
from ctsync.questions.results.delivery_rows import DeliveryRow
from ctsync.record.registry.notices import NoticeKind
from ctsync.record.rules.rules import Thresholds
from ctsync.report.addresses import Addresses
from ctsync.report.report import Report
from ctsync.report.version_steps import steps_of
from ctsync.report.words.trial_heading import TrialHeading
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.data.runs import Run
from ctsync.web.frame import Frame
from ctsync.web.pages.changes import ChangePeriod, changes_page
from ctsync.web.pages.deliveries import deliveries_page
from ctsync.web.pages.rules import rules_page
from ctsync.web.pages.runs import runs_page
from ctsync.web.pages.today import DaysContent, PeriodLinks, days_page
from ctsync.web.pages.watches import watches_page
from tests.report.examples import KEYS, LOAD, UNTIL, event, stored

DAY = date(2019, 7, 17)
RUN = Run(
    id=118, kind="sync", started=UNTIL, finished=UNTIL, load_before=LOAD, load_after=LOAD,
    api_version="2.0.5", verdict=Verdict.OK, error=None, requests=5, retries=1, asked=9,
    answered=9, same=7, changed=2, new=0, gone=0, failed=0, delivered=0,
)  # fmt: skip
LOAD_DAY = LoadDay(DAY, LOAD, RUN, changed=2, new=1)
PERIODS = (("Last 7 days", "days/last-7.html"),)
SAYS = {rule.id: rule.says for rule in rule_table_row(Thresholds()).rules}


def an_id(number: int) -> NctId:
    return NctId(f"NCT{number:08d}")


def frame(*known: NctId, title: str = "all watches") -> Frame:
    return Frame(Addresses("", frozenset(known)), title)


def days_content(report: Report, **given: Any) -> DaysContent:
    content = DaysContent(
        heading="17 July 2019",
        report=report,
        links=PeriodLinks("changes.html#d2019-07-17", others=PERIODS),
        reasons=SAYS,
        day=LOAD_DAY,
        days=(LOAD_DAY,) * 12,
        is_newest=True,
    )
    return replace(content, **given)


def listed(texts: Sequence[str]) -> Iterator[ListedChange]:
    """Yield a change of one trial per text."""
    for n, text in enumerate(texts):
        long = f"{text} and seven more words that make a longer text of it"
        changes = [
            event(Kind.OTHER, label=text, before=text, after=[text], path=text),
            event(Kind.TEXT, Level.ROUTINE, label=text, before=long, after=f"{long} x", path="t"),
        ]
        heading = TrialHeading(text, text, text, text, text, (text,), (text,))
        events = [stored(one, an_id(n + 1), brief_title=text, posted=text[:10]) for one in changes]
        for step in steps_of(events, administrative=True, rates=None):
            for line in step.lines:
                yield ListedChange(DAY, an_id(n + 1), heading, line, (text,))


def watch_of(texts: Sequence[str], name: str) -> ListedWatch:
    """A watch with one trial per text."""
    trials = tuple(
        WatchedTrialRow(
            an_id(n + 1), text, by_query=n % 2 == 1, left_at=LOAD if n % 4 == 1 else None,
            unknown_since=LOAD if n % 7 == 6 else None, history=text,
        )
        for n, text in enumerate(texts)
    )  # fmt: skip
    (key,) = KEYS.values()
    keys = {
        an_id(n + 1): replace(key, brief_title=text, lead_sponsor=text, status=text)
        for n, text in enumerate(texts)
    }
    text = texts[0]
    row = WatchRow(
        name, text, {"query.cond": text}, LOAD, matching=3, left=1, trials=trials,
        merged=(MergedTrialRow(an_id(9), an_id(1), text),),
    )  # fmt: skip
    listed = sorted(trials, key=lambda trial: trial.left_at is None)
    return ListedWatch(row, keys, tuple(listed))


def runs_of(texts: Sequence[str]) -> list[RunRow]:
    """A failed run per text."""
    notice = RunNoticeRow(NoticeKind.REPROCESSING, "", (), command="", runs=(1,), trials=())
    return [
        replace(
            run_row(replace(RUN, id=n + 1, kind=text, error=text, verdict=Verdict.FAILED), UNTIL),
            notices=(replace(notice, summary=text),),
        )
        for n, text in enumerate(texts)
    ]


def deliveries_of(texts: Sequence[str]) -> list[DeliveryRow]:
    """A parked delivery per text."""
    due = datetime(2019, 7, 17, tzinfo=UTC)
    return [
        DeliveryRow(
            n, n, text, text, DeliveryState.PARKED, attempts=3, not_before=due,
            counts_as_due=False, last_error=text, message_id=text,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip


def pages_of(texts: Sequence[str], report: Report) -> dict[str, str]:
    """Every page of a site about the texts, by name; `report` has them too."""
    here = frame(*(an_id(n + 1) for n in range(len(texts))), title=texts[0])
    health = Health(HealthState.PARTIAL, tuple(texts))
    run = replace(RUN, error=texts[1], verdict=Verdict.PARTIAL)
    content = days_content(report, health=health, day=replace(LOAD_DAY, run=run))
    own = {text: {"slip_notable_days": 10.0} for text in texts}
    return {
        "index.html": days_page(here, content),
        "day.html": days_page(here, replace(content, is_newest=False, days=())),
        "changes.html": changes_page(here, list(listed(texts)), ChangePeriod(DAY, DAY)),
        "watches.html": watches_page(here, [watch_of(texts, text) for text in texts[:3]]),
        "runs.html": runs_page(here, runs_of(texts), 5000),
        "deliveries.html": deliveries_page(here, deliveries_of(texts)),
        "rules.html": rules_page(here, rule_table_row(Thresholds()), own),
    }
