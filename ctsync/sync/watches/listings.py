"""Query listings: the trials that the queries of watches match now, compared with the members.

Stores nothing. The registry may return an incomplete listing without an error, and ctsync reports
trials that leave a query. So a listing is used only if it is complete:

- It has as many distinct trials as the registry counts.
- All are of one load, which is the same before and after.
- A second request, limited to the trials that it lacks, confirms that they do not match.
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

    - `inside`: the trials that matched at the last listing, in the load `listed`.
    - `outside`: the trials that had left by then.
    - `named`: the trials followed whether they match or not; they neither enter nor leave.
    - `problem`: why the query cannot be requested. An older ctsync may not accept a query that a
      newer version stored.
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

    `entering` are trials that match now and were not members; `leaving` are members that no longer
    match. If the listing is incomplete, `problem` says why and both are empty. `total` is the
    registry's count.
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
        """Whether no trial matches now, although trials matched before."""
        return self.total == 0 and bool(self.watch.inside)


def query_watches(watches: Iterable[Watch]) -> list[QueryWatch]:
    """Return the stored watches that have a query."""
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
            return load, _unconfirmed(found, "the registry alternates between different loads")
        load = after
    return load, _unconfirmed(found, "the registry reloaded during each listing")


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
    """Return the listing of a query, or its problem."""
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
        return f"the registry answered from its load of {other[0]}, not from the load of {day}"
    return listing


def _compare(registry: Registry, watch: QueryWatch, listing: Listing | str) -> QueryListing:
    if isinstance(listing, str):
        return QueryListing(watch, problem=listing)
    known = watch.inside | watch.named
    # a trial that was taken over counts as a match if its successor matches
    leaving = watch.inside - listing.ids - listing.aliases.keys()
    entering = listing.ids - known
    if leaving and watch.listed is not None:
        try:
            still = registry.matching(watch.query.params, leaving)
        except RegistryError as error:
            return QueryListing(
                watch, listing.total, problem=f"the leaving trials were not confirmed: {error}"
            )
        left_out = {old for old, now in still.items() if now == old}
        if left_out:
            text = f"the listing lacks {len(left_out)} of the trials that match on a second request"
            return QueryListing(watch, listing.total, problem=text)
        leaving -= still.keys()
    return QueryListing(watch, listing.total, entering, leaving)


def _unconfirmed(found: Iterable[QueryListing], problem: str) -> tuple[QueryListing, ...]:
    return tuple(
        replace(one, entering=frozenset(), leaving=frozenset(), problem=one.problem or problem)
        for one in found
    )


def unlisted(listed: Iterable[QueryListing]) -> list[str]:
    """Return the watches that could not be listed, and why, as sentences."""
    return [
        f"watch {one.watch.name} could not be listed: {one.problem}"
        for one in listed
        if one.problem is not None
    ]


def with_entering(ids: Iterable[NctId], listed: Iterable[QueryListing]) -> list[NctId]:
    """Return the given trials and the trials that enter a query, once each."""
    return list(dict.fromkeys([*ids, *(n for one in listed for n in sorted(one.entering))]))
