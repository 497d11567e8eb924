"""All that is known of one trial, as its page and the site tell it; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctsync.model import NctId, StoredEvent, Version
from ctsync.report.trial.timeline import Timeline


@dataclass(frozen=True, slots=True)
class TrialContent:
    """All that is known of one trial: its versions, oldest first, and what led to each."""

    versions: Sequence[Version]
    events: Sequence[StoredEvent]
    timeline: Timeline

    @property
    def nct_id(self) -> NctId:
        """The trial."""
        return self.versions[-1].nct_id

    @property
    def title(self) -> str:
        """Its newest title."""
        return self.versions[-1].key.brief_title or ""
