"""Answers as JSON or CSV, and the headers that go with them. Does no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import Response

from ctsync import __version__
from ctsync.export.columns import dated_columns
from ctsync.export.csv_writer import csv_lines
from ctsync.export.row_columns import columns_of, values_of
from ctsync.record.value_text import counted
from ctsync.report.rows.row_json import dump, to_json
from ctsync.web.api.address_parameters import CURSOR
from ctsync.web.api.endpoints import Endpoint
from ctsync.web.api.paging import OneAnswer, Page
from ctsync.web.api.problems import NotAcceptable

NOTES_HEADER = "X-Notes"
"""A JSON list of the notes of an answer, in ASCII; no header if there are none."""
MOST_NOTES = 10
"""Notes in the header. Clients refuse headers of 64 KB; the JSON of a page has all notes."""


class AnswerForm(StrEnum):
    """The media types of answers."""

    JSON = "application/json"
    CSV = "text/csv"


def accepted_form(headers: Headers, endpoint: Endpoint) -> AnswerForm:
    """Return the form that the client prefers. Raises NotAcceptable if it accepts none."""
    offered = [AnswerForm.JSON] if endpoint.row_type is None else list(AnswerForm)
    wanted = headers.get("accept") or "*/*"
    weights = {form: _weight(form, wanted) for form in offered}
    best = max(offered, key=lambda form: weights[form])  # JSON if both are as welcome
    if not weights[best]:
        raise NotAcceptable(f"this address answers with {' or '.join(offered)}; accept one of them")
    return best


def entity_tag(path: str, query: bytes, form: AnswerForm, *, state: str, today: date) -> str:
    """Return the ETag of an answer, without computing it.

    An answer depends on the data, the day, the version of ctsync and the address only.
    """
    parts = f"{state}\n{today}\n{__version__}\n{form}\n{path}\n".encode() + query
    return f'W/"{hashlib.blake2b(parts, digest_size=12).hexdigest()}"'


def is_known(tag: str, headers: Headers) -> bool:
    """Whether the client has the answer with this tag already."""
    held = [one.strip() for one in headers.get("if-none-match", "").split(",")]
    return "*" in held or tag.removeprefix("W/") in {one.removeprefix("W/") for one in held}


def page_response(
    page: Page, following: str | None, form: AnswerForm, chosen: Sequence[str] | None,
    *, endpoint: Endpoint, query: bytes,
) -> Response:  # fmt: skip
    """Return a page of rows. `following` is the cursor of the next page."""
    headers = dict(_noted(page.notes))
    if page.total is not None:
        headers["X-Total-Count"] = f"{page.total}"
    if following is not None:
        headers["Link"] = f'<{_next_address(query, following)}>; rel="next"'
    if form is AnswerForm.CSV and endpoint.row_type is not None:
        return _csv(page.rows, endpoint.row_type, chosen, headers)
    rows = page.rows if chosen is None else [_only(row, chosen) for row in page.rows]
    envelope = {"rows": rows, "total": page.total, "next": following, "notes": page.notes}
    return Response(dump(envelope), headers=headers, media_type=AnswerForm.JSON)


def row_response(
    found: OneAnswer, form: AnswerForm, chosen: Sequence[str] | None, *, endpoint: Endpoint
) -> Response:
    """Return one row, or a record."""
    row, headers = found.value, _noted(found.notes)
    if form is AnswerForm.CSV and endpoint.row_type is not None:
        return _csv([row], endpoint.row_type, chosen, headers)
    answer = row if chosen is None else _only(row, chosen)
    return Response(dump(answer), headers=headers, media_type=AnswerForm.JSON)


def _noted(notes: Sequence[str]) -> Mapping[str, str]:
    """Return the header with the notes: a record and CSV have no other place for them."""
    if not notes:
        return {}
    more = len(notes) - MOST_NOTES
    shown = [*notes[:MOST_NOTES], *([f"{counted(more, 'more note')}"] if more > 0 else [])]
    return {NOTES_HEADER: dump(shown, ascii_only=True).decode()}


def _only(row: Any, chosen: Sequence[str]) -> Mapping[str, Any]:
    found = to_json(row)
    return {name: found[name] for name in chosen}


def _csv(
    rows: Sequence[Any],
    row_type: type,
    chosen: Sequence[str] | None,
    headers: Mapping[str, str],
) -> Response:
    known = columns_of(row_type)
    names = list(known) if chosen is None else [
        column for name in chosen for column in _columns(name, row_type) if column in known
    ]  # fmt: skip
    text = "".join(csv_lines(names, map(values_of, rows)))
    return Response(
        text.encode("utf-8", "backslashreplace"), headers=headers, media_type=AnswerForm.CSV
    )


def _columns(name: str, row_type: type) -> Sequence[str]:
    """Return the columns of a field: one, or the three of a registry date."""
    others = {one.name for one in fields(row_type)} - {name}
    return [column for column in dated_columns(name) if column not in others]


def _next_address(query: bytes, cursor: str) -> str:
    pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True)
    kept = [(name, text) for name, text in pairs if name != CURSOR.name]
    return f"?{urlencode([*kept, (CURSOR.name, cursor)])}"


def _weight(form: AnswerForm, accepted: str) -> float:
    """Return how welcome a form is, from 0 to 1: the most specific range decides."""
    ranges = {form.value: 2, f"{form.value.split('/')[0]}/*": 1, "*/*": 0}
    found = {}
    for one in accepted.split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        if name in ranges:
            found[ranges[name]] = _quality(parameters)
    return found[max(found)] if found else 0.0


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
