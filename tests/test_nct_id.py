"""NCT ids: eight digits in any spelling, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.errors import BadNctId
from ctsync.nct_id import parse_nct_id

NUMBERS = st.integers(min_value=1, max_value=99_999_999)
SEPARATORS = st.text(alphabet=" -\t\u00a0\u2010\u2011\u2013\ufeff", max_size=3)
PREFIXES = st.sampled_from(["NCT", "nct", "Nct", "nCt"])


@given(NUMBERS, PREFIXES, st.lists(SEPARATORS, min_size=10, max_size=10))
def test_every_spelling_of_an_id_gives_the_same_id(
    number: int, prefix: str, separators: list[str]
) -> None:
    characters = [prefix, *f"{number:08d}", ""]
    spelled = "".join(a + b for a, b in zip(separators, characters, strict=True))
    assert parse_nct_id(spelled) == f"NCT{number:08d}"


@given(PREFIXES, st.text(alphabet="0123456789", max_size=20).filter(lambda text: len(text) != 8))
def test_any_other_number_of_digits_is_refused_and_only_real_ids_are_named(
    prefix: str, digits: str
) -> None:
    with pytest.raises(BadNctId) as caught:
        parse_nct_id(prefix + digits)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{prefix + digits!r} is not an NCT id: ")
    _, asked, likely = message.partition("did you mean ")
    ids = re.findall(r"NCT\d+", likely)
    assert bool(ids) == bool(asked)
    assert [parse_nct_id(one) for one in ids] == ids
    assert "NCT00000000" not in ids


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NCT0451448", "it has 7 digits, not eight; did you mean NCT00451448?"),
        ("NCT002835041", "it has 9 digits, not eight; did you mean NCT02835041?"),
        ("NCT033389919", "did you mean NCT03338919 or NCT03389919 or NCT33389919?"),
        ("NCT145167844", "it has 9 digits, not eight; did you mean NCT14516784?"),
        ("nct 1", "it has 1 digit, not eight; did you mean NCT00000001?"),
        ("NCT123456789", "write NCT and eight digits, as in NCT03389919"),
        ("NCT00000000", "write NCT and eight digits"),
        ("NCT", "write NCT and eight digits"),
        ("NCT0451448\u0664", "write NCT and eight digits"),
        ("0338991", "write NCT and eight digits"),
        ("03389919", "is not an NCT id: did you mean NCT03389919?"),
        ("NCT03389919x", "write NCT and eight digits"),
    ],
)
def test_a_refusal_names_the_likely_ids(text: str, reason: str) -> None:
    with pytest.raises(BadNctId) as caught:
        parse_nct_id(text)
    assert str(caught.value).startswith(f"{text!r} is not an NCT id: ")
    assert reason in str(caught.value)
