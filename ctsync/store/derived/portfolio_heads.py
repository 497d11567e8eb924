"""Reads the followed trials for a portfolio: few columns of many trials, and no record.

Each method is one statement or two, because 10,000 trials must be read in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    not_,
    select,
    type_coerce,
)

from ctsync.model import Kind, Level, NctId, State
from ctsync.store.data.watched_trials import is_taken_over
from ctsync.store.database.access import Reads, batches
from ctsync.store.database.tables import (
    EVENTS,
    SNAPSHOTS,
    TRIAL_FACTS,
    TRIALS,
    WATCHED_TRIALS,
    WATCHES,
)

_NO_CHANGES = (Kind.FIRST_SEEN, Kind.REGISTERED, Kind.ENTERED, Kind.LEFT, Kind.FLAG)


class PortfolioHead(NamedTuple):
    """The newest version of a trial that has a record, its first one, and its stored facts.

    `state` is that of the newest version. `facts` is JSON text; None if no facts are stored for
    this record.
    """

    nct_id: NctId
    state: str
    moved_to: str | None
    title: str | None
    org_study_id: str | None
    sponsor: str | None
    phases: str | None
    status: str | None
    start_date: str | None
    start_date_type: str | None
    primary_completion_date: str | None
    primary_completion_date_type: str | None
    completion_date: str | None
    completion_date_type: str | None
    enrollment: int | None
    first_submitted: str | None
    first_start_date: str | None
    first_primary_completion_date: str | None
    facts: str | None


class LastChange(NamedTuple):
    """The newest change of a trial that is not administrative."""

    event_id: int
    level: Level
    happened: datetime


class PlannedVersion(NamedTuple):
    """What a version of a trial says about its plan, and when."""

    nct_id: NctId
    state: State
    registry_version: int | None
    digest: str | None
    posted: str | None
    submitted: str | None
    observed: datetime | None
    fetched: datetime
    study_type: str | None
    primary_completion_date: str | None
    enrollment: int | None
    enrollment_type: str | None
    has_results: bool


class PortfolioReads(Reads):
    """Reads what a portfolio shows."""

    def heads(self, form: int) -> list[PortfolioHead]:
        """Return the followed trials that have a stored record, in order of their ids.

        `form` is that of the facts: see `trial_facts`.
        """
        values = {"form": form}
        with self._reading() as connection:
            rows = connection.execute(_heads(is_head=True), values).all()
            found = [PortfolioHead._make(row) for row in rows]
            if any(head.state != State.PRESENT for head in found):
                # the registry no longer shows these: their newest record is in an earlier version
                found = [head for head in found if head.state == State.PRESENT]
                rows = connection.execute(_heads(is_head=False), values).all()
                found = sorted(found + [PortfolioHead._make(row) for row in rows])
        return found

    def watches(self, *, are_moved: bool) -> dict[NctId, tuple[str, ...]]:
        """Return the names of the watches of each followed trial, in alphabetical order.

        Without `are_moved`, the caller knows that no other trial took over any of them.
        """
        statement = (
            select(WATCHED_TRIALS.c.nct_id, WATCHES.c.name)
            .select_from(WATCHED_TRIALS)
            .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
        )
        if are_moved:
            statement = statement.where(not_(is_taken_over()))
        found: dict[NctId, tuple[str, ...]] = {}
        with self._reading() as connection:
            for nct_id, name in connection.execute(statement).all():
                trial = NctId(nct_id)
                found[trial] = tuple(sorted((*found[trial], name))) if trial in found else (name,)
        return found

    def last_changes(self) -> dict[NctId, LastChange]:
        """Return the newest substantive change of each followed trial: the worst of its day."""
        levels = {level.value: level for level in Level}
        with self._reading() as connection:
            rows = connection.execute(_last_changes()).all()
        return {NctId(one): LastChange(key, levels[level], at) for one, key, level, at in rows}

    def changes_beside(self, event_ids: Sequence[int]) -> list[int]:
        """Return the ids of the substantive changes of the same trials at the same times."""
        one, beside = EVENTS.alias("one"), EVENTS.alias("beside")
        statement = (
            select(beside.c.id)
            .select_from(one)
            .join(
                beside, and_(beside.c.nct_id == one.c.nct_id, beside.c.happened == one.c.happened)
            )
        )
        found: list[int] = []
        with self._reading() as connection:
            for batch in batches(event_ids):
                wanted = statement.where(one.c.id.in_(batch), *_is_substantive(beside))
                found += connection.scalars(wanted)
        return found

    def planned(self, ids: Sequence[NctId]) -> dict[NctId, list[PlannedVersion]]:
        """Return what each version of these trials planned, oldest first."""
        found: dict[NctId, list[PlannedVersion]] = {nct_id: [] for nct_id in ids}
        columns = (SNAPSHOTS.c[name] for name in PlannedVersion._fields)
        statement = select(*columns).order_by(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.position)
        with self._reading() as connection:
            for batch in batches(ids):
                for row in connection.execute(statement.where(SNAPSHOTS.c.nct_id.in_(batch))):
                    version = PlannedVersion._make(row)
                    found[version.nct_id].append(version._replace(state=State(version.state)))
        return found


_OF_FIRST = {
    "first_start_date": "start_date",
    "first_primary_completion_date": "primary_completion_date",
}
_RENAMED = {"title": "brief_title", "sponsor": "lead_sponsor"}


@cache
def _heads(*, is_head: bool) -> Select[Any]:
    head, first = SNAPSHOTS.alias("head"), SNAPSHOTS.alias("first")
    columns: dict[str, Any] = {
        "nct_id": TRIALS.c.nct_id,
        "state": TRIALS.c.state,
        "moved_to": TRIALS.c.moved_to,
        # as text: the standard library reads JSON four times as slowly as the caller does
        "facts": type_coerce(TRIAL_FACTS.c.facts, Text),
    } | {name: first.c[column] for name, column in _OF_FIRST.items()}
    wanted = (
        columns[name] if name in columns else head.c[_RENAMED.get(name, name)]
        for name in PortfolioHead._fields
    )
    statement = select(*wanted).select_from(TRIALS)
    if is_head:
        statement = statement.join(head, head.c.id == TRIALS.c.head_snapshot_id)
    else:
        statement = statement.join(head, head.c.nct_id == TRIALS.c.nct_id).where(
            head.c.position == _outermost(func.max), TRIALS.c.state != State.PRESENT
        )
    return (
        statement.outerjoin(first, first.c.nct_id == TRIALS.c.nct_id)
        .where(first.c.position == _outermost(func.min))
        .outerjoin(
            TRIAL_FACTS,
            and_(
                TRIAL_FACTS.c.nct_id == TRIALS.c.nct_id,
                TRIAL_FACTS.c.digest == head.c.digest,
                TRIAL_FACTS.c.form == bindparam("form"),
            ),
        )
        .where(TRIALS.c.nct_id.in_(select(WATCHED_TRIALS.c.nct_id)))
        .order_by(TRIALS.c.nct_id)
    )


def _outermost(choose: Any) -> Any:
    """Return the position of the first or last version of a trial that has a record."""
    one = SNAPSHOTS.alias("outermost")
    return (
        select(choose(one.c.position))
        .where(one.c.nct_id == TRIALS.c.nct_id, one.c.digest.is_not(None))
        .correlate(TRIALS)
        .scalar_subquery()
    )


def _is_substantive(events: FromClause) -> tuple[ColumnElement[bool], ...]:
    return events.c.level != Level.ADMINISTRATIVE, events.c.kind.not_in(_NO_CHANGES)


@cache
def _last_changes() -> Select[str, int, str, datetime]:
    one = EVENTS.alias("one")
    rank = case({level.value: level.rank for level in Level}, value=one.c.level)
    newest = (
        select(one.c.id)
        .where(one.c.nct_id == TRIALS.c.nct_id, *_is_substantive(one))
        .order_by(one.c.happened.desc(), rank, one.c.id)
        .limit(1)
        .correlate(TRIALS)
        .scalar_subquery()
    )
    return (
        select(EVENTS.c.nct_id, EVENTS.c.id, EVENTS.c.level, EVENTS.c.happened)
        .select_from(TRIALS)
        .join(EVENTS, EVENTS.c.id == newest)
        .where(TRIALS.c.nct_id.in_(select(WATCHED_TRIALS.c.nct_id)))
    )
