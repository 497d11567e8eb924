# ruff: noqa: PLC0415 - see below
"""The reads of a store, by subject.

Each subject is imported when it is first used: a command needs a few of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ctsync.store.bodies.reader import Dictionaries
from ctsync.store.database.access import Database

if TYPE_CHECKING:
    from ctsync.store.admin.damage import DamageReads
    from ctsync.store.admin.row_export import RowReads
    from ctsync.store.admin.stored_times import StoredTimeReads
    from ctsync.store.bodies.reader import BodyReads
    from ctsync.store.data.bulk_reads import BulkReads
    from ctsync.store.data.cursors import CursorReads
    from ctsync.store.data.events import EventReads
    from ctsync.store.data.failures import FailureReads
    from ctsync.store.data.history_versions import HistoryReads
    from ctsync.store.data.listed_versions import ListedReads
    from ctsync.store.data.outbox import OutboxReads
    from ctsync.store.data.runs import RunReads
    from ctsync.store.data.trials import TrialReads
    from ctsync.store.data.versions import VersionReads
    from ctsync.store.data.watched_trials import WatchedTrialReads
    from ctsync.store.data.watches import WatchReads
    from ctsync.store.database.marks import MarkReads
    from ctsync.store.derived.flag_heads import FlagHeadReads
    from ctsync.store.derived.indexed_records import KeptRecords
    from ctsync.store.derived.portfolio_heads import PortfolioReads
    from ctsync.store.derived.revision import RevisionReads
    from ctsync.store.derived.text_index import TextIndexReads
    from ctsync.store.derived.trial_facts import FactReads
    from ctsync.store.derived.trial_search import SearchReads


class StoreReads:
    """One object per subject, each an attribute."""

    def __init__(
        self, database: Database, dictionaries: Dictionaries, searched: KeptRecords
    ) -> None:
        self._database = database
        self._dictionaries = dictionaries
        self._searched = searched

    @cached_property
    def trials(self) -> TrialReads:
        """The followed and mirrored trials, and their heads."""
        from ctsync.store.data.trials import TrialReads

        return TrialReads(self._database)

    @cached_property
    def versions(self) -> VersionReads:
        """The versions of trials."""
        from ctsync.store.data.versions import VersionReads

        return VersionReads(self._database)

    @cached_property
    def bodies(self) -> BodyReads:
        """The records of versions."""
        from ctsync.store.bodies.reader import BodyReads

        return BodyReads(self._database, self._dictionaries)

    @cached_property
    def histories(self) -> HistoryReads:
        """How far the registry histories of trials are fetched."""
        from ctsync.store.data.history_versions import HistoryReads

        return HistoryReads(self._database)

    @cached_property
    def listed(self) -> ListedReads:
        """Versions that the registry lists and that are not fetched."""
        from ctsync.store.data.listed_versions import ListedReads

        return ListedReads(self._database)

    @cached_property
    def events(self) -> EventReads:
        """The changes from version to version."""
        from ctsync.store.data.events import EventReads

        return EventReads(self._database)

    @cached_property
    def runs(self) -> RunReads:
        """The runs."""
        from ctsync.store.data.runs import RunReads

        return RunReads(self._database)

    @cached_property
    def failures(self) -> FailureReads:
        """The quarantine."""
        from ctsync.store.data.failures import FailureReads

        return FailureReads(self._database)

    @cached_property
    def watches(self) -> WatchReads:
        """The watches."""
        from ctsync.store.data.watches import WatchReads

        return WatchReads(self._database)

    @cached_property
    def watched(self) -> WatchedTrialReads:
        """The trials of the watches."""
        from ctsync.store.data.watched_trials import WatchedTrialReads

        return WatchedTrialReads(self._database)

    @cached_property
    def outbox(self) -> OutboxReads:
        """The deliveries."""
        from ctsync.store.data.outbox import OutboxReads

        return OutboxReads(self._database)

    @cached_property
    def cursors(self) -> CursorReads:
        """The progress of scans of the registry."""
        from ctsync.store.data.cursors import CursorReads

        return CursorReads(self._database)

    @cached_property
    def marks(self) -> MarkReads:
        """Facts about the database itself."""
        from ctsync.store.database.marks import MarkReads

        return MarkReads(self._database)

    @cached_property
    def search(self) -> SearchReads:
        """Trials whose versions meet conditions."""
        from ctsync.store.derived.trial_search import SearchReads

        return SearchReads(self._database, self._searched)

    @cached_property
    def bulk(self) -> BulkReads:
        """Streams over many trials."""
        from ctsync.store.data.bulk_reads import BulkReads

        return BulkReads(self._database)

    @cached_property
    def rows(self) -> RowReads:
        """Trials with all their rows, for another database."""
        from ctsync.store.admin.row_export import RowReads

        return RowReads(self._database)

    @cached_property
    def damage(self) -> DamageReads:
        """The trials whose records must be fetched to repair damage."""
        from ctsync.store.admin.damage import DamageReads

        return DamageReads(self._database)

    @cached_property
    def times(self) -> StoredTimeReads:
        """Stored times that lie in the future."""
        from ctsync.store.admin.stored_times import StoredTimeReads

        return StoredTimeReads(self._database)

    @cached_property
    def facts(self) -> FactReads:
        """What the portfolio and the flags need of each newest record."""
        from ctsync.store.derived.trial_facts import FactReads

        return FactReads(self._database)

    @cached_property
    def flag_heads(self) -> FlagHeadReads:
        """The newest records of followed trials, for flags and forecasts."""
        from ctsync.store.derived.flag_heads import FlagHeadReads

        return FlagHeadReads(self._database)

    @cached_property
    def portfolio(self) -> PortfolioReads:
        """The newest versions of followed trials."""
        from ctsync.store.derived.portfolio_heads import PortfolioReads

        return PortfolioReads(self._database)

    @cached_property
    def revisions(self) -> RevisionReads:
        """A few values that change whenever an answer may change."""
        from ctsync.store.derived.revision import RevisionReads

        return RevisionReads(self._database)

    @cached_property
    def texts(self) -> TextIndexReads:
        """The text index."""
        from ctsync.store.derived.text_index import TextIndexReads

        return TextIndexReads(self._database)
