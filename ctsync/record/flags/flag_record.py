"""The part of a record that the rules of the flags read. Pure, does no I/O.

It is stored beside the facts of a portfolio, because reading 600 whole records takes seconds. The
rules find the same flags in it as in the record. A rule that reads another field needs it here.
"""

from __future__ import annotations

from typing import Any

from ctsync.model import JsonObject
from ctsync.record.flags.record_values import StudyValues
from ctsync.record.flags.results_reporting import FDA_FLAGS, PRODUCTS, UNITED_STATES

_DATES = (
    "startDateStruct",
    "primaryCompletionDateStruct",
    "completionDateStruct",
    "studyFirstSubmitDate",
    "studyFirstPostDateStruct",
    "statusVerifiedDate",
    "resultsFirstSubmitDate",
    "dispFirstSubmitDate",
)


def flag_record(body: JsonObject) -> JsonObject:
    """Return the values that the rules of the flags read, at their places in a record.

    Of the sites and the interventions, one that makes the trial a U.S. product is kept.
    """
    study = StudyValues(body)
    phases = study.protocol("designModule", "phases")
    modules = {
        "statusModule": {
            "overallStatus": study.status,
            **{name: _date(study.protocol("statusModule", name)) for name in _DATES},
        },
        "designModule": {
            "studyType": study.text("designModule", "studyType"),
            "phases": _texts(phases) if isinstance(phases, list) else None,
            "designInfo": _if_any(
                "primaryPurpose", study.text("designModule", "designInfo", "primaryPurpose")
            ),
            "enrollmentInfo": _present(
                {
                    "count": _count(study.protocol("designModule", "enrollmentInfo", "count")),
                    "type": study.text("designModule", "enrollmentInfo", "type"),
                }
            ),
        },
        "oversightModule": {
            name: None if value is None else value is True
            for name in FDA_FLAGS
            for value in (study.protocol("oversightModule", name),)
        },
        "contactsLocationsModule": _one_of(
            study, "contactsLocationsModule", "locations", "country", wanted=UNITED_STATES
        ),
        "armsInterventionsModule": _one_of(
            study, "armsInterventionsModule", "interventions", "type", wanted=PRODUCTS
        ),
    }
    return _present(
        {
            "protocolSection": _present({name: _present(each) for name, each in modules.items()}),
            "derivedSection": _submissions(study),
            "hasResults": study.has_results or None,
        }
    )


def _present(values: JsonObject) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None and value != {}}


def _if_any(name: str, value: Any) -> JsonObject:
    return {} if value is None else {name: value}


def _texts(values: list[Any]) -> list[str]:
    return [one for one in values if isinstance(one, str)]


def _date(found: Any) -> Any:
    """Return a text, or a struct with the text of its date. The rules read nothing else."""
    if isinstance(found, dict):
        date = found.get("date")
        return {"date": date} if isinstance(date, str) else None
    return found if isinstance(found, str) else None


def _count(found: Any) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _one_of(
    study: StudyValues, module: str, name: str, key: str, *, wanted: frozenset[str]
) -> JsonObject:
    values = (one.get(key) for one in study.items(module, name))
    found = next((one for one in values if isinstance(one, str) and one in wanted), None)
    return {} if found is None else {name: [{key: found}]}


def _submissions(study: StudyValues) -> JsonObject:
    tracked = [
        _present({"releaseDate": one.get("releaseDate"), "unreleaseDate": one.get("unreleaseDate")})
        for one in study.tracked
    ]
    return (
        {"miscInfoModule": {"submissionTracking": {"submissionInfos": tracked}}} if tracked else {}
    )
