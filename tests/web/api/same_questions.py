"""Questions asked over HTTP, through Python and through the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.python.same_questions import Ask
from tests.web.api.served import all_rows


@dataclass(frozen=True)
class FaceQuestion:
    """One question in the words of each face."""

    path: str
    given: Mapping[str, Any]
    command: tuple[str, ...]
    in_python: Ask


def questions(trials: Sequence[str], watch: str) -> Iterator[FaceQuestion]:
    """Yield questions to every address."""
    yield FaceQuestion("/changes", {}, ("changes",), lambda db: db.changes())
    yield FaceQuestion(
        "/changes",
        {"watch": watch, "since": "2015-01-01", "until": "2025-12-31"},
        ("changes", "--watch", watch, "--since", "2015-01-01", "--until", "2025-12-31"),
        lambda db: db.changes(watch=watch, since="2015-01-01", until="2025-12-31"),
    )
    yield FaceQuestion(
        "/changes",
        {"level": "notable", "kind": ["status", "outcome"]},
        ("changes", "--level", "notable", "--kind", "status", "--kind", "outcome"),
        lambda db: db.changes(level="notable", kind=["status", "outcome"]),
    )
    yield FaceQuestion("/trials", {}, ("portfolio",), lambda db: db.portfolio())
    yield FaceQuestion(
        "/trials",
        {"watch": watch, "status": "recruiting", "sort": "slip", "reverse": "true"},
        ("portfolio", "--watch", watch, "--status", "recruiting", "--sort", "slip", "--reverse"),
        lambda db: db.portfolio(watch=watch, status="recruiting", sort="slip", reverse=True),
    )
    yield FaceQuestion(
        "/find",
        {"condition": "enrollment>10", "ever": "true"},
        ("find", "enrollment>10", "--ever"),
        lambda db: db.find("enrollment>10", ever=True),
    )
    yield FaceQuestion(
        "/find",
        {"condition": "status=RECRUITING", "as_of": "2019-06-01", "watch": watch},
        ("find", "status=RECRUITING", "--as-of", "2019-06-01", "--watch", watch),
        lambda db: db.find("status=RECRUITING", as_of="2019-06-01", watch=watch),
    )
    yield FaceQuestion("/flags", {}, ("flags",), lambda db: db.flags())
    yield FaceQuestion(
        "/flags",
        {"all": "true", "watch": watch},
        ("flags", "--all", "--watch", watch),
        lambda db: db.flags(all=True, watch=watch),
    )
    yield FaceQuestion("/forecast", {}, ("forecast",), lambda db: db.forecast())
    yield FaceQuestion(
        "/forecast",
        {"within": "all", "what": ["unknown", "results_due"]},
        ("forecast", "--within", "all", "--what", "unknown", "--what", "results_due"),
        lambda db: db.forecast(within="all", what=["unknown", "results_due"]),
    )
    yield FaceQuestion("/watches", {}, ("watch", "list"), lambda db: db.watches())
    yield FaceQuestion("/runs", {}, ("runs", "--limit", "1000"), lambda db: db.runs())
    for trial in trials:
        yield from _questions_about(trial)


def _questions_about(trial: str) -> Iterator[FaceQuestion]:
    path = f"/trials/{trial}"
    yield FaceQuestion("/changes", {"nct": trial}, ("changes", trial), lambda db: db.changes(trial))
    yield FaceQuestion(f"{path}/versions", {}, ("history", trial), lambda db: db.versions(trial))
    yield FaceQuestion(
        f"{path}/listed",
        {},
        ("history", trial, "--listed"),
        lambda db: db.listed_versions(trial),
    )
    yield FaceQuestion(
        f"{path}/versions",
        {"substantive": "true"},
        ("history", trial, "--substantive"),
        lambda db: db.versions(trial, substantive=True),
    )
    yield FaceQuestion(
        f"{path}/fields",
        {"field": "overall status"},
        ("history", trial, "--field", "overall status"),
        lambda db: db.field_history(trial, "overall status"),
    )
    yield FaceQuestion(f"{path}/record", {}, ("show", trial), lambda db: db.record(trial).body)
    yield FaceQuestion(
        f"{path}/record",
        {"version": "1"},
        ("show", trial, "--version", "1"),
        lambda db: db.record(trial, version=1).body,
    )
    yield FaceQuestion(
        f"{path}/compare",
        {"from": "1", "to": "-1", "level": "routine"},
        ("diff", trial, "1", "-1", "--level", "routine"),
        lambda db: db.compare(trial, 1, -1, level="routine"),
    )
    yield FaceQuestion(f"{path}/timeline", {}, ("timeline", trial), lambda db: db.timeline(trial))


def answer_over_http(question: FaceQuestion, client: httpx.Client, *, limit: int) -> Any:
    """Return the rows of all pages, or the one row of an address without pages."""
    if question.path.split("/")[-1] in {"record", "timeline"}:
        answer = client.get(f"/api/v1{question.path}", params=dict(question.given))
        assert answer.status_code == 200, answer.text
        return answer.json()
    return all_rows(client, question.path, limit, **question.given)
