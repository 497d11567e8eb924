"""The versions that the registry lists of a trial while they are not all fetched.

The index of a trial is stored as a whole, and deleted when its history is complete. The versions
of it that are not fetched follow from the stored versions: see the view `v_listed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    String,
    and_,
    case,
    column,
    delete,
    distinct,
    func,
    not_,
    select,
    table,
)

from ctsync.model import ListedVersion, NctId
from ctsync.store.database.access import Reads, Writes, batches, insert_rows
from ctsync.store.database.tables import LISTED_VERSIONS, WATCHED_TRIALS, WATCHES
from ctsync.store.database.types import JsonText, RemoteText

_UNFETCHED = table(
    "v_listed",
    column("nct_id", String),
    column("registry_version", Integer),
    column("submitted", String),
    column("status", RemoteText),
    column("modules", JsonText),
)


def unfetched_between(older: FromClause, newer: FromClause) -> ColumnElement[Any]:
    """Return the number of such versions between two rows of `snapshots` as a column.

    A version seen live has no number yet, so the days of the submissions order it.
    """
    one = _UNFETCHED.alias()
    statement = select(func.count()).where(
        one.c.nct_id == older.c.nct_id, and_(not_(_precedes(one, older)), _precedes(one, newer))
    )
    return statement.select_from(one).scalar_subquery()


def _precedes(one: FromClause, version: FromClause) -> ColumnElement[bool]:
    return case(
        (
            version.c.registry_version.is_not(None),
            one.c.registry_version < version.c.registry_version,
        ),
        # a version without a record has no days: everything listed came before it
        else_=one.c.submitted <= func.coalesce(version.c.submitted, version.c.posted, "9999"),
    )


class ListedReads(Reads):
    """Reads the versions that are listed and not fetched."""

    def unfetched(self, nct_id: NctId) -> list[ListedVersion]:
        """Return the versions of a trial that are listed and not fetched, oldest first.

        A version that was seen live counts as fetched, also before it is joined with its number.
        """
        statement = (
            select(_UNFETCHED)
            .where(_UNFETCHED.c.nct_id == nct_id)
            .order_by(_UNFETCHED.c.registry_version)
        )
        with self._reading() as connection:
            return [
                ListedVersion(
                    nct_id, row.registry_version, row.submitted, row.status, frozenset(row.modules)
                )
                for row in connection.execute(statement)
            ]

    def index(self, nct_id: NctId) -> list[ListedVersion]:
        """Return the stored index of a trial, oldest first, also with versions that are fetched."""
        statement = select(LISTED_VERSIONS).where(LISTED_VERSIONS.c.nct_id == nct_id)
        with self._reading() as connection:
            return [
                ListedVersion(nct_id, row.number, row.submitted, row.status, frozenset(row.modules))
                for row in connection.execute(statement.order_by(LISTED_VERSIONS.c.number))
            ]

    def unfetched_counts(self, ids: Iterable[NctId]) -> dict[NctId, int]:
        """Return the number of such versions of each trial that has any."""
        statement = select(_UNFETCHED.c.nct_id, func.count()).group_by(_UNFETCHED.c.nct_id)
        with self._reading() as connection:
            return {
                NctId(nct_id): count
                for batch in batches(list(ids))
                for nct_id, count in connection.execute(
                    statement.where(_UNFETCHED.c.nct_id.in_(batch))
                )
            }

    def count_unfetched(self, *, watch: str | None = None) -> tuple[int, int]:
        """Return the number of such versions and of their trials, of all or of a watch."""
        statement = select(func.count(), func.count(distinct(_UNFETCHED.c.nct_id)))
        if watch is not None:
            members = (
                select(WATCHED_TRIALS.c.nct_id)
                .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
                .where(WATCHES.c.name == watch)
            )
            statement = statement.where(_UNFETCHED.c.nct_id.in_(members))
        with self._reading() as connection:
            versions, trials = connection.execute(statement).one()
        return versions, trials


class ListedWrites(Writes):
    """Writes the index of a trial."""

    def replace(self, nct_id: NctId, listed: Sequence[ListedVersion]) -> None:
        """Store the index of a trial in place of the earlier one."""
        self.delete(nct_id)
        columns = ("nct_id", "number", "submitted", "status", "modules")
        rows = [
            (nct_id, one.number, one.submitted, one.status, sorted(one.modules)) for one in listed
        ]
        insert_rows(self._connection, LISTED_VERSIONS, columns, rows)

    def delete(self, nct_id: NctId) -> None:
        """Delete the index of a trial; its stored versions stay."""
        self._connection.execute(delete(LISTED_VERSIONS).where(LISTED_VERSIONS.c.nct_id == nct_id))
