# ruff: noqa: PLC0415 - see below
"""The writes of one transaction, by subject.

Each subject is imported when it is first used: a command needs a few of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ctsync.dates import Clock
from ctsync.store.bodies.reader import Dictionaries

if TYPE_CHECKING:
    from ctsync.store.admin.load_redating import LoadWrites
    from ctsync.store.admin.repair import RepairWrites
    from ctsync.store.admin.row_export import RowWrites
    from ctsync.store.bodies.writer import BodyWrites
    from ctsync.store.data.cursors import CursorWrites
    from ctsync.store.data.event_rewrites import EventRewrites
    from ctsync.store.data.events import EventWrites
    from ctsync.store.data.failures import FailureWrites
    from ctsync.store.data.history_versions import HistoryWrites
    from ctsync.store.data.listed_versions import ListedWrites
    from ctsync.store.data.outbox import OutboxWrites
    from ctsync.store.data.runs import RunWrites
    from ctsync.store.data.trials import TrialWrites
    from ctsync.store.data.version_batches import BatchWrites
    from ctsync.store.data.versions import VersionWrites
    from ctsync.store.data.watched_trials import WatchedTrialWrites
    from ctsync.store.data.watches import WatchWrites
    from ctsync.store.database.marks import MarkWrites
    from ctsync.store.derived.text_index import TextIndexWrites
    from ctsync.store.derived.trial_facts import FactWrites


class Unit:
    """The writes of one transaction, by subject.

    `connection` is the transaction itself, for the modules of the store that write entire tables.
    """

    def __init__(self, connection: Connection, *, clock: Clock, dictionaries: Dictionaries) -> None:
        self.connection = connection
        self._clock = clock
        self._dictionaries = dictionaries

    @cached_property
    def trials(self) -> TrialWrites:
        """The trials and their heads."""
        from ctsync.store.data.trials import TrialWrites

        return TrialWrites(self.connection)

    @cached_property
    def marks(self) -> MarkWrites:
        """Facts about the database itself."""
        from ctsync.store.database.marks import MarkWrites

        return MarkWrites(self.connection)

    @cached_property
    def texts(self) -> TextIndexWrites:
        """The text index."""
        from ctsync.store.derived.text_index import TextIndexWrites

        return TextIndexWrites(self.connection, marks=self.marks, dictionaries=self._dictionaries)

    @cached_property
    def bodies(self) -> BodyWrites:
        """The records of versions."""
        from ctsync.store.bodies.writer import BodyWrites

        return BodyWrites(
            self.connection,
            clock=self._clock,
            dictionaries=self._dictionaries,
            texts=self.texts,
        )

    @cached_property
    def events(self) -> EventWrites:
        """The changes from version to version."""
        from ctsync.store.data.events import EventWrites

        return EventWrites(self.connection)

    @cached_property
    def event_rewrites(self) -> EventRewrites:
        """Events that are derived again."""
        from ctsync.store.data.event_rewrites import EventRewrites

        return EventRewrites(self.connection, events=self.events)

    @cached_property
    def watches(self) -> WatchWrites:
        """The watches."""
        from ctsync.store.data.watches import WatchWrites

        return WatchWrites(self.connection, clock=self._clock)

    @cached_property
    def watched(self) -> WatchedTrialWrites:
        """The trials of the watches."""
        from ctsync.store.data.watched_trials import WatchedTrialWrites

        return WatchedTrialWrites(self.connection)

    @cached_property
    def runs(self) -> RunWrites:
        """The runs."""
        from ctsync.store.data.runs import RunWrites

        return RunWrites(self.connection)

    @cached_property
    def failures(self) -> FailureWrites:
        """The quarantine."""
        from ctsync.store.data.failures import FailureWrites

        return FailureWrites(self.connection)

    @cached_property
    def outbox(self) -> OutboxWrites:
        """The deliveries."""
        from ctsync.store.data.outbox import OutboxWrites

        return OutboxWrites(self.connection, clock=self._clock)

    @cached_property
    def cursors(self) -> CursorWrites:
        """The progress of scans of the registry."""
        from ctsync.store.data.cursors import CursorWrites

        return CursorWrites(self.connection)

    @cached_property
    def facts(self) -> FactWrites:
        """What the portfolio and the flags need of each newest record."""
        from ctsync.store.derived.trial_facts import FactWrites

        return FactWrites(self.connection)

    @cached_property
    def versions(self) -> VersionWrites:
        """The versions of trials."""
        from ctsync.store.data.versions import VersionWrites

        return VersionWrites(self.connection, trials=self.trials, bodies=self.bodies)

    @cached_property
    def histories(self) -> HistoryWrites:
        """Versions from the registry history."""
        from ctsync.store.data.history_versions import HistoryWrites

        return HistoryWrites(
            self.connection, trials=self.trials, bodies=self.bodies, versions=self.versions
        )

    @cached_property
    def listed(self) -> ListedWrites:
        """Versions that the registry lists and that are not fetched."""
        from ctsync.store.data.listed_versions import ListedWrites

        return ListedWrites(self.connection)

    @cached_property
    def batches(self) -> BatchWrites:
        """Versions of many trials at once."""
        from ctsync.store.data.version_batches import BatchWrites

        return BatchWrites(
            self.connection,
            trials=self.trials,
            bodies=self.bodies,
            versions=self.versions,
            events=self.events,
        )

    @cached_property
    def rows(self) -> RowWrites:
        """Rows exported from another database."""
        from ctsync.store.admin.row_export import RowWrites

        return RowWrites(
            self.connection,
            trials=self.trials,
            bodies=self.bodies,
            versions=self.versions,
            events=self.events,
            watches=self.watches,
        )

    @cached_property
    def loads(self) -> LoadWrites:
        """The times of loads, if they were stored wrong."""
        from ctsync.store.admin.load_redating import LoadWrites

        return LoadWrites(self.connection, cursors=self.cursors)

    @cached_property
    def repairs(self) -> RepairWrites:
        """The removal of damaged rows."""
        from ctsync.store.admin.repair import RepairWrites

        return RepairWrites(
            self.connection,
            dictionaries=self._dictionaries,
            trials=self.trials,
            bodies=self.bodies,
        )
