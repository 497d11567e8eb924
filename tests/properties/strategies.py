"""Hypothesis strategies: records in the shapes of the field table, edits of them, hostile JSON.

A record is drawn as a seed and built from it: this is fast and reproducible. `hostile_json` is
drawn part by part, so that Hypothesis can shrink it.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from ctsync.model import JsonObject
from ctsync.record.fields.field_types import Field, Shape
from ctsync.record.fields.table import FIELDS, VOLATILE

_WORDS = (
    "overall", "survival", "safety", "dose", "of", "the", "RECIST 1.1", "week", "12", "months",
    "Zürich", "東京", "* item", "m\\^2", "\\>60", "a.b", 'say "x"', "[0]", "\u202egnol", "\x07",
    "é",
)  # fmt: skip
_ENUMS = (
    "RECRUITING", "COMPLETED", "TERMINATED", "UNKNOWN", "ACTUAL", "ESTIMATED", "PHASE2", "NEW_ONE",
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None,
    "",
    [],
    {},
    0,
    1,
    1.0,
    True,
    False,
    "1",
    -0.5,
    10**12,
    [None],
    {"": 1},
    [[1], [1]],
)


class _Builder:
    """Builds one record from a random generator."""

    def __init__(self, chance: random.Random, *, odd: float) -> None:
        self.chance = chance
        self.odd = odd
        self.children: dict[str, list[Field]] = {}
        for field in FIELDS.values():
            self.children.setdefault(field.path.rpartition(".")[0], []).append(field)

    def study(self) -> JsonObject:
        study: JsonObject = {}
        for top in ("protocolSection", "derivedSection", "resultsSection", "documentSection",
                    "annotationSection", "hasResults"):  # fmt: skip
            if top == "protocolSection" or self.chance.random() < 0.4:
                study[top] = self.value(FIELDS[top])
        if not isinstance(study["protocolSection"], dict):
            study["protocolSection"] = {}
        identity = study["protocolSection"].get("identificationModule")
        if not isinstance(identity, dict):
            identity = study["protocolSection"]["identificationModule"] = {}
        identity["nctId"] = "NCT03389919"
        return study

    def value(self, field: Field) -> Any:
        if self.chance.random() < self.odd:
            return copy.deepcopy(self.chance.choice(_ODD))
        if field.shape is Shape.LIST:
            return [self.item(field) for _ in range(self.chance.choice((0, 1, 1, 2, 3, 5)))]
        if field.path in self.children:
            return self.object_at(field)
        return self.leaf(field)

    def item(self, field: Field) -> Any:
        return self.object_at(field) if field.path in self.children else self.text(2)

    def object_at(self, field: Field) -> JsonObject:
        wanted = 0.75 if field.path.count(".") > 1 else 0.55
        made = {
            child.path.rpartition(".")[2]: self.value(child)
            for child in self.children[field.path]
            if self.chance.random() < wanted
        }
        if self.chance.random() < self.odd:
            made[self.chance.choice(("newField", 'x"]', "a.b", "__x"))] = self.text(1)
        return made

    def leaf(self, field: Field) -> Any:
        match field.shape:
            case Shape.BOOL:
                return self.chance.random() < 0.5
            case Shape.COUNT:
                return self.chance.choice((0, 1, 20, 99, 263, 99_999_999))
            case Shape.NUMBER:
                return self.chance.choice((52.52, 13.4, -33.0))
            case Shape.DATE:
                return self.date()
            case Shape.ENUM:
                return self.chance.choice(_ENUMS)
            case _:
                return self.text(4)

    def date(self) -> str:
        year, month = self.chance.randint(1999, 2031), self.chance.randint(1, 13)
        return self.chance.choice((f"{year}-{month:02}", f"{year}-{month:02}-15", f"{year}", "?"))

    def text(self, most: int) -> str:
        return " ".join(self.chance.choices(_WORDS, k=self.chance.randint(1, most)))


def build_study(seed: int, *, odd: float = 0.02) -> JsonObject:
    """Return a study in the schema's shapes. `odd` is the share of values of a wrong shape."""
    return _Builder(random.Random(seed), odd=odd).study()


