"""Why a trial no longer matches a question: what of it changed that the question asks for.

Pure, no I/O. The registry does not say why; but it answers by the record, and what changed in
the record is known.
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

_LOOKS_AT: Mapping[str, tuple[str, ...]] = {
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
"""What each parameter looks at, by the beginnings of paths; one that is not here at anything."""

_NO_REASON = frozenset({Kind.FIRST_SEEN, Kind.REGISTERED, Kind.ENTERED, Kind.LEFT})


def why_left(query: Query, since: Iterable[Event]) -> Sequence[Event]:
    """Those of the events since a trial last matched that may be why it does not; worst first.

    What a parameter names outright comes before what one that looks at everything might have
    looked at; of the latter only what is more than administrative.
    """
    events = [event for event in since if event.kind not in _NO_REASON]
    places = [_LOOKS_AT.get(name) for name in query.params]
    named = tuple(place for known in places if known for place in known)
    reasons = [event for event in events if named and event.path.startswith(named)]
    if not reasons and None in places:
        reasons = [event for event in events if event.level is not Level.ADMINISTRATIVE]
    return sorted(reasons, key=lambda event: event.level.rank)[:MOST_REASONS]
