"""Adds trials and queries to a watch: the use case of `watch add`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from ctsync.config.value_reader import BadValue, read_value
from ctsync.config.values import Name
from ctsync.errors import BadNctId, UsageError
from ctsync.pasted_url import is_url, query_of, trial_of
from ctsync.query import PARAMETERS, Query, exactly, read_query
from ctsync.questions.results.watch_rows import FollowedRow
from ctsync.store.store import Store
from ctsync.sync.watches.query_preview import NamedTrials
from ctsync.sync.watches.resolve import ResolvedTerm

DEFAULT_WATCH = "default"


def checked_name(name: str) -> str:
    """Check the name of a watch by the rules of the settings file; raises UsageError."""
    try:
        return str(read_value(name, Name))
    except BadValue as bad:
        raise UsageError(f"--name: {bad}") from None


def split_terms(terms: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the terms that name trials, and the URLs of searches; each once."""
    named_terms: list[str] = []
    searches: list[str] = []
    for term in dict.fromkeys(terms):
        try:
            is_search = is_url(term) and trial_of(term) is None
        except BadNctId:
            is_search = False  # resolve_all reports it, together with other wrong terms
        (searches if is_search else named_terms).append(term)
    return named_terms, searches


def build_query(
    searches: Sequence[str] = (),
    pairs: Iterable[tuple[str, str]] = (),
    *,
    sponsor: str | None = None,
    condition: str | None = None,
    base: Mapping[str, object] | None = None,
) -> Query | None:
    """Build and check the query of a watch; None if there is none.

    `base` is the query of another watch, `searches` the URL of a search. A pair of a parameter,
    by its long or short name, and its value replaces a part of these. Raises UsageError.
    """
    if len(searches) > 1:
        raise UsageError("a watch follows one search: give each URL its own --name")
    if base and searches:
        raise UsageError("specify a URL or --from for the query, not both")
    given: dict[str, object] = dict(base or {})
    given.update(query_of(searches[0]) if searches else {})
    given.update({PARAMETERS.get(name, name): value for name, value in pairs})
    for name, text in (("query.spons", sponsor), ("query.cond", condition)):
        if text is not None:
            if name in given:
                others = "--query, --from or a URL"
                raise UsageError(f"{name} is given twice: by name and by {others}")
            given[name] = exactly(text)
    return read_query(given) if given else None


def follow(
    store: Store, name: str, resolved: Sequence[ResolvedTerm], query: Query | None, *, now: datetime
) -> int:
    """Add trials and a query to a watch, in one transaction; creates the watch if needed.

    Returns how many of the trials are new to the watch. Raises UsageError if the settings file
    defines the watch, or if it has another query.
    """
    known = next((watch for watch in store.watches.all() if watch.name == name), None)
    if known is not None and known.origin == "file":
        raise UsageError(f"the watch {name!r} is defined in the settings file; add the trial there")
    if known is not None and query is not None and known.query not in (None, dict(query.params)):
        raise UsageError(
            f"the watch {name!r} has another query; choose another --name, or remove it first: "
            "ctsync watch remove"
        )
    with store.unit() as unit:
        if query is not None:
            unit.watches.add(name, query=query.params)
        if not resolved:
            return 0
        terms = {one.nct_id: one.asked_as for one in resolved}
        return unit.watches.add_trials(name, terms, now)


def followed_rows(
    resolved: Sequence[ResolvedTerm], named: NamedTrials, query: Query | None, *, name: str
) -> Iterator[FollowedRow]:
    """Yield a row per trial that a watch now follows, and the row of its query."""
    for one in resolved:
        match = named.found.get(one.nct_id)
        yield FollowedRow(
            term=one.term,
            nct_id=one.nct_id,
            watch=name,
            status=match.status if match else None,
            sponsor=match.sponsor if match else None,
            title=match.title if match else None,
            query=None,
        )
    if query is not None:
        nothing = dict.fromkeys(("term", "nct_id", "status", "sponsor", "title"))
        yield FollowedRow(watch=name, query=dict(query.params), **nothing)
