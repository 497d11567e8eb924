"""The short words for a trial: sponsor, condition, phase and title."""

from __future__ import annotations

import pytest

from ctsync.model import JsonObject, KeyFields
from ctsync.report.words.trial_heading import (
    TrialHeading,
    cut_at_word,
    heading_of,
    heading_of_key,
    short_condition,
    short_phase,
    short_sponsor,
    short_title,
    trial_heading,
)
from tests.registry_fixtures import make_study


def test_a_heading_names_sponsor_condition_and_phase_of_the_record() -> None:
    body = make_study("NCT00000001")
    protocol = body["protocolSection"]
    protocol["identificationModule"] |= {"acronym": "BM-MSC-01", "briefTitle": "Stem Cells"}
    protocol["sponsorCollaboratorsModule"] = {"leadSponsor": {"name": "Kadimastem Ltd."}}
    protocol["conditionsModule"] = {"conditions": ["Amyotrophic Lateral Sclerosis (ALS)"]}
    protocol["designModule"] |= {"phases": ["PHASE1", "PHASE2"]}
    heading = heading_of(body)

    assert trial_heading(heading) == "Kadimastem · ALS · Phase 1/2"
    assert trial_heading(heading, ", ") == "Kadimastem, ALS, Phase 1/2"
    assert short_title(heading) == "BM-MSC-01: Stem Cells"


def test_a_heading_of_key_fields_leaves_out_the_condition() -> None:
    key = KeyFields(lead_sponsor="AstraZeneca", phases="PHASE2|PHASE3", brief_title="A study")

    assert trial_heading(heading_of_key(key)) == "AstraZeneca · Phase 2/3"
    assert short_title(heading_of_key(key)) == "A study"
    assert trial_heading(heading_of_key(None)) == ""


@pytest.mark.parametrize(
    ("conditions", "keywords", "words"),
    [
        (("Non Small Cell Lung Cancer (NSCLC)",), (), "NSCLC"),
        (("Non-small Cell Lung Cancer NSCLC",), (), "NSCLC"),
        (("Acute Myeloid Leukemia", "AML"), (), "AML"),
        (("Heart Failure With Preserved Ejection Fraction",), ("HFpEF",), "HFpEF"),
        # abbreviations of something else
        (("Breast Cancer",), ("HER2", "BC", "EGFR"), "Breast Cancer"),
        # the order of the record is not stored, so that no condition is the first
        (("Asthma", "Chronic Obstructive Pulmonary Disease (COPD)"), (), "2 conditions"),
        (("Asthma", "Allergy"), (), "Allergy and Asthma"),
        (("Asthma", "Allergy", "Eczema"), (), "3 conditions"),
        ((), ("AML",), ""),
    ],
)
def test_a_condition_is_abbreviated_only_as_the_record_abbreviates_it(
    conditions: tuple[str, ...], keywords: tuple[str, ...], words: str
) -> None:
    assert short_condition(TrialHeading(conditions=conditions, keywords=keywords)) == words


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("A Study of Something in Zoster", "Zoster"),
        ("A Study of Something in AML", "Acute Myeloid Leukemia"),
        ("A Study of Something", "3 conditions"),
    ],
)
def test_of_several_conditions_the_one_that_the_title_names_is_shown(
    title: str, words: str
) -> None:
    conditions = ("Acute Myeloid Leukemia", "Bacteremia", "Zoster")
    assert short_condition(TrialHeading(brief_title=title, conditions=conditions)) == words


def test_a_trial_without_a_sponsor_says_so_before_its_condition() -> None:
    heading = TrialHeading(conditions=("Asthma",), phase="Phase 2", brief_title="A study")

    assert trial_heading(heading) == "no sponsor given · Asthma · Phase 2"
    assert trial_heading(TrialHeading(brief_title="A study")) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Jiangsu HengRui Medicine Co., Ltd.", "Jiangsu HengRui Medicine"),
        ("Merck Sharp & Dohme LLC", "Merck Sharp & Dohme"),
        ("Hoffmann-La Roche", "Hoffmann-La Roche"),
        ("Novartis Pharma AG", "Novartis Pharma"),
        ("Inc.", "Inc."),
    ],
)
def test_a_sponsor_loses_only_its_legal_form(name: str, words: str) -> None:
    assert short_sponsor(TrialHeading(sponsor=name)) == words


def test_a_study_without_phases_shows_its_type_unless_it_is_interventional() -> None:
    assert short_phase(TrialHeading(study_type="OBSERVATIONAL")) == "Observational"
    assert short_phase(TrialHeading(study_type="INTERVENTIONAL")) == ""
    assert short_phase(heading_of_key(KeyFields(phases="NA", study_type="INTERVENTIONAL"))) == ""


def test_a_title_follows_its_acronym_unless_it_contains_it() -> None:
    assert short_title(TrialHeading(acronym="MS", brief_title="Mask Study")) == "MS: Mask Study"
    title = "Results of KEYNOTE-1"
    assert short_title(TrialHeading(acronym="KEYNOTE-1", brief_title=title)) == title


def test_a_cut_lies_between_words_and_is_marked() -> None:
    assert cut_at_word("one two three", 13) == "one two three"
    assert cut_at_word("one two, three", 12) == "one two…"
    assert cut_at_word("a" * 40, 10) == "a" * 9 + "…"


def test_values_of_the_wrong_type_are_ignored() -> None:
    odd: JsonObject = {"protocolSection": {"conditionsModule": {"conditions": [1, "Asthma"]},
                               "identificationModule": [], "designModule": None}}  # fmt: skip

    assert heading_of(odd) == TrialHeading(conditions=("Asthma",))
