"""Tracks changes in ClinicalTrials.gov records: stores every version and reports what changed.

The names in `__all__` are the public Python API; docs/python.md describes it. They follow Semantic
Versioning. Every other module is internal.
"""

# Names are imported when they are first used: `import ctsync` must stay quick, because the command
# line and every settings file begin with it.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctsync.errors import (
        CtsyncError,
        LockHeld,
        RegistryError,
        StoreError,
        UnknownTrial,
        UnknownVersion,
        UsageError,
    )
    from ctsync.python.database import TrialDatabase
    from ctsync.python.fetch import FetchedTrial, fetch
    from ctsync.python.opening import open  # noqa: A004 - the name that programs use
    from ctsync.python.rows import Rows
    from ctsync.python.scripts import run_sync, watch
    from ctsync.python.trial_record import TrialRecord
    from ctsync.python.trial_timeline import TimelineValueRow, TrialTimeline
    from ctsync.questions.operation.runs import RunRow
    from ctsync.questions.portfolio.find import FoundTrial
    from ctsync.questions.portfolio.flags import TrialFlagRow
    from ctsync.questions.portfolio.forecast import ExpectedChangeRow
    from ctsync.questions.portfolio.portfolio import PortfolioRow
    from ctsync.questions.portfolio.watches import WatchRow
    from ctsync.questions.results.registry_rows import ListedVersionRow
    from ctsync.questions.results.sync_rows import SyncRow
    from ctsync.questions.results.watch_rows import FollowedRow
    from ctsync.questions.trial.compare import FieldChangeRow
    from ctsync.questions.trial.field_history import FieldValueRow
    from ctsync.questions.trial.timeline import TrialTimelineRow
    from ctsync.questions.trial.versions import VersionRow
    from ctsync.report.rows.event_row import EventRow

__version__ = "0.1.0"

__all__ = [
    "CtsyncError",
    "EventRow",
    "ExpectedChangeRow",
    "FetchedTrial",
    "FieldChangeRow",
    "FieldValueRow",
    "FollowedRow",
    "FoundTrial",
    "ListedVersionRow",
    "LockHeld",
    "PortfolioRow",
    "RegistryError",
    "Rows",
    "RunRow",
    "StoreError",
    "SyncRow",
    "TimelineValueRow",
    "TrialDatabase",
    "TrialFlagRow",
    "TrialRecord",
    "TrialTimeline",
    "TrialTimelineRow",
    "UnknownTrial",
    "UnknownVersion",
    "UsageError",
    "VersionRow",
    "WatchRow",
    "fetch",
    "open",
    "run_sync",
    "watch",
]

_ORIGINS = {
    "errors": (
        "CtsyncError", "LockHeld", "RegistryError", "StoreError", "UnknownTrial",
        "UnknownVersion", "UsageError",
    ),
    "python.database": ("TrialDatabase",),
    "python.fetch": ("FetchedTrial", "fetch"),
    "python.opening": ("open",),
    "python.rows": ("Rows",),
    "python.scripts": ("run_sync", "watch"),
    "python.trial_record": ("TrialRecord",),
    "python.trial_timeline": ("TimelineValueRow", "TrialTimeline"),
    "questions.operation.runs": ("RunRow",),
    "questions.portfolio.find": ("FoundTrial",),
    "questions.portfolio.flags": ("TrialFlagRow",),
    "questions.portfolio.forecast": ("ExpectedChangeRow",),
    "questions.portfolio.portfolio": ("PortfolioRow",),
    "questions.portfolio.watches": ("WatchRow",),
    "questions.results.registry_rows": ("ListedVersionRow",),
    "questions.results.sync_rows": ("SyncRow",),
    "questions.results.watch_rows": ("FollowedRow",),
    "questions.trial.compare": ("FieldChangeRow",),
    "questions.trial.field_history": ("FieldValueRow",),
    "questions.trial.timeline": ("TrialTimelineRow",),
    "questions.trial.versions": ("VersionRow",),
    "report.rows.event_row": ("EventRow",),
}  # fmt: skip
_MODULES = {name: module for module, names in _ORIGINS.items() for name in names}


if not TYPE_CHECKING:  # a type checker must report a name that does not exist

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value  # found without this function the next time
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
