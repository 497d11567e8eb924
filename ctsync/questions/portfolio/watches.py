"""The watches and the trials they follow. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ctsync.errors import UsageError
from ctsync.model import KeyFields, NctId
from ctsync.query import Query
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.data.watches import Watch
from ctsync.store.store import Store
from ctsync.text import nearest_words


@dataclass(frozen=True, slots=True)
class WatchedTrialRow:
    """A trial that a watch follows."""

    nct_id: NctId
    """The NCT id of the trial."""
    asked_as: str | None
    """The study id or old NCT id that the trial was added by; null if it was its own NCT id."""
    by_query: bool
    """True if the query of the watch added the trial, false if it was added by name."""
    left_at: datetime | None
    """The data refresh in which the trial left the query; null if it has not left."""
    unknown_since: datetime | None
    """The first data refresh without the trial, if no refresh ever contained it; otherwise null."""
    history: str | None
    """How far the registry history was fetched: complete, partial, none or unavailable, with the
    reason; null if it was not requested."""


@dataclass(frozen=True, slots=True)
class MergedTrialRow:
    """A trial of a watch that the registry merged into another one."""

    nct_id: NctId
    """The NCT id that was requested."""
    into: NctId
    """The trial that ctsync follows in its place, until the registry ends the merger."""
    asked_as: str | None
    """The study id that the trial was added by; null if it was its own NCT id."""


@dataclass(frozen=True, slots=True)
class WatchRow:
    """A watch: the trials and the query that it follows."""

    name: str
    """The name of the watch."""
    origin: str
    """Where the watch is defined: `file`, the settings file, or `cli`, the command line."""
    query: Mapping[str, Any] | None
    """The registry query, by parameter; null if the watch follows named trials only."""
    listed: datetime | None
    """The newest data refresh in which ctsync listed all trials of the query; null if none yet."""
    matching: int
    """Number of trials that match the query."""
    left: int
    """Number of trials that left the query, which ctsync keeps following."""
    trials: tuple[WatchedTrialRow, ...]
    """The trials that the watch follows, including trials that left."""
    merged: tuple[MergedTrialRow, ...]
    """The merged trials of the watch; it follows other trials in their place."""


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """Facts about the trials of watches: `unknown` since which load, and `histories`."""

    unknown: Mapping[NctId, datetime | None]
    histories: Mapping[NctId, str]


def member_facts(store: Store, watches: Iterable[Watch]) -> MemberFacts:
    """Read the facts about the trials that watches follow."""
    ids = list(dict.fromkeys(trial.nct_id for watch in watches for trial in watch.trials))
    seen = store.trials.sightings(ids)
    return MemberFacts(
        {n: one.absent_since for n, one in seen.items() if not one.is_stored and one.absent_since},
        {nct_id: one.state for nct_id, one in store.histories.states(ids).items()},
    )


def watch_row(watch: Watch, facts: MemberFacts) -> WatchRow:
    """The row of a watch."""
    by_query = [trial for trial in watch.trials if trial.by_query]
    left = sum(trial.left_at is not None for trial in by_query)
    return WatchRow(
        name=watch.name,
        origin=watch.origin,
        query=watch.query,
        listed=watch.listed,
        matching=len(by_query) - left,
        left=left,
        trials=tuple(
            WatchedTrialRow(
                trial.nct_id,
                trial.asked_as or None,
                by_query=trial.by_query,
                left_at=trial.left_at,
                unknown_since=facts.unknown.get(trial.nct_id),
                history=facts.histories.get(trial.nct_id),
            )
            for trial in watch.trials
        ),
        merged=tuple(
            MergedTrialRow(one.trial.nct_id, one.into, one.trial.asked_as or None)
            for one in watch.merged
        ),
    )


def query_text(watch: Watch | WatchRow) -> str:
    """Return the query of a watch in the form that `--query` takes."""
    return str(Query(dict(watch.query or {})))


@dataclass(frozen=True, slots=True)
class ListedWatch:
    """A watch and the trials to list, those that left first, then by id.

    `keys` are the newest key fields of the listed trials; a trial without a record has none.
    """

    row: WatchRow
    keys: Mapping[NctId, KeyFields]
    listed: tuple[WatchedTrialRow, ...]


def list_watches(store: Store, *, most: int | None = None) -> tuple[ListedWatch, ...]:
    """List the watches with their trials, `most` of each if given."""
    watches = store.watches.all()
    facts = member_facts(store, watches)
    rows = [watch_row(watch, facts) for watch in watches]
    listed = [
        tuple(sorted(row.trials, key=lambda trial: (trial.left_at is None, trial.nct_id))[:most])
        for row in rows
    ]
    keys = store.versions.newest_keys({one.nct_id for trials in listed for one in trials})
    return tuple(
        ListedWatch(row, {t.nct_id: keys[t.nct_id] for t in trials if t.nct_id in keys}, trials)
        for row, trials in zip(rows, listed, strict=True)
    )


def require_watch(store: Store, name: str | None) -> None:
    """Raise UsageError if `name` is given and no watch has it."""
    if name is not None and name not in (names := store.watches.origins()):
        likely = nearest_words(name, names)
        hint = f"did you mean {likely[0]!r}? see: " if likely else "see: "
        raise UsageError(f"there is no watch {name!r}; {hint}ctsync watch list")


def find_watch(store: Store, name: str) -> Watch:
    """The watch of that name; raises UsageError if there is none."""
    found = next((one for one in store.watches.all() if one.name == name), None)
    if found is None:
        raise UsageError(f"there is no watch {name!r}; see: ctsync watch list")
    return found


def members_of(store: Store, name: str) -> Sequence[NctId]:
    """The trials of a watch; raises UsageError if there is no such watch."""
    return [trial.nct_id for trial in find_watch(store, name).trials]


def followed_trials(store: Store, *, watch: str | None = None) -> Sequence[NctId]:
    """Return the stored trials that one watch, or any watch, follows."""
    return store.watched.stored_ids(TrialSelection(watch=watch))


SCHEMAS = {"watch": WatchRow}
