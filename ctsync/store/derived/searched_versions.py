"""The versions that a search reads: as candidates for its results, or only in outline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, String, type_coerce

from ctsync.model import NctId, State
from ctsync.store.database.tables import SNAPSHOTS
from ctsync.store.database.types import read_time, unescape

_TIMES = ("state", "posted", "submitted", "observed", "fetched")
STATES = {state.value: state for state in State}


class Candidate(NamedTuple):
    """A version of a trial that has a match. A tuple, because a search may make 100,000.

    `matches` is whether this version meets all conditions that were compared. `values` holds the
    key fields of the conditions, by the names in the conditions.
    """

    nct_id: NctId
    state: State
    posted: str | None
    submitted: str | None
    observed: datetime | None
    fetched: datetime
    digest: str | None
    matches: bool
    title: str | None
    values: Mapping[str, Any]


class VersionOutline(NamedTuple):
    """Whether a version of a trial that has a match meets the conditions, and its times.

    Much quicker to read than a Candidate, for counts over many trials: a time is read from the row
    when it is asked for. `row` has the columns of `time_columns`.
    """

    matches: bool
    row: Any

    @property
    def state(self) -> State:
        """As in Version."""
        return STATES[self.row.state]

    @property
    def posted(self) -> str | None:
        """As in Version."""
        return _text(self.row.posted)

    @property
    def submitted(self) -> str | None:
        """As in Version."""
        return _text(self.row.submitted)

    @property
    def observed(self) -> datetime | None:
        """As in Version."""
        found = self.row.observed
        return None if found is None else read_time(found)

    @property
    def fetched(self) -> datetime:
        """As in Version."""
        return read_time(self.row.fetched)


def time_columns() -> Sequence[ColumnElement[Any]]:
    """Return the times of a version as the driver reads them: converting all takes long."""
    return [type_coerce(SNAPSHOTS.c[name], String).label(name) for name in _TIMES]


def _text(stored: str | None) -> str | None:
    return None if stored is None else unescape(stored)
