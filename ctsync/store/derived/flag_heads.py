"""Reads followed trials for their flags and for a forecast: few columns, and no record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, and_, bindparam, func, select, type_coerce

from ctsync.model import NctId, State
from ctsync.store.database.access import Reads, batches
from ctsync.store.database.tables import SNAPSHOTS, TRIAL_FACTS, TRIALS


class FlagHead(NamedTuple):
    """The newest version of a trial, and what the rules of the flags read of the first version.

    `flag_record` is JSON text; None if it is not stored for this record.
    """

    nct_id: NctId
    digest: str
    title: str | None
    sponsor: str | None
    first_start_date: str | None
    first_registry_version: int | None
    flag_record: str | None


class ForecastHead(NamedTuple):
    """The newest version of a trial: what the rule for UNKNOWN reads, and the flags to expect.

    `expected` is JSON text; None if it is not stored for this record.
    """

    nct_id: NctId
    digest: str | None
    status: str | None
    verified: str | None
    completion_date: str | None
    expected: str | None


class FlagHeadReads(Reads):
    """Reads trials that the registry shows. `form` is that of the facts: see `trial_facts`."""

    def of(self, ids: Sequence[NctId], *, form: int) -> Iterator[FlagHead]:
        """Yield the trials whose newest version has a record, in the order of the ids."""
        for row in self._rows(_flag_heads(), ids, form):
            yield FlagHead._make(row)

    def expected(self, ids: Sequence[NctId], *, form: int) -> Iterator[ForecastHead]:
        """Yield the trials in the order of the ids."""
        for row in self._rows(_forecast_heads(), ids, form):
            yield ForecastHead._make(row)

    def _rows(self, statement: Select[Any], ids: Sequence[NctId], form: int) -> Iterator[Any]:
        with self._reading() as connection:
            for batch in batches(list(dict.fromkeys(ids))):
                asked = {"form": form, "ids": batch}
                by_id = {row.nct_id: row for row in connection.execute(statement, asked)}
                yield from (by_id[nct_id] for nct_id in batch if nct_id in by_id)


_HEAD, _FIRST = SNAPSHOTS.alias("head"), SNAPSHOTS.alias("first")


@cache
def _flag_heads() -> Select[Any]:
    one = SNAPSHOTS.alias("outermost")
    first = (
        select(func.min(one.c.position))
        .where(one.c.nct_id == TRIALS.c.nct_id, one.c.digest.is_not(None))
        .correlate(TRIALS)
        .scalar_subquery()
    )
    columns = (
        TRIALS.c.nct_id,
        _HEAD.c.digest,
        _HEAD.c.brief_title,
        _HEAD.c.lead_sponsor,
        _FIRST.c.start_date,
        _FIRST.c.registry_version,
        # as text: a text that was read before is not parsed again
        type_coerce(TRIAL_FACTS.c.flag_record, Text),
    )
    return (
        _with_facts(columns)
        .join(_FIRST, and_(_FIRST.c.nct_id == TRIALS.c.nct_id, _FIRST.c.position == first))
        .where(_HEAD.c.digest.is_not(None))
    )


@cache
def _forecast_heads() -> Select[Any]:
    return _with_facts(
        (
            TRIALS.c.nct_id,
            _HEAD.c.digest,
            _HEAD.c.status,
            _HEAD.c.verified,
            _HEAD.c.completion_date,
            type_coerce(TRIAL_FACTS.c.expected, Text),
        )
    )


def _with_facts(columns: Sequence[Any]) -> Select[Any]:
    return (
        select(*columns)
        .select_from(TRIALS)
        .join(_HEAD, _HEAD.c.id == TRIALS.c.head_snapshot_id)
        .outerjoin(
            TRIAL_FACTS,
            and_(
                TRIAL_FACTS.c.nct_id == TRIALS.c.nct_id,
                TRIAL_FACTS.c.digest == _HEAD.c.digest,
                TRIAL_FACTS.c.form == bindparam("form"),
            ),
        )
        .where(_HEAD.c.state == State.PRESENT)
        # by TRIALS.nct_id: by that of the head, SQLite would read every trial
        .where(TRIALS.c.nct_id.in_(bindparam("ids", expanding=True)))
    )
