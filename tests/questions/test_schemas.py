"""Every answer fits its published JSON Schema, and a wrong document does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from ctsync import questions
from ctsync.errors import UsageError
from ctsync.questions.schemas import names, schema, schema_id
from ctsync.report.rows.row_json import dump, to_json
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.questions.answers import answers, keep_all

EVERY = pytest.mark.parametrize("name", names())
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date", ValueError)
def is_date(text: object) -> bool:
    return not isinstance(text, str) or date.fromisoformat(text).isoformat() == text


@FORMATS.checks("date-time", ValueError)
def is_moment(text: object) -> bool:
    if not isinstance(text, str):
        return True
    return text.endswith("Z") and datetime.fromisoformat(text).microsecond == 0


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[Any]]:
    url = f"sqlite:///{tmp_path_factory.mktemp('answers') / 'ctsync.db'}"
    with open_store(url, clock=StillClock()) as store:
        keep_all(store)
        return answers(store)


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name), format_checker=FORMATS)


def problems(name: str, document: object) -> list[str]:
    return [error.message for error in validator(name).iter_errors(document)]


@EVERY
def test_each_schema_is_valid_and_has_its_own_id(name: str) -> None:
    published = schema(name)

    Draft202012Validator.check_schema(published)
    assert published["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert published["$id"] == schema_id(name) == f"urn:ctsync:schema:{name}:1"
    assert json.loads(json.dumps(published)) == published


@EVERY
def test_real_answers_fit_their_schema(name: str, rows: Mapping[str, Sequence[Any]]) -> None:
    assert rows[name]
    for row in rows[name]:
        assert problems(name, json.loads(dump(row))) == []
        assert problems(name, to_json(row)) == []


@EVERY
def test_a_wrong_document_does_not_fit(name: str, rows: Mapping[str, Sequence[Any]]) -> None:
    right = to_json(rows[name][0])

    assert problems(name, right | {"surprise": 1}) != []
    assert problems(name, []) != []
    for key in right:
        lacking = {other: value for other, value in right.items() if other != key}
        assert problems(name, lacking) == [f"{key!r} is a required property"]


@pytest.mark.parametrize(
    ("name", "key", "wrong"),
    [
        ("change", "level", "severe"),
        ("change", "kind", None),
        ("change", "days", "214"),
        ("change", "fetched", None),
        ("change", "fetched", "2026-03-13"),
        ("change", "fetched", "2026-03-13T15:02:11+01:00"),
        ("version", "kinds", ["status", "surprise"]),
        ("version", "enrollment", 1.5),
        ("found_trial", "since", "2026-13-01"),
        ("found_trial", "since", "2026-03-13T15:02:11Z"),
        ("expected_change", "outlook", "never"),
        ("timeline", "dates", [{"date": "start"}]),
        ("run", "verdict", "splendid"),
        ("status", "stored", {"trials": "4"}),
        ("report", "trials", [{"nct_id": "NCT00000001"}]),
    ],
)
def test_a_wrong_value_does_not_fit(
    name: str, key: str, wrong: object, rows: Mapping[str, Sequence[Any]]
) -> None:
    right = to_json(rows[name][0])

    assert key in right
    assert problems(name, right | {key: wrong}) != []


@EVERY
def test_every_row_and_every_field_is_described(name: str) -> None:
    for row in objects(schema(name)):
        assert row["description"].endswith(".")
        assert row["additionalProperties"] is False
        assert row["required"] == list(row["properties"])
        for key, value in row["properties"].items():
            assert value["description"].endswith("."), (row["title"], key)


def objects(published: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schema of a row, then those of the rows in it."""
    yield published
    yield from (one for one in published.get("$defs", {}).values() if one["type"] == "object")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no schema 'versoin'; did you mean version\?"):
        schema("versoin")
    with pytest.raises(UsageError, match="known: assumption, backfill, base_rate, change, "):
        schema("zzz")


def test_every_row_type_of_a_question_is_part_of_a_schema() -> None:
    described = {row["title"] for name in names() for row in objects(schema(name))}
    modules = [
        import_module(module.name)
        for module in walk_packages(questions.__path__, f"{questions.__name__}.")
    ]
    defined = {
        name
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("Row") and getattr(value, "__module__", "") == module.__name__
    }
    assert len(defined) > 10
    assert defined - described == set()
