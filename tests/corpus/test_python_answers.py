"""Each question through Python and through the command line over 600 real trials: one answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import time_machine

import ctsync
from tests.python.same_questions import (
    answer_in_python,
    answer_of_command,
    questions,
    rows_in,
)

pytestmark = pytest.mark.slow

TRIALS = 12


@time_machine.travel("2026-10-24T16:00:00Z", tick=False)
def test_every_question_has_one_answer(
    days_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env: dict[str, str | None] = {"CTSYNC_DATABASE_URL": days_url, "CTSYNC_CONFIG": None}
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        env[name] = str(tmp_path)
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("CTSYNC_CONFIG", raising=False)
    asked: Counter[str] = Counter()
    rows = 0
    with ctsync.open(days_url) as db:
        changes = Counter(row.nct_id for row in db.changes())
        trials = [nct_id for nct_id, _ in changes.most_common(TRIALS)]
        for words, ask in questions(trials, "all"):
            if words[0] == "diff" and len(db.versions(words[1])) < 2:
                continue
            answer = answer_of_command(words, env)
            assert answer_in_python(ask, db) == answer, words
            asked[words[0]] += 1
            rows += rows_in(answer)
        seconds = len(db.changes().arrow())
    print(
        f"same answers: {asked.total()} questions ({dict(asked)}), {rows:,} rows; {seconds} changes"
    )
    assert len(asked) >= 10
    assert rows > 1_000
