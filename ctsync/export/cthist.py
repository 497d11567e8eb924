"""Versions as the table of the R package cthist, for scripts that read it. Does no I/O.

Names, meaning and order of the columns are those of `clinicaltrials_gov_download` in cthist 2.1:
one row per version, numbered from 0 as in the registry; a month is its first day with precision
"month"; statuses and types are the registry's current terms; lists are JSON. Differences:

version_number   NA for a version without a number in the registry's history: either only a sync
                 saw it, such as a change to UNKNOWN, or no history was fetched
total_versions   number of the trial's versions that have a number
version_date     for a version without a number, its first day
criteria         Markdown, as in the API; cthist has HTML
ctsync_version, source   two more columns at the end: ctsync's own number, from 1, and where the
                 version was seen (live, history or both)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson

from ctsync.dates import PartialDate
from ctsync.model import MISSING, JsonObject, Version
from ctsync.record.fields.lookup import value_at

COLUMNS = (
    "nctid", "version_number", "total_versions", "version_date", "overall_status",
    "study_start_date", "study_start_date_precision",
    "primary_completion_date", "primary_completion_date_precision",
    "primary_completion_date_type", "enrolment", "enrolment_type", "min_age", "max_age", "sex",
    "accepts_healthy_volunteers", "criteria", "outcome_measures", "overall_contacts",
    "central_contacts", "responsible_party", "lead_sponsor", "collaborators", "locations",
    "whystopped", "results_posted", "references", "orgstudyid", "secondaryids",
    "ctsync_version", "source",
)  # fmt: skip

_PROTOCOL = "protocolSection"
_PLAIN = {
    "min_age": "eligibilityModule.minimumAge",
    "max_age": "eligibilityModule.maximumAge",
    "sex": "eligibilityModule.sex",
    "accepts_healthy_volunteers": "eligibilityModule.healthyVolunteers",
    "criteria": "eligibilityModule.eligibilityCriteria",
}
_TABLES = {
    "overall_contacts": "contactsLocationsModule.overallOfficials",
    "central_contacts": "contactsLocationsModule.centralContacts",
    "responsible_party": "sponsorCollaboratorsModule.responsibleParty",
    "lead_sponsor": "sponsorCollaboratorsModule.leadSponsor",
    "collaborators": "sponsorCollaboratorsModule.collaborators",
    "locations": "contactsLocationsModule.locations",
    "references": "referencesModule.references",
    "secondaryids": "identificationModule.secondaryIdInfos",
}
_OUTCOMES = {
    "Primary": "primaryOutcomes",
    "Secondary": "secondaryOutcomes",
    "Other": "otherOutcomes",
}


def version_date(version: Version, stood_from: date) -> str:
    """Return a version's date: its submission if the registry history has it, else `stood_from`.

    `stood_from` is the first day of the version, according to the database.
    """
    if version.registry_version is not None and version.submitted:
        return version.submitted
    return stood_from.isoformat()


def cthist_row(
    version: Version, body: JsonObject, *, stood_from: date, total: int | None
) -> dict[str, Any]:
    """Return a version with a record as a row of COLUMNS."""
    key = version.key
    return {
        "nctid": version.nct_id,
        "version_number": version.registry_version,
        "total_versions": total,
        "version_date": version_date(version, stood_from),
        "overall_status": key.status,
        **_date("study_start_date", key.start_date),
        **_date("primary_completion_date", key.primary_completion_date),
        "primary_completion_date_type": key.primary_completion_date_type,
        "enrolment": key.enrollment,
        "enrolment_type": key.enrollment_type,
        **{name: _plain(body, path) for name, path in _PLAIN.items()},
        "outcome_measures": _outcomes(body),
        **{name: _table(body, path) for name, path in _TABLES.items()},
        "whystopped": key.why_stopped,
        "results_posted": key.has_results,
        "orgstudyid": key.org_study_id,
        "ctsync_version": version.version,
        "source": version.source.value,
    }


def _date(name: str, text: str | None) -> dict[str, Any]:
    read = PartialDate.parse(text)
    return {
        name: read.first if read else None,
        f"{name}_precision": read.precision.value if read else None,
    }


def _plain(body: JsonObject, path: str) -> Any:
    value = value_at(body, f"{_PROTOCOL}.{path}")
    if value is MISSING or isinstance(value, str | bool | int | float):
        return None if value is MISSING else value
    return None if value is None else _json(value)


def _table(body: JsonObject, path: str) -> str | None:
    value = value_at(body, f"{_PROTOCOL}.{path}")
    if value is MISSING or value is None:
        return None
    return _json(value if isinstance(value, list) else [value])


def _outcomes(body: JsonObject) -> str:
    rows: list[Any] = []
    for section, name in _OUTCOMES.items():
        listed = value_at(body, f"{_PROTOCOL}.outcomesModule.{name}")
        items: Sequence[Any] = listed if isinstance(listed, list) else ()
        rows += [{"section": section, **item} for item in items if isinstance(item, dict)]
    return _json(rows)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)
