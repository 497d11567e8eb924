"""Sample events, versions and reports; NCT01352702 as in its registry history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from ctsync.model import (
    Category,
    Event,
    KeyFields,
    Kind,
    Level,
    NctId,
    Source,
    State,
    StoredEvent,
    Version,
)
from ctsync.report.build import Scope, build
from ctsync.report.report import Coverage, Report, Window
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.timeline import Timeline, trace

SLOW = NctId("NCT01352702")
QUICK = NctId("NCT03690141")
SEED = NctId("NCT03389919")
SINCE = datetime(2019, 7, 1, tzinfo=UTC)
UNTIL = datetime(2019, 7, 17, 10, tzinfo=UTC)
LOAD = datetime(2019, 7, 17, 9, tzinfo=UTC)
WINDOW = Window(SINCE, UNTIL)


def event(kind: Kind = Kind.STATUS, level: Level = Level.NOTABLE, **given: Any) -> Event:
    default = {
        "category": Category.STATUS, "rule": "R-STA-02", "path": f"path.{kind}",
        "label": kind.replace("_", " ").capitalize(), "summary": f"{kind} changed",
    }  # fmt: skip
    return Event(kind=kind, level=level, **default | given)


def stored(what: Event, nct_id: NctId = SLOW, **given: Any) -> StoredEvent:
    default: dict[str, Any] = {
        "event_id": 1, "brief_title": "A trial of something", "from_version": 4, "to_version": 5,
        "from_registry_version": 3, "to_registry_version": 4, "posted": "2019-07-16",
        "observed": LOAD, "fetched": UNTIL, "run_id": 118,
    }  # fmt: skip
    return StoredEvent(nct_id=nct_id, event=what, **default | given)


def status(before: str, after: str, level: Level = Level.CRITICAL) -> Event:
    return event(
        Kind.STATUS, level, rule="R-STA-01", path="protocolSection.statusModule.overallStatus",
        label="Overall status", before=before, after=after, summary=f"Status {before} -> {after}",
    )  # fmt: skip


def enrollment(before: int, after: int, percent: float) -> Event:
    return event(
        Kind.ENROLLMENT, Level.CRITICAL, category=Category.ENROLLMENT, rule="R-ENR-02",
        path="protocolSection.designModule.enrollmentInfo.count", label="Enrollment",
        before=before, after=after, before_type="ESTIMATED", after_type="ACTUAL",
        percent=percent, percent_since_first=percent,
        summary=f"Enrollment {before} (estimated) -> {after} (actual)",
    )  # fmt: skip


def primary_completion(before: str, after: str, days: int, since_first: int) -> Event:
    return event(
        Kind.PRIMARY_COMPLETION_DATE, Level.NOTABLE, category=Category.DATES, rule="R-DAT-03",
        path="protocolSection.statusModule.primaryCompletionDateStruct.date",
        label="Primary completion", before=before, after=after, before_type="ESTIMATED",
        after_type="ACTUAL", days=days, days_since_first=since_first,
        summary=f"Primary completion {before} -> {after}",
    )  # fmt: skip


def contact(nth: int = 1) -> Event:
    return event(
        Kind.CONTACT, Level.ADMINISTRATIVE, category=Category.CONTACTS, rule="R-ADM-01",
        path=f"protocolSection.contactsLocationsModule.centralContacts[{nth}]",
        label="Central contact", before="A", after="B", summary="Central contact changed",
    )  # fmt: skip


def outcome(before: str, after: str) -> Event:
    return event(
        Kind.OUTCOME, Level.NOTABLE, category=Category.OUTCOMES, rule="R-OUT-06",
        path="protocolSection.outcomesModule.primaryOutcomes[1].description",
        label="Primary outcome", before=before, after=after, summary="Primary outcome edited",
    )  # fmt: skip


def first_seen() -> Event:
    return event(
        Kind.FIRST_SEEN, Level.ROUTINE, category=Category.IDENTIFICATION, rule="R-NEW-01", path="",
        label="Followed", after="RECRUITING", summary="Followed from here: RECRUITING",
    )  # fmt: skip


KEYS = {
    SEED: KeyFields(
        status="RECRUITING", start_date="2017-01-01", start_date_type="ACTUAL",
        primary_completion_date="2018-12-31", primary_completion_date_type="ESTIMATED",
        enrollment=20, enrollment_type="ESTIMATED", phases="PHASE3",
        first_submitted="2017-12-27", posted="2018-01-04", brief_title="BM-MSC-01",
    )
}  # fmt: skip


def demo_events() -> list[StoredEvent]:
    """Return changes of two trials, one with three administrative versions, and a baseline."""
    long_before = "Response by RECIST 1.1 in every lesion, read centrally at week 24 by two readers"
    return [
        stored(status("RECRUITING", "TERMINATED")),
        stored(enrollment(70, 46, -34.3)),
        stored(primary_completion("2014-04", "2014-05", 30, 820)),
        *(
            stored(contact(), QUICK, from_version=n - 1, to_version=n, brief_title="iRECIST")
            for n in (4, 5, 7)
        ),
        stored(
            outcome(long_before, long_before.replace("RECIST", "iRECIST")),
            QUICK, from_version=5, to_version=6, brief_title="iRECIST", posted="2019-07-03",
        ),
        stored(status("RECRUITING", "ACTIVE_NOT_RECRUITING", Level.NOTABLE), QUICK,
               from_version=7, to_version=8, from_registry_version=6, to_registry_version=7,
               brief_title="iRECIST"),
        stored(enrollment(30, 16, -46.7), QUICK, from_version=7, to_version=8,
               from_registry_version=6, to_registry_version=7, brief_title="iRECIST"),
        stored(first_seen(), SEED, from_version=None, to_version=1, brief_title="BM-MSC-01",
               from_registry_version=None),
    ]  # fmt: skip


def coverage(checked: int = 4, **given: Any) -> Coverage:
    default: dict[str, Any] = {"load": LOAD, "run_ids": (118,), "requests": 5, "retries": 0}
    return Coverage(checked, **default | given)


def report(events: Sequence[StoredEvent] | None = None, **given: Any) -> Report:
    default: dict[str, Any] = {"title": "demo", "watched": 4, "coverage": coverage(), "keys": KEYS}
    changes = demo_events() if events is None else events
    return build(changes, window=WINDOW, scope=Scope(**default | given))


def version(number: int, posted: str, state: State = State.PRESENT, **key: Any) -> Version:
    return Version(
        snapshot_id=number, nct_id=SLOW, version=number, registry_version=number - 1,
        source=Source.HISTORY, state=state, digest=f"1:{number}", posted=posted, submitted=posted,
        observed=None, fetched=UNTIL, key=KeyFields(brief_title="A trial of something", **key),
    )  # fmt: skip


def history() -> list[Version]:
    """Return five versions of NCT01352702: suspended once, primary completion moved three times."""
    planned: dict[str, Any] = {
        "start_date": "2011-05", "start_date_type": "ACTUAL",
        "primary_completion_date_type": "ESTIMATED", "enrollment": 70,
        "enrollment_type": "ESTIMATED", "status": "RECRUITING",
    }  # fmt: skip
    ended = {
        "status": "TERMINATED", "primary_completion_date": "2014-05", "enrollment": 46,
        "primary_completion_date_type": "ACTUAL", "enrollment_type": "ACTUAL",
    }  # fmt: skip
    return [
        version(1, "2011-05-01", **planned | {"primary_completion_date": "2012-02"}),
        version(2, "2012-03-01", **planned | {"primary_completion_date": "2013-02"}),
        version(3, "2013-03-01", **planned | {"primary_completion_date": "2014-04"}
                | {"status": "SUSPENDED"}),
        version(4, "2013-09-01", **planned | {"primary_completion_date": "2014-04"}),
        version(5, "2015-02-04", **planned | ended),
    ]  # fmt: skip


def timeline(until: date = date(2016, 1, 1)) -> Timeline:
    versions = history()
    return trace(versions, [date.fromisoformat(v.posted or "") for v in versions], until=until)


def story() -> TrialContent:
    """Return the versions and timeline of NCT01352702, and the events between its versions."""
    steps = {
        2: [primary_completion("2012-02", "2013-02", 366, 366), contact()],
        3: [status("RECRUITING", "SUSPENDED"), primary_completion("2013-02", "2014-04", 424, 790)],
        4: [status("SUSPENDED", "RECRUITING")],
        5: [
            status("RECRUITING", "TERMINATED"),
            enrollment(70, 46, -34.3),
            primary_completion("2014-04", "2014-05", 30, 820),
            outcome(
                "Response by RECIST 1.1 in every lesion, read centrally at week 24 by two readers",
                "Response by iRECIST 1.1 in every lesion, read centrally at week 36 by two readers",
            ),
            *(contact(n) for n in range(4)),
        ],
    }
    events = [
        stored(one, from_version=n - 1, to_version=n, from_registry_version=n - 2,
               to_registry_version=n - 1, posted=history()[n - 1].posted, observed=None)
        for n, changes in steps.items()
        for one in changes
    ]  # fmt: skip
    return TrialContent(history(), events, timeline())
