"""Questions asked through Python and through the command line, for a comparison of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from click.testing import CliRunner

import ctsync
from ctsync.cli import main
from ctsync.report.rows.row_json import dump

Ask = Callable[[ctsync.TrialDatabase], Any]
Question = tuple[tuple[str, ...], Ask]


def questions(trials: Sequence[str], watch: str) -> Iterator[Question]:
    """Yield each question as the words of a command, and as a call."""
    yield ("changes",), lambda db: db.changes()
    yield (
        ("changes", "--watch", watch, "--since", "2015-01-01", "--until", "2025-12-31"),
        lambda db: db.changes(watch=watch, since="2015-01-01", until="2025-12-31"),
    )
    yield (
        ("changes", "--level", "notable", "--kind", "status", "--kind", "outcome"),
        lambda db: db.changes(level="notable", kind=["status", "outcome"]),
    )
    yield ("changes", "--category", "dates"), lambda db: db.changes(category="dates")
    yield ("changes", "--limit", "7"), lambda db: db.changes(limit=7)
    yield ("find", "enrollment>10", "--ever"), lambda db: db.find("enrollment>10", ever=True)
    yield (
        ("find", "status=RECRUITING", "--as-of", "2019-06-01", "--watch", watch),
        lambda db: db.find("status=RECRUITING", as_of="2019-06-01", watch=watch),
    )
    yield ("flags",), lambda db: db.flags()
    yield ("flags", "--all", "--watch", watch), lambda db: db.flags(all=True, watch=watch)
    yield ("portfolio",), lambda db: db.portfolio()
    yield (
        ("portfolio", "--watch", watch, "--status", "recruiting", "--sort", "slip"),
        lambda db: db.portfolio(watch=watch, status="recruiting", sort="slip"),
    )
    yield (
        ("forecast", "--watch", watch, "--what", "unknown", "--within", "all"),
        lambda db: db.forecast(watch=watch, what="unknown", within=None),
    )
    yield ("forecast",), lambda db: db.forecast()
    yield ("forecast", "--within", "all"), lambda db: db.forecast(within=None)
    yield ("watch", "list"), lambda db: db.watches()
    yield ("runs",), lambda db: db.runs(limit=20)
    for trial in trials:
        yield from _questions_about(trial)


def _questions_about(trial: str) -> Iterator[Question]:
    small = trial.lower()
    yield ("changes", trial), lambda db: db.changes(small)
    yield ("history", trial), lambda db: db.versions(small)
    yield ("history", trial, "--listed"), lambda db: db.listed_versions(small)
    yield (
        ("history", trial, "--substantive"),
        lambda db: db.versions(trial, substantive=True),
    )
    yield (
        ("history", trial, "--field", "overall status"),
        lambda db: db.field_history(trial, "overall status"),
    )
    yield ("show", trial), lambda db: db.record(trial).body
    yield ("show", trial, "--version", "1"), lambda db: db.record(trial, version=1).body
    yield ("diff", trial, "1", "-1"), lambda db: db.compare(trial, 1, -1)
    yield (
        ("diff", trial, "1", "-1", "--level", "notable", "--category", "status"),
        lambda db: db.compare(trial, 1, -1, level="notable", category=["status"]),
    )
    yield ("timeline", trial), lambda db: db.timeline(trial)


def answer_of_command(words: tuple[str, ...], env: dict[str, str | None]) -> Any:
    """Return the answer of a command with `--json`."""
    done = CliRunner().invoke(main, [*words, "--json"], env=env)
    assert done.exit_code == 0, f"{words}: {done.output}"
    answer = json.loads(done.stdout)
    # the command writes a page with its counts, the call returns its rows
    return answer["rows"] if words[0] == "portfolio" else answer


def answer_in_python(ask: Ask, db: ctsync.TrialDatabase) -> Any:
    """Return the answer of a call as JSON values."""
    answer = ask(db)
    if isinstance(answer, ctsync.Rows):
        answer = answer.dicts()
    return json.loads(dump(answer))


def rows_in(answer: Any) -> int:
    """Count the rows of an answer; an object is one row."""
    return len(answer) if isinstance(answer, list) else 1
