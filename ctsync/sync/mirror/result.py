"""The setup and the result of a mirror run. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from ctsync.dates import Clock
from ctsync.model import Failed, NctId, RegistryVersion, Verdict
from ctsync.record.registry.notices import Notice
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.archive import Archive
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.interface import Registry
from ctsync.route import Route
from ctsync.store.store import Store
from ctsync.sync.result import RunCallbacks
from ctsync.sync.run_log import RunCounts

OVERLAP = timedelta(days=5)
"""How far a delta reaches back before the last load: a long weekend and late post dates."""

SWEEP_EVERY = timedelta(days=7)


class ArchiveFile(Protocol):
    """The registry's bulk download as a mirror uses it; BulkSource fetches it over HTTP."""

    @property
    def counts(self) -> RequestCounts:
        """The requests sent for it so far."""

    def total(self) -> int:
        """The number of studies that the registry counts."""

    def fetch(self, to: Path) -> Archive | None:
        """Download the archive; None if the registry offers none."""


@dataclass(slots=True)
class MirrorResult:
    """The result of a mirror run.

    `steps` are the steps taken: bulk, pages, delta, sweep. `said` are sentences for the user, in
    the order of the steps. `missing` are stored trials this load lacks; another load must confirm
    that they are gone.
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
        """Add a problem that makes the run incomplete."""
        self.said.append(sentence)
        if self.verdict is not Verdict.MIXED:
            self.verdict = verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSetup:
    """The settings and services of a mirror; downloads go to `folder`."""

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
