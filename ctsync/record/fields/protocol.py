"""Field table rows of protocolSection, with the labels of the registry's pages.

List paths carry no brackets. Does no I/O.
"""

from __future__ import annotations

from ctsync.model import Category, Kind
from ctsync.record.fields.field_types import Branch, ListKey, Row, Shape

_ENUM, _DATE, _COUNT, _NUMBER = Shape.ENUM, Shape.DATE, Shape.COUNT, Shape.NUMBER
_BOOL, _TEXT, _MARKUP, _OBJECT, _LIST = (
    Shape.BOOL, Shape.TEXT, Shape.MARKUP, Shape.OBJECT, Shape.LIST,
)  # fmt: skip

_SET = ListKey()
_OUTCOMES = ListKey(("measure",), ordered=True, like=("measure",))
_ARM_GROUPS = ListKey(
    ("label",), ordered=True, like=("label",), same=("description/interventionNames",)
)
_CONTACTS = ListKey(("name", "role"), like=("name",), within=("role",))
_SITES = ListKey(
    ("facility", "city", "country"), like=("facility",), within=("city",), same=("zip",),
    # sponsors write one city in several ways
    second_key=("facility", "zip", "country"),
)  # fmt: skip
_REFERENCES = ListKey(("pmid/citation",), like=("citation",))


def _outcomes(path: str, label: str) -> tuple[Row, ...]:
    return (
        Row(path, label, _LIST, _OUTCOMES),
        Row(f"{path}.measure", f"{label} measure", _TEXT),
        Row(f"{path}.description", f"{label} description", _MARKUP),
        Row(f"{path}.timeFrame", f"{label} time frame", _TEXT),
        *_review(f"{path}.reviewUnit", f"{label} review"),
    )


def _review(path: str, label: str) -> tuple[Row, ...]:
    """Rows for the registry reviewers' correction requests; only record history carries them."""
    category, kind = Category.RESULTS_QC, Kind.RESULTS
    return (
        Row(path, label, _OBJECT, None, category, kind),
        Row(f"{path}.resetReasons", label, _LIST, _SET, category, kind),
    )


def _contacts(path: str, label: str, *, summed: bool = False) -> tuple[Row, ...]:
    category, kind = Category.CONTACTS, Kind.CONTACT
    return (
        Row(path, label, _LIST, _CONTACTS, category, kind, summed=summed),
        Row(f"{path}.name", f"{label} name", _TEXT, None, category, kind),
        Row(f"{path}.role", f"{label} role", _ENUM, None, category, kind),
        Row(f"{path}.phone", f"{label} phone", _TEXT, None, category, kind),
        Row(f"{path}.phoneExt", f"{label} phone extension", _TEXT, None, category, kind),
        Row(f"{path}.email", f"{label} email", _TEXT, None, category, kind),
    )


def _date(path: str, label: str, category: Category, kind: Kind) -> tuple[Row, ...]:
    return (
        Row(path, label, _OBJECT, None, category, kind),
        Row(f"{path}.date", label, _DATE, None, category, kind),
        Row(f"{path}.type", f"{label} type", _ENUM, None, category, kind),
    )


_IDENTIFICATION = Branch(
    "protocolSection.identificationModule", Category.IDENTIFICATION, Kind.OTHER,
    (
        Row("", "Study Identification", _OBJECT),
        Row("nctId", "NCT Number", _TEXT),
        Row("nctIdAliases", "Obsolete NCT Numbers", _LIST, _SET),
        Row("orgStudyIdInfo", "Unique Protocol ID", _OBJECT),
        Row("orgStudyIdInfo.id", "Unique Protocol ID", _TEXT),
        Row("orgStudyIdInfo.type", "Unique Protocol ID type", _ENUM),
        Row("orgStudyIdInfo.link", "Unique Protocol ID link", _TEXT),
        Row("secondaryIdInfos", "Secondary ID", _LIST, ListKey(("id",))),
        Row("secondaryIdInfos.id", "Secondary ID", _TEXT),
        Row("secondaryIdInfos.type", "Secondary ID type", _ENUM),
        Row("secondaryIdInfos.domain", "Secondary ID domain", _TEXT),
        Row("secondaryIdInfos.link", "Secondary ID link", _TEXT),
        Row("briefTitle", "Brief Title", _TEXT, kind=Kind.TEXT),
        Row("officialTitle", "Official Title", _TEXT, kind=Kind.TEXT),
        Row("acronym", "Acronym", _TEXT, kind=Kind.TEXT),
        Row("organization", "Organization", _OBJECT),
        Row("organization.fullName", "Organization", _TEXT),
        Row("organization.class", "Organization class", _ENUM),
    ),
)  # fmt: skip

