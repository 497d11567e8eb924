"""The registry's enum values in words."""

import pytest

from ctsync.record.enum_words import (
    enum_words,
    is_enum,
    item_words,
    key_field_words,
    phase_words,
    within_sentence,
)

DESIGN = "protocolSection.designModule"
INTERVENTIONS = "protocolSection.armsInterventionsModule.interventions"

WORDS = {
    # statuses
    "ACTIVE_NOT_RECRUITING": "Active, not recruiting",
    "COMPLETED": "Completed",
    "ENROLLING_BY_INVITATION": "Enrolling by invitation",
    "NOT_YET_RECRUITING": "Not yet recruiting",
    "RECRUITING": "Recruiting",
    "SUSPENDED": "Suspended",
    "TERMINATED": "Terminated",
    "WITHDRAWN": "Withdrawn",
    "AVAILABLE": "Available",
    "NO_LONGER_AVAILABLE": "No longer available",
    "TEMPORARILY_NOT_AVAILABLE": "Temporarily not available",
    "APPROVED_FOR_MARKETING": "Approved for marketing",
    "WITHHELD": "Withheld",
    "UNKNOWN": "Unknown",
    # types of studies, phases, dates
    "EXPANDED_ACCESS": "Expanded access",
    "INTERVENTIONAL": "Interventional",
    "NA": "N/A",
    "EARLY_PHASE1": "Early Phase 1",
    "PHASE2": "Phase 2",
    "ESTIMATED": "Estimated",
    # people and organizations
    "NIH": "NIH",
    "OTHER_GOV": "Other government",
    "INDUSTRY": "Industry",
    "PRINCIPAL_INVESTIGATOR": "Principal investigator",
    "SPONSOR_INVESTIGATOR": "Sponsor-investigator",
    # design and eligibility
    "NON_RANDOMIZED": "Non-randomized",
    "CASE_CONTROL": "Case-control",
    "SAMPLES_WITHOUT_DNA": "Samples without DNA",
    "OLDER_ADULT": "Older adult",
    "OUTCOMES_ASSESSOR": "Outcomes assessor",
    # results and documents
    "CONFIDENCE_975": "97.5 % confidence interval",
    "POST_HOC": "Post hoc",
    "NON_INFERIORITY_OR_EQUIVALENCE_LEGACY": "Non-inferiority or equivalence (legacy)",
    "GT60": "More than 60 days",
    "SAP": "Statistical analysis plan",
}


@pytest.mark.parametrize(("code", "words"), WORDS.items())
def test_an_enum_value_is_written_in_words(code: str, words: str) -> None:
    assert enum_words(code) == words


def test_a_value_that_the_registry_adds_later_follows_the_rule() -> None:
    assert enum_words("PAUSED_BY_SPONSOR") == "Paused by sponsor"


@pytest.mark.parametrize(
    "text", ["", "Recruiting", "(none)", "RECRUITING ", "A-B", "_X", "\x1b[0m"]
)
def test_text_that_is_not_an_enum_value_stays_as_it_is(text: str) -> None:
    assert enum_words(text) == text


def test_some_values_depend_on_their_field() -> None:
    assert enum_words("NA", f"{DESIGN}.phases") == "Not applicable"
    assert enum_words("NA", f"{DESIGN}.designInfo.allocation") == "N/A"
    masking = f"{DESIGN}.designInfo.maskingInfo.masking"
    assert enum_words("NONE", masking) == "None (open label)"


def test_only_declared_enum_fields_and_their_lists_hold_enum_values() -> None:
    assert is_enum("protocolSection.statusModule.overallStatus")
    assert is_enum(f"{DESIGN}.phases")
    assert not is_enum("protocolSection.identificationModule.acronym")
    assert not is_enum("newSection.status")
    assert not is_enum("")


@pytest.mark.parametrize(
    ("words", "within"),
    [
        ("Active, not recruiting", "active, not recruiting"),
        ("N/A", "N/A"),
        ("NIH", "NIH"),
        ("U.S. federal agency", "U.S. federal agency"),
        ("(none)", "(none)"),
        ("", ""),
    ],
)
def test_words_within_a_sentence_start_with_a_small_letter(words: str, within: str) -> None:
    assert within_sentence(words) == within


def test_the_phases_of_a_trial_are_joined() -> None:
    assert phase_words("PHASE2|PHASE3") == "Phase 2/3"
    assert phase_words("EARLY_PHASE1") == "Early Phase 1"
    assert phase_words("NA") == "Not applicable"


def test_key_fields_are_written_in_words_and_their_texts_stay() -> None:
    assert key_field_words("status", "NOT_YET_RECRUITING") == "Not yet recruiting"
    assert key_field_words("phases", "PHASE1|PHASE2") == "Phase 1/2"
    assert key_field_words("why_stopped", "FUNDING") == "FUNDING"
    assert key_field_words("status", None) == ""


def test_the_name_of_a_list_item_keeps_its_text_and_has_its_enum_values_in_words() -> None:
    named = item_words("DIETARY_SUPPLEMENT | OTHER", INTERVENTIONS)
    assert named == "Dietary supplement | OTHER"
    assert item_words("DRUG | X", f"{INTERVENTIONS}.description") == "Drug | X"
    assert item_words("DRUG | X | Y", INTERVENTIONS) == "DRUG | X | Y"
    assert item_words("OTHER", "protocolSection.conditionsModule.keywords") == "OTHER"
