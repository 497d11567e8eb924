"""The registry's enum values in words, as its pages show them: "Active, not recruiting".

Most values follow a rule: the first letter stays a capital, and underscores become blanks. The
table holds the others. A value that the table does not know follows the rule too.

Does no I/O.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import field_at, listing_at

_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*", re.ASCII)

_EXCEPTIONS = {
    # status
    "ACTIVE_NOT_RECRUITING": "Active, not recruiting",
    # phase
    "NA": "N/A",
    "EARLY_PHASE1": "Early Phase 1",
    "PHASE1": "Phase 1",
    "PHASE2": "Phase 2",
    "PHASE3": "Phase 3",
    "PHASE4": "Phase 4",
    # agencies and sponsors
    "NIH": "NIH",
    "FDA": "FDA",
    "VA": "VA",
    "CDC": "CDC",
    "AHRQ": "AHRQ",
    "SAMHSA": "SAMHSA",
    "FED": "U.S. federal agency",
    "OTHER_GOV": "Other government",
    "INDIV": "Individual",
    "AMBIG": "Ambiguous",
    "SPONSOR_INVESTIGATOR": "Sponsor-investigator",
    "SUB_INVESTIGATOR": "Sub-investigator",
    # ids and documents
    "EUDRACT_NUMBER": "EudraCT number",
    "CTIS": "CTIS",
    "SAP": "Statistical analysis plan",
    "ICF": "Informed consent form",
    "CSR": "Clinical study report",
    # design
    "NON_RANDOMIZED": "Non-randomized",
    "ECT": "Educational/counseling/training",
    "CASE_CONTROL": "Case-control",
    "CASE_ONLY": "Case-only",
    "CASE_CROSSOVER": "Case-crossover",
    "FAMILY_BASED": "Family-based",
    "CROSS_SECTIONAL": "Cross-sectional",
    "NON_PROBABILITY_SAMPLE": "Non-probability sample",
    "SAMPLES_WITH_DNA": "Samples with DNA",
    "SAMPLES_WITHOUT_DNA": "Samples without DNA",
    # results
    "CONFIDENCE_80": "80 % confidence interval",
    "CONFIDENCE_90": "90 % confidence interval",
    "CONFIDENCE_95": "95 % confidence interval",
    "CONFIDENCE_975": "97.5 % confidence interval",
    "CONFIDENCE_99": "99 % confidence interval",
    "CONFIDENCE_OTHER": "Other confidence interval",
    "INTER_QUARTILE_RANGE": "Inter-quartile range",
    "OTHER_PRE_SPECIFIED": "Other pre-specified",
    "NON_SYSTEMATIC_ASSESSMENT": "Non-systematic assessment",
    "ONE_SIDED": "One-sided",
    "TWO_SIDED": "Two-sided",
    "NON_INFERIORITY": "Non-inferiority",
    "NON_INFERIORITY_OR_EQUIVALENCE": "Non-inferiority or equivalence",
    "NON_INFERIORITY_OR_EQUIVALENCE_LEGACY": "Non-inferiority or equivalence (legacy)",
    "SUPERIORITY_OR_OTHER_LEGACY": "Superiority or other (legacy)",
    "LTE60": "60 days or less",
    "GT60": "More than 60 days",
}
_OF_FIELD = {
    ("phases", "NA"): "Not applicable",
    ("masking", "NONE"): "None (open label)",
}
_LISTS = frozenset(
    f"protocolSection.{path}"
    for path in (
        "designModule.phases",
        "designModule.designInfo.maskingInfo.whoMasked",
        "eligibilityModule.stdAges",
        "ipdSharingStatementModule.infoTypes",
    )
)
"""The lists whose items are enum values."""

_KEY_FIELDS = frozenset({
    "status", "last_known_status", "study_type", "enrollment_type", "start_date_type",
    "primary_completion_date_type", "completion_date_type",
})  # fmt: skip
_PHASES = "phases"
_BETWEEN = " | "


@lru_cache(maxsize=4096)
def is_enum(field: str) -> bool:
    """Whether the field at this path holds an enum value, or a list of them."""
    return field in _LISTS or field_at(field).shape is Shape.ENUM


def enum_words(code: str, field: str = "") -> str:
    """An enum value in words. `field` is the path or name of its field; a few values need it.

    Text that has not the form of an enum value is returned unchanged.
    """
    if _CODE.fullmatch(code) is None:
        return code
    own = _OF_FIELD.get((field.rpartition(".")[2], code))
    return own or _EXCEPTIONS.get(code) or code.replace("_", " ").capitalize()


def within_sentence(words: str) -> str:
    """Words with a small first letter: "active, not recruiting"; abbreviations keep theirs."""
    is_abbreviation = len(words) > 1 and not words[1].islower()
    return words if is_abbreviation else words[:1].lower() + words[1:]


def item_words(item: str, field: str) -> str:
    """The name of a list item with its enum values in words: "Jane Doe | Study director".

    `field` is the path of the list, or of a field of its items.
    """
    while field and field_at(field).shape is not Shape.LIST:
        field = field.rpartition(".")[0]
    parts, keys = item.split(_BETWEEN), listing_at(field).key
    if len(parts) != len(keys):
        return item
    named = zip(parts, (f"{field}.{key}" for key in keys), strict=True)
    return _BETWEEN.join(enum_words(part, of) if is_enum(of) else part for part, of in named)


def phase_words(phases: str) -> str:
    """The phases of a trial's key fields in words: "Phase 2/3" for PHASE2|PHASE3."""
    return "/".join(enum_words(part, _PHASES) for part in phases.split("|")).replace("/Phase ", "/")


def key_field_words(name: str, text: str | None) -> str:
    """A text of the key fields, in words if it is an enum value; empty if there is none.

    `name` is its name in the key fields.
    """
    if text is None:
        return ""
    if name == _PHASES:
        return phase_words(text)
    return enum_words(text) if name in _KEY_FIELDS else text