_STATUS = Branch(
    "protocolSection.statusModule", Category.STATUS, Kind.STATUS,
    (
        Row("", "Study Status", _OBJECT),
        Row("statusVerifiedDate", "Record Verification", _DATE, None,
            Category.BOOKKEEPING, Kind.BOOKKEEPING),
        Row("overallStatus", "Overall Status", _ENUM),
        Row("lastKnownStatus", "Last Known Status", _ENUM),
        Row("delayedPosting", "Delayed Posting", _BOOL),
        Row("whyStopped", "Why Stopped", _TEXT, kind=Kind.WHY_STOPPED),
        Row("expandedAccessInfo", "Expanded Access", _OBJECT),
        Row("expandedAccessInfo.hasExpandedAccess", "Expanded Access", _BOOL),
        Row("expandedAccessInfo.nctId", "Expanded Access NCT Number", _TEXT),
        Row("expandedAccessInfo.statusForNctId", "Expanded Access Status", _ENUM),
        *_date("startDateStruct", "Study Start", Category.DATES, Kind.START_DATE),
        *_date("primaryCompletionDateStruct", "Primary Completion", Category.DATES,
               Kind.PRIMARY_COMPLETION_DATE),
        *_date("completionDateStruct", "Study Completion", Category.DATES, Kind.COMPLETION_DATE),
        Row("studyFirstSubmitDate", "First Submitted", _DATE, None,
            Category.BOOKKEEPING, Kind.BOOKKEEPING),
        Row("studyFirstSubmitQcDate", "First Submitted that Met QC Criteria", _DATE, None,
            Category.BOOKKEEPING, Kind.BOOKKEEPING),
        *_date("studyFirstPostDateStruct", "First Posted", Category.BOOKKEEPING, Kind.BOOKKEEPING),
        Row("resultsWaived", "Results Waived", _BOOL, None, Category.RESULTS, Kind.RESULTS),
        Row("resultsFirstSubmitDate", "Results First Submitted", _DATE, None,
            Category.RESULTS, Kind.RESULTS),
        Row("resultsFirstSubmitQcDate", "Results First Submitted that Met QC Criteria", _DATE,
            None, Category.RESULTS, Kind.RESULTS),
        *_date("resultsFirstPostDateStruct", "Results First Posted",
               Category.RESULTS, Kind.RESULTS),
        Row("dispFirstSubmitDate", "Certification/Extension First Submitted", _DATE, None,
            Category.RESULTS, Kind.RESULTS),
        Row("dispFirstSubmitQcDate", "Certification/Extension First Submitted that Met QC Criteria",
            _DATE, None, Category.RESULTS, Kind.RESULTS),
        *_date("dispFirstPostDateStruct", "Certification/Extension First Posted",
               Category.RESULTS, Kind.RESULTS),
        Row("lastUpdateSubmitDate", "Last Update Submitted", _DATE, None,
            Category.BOOKKEEPING, Kind.BOOKKEEPING),
        *_date("lastUpdatePostDateStruct", "Last Update Posted",
               Category.BOOKKEEPING, Kind.BOOKKEEPING),
    ),
)  # fmt: skip

