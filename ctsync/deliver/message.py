"""One message to one recipient: its events, identity and report. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ctsync.model import KeyFields, NctId, StoredEvent
from ctsync.questions.trial.record_facts import RecordFacts
from ctsync.report.build import Scope, build, build_welcome
from ctsync.report.report import Report, Window
from ctsync.route import Route


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
