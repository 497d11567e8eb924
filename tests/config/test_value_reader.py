"""Values of settings by their types: what is accepted, and what is said of other values."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from ctsync.config.value_reader import BadValue, Check, SettingsSection, read_section, read_value
from ctsync.config.values import Secret


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def _without_blanks(text: str) -> str:
    if " " in text:
        raise ValueError("has a blank")
    return text.lower()


class Part(SettingsSection, frozen=True):
    number: Annotated[int, Meta(ge=1, le=9)]
    word: Annotated[str, Check(_without_blanks)] = ""


class Whole(SettingsSection, frozen=True):
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    limits: dict[str, Annotated[float, Meta(gt=0)]] = {}  # noqa: RUF012 - msgspec copies it


def problems(held: object, kind: Any) -> list[tuple[Any, str]]:
    with pytest.raises(BadValue) as caught:
        read_value(held, kind)
    return caught.value.problems


@pytest.mark.parametrize("word", ["true", "True", "YES", "on", "1", "t", "y", " true ", 1, True])
def test_words_for_yes_switch_on(word: object) -> None:
    assert read_value(word, bool) is True


@pytest.mark.parametrize("word", ["false", "False", "NO", "off", "0", "f", "n", 0, False])
def test_words_for_no_switch_off(word: object) -> None:
    assert read_value(word, bool) is False


@pytest.mark.parametrize(
    ("held", "kind", "value"),
    [
        ("5", int, 5),
        (" 5 ", int, 5),
        (5.0, int, 5),
        ("1e3", float, 1000.0),
        (2, float, 2.0),
        (" a ", str, "a"),
        ("blue", Colour, Colour.BLUE),
        ("a", Literal["a", "b"], "a"),
        ("/a/b", Path, Path("/a/b")),
        (" x ", Secret, Secret("x")),
        (None, int | None, None),
        ("7", int | None, 7),
        (["1", 2], tuple[int, ...], (1, 2)),
        ({"a": "1"}, dict[str, float], {"a": 1.0}),
        ({"a": [1]}, dict[str, Any], {"a": [1]}),
        ({"number": "3", "word": "A"}, Part, Part(3, "a")),
    ],
)
def test_a_value_is_read_as_its_type(held: object, kind: Any, value: object) -> None:
    read = read_value(held, kind)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("held", "kind", "said"),
    [
        ("x", int, "must be a whole number, not 'x'"),
        (5.5, int, "must be a whole number, not 5.5"),
        (True, int, "must be a whole number, not True"),
        (0, Annotated[int, Meta(ge=1, le=9)], "a whole number of at least 1 and at most 9, not 0"),
        (0, Annotated[float, Meta(gt=0)], "must be a number greater than 0, not 0"),
        ("nan", Annotated[float, Meta(ge=0)], "must be a number of at least 0, not 'nan'"),
        (float("inf"), float, "must be a number, not inf"),
        (10**400, float, "must be a number, not 1000"),
        ("maybe", bool, "must be true or false, not 'maybe'"),
        ("green", Colour, "must be 'red' or 'blue', not 'green'"),
        ("d", Literal["a", "b", "c"], "must be 'a', 'b' or 'c', not 'd'"),
        (None, int, "must be a whole number"),
        ("x", tuple[str, ...], "must be a list, in [ ]"),
        ("x", dict[str, str], "must be a table of keys and values"),
        ("x", Part, "must be a section of settings"),
        ({"number": 1, "word": "a b"}, Part, "has a blank"),
    ],
)
def test_a_wrong_value_is_told_what_it_must_be(held: object, kind: Any, said: str) -> None:
    ((_, found),) = problems(held, kind)
    assert said in found


@pytest.mark.parametrize("kind", [str, Secret, Path, Annotated[str, Meta(max_length=3)]])
@pytest.mark.parametrize("held", [4711.5, ["4711.5"], {"a": "4711.5"}])
def test_a_text_is_not_repeated(held: object, kind: Any) -> None:
    ((_, said),) = problems(held, kind)
    assert said.startswith("must be a text")
    assert "4711" not in said


def test_all_problems_are_found_each_at_its_place() -> None:
    held = {
        "part": {"word": "a b", "nubmer": 5},
        "parts": [{"number": 1}, {"number": 0}, "x"],
        "limits": {"a": 1, "b": -1},
        "other": 1,
    }
    assert problems(held, Whole) == [
        (("other",), "there is no such setting; known: limits, part, parts"),
        (("part", "nubmer"), "there is no such setting; did you mean number?"),
        (("part", "number"), "is missing"),
        (("part", "word"), "has a blank"),
        (("parts", 1, "number"), "must be a whole number of at least 1 and at most 9, not 0"),
        (("parts", 2), "must be a section of settings"),
        (("limits", "b"), "must be a number greater than 0, not -1"),
    ]


def test_a_section_without_keys_has_its_defaults() -> None:
    assert read_section({}, Whole) == Whole()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["part", "a"]), inner),
    ),
    st.sampled_from([int, float, bool, str, Colour, Path, Secret, Part, Whole, tuple[Part, ...]]),
)
def test_any_value_is_read_or_refused(held: object, kind: Any) -> None:
    with suppress(BadValue):
        read_value(held, kind)


def test_a_secret_shows_stars_and_cannot_be_written_as_json() -> None:
    secret = Secret("canary")
    assert (f"{secret}", f"{secret!r}", secret.reveal()) == (*["Secret(***)"] * 2, "canary")
    assert secret == Secret("canary") != Secret("other")
    assert secret
    assert not Secret()
    assert len({secret, Secret("canary")}) == 1
    for dump in (msgspec.json.encode, orjson.dumps):
        with pytest.raises(TypeError) as refused:
            dump(secret)
        assert "canary" not in str(refused.value)
