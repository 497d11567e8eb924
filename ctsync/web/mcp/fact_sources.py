"""The stored versions that the rows of an answer come from, with their digests and links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctsync.model import STUDY_PAGE, NctId, Version, compare_url
from ctsync.store.store import Store
from ctsync.web.mcp.tool import FactKey


@dataclass(frozen=True, slots=True)
class FactSource:
    """The stored version that rows come from."""

    rows: tuple[int, ...]
    """The places in `rows` of the rows that come from it, from 0."""
    nct_id: NctId
    """The NCT id of the trial."""
    version: int
    """The number of the version in ctsync, from 1."""
    registry_version: int | None
    """The registry's own number of the version, from 0; null if it is not known."""
    posted: str | None
    """The date on which the registry posted the version."""
    digest: str | None
    """Identifies the content of the record; null if the version has no record."""
    from_version: int | None
    """The version before the change; null if the rows are not a change."""
    from_digest: str | None
    """The digest of the version before the change."""
    url: str
    """The page of the version at the registry, or of the trial if its number is not known."""
    compare_url: str | None
    """The registry's page that compares the two versions; null if their numbers are not known."""


def fact_sources(store: Store, facts: Sequence[FactKey]) -> tuple[FactSource, ...]:
    """Return one source per version that rows come from, in the order of the rows."""
    places: dict[FactKey, list[int]] = {}
    for place, key in enumerate(facts):
        places.setdefault(key, []).append(place)
    versions = store.versions.of_many(list(dict.fromkeys(key.nct_id for key in places)))
    return tuple(
        _source(key, tuple(rows), versions[key.nct_id])
        for key, rows in places.items()
        if versions[key.nct_id]
    )


def _source(key: FactKey, rows: tuple[int, ...], versions: Sequence[Version]) -> FactSource:
    version = versions[-1 if key.version is None else key.version - 1]
    older = versions[key.from_version - 1] if key.from_version else None
    number = version.registry_version
    before = older.registry_version if older else None
    page = STUDY_PAGE + key.nct_id
    return FactSource(
        rows=rows,
        nct_id=key.nct_id,
        version=version.version,
        registry_version=number,
        posted=version.posted,
        digest=version.digest,
        from_version=older.version if older else None,
        from_digest=older.digest if older else None,
        url=page if number is None else f"{page}?tab=history&a={number + 1}",
        compare_url=None
        if number is None or before is None
        else compare_url(key.nct_id, before, number),
    )
