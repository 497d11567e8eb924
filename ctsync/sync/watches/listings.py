"""What the queries of watches match now, against what they matched before; stores nothing.

A listing may be short without saying so, and a trial that seems to have left a query is told to
people. So nothing is made of a listing that is not proved whole: as many distinct trials as the
registry counts, of one load, the same before and after; and of those that it lacks, the registry
has said once more, asked for them alone, that they do not match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ctsync.errors import BadQuery, RegistryError
from ctsync.model import NctId, RegistryVersion
from ctsync.query import Query, read_query
from ctsync.registry.api import Registry
from ctsync.registry.listing import Listing
from ctsync.store.data.watches import Watch

FIELDS = "NCTId|NCTIdAlias|VersionHolder"
MOST_RELOADS = 2


@dataclass(frozen=True, slots=True)
class QueryWatch:
    """A watch by query, and the trials it follows for that.

    `inside` matched when it was last listed, in the load `listed`; `outside` had left by then.
    `named` are followed whether they match or not, and neither enter nor leave. `problem` says
    why the query cannot be asked: what one release takes, an older one may not.
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
    """What came of listing one watch.

    `entering` match and did not, or were not known; `leaving` do not match any more. Where the
    listing is not proved whole, `problem` says why, and both are empty. `total` is how many the
    registry counts.
    """

    watch: QueryWatch
    total: int | None = None
    entering: frozenset[NctId] = frozenset()
    leaving: frozenset[NctId] = frozenset()
    problem: str | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether it is the first of its query: what it brings is no news."""
        return self.watch.listed is None

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all matches, where something did."""
        return self.total == 0 and bool(self.watch.inside)


def query_watches(watches: Iterable[Watch]) -> list[QueryWatch]:
    """Those of the stored watches that have a query."""
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
    """List every watch, all in one load; gives that load.

    A load that changes meanwhile has all of it done again, twice at most. Raises nothing: what
    cannot be had is the problem of the watch it was for.
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
    """Every watch listed; watches that ask the same share one listing."""
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
    """The listing of a query, or what is wrong with it."""
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
    # a trial that another took over is in where that one is, and the watch will follow it there
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
    """Which watches could not be listed, and why; in words."""
    return [
        f"watch {one.watch.name} could not be listed: {one.problem}"
        for one in listed
        if one.problem is not None
    ]


def with_entering(ids: Iterable[NctId], listed: Iterable[QueryListing]) -> list[NctId]:
    """Trials, and those that enter a query besides, once each."""
    return list(dict.fromkeys([*ids, *(n for one in listed for n in sorted(one.entering))]))
