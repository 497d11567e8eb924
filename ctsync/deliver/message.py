"""One message to one recipient: its events, stable identity and report. Does no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ctsync.model import KeyFields, NctId, StoredEvent
from ctsync.questions.trial.record_facts import RecordFacts
from ctsync.report.build import Scope, build, build_welcome
from ctsync.report.report import Report, Window
from ctsync.route import Route

WELCOME_PREFIX = "w"
"""The first letter of a welcome's identity. Other identities begin with a hexadecimal digit."""


class DeliveryError(Exception):
    """A message that could not be sent.

    A retry cannot fix a `permanent` error. If `is_channel` is true, the channel failed, not
    this message: other messages for the channel need not be tried.
    """

    def __init__(self, reason: str, *, permanent: bool = False, is_channel: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.is_channel = is_channel


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `key` is its identity, the same at every attempt.

    `watches` are the watches of its trials. A welcome has no events: it shows the state of the
    trials in the watches that are new to the recipient. `read_keys` reads the newest key fields of
    the trials shown, and `read_facts` reads their headings and flags. `thread` is the identity of
    the recipient's first message.
    """

    key: str
    route: Route
    watches: tuple[str, ...]
    events: tuple[StoredEvent, ...]
    window: Window
    scope: Scope
    read_keys: Callable[[], Mapping[NctId, KeyFields]]
    read_facts: Callable[[], RecordFacts] = RecordFacts
    is_welcome: bool = False
    thread: str = ""

    @property
    def is_of_thread(self) -> bool:
        """Whether the message follows another one. A test message and a first message do not."""
        return self.thread not in {"", self.key}

    def report(self, *, limit: int | None = None) -> Report:
        """Build the report of this message. `limit` is the largest number of lines shown."""
        keys, facts = self.read_keys(), self.read_facts()
        scope = replace(
            self.scope,
            limit=limit,
            keys=keys,
            headings=facts.headings,
            flags=facts.flags,
            flagged_on=facts.flagged_on,
        )
        if self.is_welcome:
            return build_welcome(keys, window=self.window, scope=scope)
        return build(self.events, window=self.window, scope=scope)


def event_key(route: Route, event_id: int, identity: Sequence[str]) -> str:
    """Return the identity of the delivery of an event by a route."""
    return _digest("event", route.channel, route.recipient, str(event_id), *identity)


def welcome_key(route: Route, watch: str) -> str:
    """Return the identity of a watch's only welcome to a recipient."""
    return WELCOME_PREFIX + _digest("welcome", route.channel, route.recipient, watch)


def is_welcome_key(key: str) -> bool:
    """Check whether a row with this identity delivers a welcome, not its event."""
    return key.startswith(WELCOME_PREFIX)


def quiet_key(route: Route, week: datetime | None) -> str:
    """Return the identity of a recipient's heartbeat of one week, or of all weeks for None."""
    return _digest("quiet", route.channel, route.recipient, week.isoformat() if week else "")


def message_key(dedup_keys: Sequence[str]) -> str:
    """Return the identity of a message from the identities of its rows, in any order."""
    return dedup_keys[0] if len(dedup_keys) == 1 else _digest("message", *sorted(dedup_keys))


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]
