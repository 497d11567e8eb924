"""Which versions of a trial's registry history to fetch. Pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ctsync.registry.record_history import Index


@dataclass(frozen=True, slots=True)
class FetchScope:
    """The versions to fetch: every version, or those that changed one of some modules.

    `labels` are the registry's labels of the modules. None stands for every version; without a
    label, only the index is requested. With labels, the first and the newest version are fetched
    too: a stored head must be the registry's newest version, and values need a beginning.
    """

    labels: tuple[str, ...] | None = None

    @property
    def is_index_only(self) -> bool:
        """Whether no version is to be fetched."""
        return self.labels == ()

    def selects(self, index: Index) -> frozenset[int]:
        """Return the numbers of the versions to fetch."""
        if self.labels is None:
            return frozenset(entry.number for entry in index)
        if self.is_index_only or not index:
            return frozenset()
        wanted = frozenset(self.labels)
        chosen = {entry.number for entry in index if entry.modules & wanted}
        return frozenset(chosen | {0, index[-1].number})


EVERY_VERSION = FetchScope()
INDEX_ONLY = FetchScope(())
