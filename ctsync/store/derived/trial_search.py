"""Searches for trials with a version that meets conditions.

Conditions on record fields are compared with the text index if it is in use. Otherwise they are
left out here, and the caller reads the records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    func,
    null,
    select,
    true,
)

from ctsync.model import NctId
from ctsync.record.rules.conditions import FieldCondition
from ctsync.record.rules.record_search import KeyTextCondition, RecordCondition
from ctsync.store.data.watched_trials import trials_of_watch
from ctsync.store.database.access import BATCH, Database, Reads, batches, data_state
from ctsync.store.database.tables import SNAPSHOTS, TEXT_BODIES, TRIALS
from ctsync.store.derived.condition_sql import column_of, may_stand_by, meets
from ctsync.store.derived.indexed_records import IndexedRecords, KeptRecords
from ctsync.store.derived.marked_versions import MarkedVersions
from ctsync.store.derived.searched_versions import (
    STATES,
    Candidate,
    VersionOutline,
    time_columns,
)
from ctsync.store.derived.text_index import TextDetail
from ctsync.store.derived.text_matches import indexed_records, is_flagged

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
FEW_RECORDS = 10_000
"""Up to this many records, their trials are looked up. More are met soon when reading trials in
order, and looking them all up would delay the first page."""


@dataclass(frozen=True, slots=True)
class VersionSearch:
    """Which versions are searched, and how.

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


class SearchReads(Reads):
    """Searches versions by their key fields, and by the text index."""

    def __init__(self, database: Database, kept: KeptRecords) -> None:
        super().__init__(database)
        self._kept = kept

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
            records = self._records(plan, connection)
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

    def matches(
        self,
        conditions: Sequence[FieldCondition],
        search: VersionSearch,
        *,
        known: Callable[[Sequence[VersionOutline]], int],
    ) -> Counter[tuple[bool, ...]]:
        """Count trials as `candidates` does, by which of their versions match, oldest first.

        `known` returns how many of the versions of a trial count. It is not called for a trial if
        that follows from `search.by_day` in the database.
        """
        plan = _Plan.of(conditions, search)
        with self._reading() as connection:
            records = self._records(plan, connection)
            found: Counter[tuple[bool, ...]] = Counter()
            if records is None or plan.in_words or search.watch is not None or _is_few(records):
                ids = plan.trials(connection, records)
            else:
                marked = MarkedVersions.of(connection, records, plan.of_key, search.newest_id)
                found, unsure = marked.count_trials(search.by_day)
                ids = iter(unsure)
            for some in _in_batches(ids):
                for _, rows in plan.by_trial(connection, plan.outlines(), some):
                    versions = [plan.outline(row, records) for row in rows]
                    found[tuple(one.matches for one in versions[: known(versions)])] += 1
        return found

    def newest(
        self, conditions: Sequence[FieldCondition], search: VersionSearch
    ) -> Iterator[NctId]:
        """Iterate over the trials whose newest version meets all conditions, in order.

        Reads no other version. `search` must be one of newest versions.
        """
        plan = _Plan.of(conditions, search)
        with self._reading() as connection:
            records = self._records(plan, connection)
            yield from plan.trials(connection, records, with_words=True)

    def count_newest(self, conditions: Sequence[FieldCondition], search: VersionSearch) -> int:
        """Count the trials of `newest`, in the database if that can compare all conditions."""
        plan = _Plan.of(conditions, search)
        with self._reading() as connection:
            return plan.count_newest(connection, self._records(plan, connection))

    def _records(self, plan: _Plan, connection: Connection) -> IndexedRecords | None:
        """Return the records that may meet the conditions, or None if the index is not used.

        A server finds them once for all pages of a search.
        """
        detail, indexed = plan.search.detail, plan.indexed
        if detail is None or not indexed:
            return None
        if self._database.connection is None:
            return indexed_records(connection, indexed, detail)
        key = data_state(connection), f"{detail} {indexed!r}"
        return self._kept.records(key, lambda: indexed_records(connection, indexed, detail))


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

    def count_newest(self, connection: Connection, records: IndexedRecords | None) -> int:
        """Count the trials whose newest version meets all conditions."""
        if self.in_words or _is_few(records):
            return sum(1 for _ in self.trials(connection, records, with_words=True))
        versions, meets_all = SNAPSHOTS, self._searched(TRIALS.c.nct_id)
        source: Any = TRIALS.join(versions, _head(self.search.newest_id) == versions.c.id)
        if records is not None:
            source = source.outerjoin(TEXT_BODIES, TEXT_BODIES.c.digest == versions.c.digest)
            is_met = is_flagged(TEXT_BODIES.c.id, records.flags, connection.dialect.name)
            meets_all = and_(meets_all, is_met)
        return connection.scalar(select(func.count()).select_from(source).where(meets_all)) or 0

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
        in_order = connection.execute(found.order_by(columns[0]), execution_options=_LAZY)
        return chain.from_iterable(in_order.partitions())  # faster than row by row

    def _searched(self, nct_id: ColumnElement[Any]) -> ColumnElement[bool]:
        terms, search = [meets(self.of_key)], self.search
        if search.watch is not None:
            terms.append(nct_id.in_(trials_of_watch(search.watch)))
        if search.by_day is not None:
            terms.append(may_stand_by(search.by_day))
        if search.start is not None:
            terms.append(nct_id >= search.start)
        return and_(*terms, self._is_stored())

    def _asked(self) -> list[ColumnElement[Any]]:
        fields = {one.term.name: one.term.field for one in self.of_key}
        return [column_of(fields[name]).label(f"{_ASKED}{name}") for name in self.names]

    def _asked_words(self) -> list[ColumnElement[Any]]:
        names = {f"{_ASKED}{name}" for name, _ in self.in_words}
        return [one for one in self._asked() if one.name in names]

    def versions(self) -> Select[Any]:
        """Select all versions of the trials of a batch, in order of ids, oldest first."""
        table = SNAPSHOTS
        shown: list[ColumnElement[Any]] = [*_TIMES, table.c.digest, table.c.brief_title]
        return self._versions(*shown, *self._asked()).where(_IN_BATCH)

    def outlines(self) -> Select[Any]:
        """Select only the outlines of these versions."""
        return self._versions(*time_columns(), *self._asked_words()).where(_IN_BATCH)

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
        return found.where(self._is_stored()).order_by(table.c.nct_id, table.c.position)

    def _is_stored(self) -> ColumnElement[bool]:
        newest = self.search.newest_id
        return true() if newest is None else SNAPSHOTS.c.id <= newest

    @staticmethod
    def by_trial(
        connection: Connection, statement: Select[Any], batch: Sequence[NctId]
    ) -> Iterator[tuple[NctId, Iterator[Any]]]:
        """Read the versions of some trials."""
        rows = connection.execute(statement, {"batch": batch}, execution_options=_LAZY)
        return groupby(chain.from_iterable(rows.partitions()), key=itemgetter(0))

    def candidate(self, row: Any, records: IndexedRecords | None) -> Candidate:
        """Return a version that was read."""
        nct_id, _, _, state, posted, submitted, observed, fetched, digest, title, *asked = row
        return Candidate(
            NctId(nct_id),
            STATES[state],
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
    return records.count <= FEW_RECORDS


def _in_batches(ids: Iterator[NctId]) -> Iterator[list[NctId]]:
    batch = list(islice(ids, _FIRST_BATCH))
    while batch:
        yield batch
        batch = list(islice(ids, BATCH))