def edited(study: JsonObject, seed: int, *, edits: int) -> JsonObject:
    """Return a copy with some values changed, dropped, added or retyped, and lists reordered."""
    chance = random.Random(seed)
    builder = _Builder(chance, odd=0.1)
    result = copy.deepcopy(study)
    for _ in range(edits):
        _edit_somewhere(result, chance, builder)
    result["protocolSection"].setdefault("identificationModule", {})
    if not isinstance(result["protocolSection"]["identificationModule"], dict):
        result["protocolSection"]["identificationModule"] = {}
    result["protocolSection"]["identificationModule"]["nctId"] = "NCT03389919"
    return result


def _edit_somewhere(value: Any, chance: random.Random, builder: _Builder) -> None:
    here = value
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return
        key = chance.choice(keys)
        child = here[key]
        inside = isinstance(child, dict | list) and child
        if inside and (here is value or chance.random() < 0.8):
            here = child
            continue
        if here is not value:
            chance.choice(_EDITS)(here, key, chance, builder)
        return


def _change(here: Any, key: Any, chance: random.Random, builder: _Builder) -> None:
    here[key] = builder.text(3) if chance.random() < 0.7 else copy.deepcopy(chance.choice(_ODD))


def _drop(here: Any, key: Any, chance: random.Random, builder: _Builder) -> None:
    del here[key]


def _copy(here: Any, key: Any, chance: random.Random, builder: _Builder) -> None:
    if isinstance(here, list):
        here.insert(chance.randint(0, len(here)), copy.deepcopy(here[key]))
    else:
        here["newField"] = copy.deepcopy(here[key])


def _shuffle(here: Any, key: Any, chance: random.Random, builder: _Builder) -> None:
    if isinstance(here, list):
        chance.shuffle(here)
    else:
        here[key] = builder.text(5)


_EDITS: tuple[Callable[[Any, Any, random.Random, _Builder], None], ...] = (
    _change, _change, _drop, _copy, _shuffle,
)  # fmt: skip


def permuted(value: Any, seed: int, *, path: str = "") -> Any:
    """Return the same content with object keys and set-like lists in another order."""
    chance = random.Random(seed)
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {
            key: permuted(value[key], seed + 1, path=f"{path}.{key}" if path else key)
            for key in keys
        }
    if isinstance(value, list):
        items = [permuted(item, seed + n, path=path) for n, item in enumerate(value)]
        field = FIELDS.get(path)
        if field is not None and field.items is not None and not field.items.ordered:
            chance.shuffle(items)
        return items
    return value


seeds = st.integers(0, 2**32)


def studies(*, odd: float = 0.02) -> st.SearchStrategy[JsonObject]:
    """Draw studies in the schema's shapes."""
    return seeds.map(lambda seed: build_study(seed, odd=odd))


@st.composite
def pairs_of_studies(draw: st.DrawFn, *, odd: float = 0.02) -> tuple[JsonObject, JsonObject]:
    """Draw a study and an edited copy of it."""
    study = build_study(draw(seeds), odd=odd)
    return study, edited(study, draw(seeds), edits=draw(st.integers(0, 12)))


hostile_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip
"""Any JSON value."""

PLACES = tuple(
    field.path for field in FIELDS.values() if field.path not in {"protocolSection", *VOLATILE}
)
"""The paths at which `spoilt_studies` puts hostile JSON."""


@st.composite
def spoilt_studies(draw: st.DrawFn) -> JsonObject:
    """Draw a study with any JSON in a few places."""
    study = build_study(draw(seeds))
    for path in draw(st.lists(st.sampled_from(PLACES), max_size=3)):
        _put(study, path.split("."), draw(hostile_json))
    identity = study["protocolSection"]
    if not isinstance(identity.get("identificationModule"), dict):
        identity["identificationModule"] = {}
    identity["identificationModule"]["nctId"] = "NCT03389919"
    return study


def _put(here: Any, steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        if isinstance(here, list):
            here = next((item for item in here if isinstance(item, dict)), None)
        if not isinstance(here, dict):
            return
        here = here.setdefault(step, {})
    if isinstance(here, list):
        here = next((item for item in here if isinstance(item, dict)), None)
    if isinstance(here, dict):
        here[steps[-1]] = value
