"""The outline of a version in a search: whether it matches, and its times if they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, String, type_coerce

from ctsync.model import State
from ctsync.store.database.tables import SNAPSHOTS
from ctsync.store.database.types import read_time, unescape

_TIMES = ("state", "posted", "submitted", "observed", "fetched")
_STATES = {state.value: state for state in State}


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
        return _STATES[self.row.state]

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
