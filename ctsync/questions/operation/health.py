"""The health of ctsync, with the exit code and reasons that `status` shows. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from ctsync.dates import format_minute
from ctsync.model import Verdict
from ctsync.record.value_text import counted
from ctsync.store.admin.stored_times import FutureTime, TimeKind

STALE_AFTER_BUSINESS_HOURS = 30
"""A day of syncs and a night. The registry loads on weekdays (release notes, 2026)."""

NOT_REFRESHED_AFTER_LOAD_DAYS = 2
OVERDUE_AFTER = timedelta(hours=24)


class HealthState(StrEnum):
    """The overall health, in one word."""

    OK = "ok"
    PARTIAL = "partial"
    STALE = "stale"
    FAILED = "failed"
    OVERDUE = "overdue"
    IDLE = "idle"


_EXIT_CODES = {
    HealthState.OK: 0,
    HealthState.IDLE: 0,
    HealthState.PARTIAL: 3,
    HealthState.STALE: 3,
    HealthState.FAILED: 4,
    HealthState.OVERDUE: 7,
}


@dataclass(frozen=True, slots=True)
class LastRun:
    """The facts of a run that health depends on."""

    finished: datetime | None
    verdict: Verdict
    error: str | None


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """The facts at one moment: runs, the newest load, failures and waiting messages.

    `last` is the newest run, with any verdict. `last_complete` is when the newest run that checked
    everything ended. `oldest_waiting` is when the oldest unsent delivery became due. `ahead` are
    stored times in the future: a wrong clock wrote them, and they prove nothing.
    """

    watched: int
    last: LastRun | None
    last_complete: datetime | None
    newest_load: datetime | None
    failures: int
    oldest_waiting: datetime | None
    parked: int
    ahead: tuple[FutureTime, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """The condition, its exit code for monitors, and a sentence for each reason."""

    condition: HealthState
    reasons: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """The exit code: 0 ok or idle, 3 partial or stale, 4 failed, 7 a delivery is overdue."""
        return _EXIT_CODES[self.condition]


def assess(standing: HealthFacts, now: datetime) -> Health:
    """Judge the facts; the worst reason gives the condition, and every reason is listed."""
    found = [
        *_run_reasons(standing, now),
        *_delivery_reasons(standing, now),
        *((HealthState.PARTIAL, one) for one in future_sentences(standing.ahead)),
    ]
    if not found:
        return Health(HealthState.OK, ())
    order = [
        HealthState.OVERDUE,
        HealthState.FAILED,
        HealthState.STALE,
        HealthState.PARTIAL,
        HealthState.IDLE,
        HealthState.OK,
    ]
    worst = min((condition for condition, _ in found), key=order.index)
    return Health(worst, tuple(reason for _, reason in found))


def _run_reasons(standing: HealthFacts, now: datetime) -> Sequence[tuple[HealthState, str]]:
    if standing.watched == 0:
        return [(HealthState.IDLE, "no trial is watched")]
    if standing.last is None:
        return [(HealthState.STALE, "no sync has run yet")]
    found: list[tuple[HealthState, str]] = []
    last = standing.last
    if last.verdict is Verdict.FAILED:
        found.append(
            (HealthState.FAILED, f"the last sync failed: {last.error or 'reason unknown'}")
        )
    elif last.verdict in (Verdict.PARTIAL, Verdict.MIXED):
        found.append((HealthState.PARTIAL, "the last sync was incomplete"))
    elif last.verdict is Verdict.RUNNING:
        found.append((HealthState.PARTIAL, "a sync is running or was interrupted"))
    found += _age_reasons(standing, now)
    if standing.failures:
        found.append(
            (HealthState.PARTIAL, f"{counted(standing.failures, 'trial')} could not be checked")
        )
    load = standing.newest_load
    if load is not None and is_load_overdue(load, now):
        # the cause is the registry, not ctsync: report it without an alarm
        found.append((HealthState.OK, f"registry not refreshed since {format_minute(load)}"))
    return found


def _age_reasons(standing: HealthFacts, now: datetime) -> Sequence[tuple[HealthState, str]]:
    complete = standing.last_complete
    if complete is None:
        # a complete sync whose end is in the future does not prove a recent one
        said = "is known to have been complete" if standing.ahead else "has been complete yet"
        return [(HealthState.PARTIAL, f"no sync {said}")]
    if business_hours(complete, now) <= STALE_AFTER_BUSINESS_HOURS:
        return []
    return [(HealthState.STALE, f"no sync has been complete since {format_minute(complete)}")]


def future_sentences(ahead: Sequence[FutureTime]) -> Iterator[str]:
    """Report stored times in the future, their effect, and what to do."""
    loads = [found.furthest for found in ahead if found.kind is TimeKind.LOAD]
    if loads:
        yield (
            f"registry data of {format_minute(max(loads))} are dated in the future; syncs are "
            "refused until they are forgotten: ctsync doctor"
        )
    for found in ahead:
        if found.kind is not TimeKind.LOAD:
            more = f" and {found.count - 1:,} more" if found.count > 1 else ""
            when = f"{found.words}: {format_minute(found.furthest)}{more} is in the future"
            yield f"{when} and counts as due; check the clock: ctsync doctor"


def is_load_overdue(load: datetime, now: datetime) -> bool:
    """Whether a newer load is overdue: more than two load days have passed since this one."""
    days = load.date(), now.date()
    # usually too few weekdays have passed, and the holidays need not be known
    return business_days(*days) > NOT_REFRESHED_AFTER_LOAD_DAYS and (
        load_days(*days) > NOT_REFRESHED_AFTER_LOAD_DAYS
    )


def _delivery_reasons(standing: HealthFacts, now: datetime) -> Sequence[tuple[HealthState, str]]:
    found: list[tuple[HealthState, str]] = []
    waiting = standing.oldest_waiting
    if waiting is not None and now - waiting > OVERDUE_AFTER:
        found.append((HealthState.OVERDUE, f"a delivery waits since {format_minute(waiting)}"))
    if standing.parked:
        verb = "is" if standing.parked == 1 else "are"
        parked = counted(standing.parked, "delivery", "deliveries")
        found.append((HealthState.OVERDUE, f"{parked} {verb} parked; see: ctsync outbox list"))
    return found


def load_days(start: date, end: date) -> int:
    """Count the days after `start`, up to and including `end`, on which the registry may load.

    These are weekdays except US federal holidays: the National Library of Medicine runs the
    registry, and over Presidents' Day of 2026 the load of Friday was current until Tuesday.
    """
    from holidays import country_holidays  # noqa: PLC0415 - slow to import, and rarely needed

    weekdays = business_days(start, end)
    if not weekdays:
        return 0
    federal = country_holidays("US", years=range(start.year, end.year + 1))
    return weekdays - sum(start < day <= end and day.weekday() < 5 for day in federal)


def business_days(start: date, end: date) -> int:
    """Count the weekdays after `start`, up to and including `end`; 0 if `end` is not later."""
    days = max((end - start).days, 0)
    weeks, rest = divmod(days, 7)
    return weeks * 5 + sum(
        (start + timedelta(days=weeks * 7 + step)).weekday() < 5 for step in range(1, rest + 1)
    )


def business_hours(start: datetime, end: datetime) -> float:
    """Return the hours between two times without Saturdays and Sundays (UTC), at least 0."""
    return (
        max(_business_time_of(end) - _business_time_of(start), timedelta()).total_seconds() / 3600
    )


def _business_time_of(moment: datetime) -> timedelta:
    """Return the time on weekdays from the beginning of the calendar up to `moment`."""
    midnight = datetime.combine(moment.date(), time(), UTC)
    today = moment - midnight if moment.weekday() < 5 else timedelta()
    return timedelta(business_days(date.min, moment.date() - timedelta(days=1))) + today
