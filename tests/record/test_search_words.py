"""Words of texts in many scripts, and the searches for them."""

from __future__ import annotations

import pytest

from ctsync.errors import UsageError
from ctsync.record.rules.conditions import read_condition
from ctsync.record.rules.search_words import LONGEST_WORD, MOST_WORDS, parse_words, words_of

WORDS = {
    "Non-Small Cell  Lung Cancer": "non small cell lung cancer",
    "Ångström, Łódź & Tromsø": "angstrom lodz tromso",
    "Straße STRASSE": "strasse strasse",
    "e\u0301cole École": "ecole ecole",
    "αβ-Μητέρα": "αβ μητερα",
    "Москва́ Й": "москва и",
    "東京都 Tokyo": "東京都 tokyo",
    "कैंसर रोग": "कैंसर रोग",
    "إصابة": "اصابة",
    "5 µg/mL, CO₂, ½": "5 μg ml co2 1 2",
    "<p>Age &ge; 18</p><li>no <b>cancer</b></li> x < 5 > y": "age 18 no cancer x 5 y",
    "_under_score_": "under score",
    "\x00\ud800a\u200bb": "a b",
    "??? --": "",
}


@pytest.mark.parametrize("text", WORDS)
def test_a_text_is_split_into_words_without_case_and_accents(text: str) -> None:
    assert " ".join(words_of(text)) == WORDS[text]
    assert words_of(" ".join(words_of(text))) == words_of(text)


def test_long_texts_and_long_words_are_cut_at_their_limits() -> None:
    assert len(words_of("a " * (MOST_WORDS + 5))) == MOST_WORDS
    (ascii_word,), (wide_word,) = words_of("x" * 500), words_of("都" * 500)
    assert len(ascii_word) == LONGEST_WORD
    assert len(wide_word.encode()) <= LONGEST_WORD
    assert parse_words("x" * 70).matches(words_of("x" * 500))


@pytest.mark.parametrize(
    ("asked", "text", "matches"),
    [
        ("lung cancer", "Cancer of the Lung", True),
        ("lung cancer", "Lungs and cancer", False),
        ('"lung cancer"', "Small Cell Lung Cancer", True),
        ('"lung cancer"', "Cancer, Lung", False),
        ('egfr "lung cancer"', "Lung-cancer with EGFR", True),
        ("immuno*", "Immunotherapy", True),
        ("immuno", "Immunotherapy", False),
        ("anti-PD*", "Anti PD-L1", True),
        ("anti-PD", "PD anti", False),
        ('"lung*"', "lungs", False),
        ("* cancer", "cancer", True),
        ("NEAR(lung cancer)", "near lung cancer", True),
        ("lung OR heart", "heart", False),
    ],
)
def test_a_search_matches_all_its_words(asked: str, text: str, matches: bool) -> None:
    assert parse_words(asked).matches(words_of(text)) is matches


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('condition~"lung', "condition: '\"lung' has a quote that is not closed"),
        ("condition~", "condition: the value is missing"),
        ("condition~*", "condition: '*' has no words: write letters or digits"),
        ('condition~""', "has no words"),
        ("condition=??", "has no words"),
        ("city~" + "a" * 1001, "city: the value is too long: it may have 1,000 characters"),
        ("sponsor~" + "a" * 60_000, "sponsor: the value is too long"),
        ("city~" + "a " * 60, "too many words: a search takes at most 50"),
        ("city~" + "|".join("a" * 101), "city: 101 values; a condition takes 100"),
        ("conditon~x", "did you mean condition?"),
        ("drugs~x", "did you mean intervention?"),
        ("sponser_class=NIH", "did you mean sponsor_class?"),
        ("intervention_type=drg", "did you mean DRUG?"),
        ("eligibility>3", "eligibility takes = != ~ !~, not >"),
    ],
)
def test_a_wrong_search_for_words_is_refused_with_the_correct_form(text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_condition(text)
    assert says in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_bar_in_quotes_is_part_of_the_phrase() -> None:
    assert read_condition('condition~"lung|x"|breast').values == ('"lung|x"', "breast")
