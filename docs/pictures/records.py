"""The records in the pictures: the trial of the demo, and invented trials of invented sponsors.

No record names a person. Each invented trial says "Illustration" in its title.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.demo.story import TRIAL, studies
from ctsync.model import JsonObject, NctId
from ctsync.nct_id import parse_nct_id

SLIPPING = parse_nct_id("NCT00000002")
"""The trial of the picture of a page."""
FIRST_DAY = date(2022, 5, 10)
"""The day on which each invented trial is first seen."""
LAST_DAY = date(2026, 3, 13)

_MODULES_WITH_NAMES = {
    "sponsorCollaboratorsModule": ("responsibleParty",),
    "contactsLocationsModule": ("centralContacts", "overallOfficials"),
}

Edit = Callable[[JsonObject], None]


@dataclass(frozen=True, slots=True)
class InventedTrial:
    """A trial and its later versions, each with its day."""

    number: int
    title: str
    sponsor: str
    condition: str
    phase: str
    edits: tuple[tuple[date, Edit], ...]
    planned: tuple[str, str] = ("2026-12-31", "2027-12-31")
    """Primary completion and completion date, as first registered."""

    @property
    def nct_id(self) -> NctId:
        """Its id, which belongs to no trial of the registry."""
        return parse_nct_id(f"NCT{self.number:08d}")

    def versions(self) -> Iterator[tuple[date, JsonObject]]:
        """Each version with its day, oldest first."""
        record = _first_record(self)
        yield FIRST_DAY, record
        for day, edit in self.edits:
            record = copy.deepcopy(record)
            protocol = record["protocolSection"]
            protocol["statusModule"]["lastUpdateSubmitDate"] = day.isoformat()
            protocol["statusModule"]["lastUpdatePostDateStruct"] = _actual(day.isoformat())
            protocol["statusModule"]["statusVerifiedDate"] = f"{day:%Y-%m}"
            edit(record)
            yield day, record


def records() -> dict[NctId, dict[date, JsonObject]]:
    """The versions of each trial in the pictures, by the day on which each appears."""
    demo = {load.date(): without_names(study) for load, study in studies().items()}
    return {TRIAL: demo, **{one.nct_id: dict(one.versions()) for one in INVENTED}}


def without_names(study: JsonObject) -> JsonObject:
    """A copy of a record without persons: investigators, officials and contacts."""
    kept = copy.deepcopy(study)
    for module, fields in _MODULES_WITH_NAMES.items():
        for name in fields:
            kept["protocolSection"].get(module, {}).pop(name, None)
    for location in kept["protocolSection"].get("contactsLocationsModule", {}).get("locations", ()):
        location.pop("contacts", None)
    return kept


def _first_record(trial: InventedTrial) -> JsonObject:
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": trial.nct_id,
                "orgStudyIdInfo": {"id": f"EX-{trial.number:03d}"},
                "briefTitle": f"Illustration: {trial.title}",
            },
            "statusModule": {
                "statusVerifiedDate": "2022-05",
                "overallStatus": "RECRUITING",
                "startDateStruct": _actual("2022-03-01"),
                "primaryCompletionDateStruct": _estimated(trial.planned[0]),
                "completionDateStruct": _estimated(trial.planned[1]),
                "studyFirstSubmitDate": "2022-02-01",
                "studyFirstPostDateStruct": _actual("2022-02-08"),
                "lastUpdateSubmitDate": "2022-05-04",
                "lastUpdatePostDateStruct": _actual("2022-05-10"),
            },
            "sponsorCollaboratorsModule": {
                "leadSponsor": {"name": trial.sponsor, "class": "INDUSTRY"}
            },
            "conditionsModule": {"conditions": [trial.condition]},
            "designModule": {
                "studyType": "INTERVENTIONAL",
                "phases": [trial.phase],
                "enrollmentInfo": {"count": 300, "type": "ESTIMATED"},
            },
            "outcomesModule": {
                "primaryOutcomes": [
                    {"measure": "Progression-free survival", "timeFrame": "Up to 24 months"}
                ],
                "secondaryOutcomes": [
                    {"measure": "Overall survival", "timeFrame": "Up to 60 months"}
                ],
            },
            "contactsLocationsModule": {
                "locations": [_site(1, "Germany"), _site(2, "Spain"), _site(3, "Canada")]
            },
        },
        "derivedSection": {"miscInfoModule": {}},
        "hasResults": False,
    }


# --- edits --------------------------------------------------------------------------------------


def _status(record: JsonObject) -> JsonObject:
    found: JsonObject = record["protocolSection"]["statusModule"]
    return found


def _actual(day: str) -> JsonObject:
    return {"date": day, "type": "ACTUAL"}


def _estimated(day: str) -> JsonObject:
    return {"date": day, "type": "ESTIMATED"}


def _site(number: int, country: str) -> JsonObject:
    return {
        "facility": f"Example Hospital {number}",
        "city": f"Example City {number}",
        "country": country,
        "status": "RECRUITING",
    }


def _enroll(record: JsonObject, count: int, kind: str = "ESTIMATED") -> None:
    record["protocolSection"]["designModule"]["enrollmentInfo"] = {"count": count, "type": kind}


def _moved(primary: str, completion: str, **fields: Any) -> Edit:
    """An edit that sets both completion dates, and other fields of the status module."""

    def edit(record: JsonObject) -> None:
        _status(record).update(
            primaryCompletionDateStruct=_estimated(primary),
            completionDateStruct=_estimated(completion),
            **fields,
        )

    return edit


def _enrollment(count: int) -> Edit:
    return lambda record: _enroll(record, count)


def _terminated(record: JsonObject) -> None:
    _enroll(record, 96, "ACTUAL")
    _status(record).update(
        overallStatus="TERMINATED",
        whyStopped="Business decision; not related to safety",
        primaryCompletionDateStruct=_actual("2026-02-20"),
        completionDateStruct=_actual("2026-02-20"),
    )


def _other_outcome(record: JsonObject) -> None:
    record["protocolSection"]["outcomesModule"]["primaryOutcomes"] = [
        {"measure": "Objective response rate", "timeFrame": "Up to 6 months"}
    ]


def _completed(record: JsonObject) -> None:
    _enroll(record, 287, "ACTUAL")
    _status(record).update(
        overallStatus="COMPLETED",
        primaryCompletionDateStruct=_actual("2024-11-30"),
        completionDateStruct=_actual("2025-01-31"),
    )


def _results(record: JsonObject) -> None:
    record["hasResults"] = True
    _status(record)["resultsFirstPostDateStruct"] = _actual("2026-03-10")
    record["resultsSection"] = {
        "outcomeMeasuresModule": {
            "outcomeMeasures": [
                {
                    "type": "PRIMARY",
                    "title": "Progression-free survival",
                    "timeFrame": "Up to 24 months",
                    "reportingStatus": "POSTED",
                }
            ]
        }
    }


def _more_sites(record: JsonObject) -> None:
    locations = record["protocolSection"]["contactsLocationsModule"]["locations"]
    locations += [_site(number, "France") for number in range(4, 8)]


def _closed(record: JsonObject) -> None:
    _status(record)["overallStatus"] = "ACTIVE_NOT_RECRUITING"


INVENTED = (
    InventedTrial(
        1, "Examplimab in Melanoma", "Example Pharma", "Melanoma", "PHASE3",
        ((date(2026, 3, 9), _terminated),),
    ),
    InventedTrial(
        2, "Samplinib in Lung Cancer", "Sample Biotech", "Lung Cancer", "PHASE2",
        (
            (date(2023, 2, 14), _moved("2026-01-31", "2026-12-31")),
            (date(2023, 11, 7), _moved("2026-01-31", "2026-12-31", overallStatus="SUSPENDED")),
            (date(2024, 5, 21), _moved("2026-09-30", "2027-09-30", overallStatus="RECRUITING")),
            (date(2025, 4, 8), _enrollment(220)),
            (date(2026, 3, 10), _moved("2028-09-30", "2029-09-30")),
        ),
        planned=("2025-06-30", "2026-06-30"),
    ),
    InventedTrial(
        3, "Placebine in Diabetes", "Placeholder Labs", "Diabetes",
        "PHASE3", ((date(2026, 3, 11), _enrollment(120)),),
    ),
    InventedTrial(
        4, "Dummyzumab in Colitis", "Example Hospital", "Colitis", "PHASE2",
        ((date(2026, 3, 10), _other_outcome),),
    ),
    InventedTrial(
        5, "Examplimab in Asthma", "Example Pharma", "Asthma", "PHASE2",
        ((date(2025, 2, 18), _completed), (date(2026, 3, 10), _results)),
    ),
    InventedTrial(
        6, "Testafenib in Breast Cancer", "Specimen Oncology", "Breast Cancer", "PHASE1",
        ((date(2026, 3, 12), _more_sites),),
    ),
    InventedTrial(
        7, "Mockumab in Psoriasis", "Sample Biotech", "Psoriasis", "PHASE3",
        ((date(2026, 3, 12), _closed),),
    ),
)  # fmt: skip
