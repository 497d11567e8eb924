"""Field table rows outside protocolSection: results, documents, annotations, derived fields.

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
_BY_GROUP = ListKey(("groupId",))
_BY_ID = ListKey(("id",))
_BY_TITLE = ListKey(("title",), ordered=True, like=("title",))


def _groups(path: str, label: str) -> tuple[Row, ...]:
    return (
        Row(path, label, _LIST, _BY_ID, summed=True),
        Row(f"{path}.id", f"{label} id", _TEXT),
        Row(f"{path}.title", f"{label} title", _TEXT),
        Row(f"{path}.description", f"{label} description", _MARKUP),
    )


def _denoms(path: str, label: str) -> tuple[Row, ...]:
    return (
        Row(path, label, _LIST, ListKey(("units",)), summed=True),
        Row(f"{path}.units", f"{label} units", _TEXT),
        Row(f"{path}.counts", f"{label} count", _LIST, _BY_GROUP),
        Row(f"{path}.counts.groupId", f"{label} group", _TEXT),
        Row(f"{path}.counts.value", f"{label} value", _TEXT),
    )


def _tally(path: str, label: str, counts: str) -> tuple[Row, ...]:
    """Rows for one participant flow list: its type, and one number per group."""
    return (
        Row(path, label, _LIST, ListKey(("type",), ordered=True)),
        Row(f"{path}.type", f"{label} type", _TEXT),
        Row(f"{path}.comment", f"{label} comment", _MARKUP),
        Row(f"{path}.{counts}", f"{label} numbers", _LIST, _BY_GROUP),
        Row(f"{path}.{counts}.groupId", f"{label} group", _TEXT),
        Row(f"{path}.{counts}.comment", f"{label} group comment", _MARKUP),
        Row(f"{path}.{counts}.numSubjects", f"{label} participants", _TEXT),
        Row(f"{path}.{counts}.numUnits", f"{label} units", _TEXT),
    )


def _classes(path: str, label: str) -> tuple[Row, ...]:
    deep = f"{path}.categories.measurements"
    return (
        Row(path, f"{label} row", _LIST, _BY_TITLE),
        Row(f"{path}.title", f"{label} row title", _TEXT),
        *(row._replace(summed=False) for row in _denoms(f"{path}.denoms", f"{label} row analyzed")),
        Row(f"{path}.categories", f"{label} category", _LIST, _BY_TITLE),
        Row(f"{path}.categories.title", f"{label} category title", _TEXT),
        Row(deep, f"{label} measurement", _LIST, _BY_GROUP),
        Row(f"{deep}.groupId", f"{label} measurement group", _TEXT),
        Row(f"{deep}.value", f"{label} value", _TEXT),
        Row(f"{deep}.spread", f"{label} spread", _TEXT),
        Row(f"{deep}.lowerLimit", f"{label} lower limit", _TEXT),
        Row(f"{deep}.upperLimit", f"{label} upper limit", _TEXT),
        Row(f"{deep}.comment", f"{label} measurement comment", _MARKUP),
    )


def _adverse_events(path: str, label: str) -> tuple[Row, ...]:
    return (
        Row(path, label, _LIST, ListKey(("term", "organSystem"), like=("term",)), summed=True),
        Row(f"{path}.term", f"{label} term", _TEXT),
        Row(f"{path}.organSystem", f"{label} organ system", _TEXT),
        Row(f"{path}.sourceVocabulary", f"{label} source vocabulary", _TEXT),
        Row(f"{path}.assessmentType", f"{label} assessment type", _ENUM),
        Row(f"{path}.notes", f"{label} notes", _MARKUP),
        Row(f"{path}.stats", f"{label} numbers", _LIST, _BY_GROUP),
        Row(f"{path}.stats.groupId", f"{label} group", _TEXT),
        Row(f"{path}.stats.numEvents", f"{label} events", _COUNT),
        Row(f"{path}.stats.numAffected", f"{label} participants affected", _COUNT),
        Row(f"{path}.stats.numAtRisk", f"{label} participants at risk", _COUNT),
    )


def _browse(path: str, label: str) -> tuple[Row, ...]:
    return (
        Row(path, f"{label} MeSH terms", _OBJECT),
        Row(f"{path}.meshes", f"{label} MeSH terms", _LIST, _BY_ID, summed=True),
        Row(f"{path}.meshes.id", f"{label} MeSH id", _TEXT),
        Row(f"{path}.meshes.term", f"{label} MeSH term", _TEXT),
        Row(f"{path}.ancestors", f"{label} MeSH ancestors", _LIST, _BY_ID, summed=True),
        Row(f"{path}.ancestors.id", f"{label} MeSH ancestor id", _TEXT),
        Row(f"{path}.ancestors.term", f"{label} MeSH ancestor", _TEXT),
        Row(f"{path}.browseLeaves", f"{label} browse leaves", _LIST, _BY_ID, summed=True),
        Row(f"{path}.browseLeaves.id", f"{label} browse leaf id", _TEXT),
        Row(f"{path}.browseLeaves.name", f"{label} browse leaf", _TEXT),
        Row(f"{path}.browseLeaves.asFound", f"{label} browse leaf as found", _TEXT),
        Row(f"{path}.browseLeaves.relevance", f"{label} browse leaf relevance", _ENUM),
        Row(f"{path}.browseBranches", f"{label} browse branches", _LIST, ListKey(("abbrev",)),
            summed=True),
        Row(f"{path}.browseBranches.abbrev", f"{label} browse branch abbreviation", _TEXT),
        Row(f"{path}.browseBranches.name", f"{label} browse branch", _TEXT),
    )  # fmt: skip


_FLOW = "participantFlowModule"
_BASE = "baselineCharacteristicsModule"
_MEASURES = "outcomeMeasuresModule.outcomeMeasures"
_ANALYSES = f"{_MEASURES}.analyses"
_AE = "adverseEventsModule"
_MORE = "moreInfoModule"

_RESULTS = Branch(
    "resultsSection", Category.RESULTS, Kind.RESULTS,
    (
        Row("", "Results", _OBJECT, whole=True),
        Row(_FLOW, "Participant Flow", _OBJECT, whole=True),
        Row(f"{_FLOW}.preAssignmentDetails", "Pre-assignment Details", _MARKUP),
        Row(f"{_FLOW}.recruitmentDetails", "Recruitment Details", _MARKUP),
        Row(f"{_FLOW}.typeUnitsAnalyzed", "Participant Flow units", _TEXT),
        *_groups(f"{_FLOW}.groups", "Participant Flow group"),
        Row(f"{_FLOW}.periods", "Participant Flow period", _LIST, _BY_TITLE, summed=True),
        Row(f"{_FLOW}.periods.title", "Participant Flow period title", _TEXT),
        *_tally(f"{_FLOW}.periods.milestones", "Milestone", "achievements"),
        *_tally(f"{_FLOW}.periods.dropWithdraws", "Reason not completed", "reasons"),
        Row(_BASE, "Baseline Characteristics", _OBJECT, whole=True),
        Row(f"{_BASE}.populationDescription", "Baseline population", _MARKUP),
        Row(f"{_BASE}.typeUnitsAnalyzed", "Baseline units", _TEXT),
        *_groups(f"{_BASE}.groups", "Baseline group"),
        *_denoms(f"{_BASE}.denoms", "Baseline analyzed"),
        Row(f"{_BASE}.measures", "Baseline measure", _LIST, _BY_TITLE, summed=True),
        Row(f"{_BASE}.measures.title", "Baseline measure title", _TEXT),
        Row(f"{_BASE}.measures.description", "Baseline measure description", _MARKUP),
        Row(f"{_BASE}.measures.populationDescription", "Baseline measure population", _MARKUP),
        Row(f"{_BASE}.measures.paramType", "Baseline measure type", _ENUM),
        Row(f"{_BASE}.measures.dispersionType", "Baseline measure dispersion", _ENUM),
        Row(f"{_BASE}.measures.unitOfMeasure", "Baseline measure unit", _TEXT),
        Row(f"{_BASE}.measures.calculatePct", "Baseline measure percentage", _BOOL),
        Row(f"{_BASE}.measures.denomUnitsSelected", "Baseline measure units selected", _TEXT),
        *(row._replace(summed=False)
          for row in _denoms(f"{_BASE}.measures.denoms", "Baseline measure analyzed")),
        *_classes(f"{_BASE}.measures.classes", "Baseline measure"),
        Row("outcomeMeasuresModule", "Outcome Measures (Results)", _OBJECT, whole=True),
        Row(_MEASURES, "Outcome measure results", _LIST,
            ListKey(("type", "title"), ordered=True, like=("title",)), summed=True),
        Row(f"{_MEASURES}.type", "Result type", _ENUM),
        Row(f"{_MEASURES}.title", "Result title", _TEXT),
        Row(f"{_MEASURES}.description", "Result description", _MARKUP),
        Row(f"{_MEASURES}.populationDescription", "Result analysis population", _MARKUP),
        Row(f"{_MEASURES}.reportingStatus", "Result reporting status", _ENUM),
        Row(f"{_MEASURES}.anticipatedPostingDate", "Result anticipated posting", _DATE),
        Row(f"{_MEASURES}.paramType", "Result measure type", _ENUM),
        Row(f"{_MEASURES}.dispersionType", "Result dispersion", _TEXT),
        Row(f"{_MEASURES}.unitOfMeasure", "Result unit", _TEXT),
        Row(f"{_MEASURES}.calculatePct", "Result percentage", _BOOL),
        Row(f"{_MEASURES}.timeFrame", "Result time frame", _TEXT),
        # the registry reviewers' correction requests; only record history carries them
        Row(f"{_MEASURES}.reviewUnit", "Result review", _OBJECT, None,
            Category.RESULTS_QC, Kind.RESULTS),
        Row(f"{_MEASURES}.reviewUnit.resetReasons", "Result review", _LIST, _SET,
            Category.RESULTS_QC, Kind.RESULTS),
        Row(f"{_MEASURES}.typeUnitsAnalyzed", "Result units", _TEXT),
        Row(f"{_MEASURES}.denomUnitsSelected", "Result units selected", _TEXT),
        *(row._replace(summed=False) for row in _groups(f"{_MEASURES}.groups", "Result group")),
        *(row._replace(summed=False) for row in _denoms(f"{_MEASURES}.denoms", "Result analyzed")),
        *_classes(f"{_MEASURES}.classes", "Result"),
        Row(_ANALYSES, "Statistical analysis", _LIST,
            ListKey(("statisticalMethod", "groupDescription"), ordered=True)),
        Row(f"{_ANALYSES}.paramType", "Estimation parameter", _TEXT),
        Row(f"{_ANALYSES}.paramValue", "Estimated value", _TEXT),
        Row(f"{_ANALYSES}.dispersionType", "Dispersion type", _ENUM),
        Row(f"{_ANALYSES}.dispersionValue", "Dispersion value", _TEXT),
        Row(f"{_ANALYSES}.statisticalMethod", "Statistical method", _TEXT),
        Row(f"{_ANALYSES}.statisticalComment", "Statistical comment", _MARKUP),
        Row(f"{_ANALYSES}.pValue", "P-value", _TEXT),
        Row(f"{_ANALYSES}.pValueComment", "P-value comment", _MARKUP),
        Row(f"{_ANALYSES}.ciNumSides", "Confidence interval sides", _ENUM),
        Row(f"{_ANALYSES}.ciPctValue", "Confidence interval level", _TEXT),
        Row(f"{_ANALYSES}.ciLowerLimit", "Confidence interval lower limit", _TEXT),
        Row(f"{_ANALYSES}.ciUpperLimit", "Confidence interval upper limit", _TEXT),
        Row(f"{_ANALYSES}.ciLowerLimitComment", "Lower limit comment", _MARKUP),
        Row(f"{_ANALYSES}.ciUpperLimitComment", "Upper limit comment", _MARKUP),
        Row(f"{_ANALYSES}.estimateComment", "Estimation comment", _MARKUP),
        Row(f"{_ANALYSES}.testedNonInferiority", "Tested non-inferiority", _BOOL),
        Row(f"{_ANALYSES}.nonInferiorityType", "Type of statistical test", _ENUM),
        Row(f"{_ANALYSES}.nonInferiorityComment", "Non-inferiority comment", _MARKUP),
        Row(f"{_ANALYSES}.otherAnalysisDescription", "Other analysis", _MARKUP),
        Row(f"{_ANALYSES}.groupDescription", "Analysis description", _MARKUP),
        Row(f"{_ANALYSES}.groupIds", "Analysis group", _LIST, _SET),
        Row(_AE, "Adverse Events", _OBJECT, whole=True),
        Row(f"{_AE}.frequencyThreshold", "Adverse events frequency threshold", _TEXT),
        Row(f"{_AE}.timeFrame", "Adverse events time frame", _MARKUP),
        Row(f"{_AE}.description", "Adverse events description", _MARKUP),
        Row(f"{_AE}.allCauseMortalityComment", "All-cause mortality comment", _MARKUP),
        *_groups(f"{_AE}.eventGroups", "Adverse events group"),
        Row(f"{_AE}.eventGroups.deathsNumAffected", "Deaths", _COUNT),
        Row(f"{_AE}.eventGroups.deathsNumAtRisk", "Deaths: at risk", _COUNT),
        Row(f"{_AE}.eventGroups.seriousNumAffected", "Serious events: affected", _COUNT),
        Row(f"{_AE}.eventGroups.seriousNumAtRisk", "Serious events: at risk", _COUNT),
        Row(f"{_AE}.eventGroups.otherNumAffected", "Other events: affected", _COUNT),
        Row(f"{_AE}.eventGroups.otherNumAtRisk", "Other events: at risk", _COUNT),
        *_adverse_events(f"{_AE}.seriousEvents", "Serious adverse events"),
        *_adverse_events(f"{_AE}.otherEvents", "Other adverse events"),
        Row(_MORE, "More Information", _OBJECT, whole=True),
        Row(f"{_MORE}.limitationsAndCaveats", "Limitations and Caveats", _OBJECT),
        Row(f"{_MORE}.limitationsAndCaveats.description", "Limitations and Caveats", _MARKUP),
        Row(f"{_MORE}.certainAgreement", "Certain Agreements", _OBJECT),
        Row(f"{_MORE}.certainAgreement.piSponsorEmployee", "PI employed by sponsor", _BOOL),
        Row(f"{_MORE}.certainAgreement.restrictionType", "Disclosure restriction type", _ENUM),
        Row(f"{_MORE}.certainAgreement.restrictiveAgreement", "Disclosure restricted", _BOOL),
        Row(f"{_MORE}.certainAgreement.otherDetails", "Disclosure restriction", _MARKUP),
        Row(f"{_MORE}.pointOfContact", "Results point of contact", _OBJECT, None,
            Category.CONTACTS, Kind.CONTACT),
        *(Row(f"{_MORE}.pointOfContact.{leaf}", f"Results point of contact {label}", _TEXT, None,
              Category.CONTACTS, Kind.CONTACT)
          for leaf, label in (("title", "title"), ("organization", "organization"),
                              ("email", "email"), ("phone", "phone"),
                              ("phoneExt", "phone extension"))),
    ),
)  # fmt: skip

_HAS_RESULTS = Branch(
    "hasResults", Category.RESULTS, Kind.RESULTS, (Row("", "Has Results", _BOOL),)
)  # fmt: skip

_UNPOSTED = "annotationModule.unpostedAnnotation"
_VIOLATION = "annotationModule.violationAnnotation"

_ANNOTATIONS = Branch(
    "annotationSection", Category.RESULTS_QC, Kind.RESULTS,
    (
        Row("", "Annotations", _OBJECT),
        Row("annotationModule", "Annotations", _OBJECT),
        Row(_UNPOSTED, "Results Submitted, Not Posted", _OBJECT),
        Row(f"{_UNPOSTED}.unpostedResponsibleParty", "Results submitted by", _TEXT),
        Row(f"{_UNPOSTED}.unpostedEvents", "Results QC", _LIST,
            ListKey(("type", "date"), ordered=True)),
        Row(f"{_UNPOSTED}.unpostedEvents.type", "Results QC step", _ENUM),
        Row(f"{_UNPOSTED}.unpostedEvents.date", "Results QC date", _DATE),
        Row(f"{_UNPOSTED}.unpostedEvents.dateUnknown", "Results QC date unknown", _BOOL),
        Row(_VIOLATION, "FDAAA 801 Violations", _OBJECT, None, Category.OVERSIGHT, Kind.OTHER),
        Row(f"{_VIOLATION}.violationEvents", "FDAAA 801 Violation", _LIST,
            ListKey(("type", "creationDate"), ordered=True), Category.OVERSIGHT, Kind.OTHER),
        *(Row(f"{_VIOLATION}.violationEvents.{leaf}", f"FDAAA 801 Violation {label}", shape, None,
              Category.OVERSIGHT, Kind.OTHER)
          for leaf, label, shape in (
              ("type", "type", _ENUM), ("description", "description", _MARKUP),
              ("creationDate", "created", _DATE), ("issuedDate", "issued", _DATE),
              ("releaseDate", "released", _DATE), ("postedDate", "posted", _DATE))),
    ),
)  # fmt: skip

_DOCS = "largeDocumentModule.largeDocs"

_DOCUMENTS = Branch(
    "documentSection", Category.DOCUMENTS, Kind.DOCUMENT,
    (
        Row("", "Study Documents", _OBJECT),
        Row("largeDocumentModule", "Study Documents", _OBJECT),
        Row("largeDocumentModule.noSap", "No Statistical Analysis Plan", _BOOL),
        Row(_DOCS, "Document", _LIST, ListKey(("filename",))),
        Row(f"{_DOCS}.typeAbbrev", "Document type", _TEXT),
        Row(f"{_DOCS}.hasProtocol", "Document has protocol", _BOOL),
        Row(f"{_DOCS}.hasSap", "Document has analysis plan", _BOOL),
        Row(f"{_DOCS}.hasIcf", "Document has consent form", _BOOL),
        Row(f"{_DOCS}.label", "Document label", _TEXT),
        Row(f"{_DOCS}.date", "Document date", _DATE),
        Row(f"{_DOCS}.uploadDate", "Document uploaded", _DATE),
        Row(f"{_DOCS}.filename", "Document file", _TEXT),
        Row(f"{_DOCS}.size", "Document size", _COUNT),
    ),
)  # fmt: skip

_TRACKING = "miscInfoModule.submissionTracking"
_SUBMISSIONS = f"{_TRACKING}.submissionInfos"
_QC = (Category.RESULTS_QC, Kind.RESULTS)

_DERIVED = Branch(
    "derivedSection", Category.DERIVED, Kind.DERIVED,
    (
        Row("", "Derived by the Registry", _OBJECT),
        Row("miscInfoModule", "Miscellaneous", _OBJECT),
        Row("miscInfoModule.versionHolder", "Data Version", _DATE, volatile=True),
        Row("miscInfoModule.removedCountries", "Removed country", _LIST, _SET,
            Category.SITES, Kind.SITE),
        Row("miscInfoModule.modelPredictions", "Model Predictions", _OBJECT, summed=True),
        Row("miscInfoModule.modelPredictions.bmiLimits", "Predicted BMI limits", _OBJECT),
        Row("miscInfoModule.modelPredictions.bmiLimits.minBmi", "Predicted minimum BMI", _NUMBER),
        Row("miscInfoModule.modelPredictions.bmiLimits.maxBmi", "Predicted maximum BMI", _NUMBER),
        Row(_TRACKING, "Results Submission", _OBJECT, None, *_QC),
        Row(f"{_TRACKING}.estimatedResultsFirstSubmitDate", "Results first submitted (estimated)",
            _DATE, None, *_QC),
        Row(f"{_TRACKING}.firstMcpInfo", "First results with QC comments", _OBJECT, None, *_QC),
        Row(f"{_TRACKING}.firstMcpInfo.postDateStruct", "First results with QC comments", _OBJECT,
            None, *_QC),
        Row(f"{_TRACKING}.firstMcpInfo.postDateStruct.date",
            "Results first posted with QC comments", _DATE, None, *_QC),
        Row(f"{_TRACKING}.firstMcpInfo.postDateStruct.type",
            "Results first posted with QC comments type", _ENUM, None, *_QC),
        Row(_SUBMISSIONS, "Results submission", _LIST,
            ListKey(("releaseDate",), ordered=True), *_QC),
        Row(f"{_SUBMISSIONS}.releaseDate", "Results submitted", _DATE, None, *_QC),
        Row(f"{_SUBMISSIONS}.unreleaseDate", "Results submission cancelled", _DATE, None, *_QC),
        Row(f"{_SUBMISSIONS}.unreleaseDateUnknown", "Results submission cancelled, date unknown",
            _BOOL, None, *_QC),
        Row(f"{_SUBMISSIONS}.resetDate", "Results returned after QC", _DATE, None, *_QC),
        Row(f"{_SUBMISSIONS}.mcpReleaseN", "Results QC release number", _COUNT, None, *_QC),
        *_browse("conditionBrowseModule", "Condition"),
        *_browse("interventionBrowseModule", "Intervention"),
    ),
)  # fmt: skip

REST = (_RESULTS, _HAS_RESULTS, _ANNOTATIONS, _DOCUMENTS, _DERIVED)
"""Every part of a record except protocolSection."""