_SPONSOR = Branch(
    "protocolSection.sponsorCollaboratorsModule", Category.SPONSOR, Kind.SPONSOR,
    (
        Row("", "Sponsor/Collaborators", _OBJECT),
        Row("responsibleParty", "Responsible Party", _OBJECT),
        Row("responsibleParty.type", "Responsible Party type", _ENUM),
        Row("responsibleParty.investigatorFullName", "Responsible Party", _TEXT),
        Row("responsibleParty.investigatorTitle", "Responsible Party title", _TEXT),
        Row("responsibleParty.investigatorAffiliation", "Responsible Party affiliation", _TEXT),
        Row("responsibleParty.oldNameTitle", "Responsible Party (old form)", _TEXT),
        Row("responsibleParty.oldOrganization", "Responsible Party organization (old form)", _TEXT),
        Row("leadSponsor", "Sponsor", _OBJECT),
        Row("leadSponsor.name", "Sponsor", _TEXT),
        Row("leadSponsor.class", "Sponsor class", _ENUM),
        Row("collaborators", "Collaborator", _LIST, ListKey(("name",))),
        Row("collaborators.name", "Collaborator", _TEXT),
        Row("collaborators.class", "Collaborator class", _ENUM),
    ),
)  # fmt: skip

_OVERSIGHT = Branch(
    "protocolSection.oversightModule", Category.OVERSIGHT, Kind.OTHER,
    (
        Row("", "Oversight", _OBJECT),
        Row("oversightHasDmc", "Data Monitoring Committee", _BOOL),
        Row("isFdaRegulatedDrug", "U.S. FDA-regulated Drug", _BOOL),
        Row("isFdaRegulatedDevice", "U.S. FDA-regulated Device", _BOOL),
        Row("isUnapprovedDevice", "Unapproved/Uncleared Device", _BOOL),
        Row("isPpsd", "Pediatric Postmarket Surveillance", _BOOL),
        Row("isUsExport", "Product Exported from U.S.", _BOOL),
        Row("fdaaa801Violation", "FDAAA 801 Violation", _BOOL),
    ),
)  # fmt: skip

_DESCRIPTION = Branch(
    "protocolSection.descriptionModule", Category.DESCRIPTION, Kind.TEXT,
    (
        Row("", "Study Description", _OBJECT),
        Row("briefSummary", "Brief Summary", _MARKUP),
        Row("detailedDescription", "Detailed Description", _MARKUP),
    ),
)  # fmt: skip

_CONDITIONS = Branch(
    "protocolSection.conditionsModule", Category.DESCRIPTION, Kind.TEXT,
    (
        Row("", "Conditions", _OBJECT),
        Row("conditions", "Condition", _LIST, _SET),
        Row("keywords", "Keyword", _LIST, _SET),
    ),
)  # fmt: skip

