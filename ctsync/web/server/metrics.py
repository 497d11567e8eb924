"""Figures for Prometheus, in its text format, version 0.0.4."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

import ctsync
from ctsync.questions.operation.health import HealthFacts, HealthState, assess

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class AnswerCounts:
    """Counts the answers by status, and the time that they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.statuses: Counter[int] = Counter()
        self.seconds = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Count one answer."""
        with self._lock:
            self.statuses[status] += 1
            self.seconds += seconds


def metrics_text(
    counts: AnswerCounts, kept: Mapping[str, int], facts: HealthFacts | None, *, now: datetime
) -> str:
    """Write the figures; `facts` are None if the database cannot be read.

    `kept` are the numbers of pages from memory, and of pages that were made.
    """
    lines = [*_of_server(counts, kept, has_database=facts is not None)]
    if facts is not None:
        lines += _of_database(facts, now)
    return "\n".join(lines) + "\n"


def _of_server(
    counts: AnswerCounts, kept: Mapping[str, int], *, has_database: bool
) -> Iterator[str]:
    yield from _figure("ctsync_build_info", "gauge", "The version of ctsync.",
                       {f'{{version="{ctsync.__version__}"}}': 1})  # fmt: skip
    yield from _figure("ctsync_database_up", "gauge", "Whether the database can be read.",
                       {"": int(has_database)})  # fmt: skip
    statuses = {f'{{status="{one}"}}': n for one, n in sorted(counts.statuses.items())}
    yield from _figure("ctsync_http_requests_total", "counter", "Answers by status.", statuses)
    yield from _figure("ctsync_http_request_seconds_total", "counter",
                       "Seconds of all answers.", {"": round(counts.seconds, 6)})  # fmt: skip
    pages = {f'{{from="{name}"}}': number for name, number in kept.items()}
    yield from _figure("ctsync_pages_total", "counter", "Pages from memory, and made.", pages)


def _of_database(facts: HealthFacts, now: datetime) -> Iterator[str]:
    condition = assess(facts, now).condition
    states = {f'{{condition="{one}"}}': int(one is condition) for one in HealthState}
    yield from _figure("ctsync_health", "gauge", "1 for the condition of `ctsync status`.", states)
    numbers = {
        "ctsync_watched_trials": ("Trials that are followed.", facts.watched),
        "ctsync_unchecked_trials": ("Trials that could not be checked.", facts.failures),
        "ctsync_parked_deliveries": ("Deliveries that are not tried again.", facts.parked),
    }
    for name, (words, number) in numbers.items():
        yield from _figure(name, "gauge", words, {"": number})
    times = {
        "ctsync_last_complete_sync_seconds": (
            "End of the last complete sync.",
            facts.last_complete,
        ),
        "ctsync_registry_data_seconds": ("Time of the newest registry data.", facts.newest_load),
        "ctsync_oldest_waiting_delivery_seconds": (
            "When the oldest unsent delivery became due.",
            facts.oldest_waiting,
        ),
    }
    for name, (words, moment) in times.items():
        if moment is not None:
            yield from _figure(name, "gauge", f"{words} Unix time.", {"": moment.timestamp()})


def _figure(name: str, kind: str, words: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"
    yield from (f"{name}{labels} {value}" for labels, value in values.items())
