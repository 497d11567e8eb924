"""Each question over HTTP, in Python and on the command line, over 600 real trials: one answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from ctsync.config.settings import Settings
from ctsync.python.database import TrialDatabase
from ctsync.store.store import open_for_reading
from ctsync.web.api.api_application import create_api
from tests.fakes import FakeClock
from tests.python.same_questions import answer_in_python, answer_of_command, rows_in
from tests.web.api.same_questions import answer_over_http, questions
from tests.web.api.served import WIDE, serving

pytestmark = pytest.mark.slow

TRIALS = 12
NOW = datetime(2026, 10, 24, 16, tzinfo=UTC)
_LEVEL = re.compile(r'"level": "(\w+)"')


def levels_in(answer: Any) -> int:
    """Count the levels in an answer."""
    return len(_LEVEL.findall(json.dumps(answer)))


def test_every_question_has_one_answer_over_http(
    days_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env: dict[str, str | None] = {"CTSYNC_DATABASE_URL": days_url, "CTSYNC_CONFIG": None}
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        env[name] = str(tmp_path)
    clock = FakeClock(NOW)
    asked: Counter[str] = Counter()
    rows = levels = 0
    settings = Settings()
    app = create_api(
        lambda: open_for_reading(days_url, clock=clock), settings=settings, clock=clock, rate=WIDE
    )
    with open_for_reading(days_url, clock=clock) as store, serving(app) as client:
        db = TrialDatabase(store, settings=settings, clock=clock)
        changed = Counter(row.nct_id for row in db.changes())
        trials = [nct_id for nct_id, _ in changed.most_common(TRIALS)]
        for question in questions(trials, "all"):
            if question.path.endswith("/compare") and len(db.versions(question.command[1])) < 2:
                continue
            answer = answer_over_http(question, client, limit=500)
            assert answer == answer_in_python(question.in_python, db), question
            with time_machine.travel(NOW, tick=False):
                assert answer == answer_of_command(question.command, env), question
            asked[re.sub(r"NCT\d+", "NCT", question.path)] += 1
            rows += rows_in(answer)
            levels += levels_in(answer)
    print(
        f"same answers over HTTP, in Python and on the command line: {asked.total()} questions "
        f"({dict(asked)}), {rows:,} rows, {levels:,} levels"
    )
    assert len(asked) >= 12
    assert rows > 1_000
