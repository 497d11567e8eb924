"""Query listings: the trials that the queries of watches match now and matched before.

Stores nothing. A listing may be incomplete without saying so, and people are notified of trials
that leave a query. So a listing is used only if it is complete:

- It has as many distinct trials as the registry counts.
- All are of one load, which is the same before and after.
- Each trial that it lacks was requested alone, and the registry confirmed that it does not match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ctsync.errors import BadQuery, RegistryError
from ctsync.model import NctId, RegistryVersion
from ctsync.query import Query, read_query
from ctsync.registry.interface import Registry
from ctsync.registry.listing import Listing
from ctsync.store.data.watches import Watch

FIELDS = "NCTId|NCTIdAlias|VersionHolder"
MOST_RELOADS = 2


@dataclass(frozen=True, slots=True)
class QueryWatch:
    """A query watch, and the trials it follows.

    - `inside`: matched at the last listing, in the load `listed`.
    - `outside`: had left by then.
    - `named`: followed whether they match or not; they neither enter nor leave.
    - `problem`: why the query cannot be requested. An older release may not accept what a newer one
      does.
    """

    name: str
    query: Query
    inside: frozenset[NctId] = frozenset()
    outside: frozenset[NctId] = frozenset()
    named: frozenset[NctId] = frozenset()
    listed: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class QueryListing:
    """The result of listing one watch.

    `entering` match now and did not, or were unknown; `leaving` no longer match. If the listing is
    incomplete, `problem` says why and both are empty. `total` is the registry's count.
    """

    watch: QueryWatch
    total: int | None = None
    entering: frozenset[NctId] = frozenset()
    leaving: frozenset[NctId] = frozenset()
    problem: str | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether it is the first listing of its query; its trials are then not reported."""
        return self.watch.listed is None

    @property
    def is_empty(self) -> bool:
        """Whether nothing matches now, although something did."""
        return self.total == 0 and bool(self.watch.inside)


def query_watches(watches: Iterable[Watch]) -> list[QueryWatch]:
    """The stored watches that have a query."""
    found = []
    for watch in watches:
        if watch.query is None:
            continue
        query, problem = Query(dict(watch.query)), None
        try:
            query = read_query(watch.query)
        except BadQuery as bad:
            problem = str(bad)
        brought = [trial for trial in watch.trials if trial.by_query]
        found.append(
            QueryWatch(
                watch.name,
                query,
                inside=frozenset(trial.nct_id for trial in brought if trial.left_at is None),
                outside=frozenset(trial.nct_id for trial in brought if trial.left_at is not None),
                named=frozenset(trial.nct_id for trial in watch.trials if not trial.by_query),
                listed=watch.listed,
                problem=problem,
            )
        )
    return found


def list_queries(
    registry: Registry, watches: Sequence[QueryWatch], load: RegistryVersion
) -> tuple[RegistryVersion, tuple[QueryListing, ...]]:
    """List every watch in one load; return that load and the listings.

    If the load changes meanwhile, all watches are listed again, at most twice. Raises nothing: a
    failure becomes the `problem` of its watch.
    """
    if not watches:
        return load, ()
    for _ in range(MOST_RELOADS + 1):
        found = _list_all(registry, watches, load)
        try:
            after = registry.version()
        except RegistryError as error:
            return load, _unconfirmed(found, f"the load could not be confirmed: {error}")
        if after.data_timestamp == load.data_timestamp:
            return load, found
        if after.data_timestamp < load.data_timestamp:
            return load, _unconfirmed(found, "the registry shows different loads by turns")
        load = after
    return load, _unconfirmed(found, "the registry reloaded each time it was listed")


def _list_all(
    registry: Registry, watches: Sequence[QueryWatch], load: RegistryVersion
) -> tuple[QueryListing, ...]:
    """List every watch; watches with equal queries share one listing."""
    listings: dict[Query, Listing | str] = {}
    found = []
    for watch in watches:
        if watch.problem is not None:
            found.append(QueryListing(watch, problem=watch.problem))
            continue
        if watch.query not in listings:
            listings[watch.query] = _listing(registry, watch.query, load)
        found.append(_compare(registry, watch, listings[watch.query]))
    return tuple(found)


def _listing(registry: Registry, query: Query, load: RegistryVersion) -> Listing | str:
    """The listing of a query, or its problem."""
    listing = registry.listing({**query.params, "fields": FIELDS})
    try:
        for _ in listing:
            pass
    except RegistryError as error:
        return str(error)
    if listing.problem is not None:
        return listing.problem
    day = load.data_timestamp.date()
    if other := [shown for shown in listing.days if shown != day]:
        return f"the registry answered from its load of {other[0]}, not from that of {day}"
    return listing


def _compare(registry: Registry, watch: QueryWatch, listing: Listing | str) -> QueryListing:
    if isinstance(listing, str):
        return QueryListing(watch, problem=listing)
    known = watch.inside | watch.named
    # a trial that another took over is in the query if its successor is; the watch follows that
    leaving = watch.inside - listing.ids - listing.aliases.keys()
    entering = listing.ids - known
    if leaving and watch.listed is not None:
        try:
            still = registry.matching(watch.query.params, leaving)
        except RegistryError as error:
            return QueryListing(
                watch, listing.total, problem=f"what it lacks was not confirmed: {error}"
            )
        left_out = {old for old, now in still.items() if now == old}
        if left_out:
            text = f"it lacks {len(left_out)} of the trials that match when asked for alone"
            return QueryListing(watch, listing.total, problem=text)
        leaving -= still.keys()
    return QueryListing(watch, listing.total, entering, leaving)


def _unconfirmed(found: Iterable[QueryListing], problem: str) -> tuple[QueryListing, ...]:
    return tuple(
        replace(one, entering=frozenset(), leaving=frozenset(), problem=one.problem or problem)
        for one in found
    )


def unlisted(listed: Iterable[QueryListing]) -> list[str]:
    """The watches that could not be listed, and why; in words."""
    return [
        f"watch {one.watch.name} could not be listed: {one.problem}"
        for one in listed
        if one.problem is not None
    ]


def with_entering(ids: Iterable[NctId], listed: Iterable[QueryListing]) -> list[NctId]:
    """The given trials and those that enter a query, once each."""
    return list(dict.fromkeys([*ids, *(n for one in listed for n in sorted(one.entering))]))
