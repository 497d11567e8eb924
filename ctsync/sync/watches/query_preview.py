"""Preview of a query before anything is stored: how many trials match, and some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctsync.errors import RequestRefused, UsageError
from ctsync.model import NctId
from ctsync.query import Query
from ctsync.registry.api import Registry
from ctsync.registry.identity import at, identity_of
from ctsync.text import shorten

SHOWN = 10
_FIELDS = "NCTId|BriefTitle|OverallStatus"


@dataclass(frozen=True, slots=True)
class QueryMatch:
    """A matching trial, as a listing shows it."""

    nct_id: NctId
    status: str
    title: str


@dataclass(frozen=True, slots=True)
class QueryPreview:
    """The number of matching trials, None if the registry did not give it, and some of them."""

    total: int | None
    shown: Sequence[QueryMatch]


def preview_query(registry: Registry, query: Query, *, size: int = SHOWN) -> QueryPreview:
    """Request the number of matching trials and the first few of them.

    Sends one request and stores nothing. Raises UsageError with the registry's own words if it
    refuses the query. Also raises UsageError if a query with facets matches nothing: the registry
    answers so for a facet option that it does not know.
    """
    listing = registry.listing({**query.params, "fields": _FIELDS}, page_size=size)
    try:
        page = next(iter(listing))
    except RequestRefused as refused:
        message = shorten(" ".join(refused.body.split()), 300) or str(refused)
        raise UsageError(f"the registry does not take the query: {message}") from refused
    if listing.total == 0 and "aggFilters" in query.params:
        raise UsageError(
            "no trial matches; the registry says so too of an option of aggFilters that it does "
            "not know: check it, or write the same as overallStatus or advanced"
        )
    matches = [found for study in page.studies if (found := _match(study))]
    return QueryPreview(listing.total, matches[:size])


def _match(study: object) -> QueryMatch | None:
    identity = identity_of(study)
    if identity is None:
        return None
    module = at(study, "protocolSection", "identificationModule")
    status = at(study, "protocolSection", "statusModule", "overallStatus")
    return QueryMatch(identity.nct_id, str(status or "-"), str(at(module, "briefTitle") or "-"))
