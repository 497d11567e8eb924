"""Previews of trials that may be followed: trials that a query matches, and named trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctsync.errors import RegistryError, RequestRefused, UsageError
from ctsync.model import NctId
from ctsync.query import Query
from ctsync.registry.identity import at, identity_of
from ctsync.registry.interface import Registry
from ctsync.text import shorten

SHOWN = 10
_FIELDS = "NCTId|NCTIdAlias|BriefTitle|OverallStatus|LeadSponsorName"


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


@dataclass(frozen=True, slots=True)
class NamedTrials:
    """What the registry shows of named trials: those found, and those that it failed to show.

    It has no trial of an id that is in neither.
    """

    found: Mapping[NctId, QueryMatch]
    failed: Mapping[NctId, RegistryError]


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


def look_up(registry: Registry, ids: Sequence[NctId]) -> NamedTrials:
    """Request previews of trials, by requested id; trials that the registry lacks are left out.

    The preview of a trial requested by an alias has its current id. Stores nothing. Raises
    RegistryError if a batch of several trials cannot be fetched, or every trial fails alone.
    """
    found: dict[NctId, QueryMatch] = {}
    failed: dict[NctId, RegistryError] = {}
    for batch, studies in registry.fields_of(list(dict.fromkeys(ids)), _FIELDS):
        if isinstance(studies, RegistryError):
            if len(batch) > 1:
                raise studies
            failed[batch[0]] = studies
            continue
        for study in studies:
            identity, match = identity_of(study), _match(study)
            names = identity.names.intersection(batch) if identity else ()
            found.update({name: match for name in names if match})
    if failed and not found:
        raise next(iter(failed.values()))
    return NamedTrials(found, failed)


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
