"""Reasons why a trial no longer matches a query: changes of fields that the query searches.

The registry gives no reason. But it decides by the record, and the record's changes are known.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ctsync.model import Event, Kind, Level
from ctsync.query import Query

MOST_REASONS = 3

_PROTOCOL, _DERIVED = "protocolSection.", "derivedSection."
_TITLES = tuple(
    f"{_PROTOCOL}identificationModule.{name}" for name in ("acronym", "briefTitle", "officialTitle")
)
_SPONSORS = f"{_PROTOCOL}sponsorCollaboratorsModule"
_SITES = f"{_PROTOCOL}contactsLocationsModule.locations"

_SEARCHED_PATHS: Mapping[str, tuple[str, ...]] = {
    "query.cond": (
        *(f"{_PROTOCOL}conditionsModule", f"{_DERIVED}conditionBrowseModule"),
        *_TITLES,
    ),
    "query.intr": (
        *(f"{_PROTOCOL}armsInterventionsModule", f"{_DERIVED}interventionBrowseModule"),
        *(f"{_PROTOCOL}conditionsModule.keywords", *_TITLES),
    ),
    "query.outc": (f"{_PROTOCOL}outcomesModule", "resultsSection.outcomeMeasuresModule"),
    "query.titles": _TITLES,
    "query.locn": (_SITES,),
    "query.spons": (_SPONSORS, f"{_PROTOCOL}identificationModule.organization"),
    "query.lead": (f"{_SPONSORS}.leadSponsor",),
    "query.id": (f"{_PROTOCOL}identificationModule",),
    "filter.overallStatus": (f"{_PROTOCOL}statusModule.overallStatus",),
    "filter.geo": (_SITES,),
}
"""Prefixes of the paths that each parameter searches. Any other parameter searches all paths."""

_NO_REASON = frozenset({Kind.FIRST_SEEN, Kind.REGISTERED, Kind.ENTERED, Kind.LEFT, Kind.FLAG})


def why_left(query: Query, since: Iterable[Event]) -> Sequence[Event]:
    """Return the events that may explain why a trial left a query, worst level first.

    `since` holds the events since the trial last matched. Returns at most MOST_REASONS events.
    Events about paths that a parameter searches are preferred. If there are none, and a parameter
    searches all paths, every event above the administrative level is a possible reason.
    """
    events = [event for event in since if event.kind not in _NO_REASON]
    places = [_SEARCHED_PATHS.get(name) for name in query.params]
    named = tuple(place for known in places if known for place in known)
    reasons = [event for event in events if named and event.path.startswith(named)]
    if not reasons and None in places:
        reasons = [event for event in events if event.level is not Level.ADMINISTRATIVE]
    return sorted(reasons, key=lambda event: event.level.rank)[:MOST_REASONS]
