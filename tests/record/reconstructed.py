"""Trial histories reconstructed from published facts.

Each data file names its source and says that it is not an original record.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ctsync.model import Event, JsonObject
from tests.record.studies import history, put

FOLDER = Path(__file__).parents[1] / "data" / "reconstructed"

_STATUS = "protocolSection.statusModule"
_PLAIN = {
    "status": f"{_STATUS}.overallStatus",
    "last_known": f"{_STATUS}.lastKnownStatus",
    "why_stopped": f"{_STATUS}.whyStopped",
    "verified": f"{_STATUS}.statusVerifiedDate",
    "first_submitted": f"{_STATUS}.studyFirstSubmitDate",
    "phases": "protocolSection.designModule.phases",
}
_DATES = {
    "start": f"{_STATUS}.startDateStruct",
    "primary": f"{_STATUS}.primaryCompletionDateStruct",
    "completion": f"{_STATUS}.completionDateStruct",
}


def studies(nct_id: str) -> list[JsonObject]:
    """Return the versions of a trial, oldest first. They contain only the published facts."""
    facts = json.loads((FOLDER / f"{nct_id}.json").read_text(encoding="utf-8"))
    assert facts["note"].startswith("Reconstructed")
    return [_study(nct_id, version) for version in facts["versions"]]


def steps(nct_id: str) -> list[list[Event]]:
    """Return the events of each step. The first step is from version 1 to 2."""
    found = studies(nct_id)
    return history(*found, numbers=range(len(found)))


def _study(nct_id: str, facts: dict[str, Any]) -> JsonObject:
    made: JsonObject = {"hasResults": False}
    put(made, "protocolSection.identificationModule.nctId", nct_id)
    put(made, f"{_STATUS}.lastUpdatePostDateStruct", {"date": facts["posted"], "type": "ACTUAL"})
    put(made, f"{_STATUS}.lastUpdateSubmitDate", facts.get("submitted", facts["posted"]))
    for name, path in _PLAIN.items():
        put(made, path, facts.get(name))
    for name, path in _DATES.items():
        if name in facts:
            date, kind = facts[name]
            put(made, path, {"date": date} | ({"type": kind} if kind else {}))
    if "enrollment" in facts:
        count, kind = facts["enrollment"]
        put(made, "protocolSection.designModule.enrollmentInfo", {"count": count, "type": kind})
    if "primary_outcomes" in facts:
        outcomes = [{"measure": m, "timeFrame": t} for m, t in facts["primary_outcomes"]]
        put(made, "protocolSection.outcomesModule.primaryOutcomes", outcomes)
    if "central_contact" in facts:
        contacts = [{"name": facts["central_contact"], "role": "CONTACT"}]
        put(made, "protocolSection.contactsLocationsModule.centralContacts", contacts)
    return made