_DESIGN = Branch(
    "protocolSection.designModule", Category.DESIGN, Kind.DESIGN,
    (
        Row("", "Study Design", _OBJECT),
        Row("studyType", "Study Type", _ENUM),
        Row("nPtrsToThisExpAccNctId", "Studies Pointing to This Expanded Access", _COUNT),
        Row("expandedAccessTypes", "Expanded Access Type", _OBJECT),
        Row("expandedAccessTypes.individual", "Expanded Access: Individual Patients", _BOOL),
        Row("expandedAccessTypes.intermediate", "Expanded Access: Intermediate-size Population",
            _BOOL),
        Row("expandedAccessTypes.treatment", "Expanded Access: Treatment IND/Protocol", _BOOL),
        Row("patientRegistry", "Patient Registry", _BOOL),
        Row("targetDuration", "Target Follow-Up Duration", _TEXT),
        Row("phases", "Study Phase", _LIST, _SET),
        Row("designInfo", "Design Details", _OBJECT),
        Row("designInfo.allocation", "Allocation", _ENUM),
        Row("designInfo.interventionModel", "Interventional Study Model", _ENUM),
        Row("designInfo.interventionModelDescription", "Intervention Model Description", _MARKUP),
        Row("designInfo.primaryPurpose", "Primary Purpose", _ENUM),
        Row("designInfo.observationalModel", "Observational Study Model", _ENUM),
        Row("designInfo.timePerspective", "Time Perspective", _ENUM),
        Row("designInfo.maskingInfo", "Masking", _OBJECT),
        Row("designInfo.maskingInfo.masking", "Masking", _ENUM),
        Row("designInfo.maskingInfo.maskingDescription", "Masking Description", _MARKUP),
        Row("designInfo.maskingInfo.whoMasked", "Who Is Masked", _LIST, _SET),
        Row("bioSpec", "Biospecimen", _OBJECT),
        Row("bioSpec.retention", "Biospecimen Retention", _ENUM),
        Row("bioSpec.description", "Biospecimen Description", _MARKUP),
        Row("enrollmentInfo", "Enrollment", _OBJECT, None, Category.ENROLLMENT, Kind.ENROLLMENT),
        Row("enrollmentInfo.count", "Enrollment", _COUNT, None,
            Category.ENROLLMENT, Kind.ENROLLMENT),
        Row("enrollmentInfo.type", "Enrollment type", _ENUM, None,
            Category.ENROLLMENT, Kind.ENROLLMENT),
    ),
)  # fmt: skip

_ARMS = Branch(
    "protocolSection.armsInterventionsModule", Category.ARMS, Kind.ARM,
    (
        Row("", "Arms and Interventions", _OBJECT),
        Row("armGroups", "Arm", _LIST, _ARM_GROUPS),
        Row("armGroups.label", "Arm label", _TEXT),
        Row("armGroups.type", "Arm type", _ENUM),
        Row("armGroups.description", "Arm description", _MARKUP),
        Row("armGroups.interventionNames", "Intervention of the arm", _LIST, _SET),
        Row("interventions", "Intervention", _LIST,
            ListKey(("type", "name"), ordered=True, like=("name",))),
        Row("interventions.type", "Intervention type", _ENUM),
        Row("interventions.name", "Intervention name", _TEXT),
        Row("interventions.description", "Intervention description", _MARKUP),
        Row("interventions.armGroupLabels", "Arm of the intervention", _LIST, _SET),
        Row("interventions.otherNames", "Other name of the intervention", _LIST, _SET),
    ),
)  # fmt: skip

_OUTCOME = Branch(
    "protocolSection.outcomesModule", Category.OUTCOMES, Kind.OUTCOME,
    (
        Row("", "Outcome Measures", _OBJECT),
        *_outcomes("primaryOutcomes", "Primary outcome"),
        *_outcomes("secondaryOutcomes", "Secondary outcome"),
        *_outcomes("otherOutcomes", "Other outcome"),
    ),
)  # fmt: skip

_ELIGIBILITY = Branch(
    "protocolSection.eligibilityModule", Category.ELIGIBILITY, Kind.ELIGIBILITY,
    (
        Row("", "Eligibility", _OBJECT),
        Row("eligibilityCriteria", "Eligibility Criteria", _MARKUP),
        Row("healthyVolunteers", "Accepts Healthy Volunteers", _BOOL),
        Row("sex", "Sex", _ENUM),
        Row("genderBased", "Gender Based", _BOOL),
        Row("genderDescription", "Gender Eligibility Description", _MARKUP),
        Row("minimumAge", "Minimum Age", _TEXT),
        Row("maximumAge", "Maximum Age", _TEXT),
        Row("stdAges", "Age Group", _LIST, _SET),
        Row("studyPopulation", "Study Population", _MARKUP),
        Row("samplingMethod", "Sampling Method", _ENUM),
    ),
)  # fmt: skip

