"""Remote text made safe for each sink: terminal, log, header, markup, CSV, file name."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync import text

EVERY_SINK = (
    text.for_terminal,
    text.for_log,
    text.for_header,
    text.for_markup,
    text.for_csv,
    text.for_filename,
)
ORDINARY = (
    "Aspirin & ibuprofen <50 mg/m\\^2> in “Phase 3”: 62.4 % ≥ 12 weeks",
    "Étude à Besançon; Москва; 東京都; تجربة; mesenchymal",
    "",
)
any_text = st.text(st.characters(codec=None), max_size=80)


@pytest.mark.parametrize("ordinary", ORDINARY)
@pytest.mark.parametrize(
    "sink",
    [
        text.for_terminal, text.for_log, text.for_header, text.for_markup, text.for_chat,
        text.for_csv,
    ],
)  # fmt: skip
def test_ordinary_text_passes_every_sink_unchanged(sink, ordinary):
    assert sink(ordinary) == ordinary


@pytest.mark.parametrize(
    "attack",
    [
        "@here", "x@everyone", "(@Channel)", "@all", "@anna", "<@U123>", "<@&456>", "<!channel>",
        "<#C1>", "[our trial](https://attacker.example)", "[a][1]", "[1]: https://attacker.example",
        "<https://attacker.example|our trial>", "<mailto:a@b.example>", "@\nhere",
    ],
)  # fmt: skip
def test_a_mention_or_a_named_link_is_broken_up_for_a_chat(attack):
    shown = text.for_chat(f"Stopped {attack}")
    signs = r"(?i)@(here|channel|everyone|all|anna|U123|&)|<[!@#]|<\w+:|\][(\[:]"
    assert not re.search(signs, shown)
    assert "\n" not in shown
    assert shown.replace("\N{WORD JOINER}", "").split() == f"Stopped {attack}".split()


def test_an_address_and_a_number_stay_whole_for_a_chat():
    for ordinary in ("write to trials@example.org", "age <18 years", "[see] (below)", "5 @ 10 mg"):
        assert text.for_chat(ordinary) == ordinary


def test_every_control_and_format_character_is_escaped():
    categories = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    unsafe = [
        c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in categories
    ]
    shown = [character for character in unsafe if character in text.for_terminal(character)]
    assert len(unsafe) > 2000  # surrogates included
    assert shown == []


def test_escapes_name_the_character():
    assert text.for_terminal("\x1b[31m") == r"\x1b[31m"
    assert text.for_terminal("a\u202eb") == r"a\u202eb"
    assert text.for_terminal("a\r\n\tb") == r"a\r\n\tb"
    assert text.for_terminal("\U000e0041") == r"\U000e0041"


def test_multiline_text_for_a_terminal_keeps_its_line_breaks():
    assert text.for_terminal("one\r\ntwo\n\tthree", multiline=True) == "one\ntwo\n\tthree"
    assert text.for_terminal("one\rtwo", multiline=True) == r"one\rtwo"


@given(any_text)
def test_no_control_character_reaches_a_terminal(value):
    assert text.for_terminal(value).isprintable() or "\xa0" in value or _blank(value)
    shown = text.for_terminal(value, multiline=True)
    assert not {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs"}} - {"\n", "\t"}


def _blank(value: str) -> bool:
    """Return whether a text has blanks or unassigned codes.

    Python does not call these printable, but a terminal shows them without harm.
    """
    return any(unicodedata.category(c) in {"Zs", "Co", "Cn"} for c in value)


@given(any_text)
def test_a_log_value_is_one_line(value):
    logged = text.for_log(value)
    assert len(logged.splitlines()) <= 1
    logged.encode("utf-8")


@given(any_text)
def test_a_header_is_one_line_without_encoded_words(value):
    header = text.for_header(value)
    assert len(header.splitlines()) <= 1
    assert "=?" not in header


@given(any_text)
def test_sinks_are_idempotent_and_their_output_is_valid_utf_8(value):
    for sink in EVERY_SINK:
        once = sink(value)
        once.encode("utf-8")
        assert sink(once) == once or sink is text.for_csv


def test_markup_keeps_the_joiners_that_some_scripts_need():
    persian = "می\u200cخواهم"
    assert text.for_markup(persian) == persian
    assert text.for_terminal(persian) != persian


@pytest.mark.parametrize("number", ["0", "-1", "+5", "-62.4", "1e6", "-3.5E-2"])
def test_numbers_stay_numbers_in_a_spreadsheet(number):
    assert text.for_csv(number) == number


@pytest.mark.parametrize(
    "formula",
    ["=1", "+a", "-a", "@a", "\t=1", "\r=1", "\n1", " =1", '"=1', "＝1", "﹣a", "\u200b=1"],
)
def test_formulas_are_guarded_by_an_apostrophe(formula):
    assert text.for_csv(formula).startswith("'")


def test_a_guarded_cell_is_no_longer_a_formula():
    guarded = text.for_csv("=1+1")
    assert guarded == "'=1+1"


@given(any_text)
def test_a_file_name_stays_in_its_folder_on_every_system(value):
    name = text.for_filename(value)
    assert 1 <= len(name) <= 101
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert name[0] not in ".-"


def test_names_reserved_on_windows_are_changed():
    assert text.for_filename("CON") == "_CON"
    assert text.for_filename("nul.txt") == "_nul.txt"
    assert text.for_filename("console") == "console"


def test_a_shortened_text_shows_how_much_was_cut():
    assert text.shorten("Effect of " + "x" * 900, 60).endswith("characters)")
    assert text.shorten("abcdef", 6) == "abcdef"


@given(st.text(max_size=300), st.integers(0, 200))
def test_the_shown_and_cut_characters_add_up_to_the_text(value, width):
    short = text.shorten(value, width)
    if short == value:
        return
    shown, _, note = short.rpartition("… (+")
    assert value.startswith(shown)
    assert len(shown) + int(note.split()[0]) == len(value)
    assert len(short) <= max(width, len(f"… (+{len(value)} characters)"))


def test_an_accent_is_not_cut_from_its_letter():
    value = "e\u0301" * 60
    shown = text.shorten(value, 41).partition("…")[0]
    assert len(shown) % 2 == 0


def test_a_misspelt_name_is_answered_with_the_most_similar_one():
    assert text.nearest("overalstatus", ["overallStatus", "phases"]) == (
        "did you mean overallStatus?"
    )
    assert text.nearest("x", ["b", "a"]) == "known: a, b"


def test_the_nearest_words_come_most_similar_first_and_as_they_are_known():
    known = ["Start", "start date", "stop"]
    assert text.nearest_words("START", known, most=2) == ["Start", "start date"]
    assert text.nearest_words("START", known, most=2, likeness=0.9) == ["Start"]
    assert text.nearest_words("zzz", known) == []
