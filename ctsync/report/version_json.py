"""One stored version as JSON. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from ctsync.dates import format_timestamp
from ctsync.model import STUDY_PAGE, JsonObject, StoredEvent, Version


def version_json(version: Version, step: Sequence[StoredEvent]) -> JsonObject:
    """A version in the published schema; `step` holds the events that led to it.

    `level` is the worst level among these events, null if there are none.
    """
    key = version.key
    levels = sorted((stored.event.level for stored in step), key=lambda level: level.rank)
    url = STUDY_PAGE + version.nct_id
    if version.registry_version is not None:
        url += f"?tab=history&a={version.registry_version + 1}"
    return {
        "nct_id": version.nct_id,
        "version": version.version,
        "registry_version": version.registry_version,
        "source": version.source.value,
        "state": version.state.value,
        "posted": version.posted,
        "submitted": version.submitted,
        "observed": format_timestamp(version.observed) if version.observed else None,
        "fetched": format_timestamp(version.fetched),
        "status": key.status,
        "start_date": key.start_date,
        "start_date_type": key.start_date_type,
        "primary_completion_date": key.primary_completion_date,
        "primary_completion_date_type": key.primary_completion_date_type,
        "completion_date": key.completion_date,
        "completion_date_type": key.completion_date_type,
        "enrollment": key.enrollment,
        "enrollment_type": key.enrollment_type,
        "level": levels[0].value if levels else None,
        "kinds": list(dict.fromkeys(stored.event.kind.value for stored in step)),
        "digest": version.digest,
        "url": url,
    }
