"""The registry's labels of the modules of a record, as its index of versions names them. Pure.

The index of a trial's versions names the modules that each version changed. Its list of labels is
open: a label that is missing here is stored and shown, but no field belongs to it.
"""

from __future__ import annotations

from collections.abc import Collection

from ctsync.errors import UsageError

MODULE_LABELS = {
    "Study Identification": "protocolSection.identificationModule",
    "Study Status": "protocolSection.statusModule",
    "Sponsor/Collaborators": "protocolSection.sponsorCollaboratorsModule",
    "Oversight": "protocolSection.oversightModule",
    "Study Description": "protocolSection.descriptionModule",
    "Conditions": "protocolSection.conditionsModule",
    "Study Design": "protocolSection.designModule",
    "Arms and Interventions": "protocolSection.armsInterventionsModule",
    "Outcome Measures": "protocolSection.outcomesModule",
    "Eligibility": "protocolSection.eligibilityModule",
    "Contacts/Locations": "protocolSection.contactsLocationsModule",
    "IPDSharing": "protocolSection.ipdSharingStatementModule",
    "References": "protocolSection.referencesModule",
    "Document Section": "documentSection.largeDocumentModule",
    "Participant Flow": "resultsSection.participantFlowModule",
    "Baseline Characteristics": "resultsSection.baselineCharacteristicsModule",
    "Outcome Measures (Results)": "resultsSection.outcomeMeasuresModule",
    "Adverse Events": "resultsSection.adverseEventsModule",
    "More Information": "resultsSection.moreInfoModule",
}
"""The path of the module that each label stands for."""


def read_labels(text: str) -> tuple[str, ...]:
    """Read labels separated by commas, in any case. Raises UsageError, which names all labels."""
    known = {label.lower(): label for label in MODULE_LABELS}
    given = [" ".join(part.split()) for part in text.split(",")]
    unknown = [part for part in given if part.lower() not in known]
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} is not a module label of the registry; the labels are: "
            + ", ".join(MODULE_LABELS)
        )
    return tuple(dict.fromkeys(known[part.lower()] for part in given))


def label_of(path: str) -> str | None:
    """Return the label of the module that holds the field at `path`; None if it has none."""
    for label, module in MODULE_LABELS.items():
        if path == module or path.startswith(f"{module}."):
            return label
    return None


def may_change(path: str, modules: Collection[str]) -> bool:
    """Return whether a version that changed `modules` can have changed the field at `path`.

    True unless the field is in another module whose label is known. A version without labels is
    the first, or the registry does not say what it changed.
    """
    label = label_of(path)
    return label is None or not modules or label in modules
