"""What a run of the mirror works with and what it found; values without any I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from ctsync.dates import Clock
from ctsync.model import Failed, NctId, RegistryVersion, Verdict
from ctsync.record.registry.notices import Notice
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import Registry
from ctsync.registry.archive import Archive
from ctsync.registry.http.response import RequestCounts
from ctsync.route import Route
from ctsync.store.store import Store
from ctsync.sync.result import RunCallbacks
from ctsync.sync.run_log import RunCounts

OVERLAP = timedelta(days=5)
"""How far a delta looks back beyond the last: a long weekend, and a post date that lags."""

SWEEP_EVERY = timedelta(days=7)


class ArchiveFile(Protocol):
    """What a mirror asks of the registry's bulk download; BulkSource is the one over HTTP."""

    @property
    def counts(self) -> RequestCounts:
        """The requests sent for it so far."""

    def total(self) -> int:
        """How many studies the registry counts."""

    def fetch(self, to: Path) -> Archive | None:
        """Download the archive; None where there is none."""


@dataclass(slots=True)
class MirrorResult:
    """What a run of the mirror did.

    `steps` are the ways it went: bulk, pages, delta, sweep. `said` are sentences for a person,
    the problems first among them; `missing` are stored trials this load lacks, which another
    must confirm.
    """

    run_id: int
    load: RegistryVersion
    tally: RunCounts
    verdict: Verdict = Verdict.OK
    steps: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    failed: tuple[Failed, ...] = ()
    missing: tuple[NctId, ...] = ()
    notices: tuple[Notice, ...] = ()
    is_online: bool = True

    def doubt(self, sentence: str, verdict: Verdict = Verdict.PARTIAL) -> None:
        """Note what keeps the run from being whole."""
        self.said.append(sentence)
        if self.verdict is not Verdict.MIXED:
            self.verdict = verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSetup:
    """All that a mirror needs; `folder` is where a download is put."""

    store: Store
    registry: Registry
    bulk: ArchiveFile
    clock: Clock
    folder: Path
    thresholds: Thresholds = field(default_factory=Thresholds)
    routes: tuple[Route, ...] = ()
    watcher: RunCallbacks = field(default_factory=RunCallbacks)
    processes: int | None = None
    overlap: timedelta = OVERLAP
    sweep_every: timedelta = SWEEP_EVERY
