"""Helpers that store trials with events, and a channel with scripted answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.deliver.plan import plan
from ctsync.model import Event, KeyFields, Kind, Level, NctId, Record, Source, State
from ctsync.record.rules.rules import Thresholds
from ctsync.route import ChannelKind, Route
from ctsync.store.store import Store
from tests.report.examples import event

ANNA = Route(ChannelKind.MAIL, "anna@example.org", minimum_level=Level.ROUTINE)
BERT = Route(ChannelKind.MAIL, "bert@example.org", minimum_level=Level.ROUTINE)


@dataclass
class ClockAt:
    """A clock that is set by the test, and that sleeping moves forward."""

    at: datetime
    slept: float = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.slept += seconds


Answer = Callable[[Message], None]


@dataclass
class Recording:
    """A channel that records its messages. `answer` is called before each one and may raise."""

    routes: Mapping[str, Route]
    answer: Answer = lambda _message: None
    sent: list[Message] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    is_closed: bool = False

    @classmethod
    def to(cls, *routes: Route, answer: Answer = lambda _message: None) -> Recording:
        return cls({route.recipient: route for route in routes}, answer)

    def send(self, message: Message) -> None:
        self.tried.append(message.key)
        self.answer(message)
        self.sent.append(message)

    def close(self) -> None:
        self.is_closed = True

    def event_counts(self) -> Counter[tuple[str, int]]:
        """Count how often each recipient got each event."""
        return Counter((m.route.recipient, s.event_id) for m in self.sent for s in m.events)


def refuse(reason: str = "452 try again", *, permanent: bool = False, down: bool = False) -> Answer:
    def answer(_message: Message) -> None:
        raise DeliveryError(reason, permanent=permanent, is_channel=down)

    return answer


def change(path: str = "status", level: Level = Level.NOTABLE, **given: object) -> Event:
    default: dict[str, Any] = {"kind": Kind.STATUS, "before": "RECRUITING", "after": "COMPLETED"}
    return event(level=level, path=path, **default | given)


def keep(
    store: Store,
    nct_id: NctId,
    events: Iterable[Event],
    *,
    routes: Sequence[Route] = (),
    now: datetime,
    run_id: int | None = None,
    own: Mapping[str, Thresholds] = MappingProxyType({}),
) -> list[int]:
    """Store a step of a trial with its events and deliveries, like `sync`. Return event ids."""
    head = store.trials.heads([nct_id]).get(nct_id)
    canonical = f"{nct_id} {head.version if head else 0}".encode()
    digest = f"1:{hashlib.sha256(canonical).hexdigest()}"
    key = KeyFields(status="RECRUITING", posted="2026-03-13", brief_title=f"Trial {nct_id}")
    stored, watches = list(events), store.watches.names_of(nct_id)
    with store.unit() as unit:
        snapshot, _ = unit.versions.add(
            nct_id, after=head.snapshot_id if head else None,
            record=Record(nct_id, {}, canonical, digest), key=key, state=State.PRESENT,
            source=Source.LIVE, posted="2026-03-13", submitted="2026-03-12", observed=now,
            fetched=now, run_id=run_id,
        )  # fmt: skip
        ids = unit.events.add(
            nct_id, from_snapshot=head.snapshot_id if head else None, to_snapshot=snapshot,
            events=stored, run_id=run_id, posted="2026-03-13", observed=now, fetched=now,
        )  # fmt: skip
        numbered = list(zip(ids, stored, strict=True))
        unit.outbox.enqueue(plan(nct_id, numbered, watches, routes, now=now, own=own))
    return ids


def watch(store: Store, name: str, ids: Iterable[NctId], *, since: datetime) -> None:
    with store.unit() as unit:
        unit.watches.add(name)
        unit.watches.add_trials(name, dict.fromkeys(ids), since)
