"""The registry's record history, the undocumented `/int/studies/…` endpoints. No sockets.

Only histories given to the catalogue are served, as they were given: their texts must be HTML, as
the real ones are, and none is made up from what the API shows, because that would hide the very
difference a client has to bridge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

from ctsync.errors import BadNctId
from ctsync.model import JsonObject, parse_nct_id
from tests.replay.catalogue import Catalogue, Past
from tests.replay.http_messages import (
    Refusal,
    Reply,
    Request,
    bad_format,
    front_page,
    json_reply,
    unsupported,
)

_PATH = re.compile(r"/int/studies/(?P<id>[^/]+)(?P<history>/history(?:/(?P<version>[^/]+))?)?\Z")
_OUTCOMES = "protocolSection.outcomesModule"
_LABELS = {
    "protocolSection.statusModule": "Study Status",
    "protocolSection.identificationModule": "Study Identification",
    "protocolSection.sponsorCollaboratorsModule": "Sponsor/Collaborators",
    "protocolSection.oversightModule": "Oversight",
    "protocolSection.descriptionModule": "Study Description",
    "protocolSection.conditionsModule": "Conditions",
    "protocolSection.designModule": "Study Design",
    "protocolSection.armsInterventionsModule": "Arms and Interventions",
    _OUTCOMES: "Outcome Measures",
    "protocolSection.eligibilityModule": "Eligibility",
    "protocolSection.contactsLocationsModule": "Contacts/Locations",
    "protocolSection.ipdSharingStatementModule": "IPDSharing",
    "protocolSection.referencesModule": "References",
    "documentSection.largeDocumentModule": "Document Section",
    "resultsSection.participantFlowModule": "Participant Flow",
    "resultsSection.baselineCharacteristicsModule": "Baseline Characteristics",
    "resultsSection.outcomeMeasuresModule": "Outcome Measures (Results)",
    "resultsSection.adverseEventsModule": "Adverse Events",
    "resultsSection.moreInfoModule": "More Information",
}
"""What a version's changed modules are called in the index."""


def answer_history(catalogue: Catalogue, request: Request) -> Reply:
    """The index of a trial's versions, one of them, or the newest; raises Refusal."""
    found = _PATH.match(request.path)
    if found is None:
        return front_page(HTTPStatus.NOT_FOUND)
    try:
        nct_id = parse_nct_id(found["id"])
    except BadNctId:
        raise bad_format("nctId") from None
    _check_parameters(request, wants_history_flag=found["history"] is None)
    past = catalogue.history(nct_id)
    if not past:
        raise Refusal(f"No study {nct_id} history summary", HTTPStatus.NOT_FOUND)
    if found["version"] is not None:
        return _one_version(past, found["version"])
    if found["history"] is not None:
        return json_reply(_summary(past))
    whole = {"study": past[-1].study, "topics": []}
    flagged = request.params.get("history") == "true"
    return json_reply(whole | {"history": _summary(past)} if flagged else whole)


def _check_parameters(request: Request, *, wants_history_flag: bool) -> None:
    for name in request.params:
        if name != "history" or not wants_history_flag:
            raise unsupported(f"the parameter `{name}` of the history")


def _one_version(past: Sequence[Past], text: str) -> Reply:
    number = int(text) if text.isascii() and text.isdigit() else len(past)
    if number >= len(past):
        # the edge answers for a version there is none of, not the application
        return front_page(HTTPStatus.FORBIDDEN)
    return json_reply({"studyVersion": number, "study": past[number].study})


def _summary(past: Sequence[Past]) -> JsonObject:
    changes = [version.entry or _entry(past, number) for number, version in enumerate(past)]
    labelled = [number for number, entry in enumerate(changes) if _changes_outcomes(entry)]
    return {
        "changes": changes,
        "originalData": {},
        "lastUpdateVersions": {"outcomes": labelled[-1]} if labelled else {},
        "outcomesUpdateCount": len(labelled),
    }


def _changes_outcomes(entry: JsonObject) -> bool:
    return _LABELS[_OUTCOMES] in entry.get("moduleLabels", ())


def _entry(past: Sequence[Past], number: int) -> JsonObject:
    study = past[number].study
    status = study["protocolSection"]["statusModule"]
    submitted = status["lastUpdateSubmitDate"]
    before = past[number - 1].study if number else study
    changed = [
        label for path, label in _LABELS.items() if _module(study, path) != _module(before, path)
    ]
    return {
        "version": number,
        "date": submitted,
        "status": status["overallStatus"],
        "studyType": study["protocolSection"]["designModule"]["studyType"],
        "moduleLabels": changed,
        "lastUpdateSubmitQcDate": submitted,
    }


def _module(study: JsonObject, path: str) -> object:
    section, module = path.split(".")
    return study.get(section, {}).get(module)
