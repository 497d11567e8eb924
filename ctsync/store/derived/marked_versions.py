"""Counts over many trials: which versions of each match, by flags of the text index.

Most trials have a match, and most of these in every version. The statements read an index of the
versions, and rows of the table only for conditions on key fields and for the times of a version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
)

from ctsync.record.rules.conditions import FieldCondition
from ctsync.store.database.access import batches
from ctsync.store.database.tables import SNAPSHOTS
from ctsync.store.derived.condition_sql import meets, meets_with_record, names_state
from ctsync.store.derived.indexed_records import IndexedRecords
from ctsync.store.derived.searched_versions import VersionOutline, time_columns
from ctsync.store.derived.text_matches import driver_rows, flagged_versions, is_flagged

_AT_ONCE = 10_000
_MATCH = [VersionOutline(matches=True, row=None)]


@dataclass(frozen=True, slots=True)
class MarkedVersions:
    """The versions whose records were found. `flags` has a byte per id of a version.

    `newest_id` leaves out versions with a higher id.
    """

    connection: Connection
    flags: bytes
    of_key: Sequence[FieldCondition]
    newest_id: int | None

    @classmethod
    def of(
        cls,
        connection: Connection,
        records: IndexedRecords,
        of_key: Sequence[FieldCondition],
        newest_id: int | None,
    ) -> MarkedVersions:
        """Mark the versions of these records, for conditions on key fields."""
        flags = flagged_versions(connection, records, with_record=not names_state(of_key))
        return cls(connection, flags, of_key, newest_id)

    def _summaries(self) -> Iterator[Sequence[Any]]:
        """Iterate over the trials with a match, in parts: id, and whether all versions match."""
        found = self._summed()
        return driver_rows(self.connection, select(found.c.nct_id, found.c.every))

    def summaries_with_times(self) -> Iterator[Sequence[Any]]:
        """Iterate over the same trials, with the times of the first version of each."""
        table, found = SNAPSHOTS, self._summed()
        is_first = and_(table.c.nct_id == found.c.nct_id, table.c.position == found.c.first)
        wanted = select(found.c.nct_id, found.c.every, *time_columns()).join_from(
            found, table, is_first
        )
        many = {"yield_per": _AT_ONCE}
        return iter(self.connection.execute(wanted, execution_options=many).partitions())

    def _summed(self) -> Subquery:
        table, matches = SNAPSHOTS, func.sum(case((self._matches(), 1), else_=0))
        return (
            select(
                table.c.nct_id,
                case((matches == func.count(), 1), else_=0).label("every"),
                func.min(table.c.position).label("first"),
            )
            .where(self._is_stored())
            .group_by(table.c.nct_id)
            .having(matches > 0)
            .subquery()
        )

    def outlines(self) -> Iterator[list[VersionOutline]]:
        """Iterate over the trials with a match: which versions match, without their times.

        Of a trial whose versions all match, has one version.
        """
        several = list[str]()
        for part in self._summaries():
            some = [nct_id for nct_id, every in part if not every]
            several += some
            yield from repeat(_MATCH, len(part) - len(some))
        table = SNAPSHOTS
        met = case((self._of_key_met(), 1), else_=0) if self.of_key else literal(1)
        rows = (
            select(table.c.nct_id, table.c.id, met)
            .where(table.c.nct_id.in_(bindparam("batch", expanding=True)), self._is_stored())
            .order_by(table.c.nct_id, table.c.position)
        )
        each = (self.connection.execute(rows, {"batch": batch}).all() for batch in batches(several))
        for _, versions in groupby(chain.from_iterable(each), key=itemgetter(0)):
            yield [VersionOutline(self.flags[row[1]] == 1 and row[2] == 1, row) for row in versions]

    def _matches(self) -> ColumnElement[bool]:
        met = is_flagged(SNAPSHOTS.c.id, self.flags, self.connection.dialect.name)
        # the flag first: without it, SQLite does not read the row
        return and_(met, self._of_key_met()) if self.of_key else met

    def _of_key_met(self) -> ColumnElement[bool]:
        return meets(self.of_key) if names_state(self.of_key) else meets_with_record(self.of_key)

    def _is_stored(self) -> ColumnElement[bool]:
        return true() if self.newest_id is None else SNAPSHOTS.c.id <= self.newest_id
