"""Counts over many trials: which versions of each match, by flags of the text index.

One statement reads an index of the versions, and rows of the table only for conditions on key
fields and for the days of versions. It gives a mark per version, and few trials differ in these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    select,
    true,
)

from ctsync.model import NctId
from ctsync.record.rules.conditions import FieldCondition
from ctsync.store.database.tables import SNAPSHOTS
from ctsync.store.derived.condition_sql import (
    may_stand_by,
    meets,
    meets_with_record,
    names_state,
    surely_stands_by,
)
from ctsync.store.derived.indexed_records import IndexedRecords
from ctsync.store.derived.text_matches import driver_rows, flagged_versions, has_flag

_MATCH, _OTHER, _LATER, _UNSURE = "1", "0", ".", "?"


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

    def count_trials(self, by_day: date | None) -> tuple[Counter[tuple[bool, ...]], list[NctId]]:
        """Count the trials by which of their versions match, oldest first.

        With `by_day`, only versions that are current on that day or before. Also returns trials
        whose times must be read to know these.
        """
        marks: Counter[str] = Counter()
        unsure = list[NctId]()
        for rows in driver_rows(self.connection, self._marks(by_day)):
            for nct_id, positions, unordered in rows:
                one = _in_order(positions, unordered).partition(_LATER)[0]
                if _UNSURE in one:
                    unsure.append(NctId(nct_id))
                else:
                    marks[one] += 1
        found: Counter[tuple[bool, ...]] = Counter()
        for one, count in marks.items():
            if _MATCH in one:
                found[tuple(mark == _MATCH for mark in one)] = count
        return found, unsure

    def _marks(self, by_day: date | None) -> Select[str, str, str]:
        """Select a mark per version of a trial, and their positions: both in the same order."""
        table, mark = SNAPSHOTS, case((self._matches(), _MATCH), else_=_OTHER)
        if by_day is not None:
            # later: if the condition is false, and also if it is NULL, as for a version from the
            # registry history, which no load has observed
            mark = case(
                (surely_stands_by(by_day), mark),
                (may_stand_by(by_day), _UNSURE),
                else_=_LATER,
            )
        position: ColumnElement[Any] = table.c.position
        if self.connection.dialect.name == "postgresql":
            position = cast(position, String)
        positions = func.aggregate_strings(position, ",")
        return (
            select(table.c.nct_id, positions, func.aggregate_strings(mark, ""))
            .where(self._is_stored())
            .group_by(table.c.nct_id)
        )

    def _matches(self) -> ColumnElement[bool]:
        met = has_flag(SNAPSHOTS.c.id, self.flags, self.connection.dialect.name)
        if not self.of_key:
            return met
        of_key = meets(self.of_key) if names_state(self.of_key) else meets_with_record(self.of_key)
        # the flag first: without it, SQLite does not read the row
        return and_(met, of_key)

    def _is_stored(self) -> ColumnElement[bool]:
        return true() if self.newest_id is None else SNAPSHOTS.c.id <= self.newest_id


def _in_order(positions: str, marks: str) -> str:
    """Return the marks of versions, oldest first: a database may join them in any order."""
    if marks.count(marks[0]) == len(marks):
        return marks
    numbers = list(map(int, positions.split(",")))
    ordered = sorted(numbers)
    if numbers == ordered:
        return marks
    return "".join(mark for _, mark in sorted(zip(numbers, marks, strict=True)))
