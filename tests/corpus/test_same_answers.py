"""Each question through every face that has it, over 600 real trials: the same facts and levels."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from openpyxl import load_workbook

import ctsync
from ctsync.cli import main
from ctsync.config.settings import Settings
from ctsync.model import ListedVersion, NctId, Version
from ctsync.python.database import TrialDatabase
from ctsync.record.rules.rules import Thresholds
from ctsync.store.store import open_for_reading, open_store
from ctsync.sync.watches.refresh_facts import refresh_facts
from ctsync.text import for_model
from ctsync.web.api.api_application import create_api
from ctsync.web.api.endpoints import ENDPOINTS
from ctsync.web.mcp.mcp_server import TOOLS
from tests.conftest import StillClock
from tests.corpus.conftest import ALL
from tests.fakes import FakeClock
from tests.same_questions import (
    FaceQuestion,
    answer_in_python,
    answer_of_command,
    answer_over_http,
    questions,
    rows_in,
)
from tests.web.api.served import WIDE, serving
from tests.web.mcp.asking import Tools

pytestmark = pytest.mark.slow

TRIALS = 3
NOW = datetime(2026, 10, 24, 16, tzinfo=UTC)
KEYS = {
    "changes": ("nct_id", "from_version", "to_version", "path", "level", "rule"),
    "compare": ("path", "level", "rule"),
    "flags": ("nct_id", "flag", "state", "since"),
    "forecast": ("nct_id", "what", "on"),
    "find": ("nct_id", "from_version", "to_version"),
    "versions": ("nct_id", "version", "digest", "level"),
    "field_history": ("path", "from_version", "to_version"),
}
"""What identifies a row of a tool, and its level."""


@pytest.fixture(scope="module")
def days_url(followed_days: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a copy of the database with 25 days of the 600 trials, with its derived facts.

    The registry lists versions of the trials in the questions that are not fetched.
    """
    url = f"sqlite:///{shutil.copy(followed_days, tmp_path_factory.mktemp('faces'))}"
    with open_store(url, clock=StillClock()) as store:
        refresh_facts(store)
        db = TrialDatabase(store, context=True, thresholds=Thresholds, clock=StillClock())
        trials = _trials(db)
        with store.unit() as unit:
            for nct_id in map(NctId, trials):
                unit.listed.replace(nct_id, _index_of(nct_id, store.versions.of(nct_id)))
    return url


def _index_of(nct_id: NctId, versions: Sequence[Version]) -> list[ListedVersion]:
    """Return an index with two versions before the first one, and one after it."""
    first = date.fromisoformat(versions[0].submitted or versions[0].posted or "")
    days = [first - timedelta(days=90), first - timedelta(days=30), first + timedelta(days=1)]
    labels = frozenset({"Study Status", "Outcome Measures"})
    return [
        ListedVersion(nct_id, number, f"{day}", "RECRUITING", labels)
        for number, day in enumerate(days)
    ]


@pytest.fixture
def env(days_url: str, tmp_path: Path) -> dict[str, str | None]:
    folders = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(tmp_path))
    return {"CTSYNC_DATABASE_URL": days_url, "CTSYNC_CONFIG": None, **folders}


def test_every_face_gives_the_same_answer_to_the_same_question(
    days_url: str, env: Mapping[str, str | None]
) -> None:
    clock, settings, tools = FakeClock(NOW), Settings(), Tools(days_url, FakeClock(NOW))
    app = create_api(
        lambda: open_for_reading(days_url, clock=clock), settings=settings, clock=clock, rate=WIDE
    )
    asked: Counter[str] = Counter()
    names: set[str] = set()
    rows = levels = clipped = 0
    with open_for_reading(days_url, clock=clock) as store, serving(app) as client:
        db = TrialDatabase(store, context=True, thresholds=Thresholds, clock=clock)
        for question in questions(_trials(db), ALL):
            with time_machine.travel(NOW, tick=False):
                wanted = answer_of_command(question.command, env)
            asked["command line"] += 1
            rows += rows_in(wanted)
            levels += _levels_in(wanted)
            if question.in_python is not None:
                assert answer_in_python(question.in_python, db) == wanted, question
                asked["Python"] += 1
            if question.address is not None:
                assert answer_over_http(question.address, client, limit=500) == wanted, question
                asked["HTTP"] += 1
                names.add(_address_of(question.address[0]))
            if question.tool is not None:
                clipped += _compare_tool(question, tools, wanted)
                asked["MCP"] += 1
                names.add(question.tool[0])
    print(
        f"same answers: {asked['command line']} questions through {asked.total()} calls "
        f"({dict(asked)}), {rows:,} rows with {levels:,} levels; {clipped:,} rows of MCP shortened"
    )
    # the document of the API and the list of tools are complete: no address or tool is left out
    assert names == {one.path for one in ENDPOINTS} | set(TOOLS)
    assert rows > 1_000
    assert levels > 1_000


