"""The record history: the undocumented `/int/studies/…` endpoints. Uses no sockets.

Serves only the versions that a test gave to `Catalogue.set_history`, unchanged. Their texts must
be HTML, as in the real record history. Versions are never derived from the API's records, which
are Markdown: that would hide the difference that a client must bridge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

from ctsync.errors import BadNctId
from ctsync.model import JsonObject
from tests.replay.catalogue import Catalogue, HistoryVersion
from tests.replay.http_messages import (
    Refusal,
    Reply,
    Request,
    bad_format,
    front_page,
    json_reply,
    unsupported,
)
from tests.replay.registry_id import read_registry_id

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
"""The label of each module in the index, which lists the modules that a version changed."""


def answer_history(catalogue: Catalogue, request: Request) -> Reply:
    """Answer with the index of a trial's versions, one version or the newest. Raises Refusal."""
    found = _PATH.match(request.path)
    if found is None:
        return front_page(HTTPStatus.NOT_FOUND)
    try:
        nct_id = read_registry_id(found["id"])
    except BadNctId:
        raise bad_format("nctId") from None
    _check_parameters(request, wants_history_flag=found["history"] is None)
    versions = catalogue.history(nct_id)
    if not versions:
        raise Refusal(f"No study {nct_id} history summary", HTTPStatus.NOT_FOUND)
    if found["version"] is not None:
        return _one_version(versions, found["version"])
    if found["history"] is not None:
        return json_reply(_index(versions))
    newest = {"study": versions[-1].study, "topics": []}
    with_index = request.params.get("history") == "true"
    return json_reply(newest | {"history": _index(versions)} if with_index else newest)


def _check_parameters(request: Request, *, wants_history_flag: bool) -> None:
    for name in request.params:
        if name != "history" or not wants_history_flag:
            raise unsupported(f"the parameter `{name}` of the history")


def _one_version(versions: Sequence[HistoryVersion], text: str) -> Reply:
    number = int(text) if text.isascii() and text.isdigit() else len(versions)
    if number >= len(versions):
        # for a missing version the real edge server answers, not the application
        return front_page(HTTPStatus.FORBIDDEN)
    return json_reply({"studyVersion": number, "study": versions[number].study})


def _index(versions: Sequence[HistoryVersion]) -> JsonObject:
    changes = [version.entry or _entry(versions, number) for number, version in enumerate(versions)]
    labelled = [number for number, entry in enumerate(changes) if _changes_outcomes(entry)]
    return {
        "changes": changes,
        "originalData": {},
        "lastUpdateVersions": {"outcomes": labelled[-1]} if labelled else {},
        "outcomesUpdateCount": len(labelled),
    }


def _changes_outcomes(entry: JsonObject) -> bool:
    return _LABELS[_OUTCOMES] in entry.get("moduleLabels", ())


def _entry(versions: Sequence[HistoryVersion], number: int) -> JsonObject:
    study = versions[number].study
    status = study["protocolSection"]["statusModule"]
    submitted = status["lastUpdateSubmitDate"]
    before = versions[number - 1].study if number else study
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
