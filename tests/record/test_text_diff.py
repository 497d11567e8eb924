"""Cosmetic edits of texts, and word-by-word differences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.record.compare.text_diff import (
    Edit,
    Segment,
    cosmetic_difference,
    is_cosmetic,
    normal_form,
    token_diff,
    word_diff,
)

LONG = "word and word " * 400_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Safety", "SAFETY"),
        ("a  b\n\nc", "a b c"),
        ("1. Pain", "Pain"),
        ("* one\n* two", "- one\n- two"),
        ("a) one", "one"),
        ("m\\^2 \\> 60 \\*", "m^2 > 60 *"),
        ("<p>Inclusion:</p><ul><li>age &gt; 18</li></ul>", "Inclusion:\n\n* age \\> 18"),
        ("and&#x2F;or", "and/or"),
        ('Patients\' "x" - y', "Patients\u2019 \u201cx\u201d \u2013 y"),
        ("Pain.", "Pain"),
        ("caf\u00e9", "cafe\u0301"),
        ("", "   "),
    ],
)
def test_texts_that_differ_only_in_layout_or_letter_case_are_cosmetic_edits(one, other):
    assert normal_form(one) == normal_form(other)
    assert is_cosmetic(one, other)
    assert is_cosmetic(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RECIST 1.1", "iRECIST 1.1"),
        ("RECIST 1.1", "RECIST 11"),
        ("10^9", "109"),
        ("10⁹", "109"),
        ("≥ 18", "> 18"),
        ("age > 18", "age < 18"),
        ("-5 mg", "5 mg"),
        ("12 months", "1.2 months"),
        ("a b", "ab"),
        ("not x", "x"),
        ("1:1 ratio", "1 1 ratio"),
        ("0.5 mg", "05 mg"),
    ],
)
def test_a_difference_that_may_change_the_meaning_is_not_cosmetic(one, other):
    assert not is_cosmetic(one, other)


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ("age 18;\n- no pain", "age 18; - no pain", "only blanks or line breaks changed"),
        ("age 18;\npain", "age 18; pain", "only blanks or line breaks changed"),
        ("adults, men; women", "adults; men, women", "only punctuation or line breaks changed"),
        ("Pain.", "Pain", "only punctuation or line breaks changed"),
        ("Pain", "PAIN", "only letter case changed"),
        (
            "adults, men\nWomen",
            "Adults men women",
            "only letter case, punctuation, blanks, numbering or markup changed",
        ),
    ],
)
def test_texts_with_the_same_words_are_cosmetic_edits_with_a_true_reason(one, other, says):
    assert is_cosmetic(one, other)
    assert is_cosmetic(other, one)
    assert cosmetic_difference(one, other) == says


@pytest.mark.parametrize("value", [None, 7, [], {}, True])
def test_only_texts_can_be_cosmetic_edits(value):
    assert not is_cosmetic(value, "7")
    assert not is_cosmetic("7", value)


def test_word_diff_lists_kept_deleted_and_inserted_words():
    assert word_diff("Response by RECIST 1.1 at week 8", "Response by iRECIST 1.1 at week 8") == [
        Segment(Edit.KEPT, "Response by "),
        Segment(Edit.DELETED, "RECIST "),
        Segment(Edit.INSERTED, "iRECIST "),
        Segment(Edit.KEPT, "1.1 at week 8"),
    ]


def test_an_unchanged_text_is_kept_and_an_empty_text_has_no_segments():
    assert word_diff("one two", "one two") == [Segment(Edit.KEPT, "one two")]
    assert word_diff("", "") == []
    assert word_diff("", "new") == [Segment(Edit.INSERTED, "new")]
    assert word_diff("old", "") == [Segment(Edit.DELETED, "old")]


words = st.lists(st.sampled_from(["a", "b", "c", "RECIST", "é", "\n", "x"]), max_size=30)


@given(words, words)
def test_the_segments_add_up_to_both_texts(old, new):
    before, after = " ".join(old), " ".join(new)
    segments = word_diff(before, after)
    for edit, text in ((Edit.INSERTED, before), (Edit.DELETED, after)):
        made = "".join(s.text if s.text[-1:].isspace() else s.text + " "
                       for s in segments if s.edit is not edit)  # fmt: skip
        assert made.split() == text.split()
    assert all(s.text.strip() for s in segments)


@pytest.mark.slow
def test_texts_of_several_megabytes_are_compared_by_their_common_ends():
    segments = word_diff(LONG + "old end", LONG + "new end")
    assert [s.edit for s in segments] == [Edit.KEPT, Edit.DELETED, Edit.INSERTED, Edit.KEPT]
    assert segments[1].text.strip() == "old"


def test_texts_too_long_to_compare_are_deleted_and_inserted():
    one, other = (" ".join(f"{letter}{n}" for n in range(12_000)) for letter in "ab")
    assert [s.edit for s in word_diff(one, other)] == [Edit.DELETED, Edit.INSERTED]


@pytest.mark.parametrize("unit", [" ", "\n", "1. ", " .", "&", "<", "\\", "• ", "<p>", "&amp;"])
def test_the_normal_form_takes_linear_time(unit):
    """The time must grow linearly with the text: quadratic time would make 500 KB hang the test."""
    assert isinstance(normal_form(unit * (500_000 // len(unit))), str)


def test_words_numbers_and_punctuation_are_compared_apart():
    assert token_diff("progression-free survival (PFS), by age", "PFS by age") == [
        Segment(Edit.DELETED, "progression-free survival ("),
        Segment(Edit.KEPT, "PFS "),
        Segment(Edit.DELETED, "), "),
        Segment(Edit.KEPT, "by age"),
    ]
    assert token_diff("age and sex", "age, and sex") == [
        Segment(Edit.KEPT, "age"),
        Segment(Edit.INSERTED, ", "),
        Segment(Edit.KEPT, "and sex"),
    ]
    assert [s.edit for s in token_diff("at 1.1 g", "at 1.2 g")].count(Edit.KEPT) == 2


def test_an_accent_stays_with_its_letter():
    assert token_diff("cafe\u0301, tea", "cafe, tea")[0] == Segment(Edit.DELETED, "cafe\u0301")


def test_replacements_that_only_punctuation_separates_are_one_replacement():
    assert token_diff("red, green; blue", "one, two; three") == [
        Segment(Edit.DELETED, "red, green; blue"),
        Segment(Edit.INSERTED, "one, two; three"),
    ]


def test_a_blank_added_before_a_sign_is_a_change():
    assert [s.edit for s in token_diff("10%", "10 %")] == [Edit.DELETED, Edit.INSERTED]


signs = st.lists(
    st.sampled_from(["a", "PFS", "1", "1.5", "é", "e\u0301", " ", "\n", ",", "(", ")", "-", "'"]),
    max_size=30,
).map("".join)


@given(signs, signs)
def test_the_tokens_add_up_to_both_texts(before, after):
    segments = token_diff(before, after)
    for edit, text in ((Edit.INSERTED, before), (Edit.DELETED, after)):
        made = "".join(s.text for s in segments if s.edit is not edit)
        assert "".join(made.split()) == "".join(text.split())
    assert all(s.text.strip() for s in segments)
    assert before.split() == after.split() or any(s.edit is not Edit.KEPT for s in segments)


@pytest.mark.slow
def test_tokens_of_several_megabytes_are_compared_by_their_common_ends():
    segments = token_diff(LONG + "old, end", LONG + "new, end")
    assert [s.edit for s in segments] == [Edit.KEPT, Edit.DELETED, Edit.INSERTED, Edit.KEPT]


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["1.", "1,", "a'", "''", "(", " ,", "a-"])
def test_tokens_are_found_in_linear_time(unit):
    text = unit * (1_000_000 // len(unit))
    assert token_diff(text, text)[0].edit is Edit.KEPT