def test_the_sheets_of_a_workbook_have_the_rows_of_the_other_faces(
    days_url: str, env: Mapping[str, str | None], tmp_path: Path
) -> None:
    with time_machine.travel(NOW, tick=False):
        book = _written(tmp_path / "trials.xlsx", env, "export", "xlsx")
        table = _written(tmp_path / "all.xlsx", env, "portfolio", "--format", "xlsx")
    with open_for_reading(days_url, clock=FakeClock(NOW)) as store:
        db = TrialDatabase(store, context=True, thresholds=Thresholds, clock=FakeClock(NOW))
        portfolio, changes = db.portfolio().dicts(), db.changes().dicts()
        versions = [row for one in portfolio for row in db.versions(one["nct_id"]).dicts()]
    trials = [(one["nct_id"], (one["last_change"] or {}).get("level")) for one in portfolio]
    sheets = {
        "portfolio": (trials, _values(table["Portfolio"], "nct_id", "changed_level")),
        "Portfolio": (
            sorted(trials),
            sorted(_values(book["Portfolio"], "nct_id", "changed_level")),
        ),
        "Changes": (
            # a cell has no empty text, such as the path of a first version
            Counter(tuple(part or None for part in _key("changes", one)) for one in changes),
            _counted(book["Changes"], *KEYS["changes"]),
        ),
        "Versions": (
            Counter((one["nct_id"], one["version"], one["level"]) for one in versions),
            _counted(book["Versions"], "nct_id", "version", "level"),
        ),
    }
    for name, (wanted, found) in sheets.items():
        assert found == wanted, name
    print(
        f"same rows in workbooks: {len(trials):,} trials twice, {len(changes):,} changes, "
        f"{len(versions):,} versions"
    )


def _trials(db: ctsync.TrialDatabase) -> Sequence[str]:
    changes = Counter(row.nct_id for row in db.changes())
    return [one for one, _ in changes.most_common() if len(db.versions(one)) > 1][:TRIALS]


def _address_of(path: str) -> str:
    parts = path.split("/")
    return "/".join("{nct}" if part.startswith("NCT") else part for part in parts)


def _levels_in(answer: Any) -> int:
    if isinstance(answer, list):
        return sum(map(_levels_in, answer))
    if not isinstance(answer, dict):
        return 0
    return ("level" in answer) + sum(map(_levels_in, answer.values()))


def _compare_tool(question: FaceQuestion, tools: Tools, wanted: Any) -> int:
    """Compare the answer of a tool; return how many of its rows are shortened."""
    assert question.tool is not None
    name, given = question.tool
    found = tools.rows(name, **given, limit=500)
    if name == "record_as_of":
        assert together(found) == shown(wanted), question
        return 0
    rows = [shown(row) for row in (wanted if isinstance(wanted, list) else [wanted])]
    assert _keyed(name, found) == _keyed(name, rows), question
    if name != "changes":  # which lists the newest first
        assert [_key(name, row) for row in found] == [_key(name, row) for row in rows], question
    same = Counter(map(_text, found)) & Counter(map(_text, rows))
    return len(rows) - same.total()


def _text(row: Any) -> str:
    return json.dumps(row, sort_keys=True)


def _key(name: str, row: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(row[key] for key in KEYS.get(name, ("nct_id",)))


def _keyed(name: str, rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[object, ...]]:
    return Counter(_key(name, row) for row in rows)


def _written(file: Path, env: Mapping[str, str | None], *words: str) -> Any:
    done = CliRunner().invoke(main, [*words, "--output", str(file)], env=env)
    assert done.exit_code == 0, done.output
    return load_workbook(io.BytesIO(file.read_bytes()), read_only=True)


def _values(sheet: Any, *columns: str) -> list[tuple[object, ...]]:
    header, *lines = sheet.iter_rows(values_only=True)
    places = [header.index(one) for one in columns]
    return [tuple(line[place] for place in places) for line in lines]


def _counted(sheet: Any, *columns: str) -> Counter[tuple[object, ...]]:
    return Counter(_values(sheet, *columns))


def shown(value: Any) -> Any:
    """Return JSON with the texts as a model gets them."""
    if isinstance(value, str):
        return for_model(value)
    if isinstance(value, list):
        return [shown(one) for one in value]
    return {k: shown(v) for k, v in value.items()} if isinstance(value, dict) else value


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
