"""Rows as JSON, and the JSON Schemas of their types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.dates import PartialDate
from ctsync.model import MISSING, Level
from ctsync.report.rows.row_json import dump, to_json
from ctsync.report.rows.row_schema import schema_of
from tests.security.attacks import ATTACKS

NOON_IN_PARIS = datetime(2026, 3, 13, 13, 0, 5, 999_999, tzinfo=timezone(timedelta(hours=1)))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A row with a single field."""

    day: date
    """A day."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A row with a value of every form.

    It holds other rows.
    """

    level: Level
    """A word
    of a list."""
    at: datetime
    """A moment."""
    ended: datetime | None
    """Another moment."""
    about: PartialDate
    """A month."""
    anything: Any
    """Any value."""
    count: int | None
    """A count."""
    names: tuple[str, ...]
    """Several names."""
    sizes: Mapping[str, float]
    """Sizes by name."""
    leaf: Leaf | None
    """Another row."""
    leaves: tuple[Leaf, ...]
    """Several rows."""


@dataclass(frozen=True, slots=True)
class TallTree(Tree):
    """A row that adds a field to another."""

    height: int
    """Its height."""


TREE = Tree(
    level=Level.NOTABLE,
    at=NOON_IN_PARIS,
    ended=None,
    about=PartialDate("2026-10"),
    anything=MISSING,
    count=None,
    names=("a", "b"),
    sizes=MappingProxyType({"big": 1.5}),
    leaf=Leaf(date(2026, 3, 13)),
    leaves=(Leaf(date(1, 1, 1)),),
)


def test_each_type_has_one_json_form_and_keys_are_in_field_order() -> None:
    expected = {
        "level": "notable",
        "at": "2026-03-13T12:00:05Z",
        "ended": None,
        "about": "2026-10",
        "anything": None,
        "count": None,
        "names": ["a", "b"],
        "sizes": {"big": 1.5},
        "leaf": {"day": "2026-03-13"},
        "leaves": [{"day": "0001-01-01"}],
    }
    assert list(to_json(TREE).items()) == list(expected.items())
    assert dump(TREE) == json.dumps(expected, separators=(",", ":")).encode()


def test_nested_rows_are_written_at_any_depth() -> None:
    nested = {"a": [{"b": (TREE, Leaf(date(2020, 2, 29)))}]}

    assert json.loads(dump(nested)) == {"a": [{"b": [to_json(TREE), {"day": "2020-02-29"}]}]}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.characters(categories=["Cs"])
    | st.sampled_from(Level)
    | st.just(MISSING)
    | st.just(PartialDate("2017")),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9))])).filter(
    lambda at: 1 < at.year < 9999
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(anything=values, at=moments, indent=st.booleans(), ascii_only=st.booleans())
def test_dump_and_to_json_give_the_same_json(
    anything: Any, at: datetime, *, indent: bool, ascii_only: bool
) -> None:
    row = replace(TREE, anything=anything, at=at, ended=at)
    written = dump([row], indent=indent, ascii_only=ascii_only)

    assert json.loads(written) == [to_json(row)]
    # json.dumps writes the same value, so both agree on numbers and texts
    assert json.loads(json.dumps(to_json(row))) == to_json(row)


@pytest.mark.parametrize("odd", ["\ud800", 2**70, {"a": ["\udfff", -(2**64)]}])
def test_a_value_that_orjson_refuses_is_written_correctly(odd: object) -> None:
    row = replace(TREE, anything=odd)

    assert json.loads(dump(row)) == to_json(row)
    assert json.loads(dump(row, indent=True)) == to_json(row)


def test_ascii_output_has_only_ascii_characters_and_reads_back() -> None:
    texts = [*ATTACKS, "\x7f", "\u2028", "\U0001f600", "ü"]
    written = dump(replace(TREE, anything=texts), ascii_only=True)

    assert not set(written) - set(range(32, 127))
    assert json.loads(written)["anything"] == texts


def test_indented_output_equals_that_of_the_standard_library() -> None:
    row = replace(TREE, anything=[[], {}, [1, {"a": "ü"}]])

    assert dump(row, indent=True, ascii_only=True) == json.dumps(to_json(row), indent=2).encode()


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", [1j]])
def test_a_value_without_a_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        dump({"a": value})
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json(replace(TREE, anything=value))


# --- schema ----------------------------------------------------------------------------------


def test_a_schema_describes_a_row_and_each_of_its_fields() -> None:
    schema = schema_of(Tree)
    properties = schema["properties"]

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert (schema["title"], schema["type"]) == ("Tree", "object")
    assert schema["description"] == "A row with a value of every form.\n\nIt holds other rows."
    assert schema["required"] == list(properties) == list(to_json(TREE))
    assert schema["additionalProperties"] is False
    assert properties["level"] == {"$ref": "#/$defs/Level", "description": "A word\nof a list."}
    assert schema["$defs"]["Level"]["enum"] == [level.value for level in Level]
    assert properties["at"] == {
        "type": "string", "format": "date-time", "description": "A moment.",
    }  # fmt: skip
    assert properties["ended"]["anyOf"] == [
        {"type": "string", "format": "date-time"}, {"type": "null"},
    ]  # fmt: skip
    assert properties["anything"] == {"description": "Any value."}
    assert properties["count"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert properties["names"]["items"] == {"type": "string"}
    assert properties["sizes"]["additionalProperties"] == {"type": "number"}
    assert properties["leaves"]["items"] == {"$ref": "#/$defs/Leaf"}
    assert schema["$defs"]["PartialDate"]["pattern"]
    assert schema["$defs"]["Leaf"] == {
        "title": "Leaf",
        "description": "A row with a single field.",
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date", "description": "A day."}},
        "required": ["day"],
        "additionalProperties": False,
    }


def test_a_row_that_extends_another_keeps_the_descriptions_of_its_fields() -> None:
    properties = schema_of(TallTree)["properties"]

    assert list(properties) == [*schema_of(Tree)["properties"], "height"]
    assert properties["count"]["description"] == "A count."
    assert properties["height"]["description"] == "Its height."


@dataclass(frozen=True, slots=True)
class Silent:
    """A row whose field has no description."""

    what: str


def test_a_field_without_a_description_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Silent\.what has no description"):
        schema_of(Silent)


@dataclass(frozen=True, slots=True)
class Odd:
    """A row with a value that JSON does not have."""

    numbers: set[int]
    """Some numbers."""


def test_a_field_without_a_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match=r"set\[int\] has no JSON form"):
        schema_of(Odd)
