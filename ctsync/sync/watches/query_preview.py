"""Previews of trials that may be followed: trials that a query matches, and named trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctsync.errors import RequestRefused, UsageError
from ctsync.model import NctId
from ctsync.query import Query
from ctsync.registry.identity import at, identity_of
from ctsync.registry.interface import Registry
from ctsync.text import shorten

SHOWN = 10
_FIELDS = "NCTId|NCTIdAlias|BriefTitle|OverallStatus|LeadSponsorName"
_BATCH = 200


@dataclass(frozen=True, slots=True)
class QueryMatch:
    """A trial in a listing. A value that its record lacks is "-"."""

    nct_id: NctId
    status: str
    title: str
    sponsor: str


@dataclass(frozen=True, slots=True)
class QueryPreview:
    """The number of matching trials, None if the registry did not give it, and some of them."""

    total: int | None
    shown: Sequence[QueryMatch]


def preview_query(registry: Registry, query: Query, *, size: int = SHOWN) -> QueryPreview:
    """Request the number of matching trials and the first few of them.

    Sends one request and stores nothing. Raises UsageError with the registry's message if it
    rejects the query. Also raises UsageError if a query with facets matches nothing, because the
    registry gives the same answer for an unknown facet option.
    """
    listing = registry.listing({**query.params, "fields": _FIELDS}, page_size=size)
    try:
        page = next(iter(listing))
    except RequestRefused as refused:
        message = shorten(" ".join(refused.body.split()), 300) or str(refused)
        raise UsageError(f"the registry rejects the query: {message}") from refused
    if listing.total == 0 and "aggFilters" in query.params:
        raise UsageError(
            "no trial matches; the registry gives the same answer if it does not know an option of "
            "aggFilters: check it, or use overallStatus or advanced"
        )
    matches = [found for study in page.studies if (found := _match(study))]
    return QueryPreview(listing.total, matches[:size])


def look_up(registry: Registry, ids: Sequence[NctId]) -> Mapping[NctId, QueryMatch]:
    """Request previews of trials, by requested id; trials that the registry lacks are left out.

    The preview of a trial requested by an alias has its current id. Sends one request per 200
    trials and stores nothing. Raises RegistryError.
    """
    wanted = list(dict.fromkeys(ids))
    found: dict[NctId, QueryMatch] = {}
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        for study in _listed(registry, batch):
            identity, match = identity_of(study), _match(study)
            names = identity.names.intersection(batch) if identity else ()
            found.update({name: match for name in names if match})
    return found


def _listed(registry: Registry, batch: Sequence[NctId]) -> list[Any]:
    # a full page would cause a request for the next page
    listing = registry.listing(
        {"filter.ids": "|".join(batch), "fields": _FIELDS}, page_size=len(batch) + 1
    )
    return [study for page in listing for study in page.studies]


def _match(study: object) -> QueryMatch | None:
    identity = identity_of(study)
    if identity is None:
        return None
    protocol = at(study, "protocolSection")
    return QueryMatch(
        identity.nct_id,
        status=str(at(protocol, "statusModule", "overallStatus") or "-"),
        title=str(at(protocol, "identificationModule", "briefTitle") or "-"),
        sponsor=str(at(protocol, "sponsorCollaboratorsModule", "leadSponsor", "name") or "-"),
    )
