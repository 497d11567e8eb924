"""Each question through MCP and through Python over 600 real trials: the same facts and levels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

import ctsync
from ctsync.python.database import open_database
from ctsync.report.rows.row_json import dump
from ctsync.text import for_model
from tests.fakes import FakeClock
from tests.web.mcp.asking import Tools

pytestmark = pytest.mark.slow

TRIALS = 6
DAY = datetime(2026, 10, 24, 16, tzinfo=UTC)
Ask = Callable[[ctsync.TrialDatabase], Any]
Question = tuple[str, dict[str, Any], Ask]


def questions(trials: Sequence[str]) -> Iterator[Question]:
    """Yield each question as a call of a tool, and as a call in Python."""
    yield (
        "changes",
        {"since": "2026-10-20", "level": "notable"},
        lambda db: db.changes(since="2026-10-20", level="notable"),
    )
    yield (
        "changes",
        {"watch": "all", "kind": ["status", "outcome"]},
        lambda db: db.changes(watch="all", kind=["status", "outcome"]),
    )
    yield "find", {"conditions": ["enrollment>500"]}, lambda db: db.find("enrollment>500")
    yield (
        "find",
        {"conditions": ["status=TERMINATED|SUSPENDED"], "ever": True},
        lambda db: db.find("status=TERMINATED|SUSPENDED", ever=True),
    )
    yield (
        "portfolio",
        {"status": ["recruiting"], "sort": "slip"},
        lambda db: db.portfolio(status="recruiting", sort="slip"),
    )
    yield "flags", {}, lambda db: db.flags()
    yield "forecast", {"within": "1y"}, lambda db: db.forecast(within="1y")
    for trial in trials:
        yield from _questions_about(trial)


def _questions_about(trial: str) -> Iterator[Question]:
    yield "changes", {"nct": [trial]}, lambda db: db.changes(trial)
    yield "versions", {"nct": trial}, lambda db: db.versions(trial)
    yield "compare", {"nct": trial, "older": 1}, lambda db: db.compare(trial, 1)
    yield (
        "field_history",
        {"nct": trial, "field": "primary completion"},
        lambda db: db.field_history(trial, "primary completion"),
    )
    yield "timeline", {"nct": trial}, lambda db: [db.timeline(trial)]


def rows_in_python(ask: Ask, db: ctsync.TrialDatabase) -> list[Any]:
    answer = ask(db)
    if isinstance(answer, ctsync.Rows):
        answer = answer.dicts()
    rows: list[Any] = shown(json.loads(dump(answer)))
    return rows


def shown(value: Any) -> Any:
    """Return JSON with the texts as a model gets them."""
    if isinstance(value, str):
        return for_model(value)
    if isinstance(value, list):
        return [shown(one) for one in value]
    return {k: shown(v) for k, v in value.items()} if isinstance(value, dict) else value


def identity(name: str, row: dict[str, Any]) -> tuple[object, ...]:
    """Return what identifies a fact, and its level."""
    keys = {
        "changes": ("nct_id", "from_version", "to_version", "path", "level", "rule"),
        "compare": ("path", "level", "rule"),
        "flags": ("nct_id", "flag", "state", "since"),
        "forecast": ("nct_id", "what", "on"),
        "find": ("nct_id", "from_version", "to_version"),
        "versions": ("nct_id", "version", "digest", "level"),
        "field_history": ("path", "from_version", "to_version"),
    }.get(name, ("nct_id",))
    return tuple(row[key] for key in keys)


@time_machine.travel(DAY, tick=False)
def test_every_tool_gives_the_facts_of_the_python_api(days_url: str) -> None:
    tools = Tools(days_url, FakeClock(DAY))
    asked: Counter[str] = Counter()
    rows = exact = 0
    with open_database(days_url, config=None, clock=FakeClock(DAY)) as db:
        changes = Counter(row.nct_id for row in db.changes())
        trials = [one for one, _ in changes.most_common() if len(db.versions(one)) > 1][:TRIALS]
        for name, given, ask in questions(trials):
            found = tools.rows(name, **given, limit=500)
            wanted = rows_in_python(ask, db)
            assert Counter(identity(name, row) for row in found) == Counter(
                identity(name, row) for row in wanted
            ), (name, given)
            exact += sum(row in wanted for row in found)
            asked[name] += 1
            rows += len(found)
        for trial in trials:
            pieces = tools.rows("record_as_of", nct=trial, limit=500)
            assert together(pieces) == shown(db.record(trial).body)
            asked["record_as_of"] += 1
            rows += len(pieces)
            exact += len(pieces)
    print(
        f"same facts over MCP: {asked.total()} questions ({dict(asked)}), {rows:,} rows with the "
        f"same identity and level, {exact:,} of them the same in every key"
    )
    assert len(asked) == 10
    assert exact >= 0.99 * rows


def together(pieces: Sequence[dict[str, Any]]) -> Any:
    """Put the pieces of a record together by their paths."""
    body: Any = {}
    for piece in pieces:
        place: Any = body
        *way, last = steps(piece["path"])
        for step, following in zip(way, [*way, last][1:], strict=True):
            place = entered(place, step, [] if isinstance(following, int) else {})
        if isinstance(last, int):
            assert last == len(place)
            place.append(piece["value"])
        else:
            place[last] = piece["value"]
    return body


def steps(path: str) -> list[str | int]:
    found: list[str | int] = []
    for part in path.split("."):
        name, *numbers = part.replace("]", "").split("[")
        found += [name, *map(int, numbers)]
    return found


def entered(place: Any, step: str | int, new: Any) -> Any:
    if isinstance(step, int):
        if step == len(place):
            place.append(new)
        return place[step]
    return place.setdefault(step, new)
