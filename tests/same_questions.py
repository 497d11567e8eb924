"""Questions in the words of each face, for a comparison of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from click.testing import CliRunner

import ctsync
from ctsync.cli import main
from ctsync.report.rows.row_json import dump
from tests.web.api.served import all_rows

IN_RECORDS = "condition~diabetes"
"""A condition that is compared with the records themselves."""

Ask = Callable[[ctsync.TrialDatabase], Any]
Address = tuple[str, Mapping[str, Any]]
Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class FaceQuestion:
    """One question in the words of each face that has it: None where a face has not."""

    command: tuple[str, ...]
    in_python: Ask | None
    address: Address | None = None
    tool: Call | None = None

    @property
    def needs_two_versions(self) -> bool:
        return self.command[0] == "diff"


def questions(trials: Sequence[str], watch: str) -> Iterator[FaceQuestion]:
    """Yield each question, about all trials and about each of these."""
    yield from _questions_about_changes(watch)
    yield from _questions_about_conditions(watch)
    yield from _questions_about_followed_trials(watch)
    yield FaceQuestion(("watch", "list"), lambda db: db.watches(), ("/watches", {}))
    yield FaceQuestion(("runs", "--limit", "1000"), lambda db: db.runs(), ("/runs", {}))
    for trial in trials:
        yield from _questions_about(trial)


def _questions_about_changes(watch: str) -> Iterator[FaceQuestion]:
    yield FaceQuestion(("changes",), lambda db: db.changes(), ("/changes", {}), ("changes", {}))
    yield FaceQuestion(
        ("changes", "--since", "2012-01-01", "--level", "routine"),
        lambda db: db.changes(since="2012-01-01", level="routine"),
        ("/changes", {"since": "2012-01-01", "level": "routine"}),
        ("changes", {"since": "2012-01-01", "level": "routine"}),
    )
    yield FaceQuestion(
        ("changes", "--watch", watch, "--since", "2015-01-01", "--until", "2025-12-31"),
        lambda db: db.changes(watch=watch, since="2015-01-01", until="2025-12-31"),
        ("/changes", {"watch": watch, "since": "2015-01-01", "until": "2025-12-31"}),
    )
    yield FaceQuestion(
        ("changes", "--level", "notable", "--kind", "status", "--kind", "outcome"),
        lambda db: db.changes(level="notable", kind=["status", "outcome"]),
        ("/changes", {"level": "notable", "kind": ["status", "outcome"]}),
        ("changes", {"level": "notable", "kind": ["status", "outcome"]}),
    )
    yield FaceQuestion(
        ("changes", "--category", "dates"),
        lambda db: db.changes(category="dates"),
        ("/changes", {"category": "dates"}),
        ("changes", {"category": ["dates"]}),
    )
    yield FaceQuestion(("changes", "--limit", "7"), lambda db: db.changes(limit=7))


def _questions_about_conditions(watch: str) -> Iterator[FaceQuestion]:
    for condition in ("enrollment>10", IN_RECORDS):
        yield FaceQuestion(
            ("find", condition),
            _finding(condition),
            ("/find", {"condition": condition}),
            ("find", {"conditions": [condition]}),
        )
    yield FaceQuestion(
        ("find", "status=TERMINATED|SUSPENDED|RECRUITING", "--ever"),
        lambda db: db.find("status=TERMINATED|SUSPENDED|RECRUITING", ever=True),
        ("/find", {"condition": "status=TERMINATED|SUSPENDED|RECRUITING", "ever": "true"}),
        ("find", {"conditions": ["status=TERMINATED|SUSPENDED|RECRUITING"], "ever": True}),
    )
    yield FaceQuestion(
        ("find", "status=RECRUITING", "--as-of", "2019-06-01", "--watch", watch),
        lambda db: db.find("status=RECRUITING", as_of="2019-06-01", watch=watch),
        ("/find", {"condition": "status=RECRUITING", "as_of": "2019-06-01", "watch": watch}),
        ("find", {"conditions": ["status=RECRUITING"], "as_of": "2019-06-01", "watch": watch}),
    )


def _questions_about_followed_trials(watch: str) -> Iterator[FaceQuestion]:
    yield FaceQuestion(
        ("portfolio",), lambda db: db.portfolio(), ("/trials", {}), ("portfolio", {})
    )
    yield FaceQuestion(
        ("portfolio", "--watch", watch, "--status", "recruiting", "--sort", "slip", "--reverse"),
        lambda db: db.portfolio(watch=watch, status="recruiting", sort="slip", reverse=True),
        ("/trials", {"watch": watch, "status": "recruiting", "sort": "slip", "reverse": "true"}),
        (
            "portfolio",
            {"watch": [watch], "status": ["recruiting"], "sort": "slip", "reverse": True},
        ),
    )
    met = ("enrollment>30", "status=COMPLETED|TERMINATED")
    yield FaceQuestion(
        ("portfolio", "--where", met[0], "--where", met[1], "--sort", "nct_id"),
        lambda db: db.portfolio(where=met, sort="nct_id"),
        ("/trials", {"where": met, "sort": "nct_id"}),
        ("portfolio", {"where": list(met), "sort": "nct_id"}),
    )
    yield FaceQuestion(("flags",), lambda db: db.flags(), ("/flags", {}), ("flags", {}))
    yield FaceQuestion(
        ("flags", "--all", "--watch", watch),
        lambda db: db.flags(all=True, watch=watch),
        ("/flags", {"all": "true", "watch": watch}),
        ("flags", {"all": True, "watch": watch}),
    )
    yield FaceQuestion(("forecast",), lambda db: db.forecast(), ("/forecast", {}), ("forecast", {}))
    yield FaceQuestion(
        ("forecast", "--within", "all", "--what", "unknown", "--what", "results_due"),
        lambda db: db.forecast(within=None, what=["unknown", "results_due"]),
        ("/forecast", {"within": "all", "what": ["unknown", "results_due"]}),
        ("forecast", {"within": "all", "what": ["unknown", "results_due"]}),
    )


def _questions_about(trial: str) -> Iterator[FaceQuestion]:
    small = trial.lower()
    path = f"/trials/{trial}"
    yield FaceQuestion(("status", trial), None, (path, {}))
    yield FaceQuestion(
        ("changes", trial),
        lambda db: db.changes(small),
        ("/changes", {"nct": trial}),
        ("changes", {"nct": [small]}),
    )
    yield FaceQuestion(
        ("history", trial),
        lambda db: db.versions(small),
        (f"{path}/versions", {}),
        ("versions", {"nct": small}),
    )
    yield FaceQuestion(
        ("history", trial, "--listed"),
        lambda db: db.listed_versions(small),
        (f"{path}/listed", {}),
    )
    yield FaceQuestion(
        ("history", trial, "--substantive"),
        lambda db: db.versions(trial, substantive=True),
        (f"{path}/versions", {"substantive": "true"}),
        ("versions", {"nct": trial, "substantive": True}),
    )
    for field in ("overall status", "primary completion"):
        yield FaceQuestion(
            ("history", trial, "--field", field),
            _values(trial, field),
            (f"{path}/fields", {"field": field}),
            ("field_history", {"nct": trial, "field": field}),
        )
    for given in ({}, {"version": 1}):
        yield FaceQuestion(
            ("show", trial, *(("--version", "1") if given else ())),
            _record(trial, **given),
            (f"{path}/record", given),
            ("record_as_of", {"nct": trial, **given}),
        )
    yield FaceQuestion(
        ("diff", trial, "1", "-1"),
        lambda db: db.compare(trial, 1, -1),
        (f"{path}/compare", {"from": "1", "to": "-1"}),
        ("compare", {"nct": trial, "older": 1, "newer": -1}),
    )
    yield FaceQuestion(
        ("diff", trial, "1", "-1", "--level", "notable", "--category", "status"),
        lambda db: db.compare(trial, 1, -1, level="notable", category=["status"]),
        (f"{path}/compare", {"from": "1", "to": "-1", "level": "notable", "category": "status"}),
        (
            "compare",
            {"nct": trial, "older": 1, "newer": -1, "level": "notable", "category": ["status"]},
        ),
    )
    yield FaceQuestion(
        ("timeline", trial),
        lambda db: db.timeline(trial),
        (f"{path}/timeline", {}),
        ("timeline", {"nct": trial}),
    )


def _finding(condition: str) -> Ask:
    return lambda db: db.find(condition)


def _values(trial: str, field: str) -> Ask:
    return lambda db: db.field_history(trial, field)


def _record(trial: str, version: int | None = None) -> Ask:
    return lambda db: db.record(trial, version=version).body


def answer_of_command(words: tuple[str, ...], env: Mapping[str, str | None]) -> Any:
    """Return the answer of a command with `--json`."""
    done = CliRunner().invoke(main, [*words, "--json"], env=env)
    assert done.exit_code == 0, f"{words}: {done.output}"
    answer = json.loads(done.stdout)
    if words[0] == "status":
        (answer,) = answer  # the command takes several trials, the other faces one
    # the command writes a page with its counts, the call returns its rows
    return answer["rows"] if words[0] == "portfolio" else answer


def answer_in_python(ask: Ask, db: ctsync.TrialDatabase) -> Any:
    """Return the answer of a call as JSON values."""
    answer = ask(db)
    if isinstance(answer, ctsync.Rows):
        answer = answer.dicts()
    return json.loads(dump(answer))


def answer_over_http(address: Address, client: httpx.Client, *, limit: int) -> Any:
    """Return the rows of all pages, or the one row of an address without pages."""
    path, given = address
    is_list = path.split("/")[-1] in {"versions", "listed", "compare", "fields"}
    if path.count("/") > 1 and not is_list:
        answer = client.get(f"/api/v1{path}", params=dict(given))
        assert answer.status_code == 200, answer.text
        return answer.json()
    return all_rows(client, path, limit, **given)


def rows_in(answer: Any) -> int:
    """Count the rows of an answer; an object is one row."""
    return len(answer) if isinstance(answer, list) else 1
