"""One message to one recipient: which events it tells, its stable identity, its report. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ctsync.model import KeyFields, NctId, StoredEvent
from ctsync.report.build import Scope, build, build_welcome
from ctsync.report.report import Report, Window
from ctsync.route import Route

_WELCOME = "w"  # no hexadecimal digit, with which the other identities begin


class DeliveryError(Exception):
    """A message that did not leave.

    A permanent error will not pass by itself. One that `is_channel` speaks of the channel,
    not of this message: what else waits for the channel need not be tried.
    """

    def __init__(self, reason: str, *, permanent: bool = False, is_channel: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.is_channel = is_channel


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `key` is its identity, the same at every attempt.

    `watch` is empty where no watch is concerned. A welcome has no events: it shows the state
    of its watch's trials. `read_keys` reads the newest key fields of the trials concerned.
    """

    key: str
    route: Route
    watch: str
    events: tuple[StoredEvent, ...]
    window: Window
    scope: Scope
    read_keys: Callable[[], Mapping[NctId, KeyFields]]
    is_welcome: bool = False
    is_test: bool = False

    @property
    def is_of_thread(self) -> bool:
        """Whether it follows a welcome; a message that only tries a channel does not."""
        return not self.is_welcome and not self.is_test

    @property
    def thread(self) -> str:
        """The identity of the thread: the welcome that opened it."""
        return welcome_key(self.route, self.watch)

    def report(self, *, limit: int | None = None) -> Report:
        """The report it carries; `limit` bounds the lines shown."""
        keys = self.read_keys()
        scope = replace(self.scope, limit=limit, keys=keys)
        if self.is_welcome:
            return build_welcome(keys, window=self.window, scope=scope)
        return build(self.events, window=self.window, scope=scope)


def event_key(route: Route, event_id: int, identity: Sequence[str]) -> str:
    """The identity of one event on its way by one route."""
    return _digest("event", route.channel, route.recipient, str(event_id), *identity)


def welcome_key(route: Route, watch: str) -> str:
    """The identity of the one welcome of a watch to a recipient."""
    return _WELCOME + _digest("welcome", route.channel, route.recipient, watch)


def is_welcome_key(key: str) -> bool:
    """Whether a row with this identity is a welcome, and not the news of its event."""
    return key.startswith(_WELCOME)


def quiet_key(route: Route, week: datetime | None) -> str:
    """The identity of the mail of one quiet week to a recipient; of all of them for None."""
    return _digest("quiet", route.channel, route.recipient, week.isoformat() if week else "")


def message_key(dedup_keys: Sequence[str]) -> str:
    """The identity of a message from those of what it tells, in any order."""
    return dedup_keys[0] if len(dedup_keys) == 1 else _digest("message", *sorted(dedup_keys))


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]