_SITE = Branch(
    "protocolSection.contactsLocationsModule", Category.SITES, Kind.SITE,
    (
        Row("", "Contacts and Locations", _OBJECT),
        *_contacts("centralContacts", "Central contact"),
        Row("overallOfficials", "Study official", _LIST, ListKey(("name",)),
            Category.CONTACTS, Kind.CONTACT),
        Row("overallOfficials.name", "Study official name", _TEXT, None,
            Category.CONTACTS, Kind.CONTACT),
        Row("overallOfficials.affiliation", "Study official affiliation", _TEXT, None,
            Category.CONTACTS, Kind.CONTACT),
        Row("overallOfficials.role", "Study official role", _ENUM, None,
            Category.CONTACTS, Kind.CONTACT),
        Row("locations", "Sites", _LIST, _SITES, summed=True),
        Row("locations.facility", "Site facility", _TEXT),
        Row("locations.status", "Site status", _ENUM),
        Row("locations.city", "Site city", _TEXT),
        Row("locations.state", "Site state", _TEXT),
        Row("locations.zip", "Site zip", _TEXT),
        Row("locations.country", "Site country", _TEXT),
        *_contacts("locations.contacts", "Site contacts", summed=True),
        Row("locations.geoPoint", "Site map positions", _OBJECT, None, Category.GEO, Kind.DERIVED,
            summed=True),
        Row("locations.geoPoint.lat", "Site latitude", _NUMBER, None, Category.GEO, Kind.DERIVED),
        Row("locations.geoPoint.lon", "Site longitude", _NUMBER, None, Category.GEO, Kind.DERIVED),
        Row("locations.countryCode", "Site country code", _TEXT, None, Category.GEO, Kind.DERIVED,
            summed=True),
    ),
)  # fmt: skip

_REFERENCE = Branch(
    "protocolSection.referencesModule", Category.REFERENCES, Kind.REFERENCE,
    (
        Row("", "References", _OBJECT),
        Row("references", "Citation", _LIST, _REFERENCES),
        Row("references.pmid", "Citation PMID", _TEXT),
        Row("references.type", "Citation type", _ENUM),
        Row("references.citation", "Citation text", _TEXT),
        Row("references.retractions", "Retraction notice", _LIST, ListKey(("pmid",))),
        Row("references.retractions.pmid", "Retraction notice PMID", _TEXT),
        Row("references.retractions.source", "Retraction notice source", _TEXT),
        Row("seeAlsoLinks", "Link", _LIST, ListKey(("url",))),
        Row("seeAlsoLinks.label", "Link label", _TEXT),
        Row("seeAlsoLinks.url", "Link address", _TEXT),
        Row("availIpds", "Available IPD/Information", _LIST, ListKey(("id", "type"))),
        Row("availIpds.id", "Available IPD identifier", _TEXT),
        Row("availIpds.type", "Available IPD type", _TEXT),
        Row("availIpds.url", "Available IPD address", _TEXT),
        Row("availIpds.comment", "Available IPD comment", _TEXT),
    ),
)  # fmt: skip

_IPD = Branch(
    "protocolSection.ipdSharingStatementModule", Category.IPD, Kind.OTHER,
    (
        Row("", "IPD Sharing", _OBJECT),
        Row("ipdSharing", "Plan to Share IPD", _ENUM),
        Row("description", "IPD Plan Description", _MARKUP),
        Row("infoTypes", "IPD Supporting Information", _LIST, _SET),
        Row("timeFrame", "IPD Time Frame", _MARKUP),
        Row("accessCriteria", "IPD Access Criteria", _MARKUP),
        Row("url", "IPD URL", _TEXT),
    ),
)  # fmt: skip

PROTOCOL = (
    _IDENTIFICATION, _STATUS, _SPONSOR, _OVERSIGHT, _DESCRIPTION, _CONDITIONS, _DESIGN, _ARMS,
    _OUTCOME, _ELIGIBILITY, _SITE, _REFERENCE, _IPD,
)  # fmt: skip
"""The thirteen modules of protocolSection."""
