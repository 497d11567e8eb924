"""Searches for trials with a version that meets conditions.

Conditions on record fields are compared with the text index if it is in use. Otherwise they are
left out here, and the caller reads the records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, func, null, select

from ctsync.model import NctId, State
from ctsync.record.rules.conditions import FieldCondition
from ctsync.record.rules.record_search import KeyTextCondition, RecordCondition
from ctsync.store.data.condition_sql import column_of, may_stand_by, meets
from ctsync.store.data.watched_trials import trials_of_watch
from ctsync.store.database.access import BATCH, Reads, batches
from ctsync.store.database.tables import SNAPSHOTS, TEXT_BODIES, TRIALS
from ctsync.store.derived.text_index import TextDetail
from ctsync.store.derived.text_matches import IndexedRecords, indexed_records
from ctsync.store.derived.version_outline import VersionOutline, time_columns

_TIMES = (
    SNAPSHOTS.c.state,
    SNAPSHOTS.c.posted,
    SNAPSHOTS.c.submitted,
    SNAPSHOTS.c.observed,
    SNAPSHOTS.c.fetched,
)
_IN_BATCH = SNAPSHOTS.c.nct_id.in_(bindparam("batch", expanding=True))
_ASKED = "asked_"
_LAZY = {"yield_per": BATCH}
_FIRST_BATCH = 100
"""Number of trials whose versions are read first, usually enough for a page; then BATCH."""
_FEW, _RARE = 20_000, 8
"""Up to this many records, and one in so many, their trials are looked up. More are met soon when
reading trials in order, and looking them all up would delay the first page."""
_STATES = {state.value: state for state in State}


@dataclass(frozen=True, slots=True)
class VersionSearch:
    """Which versions are searched.

    `newest`: only the newest of each trial. `by_day`: only those that may be current on that day.
    `start`: only this trial and those with greater ids. `newest_id` leaves out versions with a
    higher id, which were stored later. `detail` is that of the text index, if it is used.
    """

    newest: bool
    by_day: date | None = None
    watch: str | None = None
    start: NctId | None = None
    newest_id: int | None = None
    detail: TextDetail | None = None


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


class SearchReads(Reads):
    """Searches versions by their key fields, and by the text index."""

    def newest_id(self) -> int:
        """Return the highest id of a version; 0 if there are none."""
        with self._reading() as connection:
            return connection.scalar(select(func.max(SNAPSHOTS.c.id))) or 0

    def candidates(
        self,
        conditions: Sequence[FieldCondition],
        search: VersionSearch,
        *,
        keep: Callable[[Sequence[VersionOutline]], bool] | None = None,
    ) -> Iterator[list[Candidate]]:
        """Iterate over the trials with a version that may meet all conditions.

        Each item has all versions of a trial, oldest first. Trials are in order of ids, read from
        one view of the database with a few rows at a time in memory. A version that is gone or
        moved meets the conditions only if one of them names the state. What the text index does not
        decide (`is_decided`) counts as met. `keep` leaves out trials by the outlines of their
        versions.
        """
        plan = _Plan.of(conditions, search)
        versions, outlines = plan.versions(), plan.outlines()
        with self._reading() as connection:
            records = plan.records(connection)
            for batch in _in_batches(plan.trials(connection, records)):
                kept = batch
                if keep is not None:
                    outlined = plan.by_trial(connection, outlines, batch)
                    kept = [
                        nct_id
                        for nct_id, rows in outlined
                        if keep([plan.outline(row, records) for row in rows])
                    ]
                for _, rows in plan.by_trial(connection, versions, kept) if kept else ():
                    yield [plan.candidate(row, records) for row in rows]

    def outlines(
        self, conditions: Sequence[FieldCondition], search: VersionSearch
    ) -> Iterator[list[VersionOutline]]:
        """Iterate over the trials as `candidates` does, with less of each version.

        Leaves out trials in which no version meets the conditions.
        """
        plan = _Plan.of(conditions, search)
        with self._reading() as connection:
            records = plan.records(connection)
            for _, rows in plan.all_outlines(connection, records):
                found = [plan.outline(row, records) for row in rows]
                if any(one.matches for one in found):
                    yield found

    def newest(
        self, conditions: Sequence[FieldCondition], search: VersionSearch
    ) -> Iterator[NctId]:
        """Iterate over the trials whose newest version meets all conditions, in order.

        Reads no other version. `search` must be one of newest versions.
        """
        plan = _Plan.of(conditions, search)
        with self._reading() as connection:
            records = plan.records(connection)
            yield from plan.trials(connection, records, with_words=True)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The statements of one search."""

    search: VersionSearch
    of_key: Sequence[FieldCondition]
    indexed: Sequence[RecordCondition]
    in_words: Sequence[tuple[str, KeyTextCondition]]
    names: Sequence[str]
    """The key fields of the conditions, each once."""

    @classmethod
    def of(cls, conditions: Sequence[FieldCondition], search: VersionSearch) -> _Plan:
        of_key = [one for one in conditions if not one.term.is_of_record]
        of_record = [RecordCondition.of(one) for one in conditions if one.term.is_of_record]
        in_words = [
            (one.term.name, KeyTextCondition.of(one)) for one in of_key if one.operator == "~"
        ]
        names = list(dict.fromkeys(one.term.name for one in of_key))
        return cls(search, of_key, of_record if search.detail else [], in_words, names)

    def records(self, connection: Connection) -> IndexedRecords | None:
        """Return the records that may meet the conditions, or None if the index is not used."""
        if not self.indexed or self.search.detail is None:
            return None
        return indexed_records(connection, self.indexed, self.search.detail)

    def trials(
        self, connection: Connection, records: IndexedRecords | None, *, with_words: bool = False
    ) -> Iterator[NctId]:
        """Iterate over the trials to read, in order. `with_words` compares words in key fields."""
        last = None
        for row in self._rows(connection, records, with_words=with_words):
            if row[0] == last or (records is not None and not records.has(row[1])):
                continue
            if with_words and not self._has_words(row):
                continue
            last = row[0]
            yield NctId(last)

    def _rows(
        self, connection: Connection, records: IndexedRecords | None, *, with_words: bool
    ) -> Iterable[Any]:
        """Read trials by key fields: id, number of a record in the index, and words to compare.

        A trial with several such versions has several rows.
        """
        versions, search, is_few = SNAPSHOTS, self.search, _is_few(records)
        columns: list[Any] = [versions.c.nct_id]
        source: Any = versions
        if search.newest:
            # from the table with one row per trial, which has the ids in order
            columns, of_trial = [TRIALS.c.nct_id], TRIALS.c.nct_id == versions.c.nct_id
            is_head = _head(search.newest_id) == versions.c.id
            source = TRIALS.join(versions, and_(is_head, of_trial) if is_few else is_head)
        if records is not None:
            columns.append(TEXT_BODIES.c.id)
            same = TEXT_BODIES.c.digest == versions.c.digest
            source = source.join(TEXT_BODIES, same, isouter=not is_few)
        if with_words:
            columns += self._asked_words()
        found = select(*columns).select_from(source).where(self._searched(columns[0]))
        if records is not None and is_few:  # from records to trials
            found = found.where(TEXT_BODIES.c.id.in_(bindparam("numbers", expanding=True)))
            each = batches(list(records.numbers()))
            rows = (connection.execute(found, {"numbers": one}) for one in each)
            return sorted(chain.from_iterable(rows), key=itemgetter(0))
        if records is None and not search.newest:
            found = found.distinct()
        return connection.execute(found.order_by(columns[0]), execution_options=_LAZY)

    def _searched(self, nct_id: ColumnElement[Any]) -> ColumnElement[bool]:
        terms, search = [meets(self.of_key)], self.search
        if search.watch is not None:
            terms.append(nct_id.in_(trials_of_watch(search.watch)))
        if search.by_day is not None:
            terms.append(may_stand_by(search.by_day))
        if search.start is not None:
            terms.append(nct_id >= search.start)
        if search.newest_id is not None:
            terms.append(SNAPSHOTS.c.id <= search.newest_id)
        return and_(*terms)

    def _asked(self) -> list[ColumnElement[Any]]:
        fields = {one.term.name: one.term.field for one in self.of_key}
        return [column_of(fields[name]).label(f"{_ASKED}{name}") for name in self.names]

    def _asked_words(self) -> list[ColumnElement[Any]]:
        names = {f"{_ASKED}{name}" for name, _ in self.in_words}
        return [one for one in self._asked() if one.name in names]

    def versions(self) -> Select[Any]:
        """Select all versions of the trials of a batch, in order of ids, oldest first."""
        table = SNAPSHOTS
        columns = (*_TIMES, table.c.digest, table.c.brief_title, *self._asked())
        return self._versions(*columns).where(_IN_BATCH)

    def outlines(self) -> Select[Any]:
        """Select only the outlines of these versions."""
        return self._outlines().where(_IN_BATCH)

    def all_outlines(
        self, connection: Connection, records: IndexedRecords | None
    ) -> Iterator[tuple[NctId, Iterator[Any]]]:
        """Read the outlines of every trial that may have a match, and maybe of others."""
        if records is not None and self.search.watch is None and not _is_few(records):
            # most trials have a match: to look for them first would take as long as this
            rows = connection.execute(self._outlines(), execution_options=_LAZY)
            yield from groupby(rows, key=itemgetter(0))
            return
        for batch in _in_batches(self.trials(connection, records)):
            yield from self.by_trial(connection, self.outlines(), batch)

    def _outlines(self) -> Select[Any]:
        return self._versions(*time_columns(), *self._asked_words())

    def _versions(self, *columns: ColumnElement[Any]) -> Select[Any]:
        table, number = SNAPSHOTS, TEXT_BODIES.c.id if self.indexed else null()
        found = select(
            table.c.nct_id,
            case((meets(self.of_key), 1), else_=0).label("matches"),
            number.label("number"),
            *columns,
        )
        if self.indexed:
            found = found.outerjoin_from(table, TEXT_BODIES, TEXT_BODIES.c.digest == table.c.digest)
        if self.search.newest_id is not None:
            found = found.where(table.c.id <= self.search.newest_id)
        if self.search.start is not None:
            found = found.where(table.c.nct_id >= self.search.start)
        return found.order_by(table.c.nct_id, table.c.position)

    @staticmethod
    def by_trial(
        connection: Connection, statement: Select[Any], batch: Sequence[NctId]
    ) -> Iterator[tuple[NctId, Iterator[Any]]]:
        """Read the versions of some trials."""
        rows = connection.execute(statement, {"batch": batch}, execution_options=_LAZY)
        return groupby(rows, key=itemgetter(0))

    def candidate(self, row: Any, records: IndexedRecords | None) -> Candidate:
        """Return a version that was read."""
        nct_id, _, _, state, posted, submitted, observed, fetched, digest, title, *asked = row
        return Candidate(
            NctId(nct_id),
            _STATES[state],
            posted,
            submitted,
            observed,
            fetched,
            digest,
            self._matches(row, records),
            title,
            dict(zip(self.names, asked, strict=True)),
        )

    def outline(self, row: Any, records: IndexedRecords | None) -> VersionOutline:
        """Return the outline of a version that was read."""
        return VersionOutline(self._matches(row, records), row)

    def _matches(self, row: Any, records: IndexedRecords | None) -> bool:
        is_met = row[1] == 1 and (records is None or records.has(row[2]))
        return is_met and (not self.in_words or self._has_words(row))

    def _has_words(self, row: Any) -> bool:
        return all(
            condition.holds(getattr(row, f"{_ASKED}{name}")) for name, condition in self.in_words
        )


def _head(newest_id: int | None) -> ColumnElement[int | None]:
    """Return the id of the newest version of a row of `trials`, without those stored later."""
    head = TRIALS.c.head_snapshot_id
    if newest_id is None:
        return head
    stored = SNAPSHOTS.alias("stored")
    before = (
        select(stored.c.id)
        .where(stored.c.nct_id == TRIALS.c.nct_id, stored.c.id <= newest_id)
        .order_by(stored.c.position.desc())
        .limit(1)
        .correlate(TRIALS)
        .scalar_subquery()
    )
    return case((head <= newest_id, head), else_=before)


def _is_few(records: IndexedRecords | None) -> bool:
    if records is None or records.has(None):
        return False
    return records.count <= min(_FEW, max(_FIRST_BATCH, len(records.flags) // _RARE))


def _in_batches(ids: Iterator[NctId]) -> Iterator[list[NctId]]:
    batch = list(islice(ids, _FIRST_BATCH))
    while batch:
        yield batch
        batch = list(islice(ids, BATCH))
