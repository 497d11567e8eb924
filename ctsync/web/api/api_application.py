"""The API as an application for an ASGI server, such as uvicorn.

    app = create_api(open_store, settings=settings, clock=clock)

Another application mounts it, or adds its routes to its own: each route answers its own errors.
`open_store` opens the database for reading for one request, as `open_for_reading` does; it may hand
out a store that stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from functools import cache, partial
from http import HTTPStatus
from math import ceil

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ctsync.config.settings import Settings
from ctsync.dates import Clock
from ctsync.report.rows.row_json import dump
from ctsync.store.store import Store
from ctsync.text import nearest_words
from ctsync.web.api.address_parameters import (
    CURSOR,
    FIELDS,
    LIMIT,
    ROWS,
    Given,
    changes_with_time,
    chosen_fields,
    read_query,
)
from ctsync.web.api.answer_forms import (
    accepted_form,
    entity_tag,
    is_known,
    page_response,
    row_response,
)
from ctsync.web.api.client_rates import ClientRates, RequestRate
from ctsync.web.api.endpoints import ENDPOINTS, ROOT, Endpoint
from ctsync.web.api.openapi_document import openapi_document
from ctsync.web.api.paging import Asked, Page, StillTime, cursor_text, read_cursor
from ctsync.web.api.problems import problem, problem_of
from ctsync.web.kept_answers import KeptAnswers

OpenStore = Callable[[], AbstractContextManager[Store]]

DOCUMENT = "/openapi.json"
MOST_AT_ONCE = 6
"""Requests that read the database at the same time, each over one of 15 connections. The pages and
the tools for language models use up to four each."""

_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class QuestionService:
    """Answers questions: the database, the settings, the clock, and answers kept in memory."""

    open_store: OpenStore
    settings: Settings
    clock: Clock
    kept: KeptAnswers = field(default_factory=KeptAnswers)

    def answer(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer one request. Raises CtsyncError."""
        query: bytes = request.scope.get("query_string", b"")
        form = accepted_form(request.headers, endpoint)
        given: Given = {**read_query(query, endpoint.query), **request.path_params}
        names = [one.name for one in fields(endpoint.row_type)] if endpoint.row_type else []
        chosen = chosen_fields(given, names)
        asked_at, place, question = self.clock.now(), None, _question_of(endpoint, given)
        if CURSOR.name in given:
            asked_at, place = read_cursor(given[CURSOR.name], question, asked_at)
        with self.open_store() as store:
            state = store.state()
            tag = entity_tag(
                request.url.path, query, form, state=state, today=self.clock.now().date()
            )
            is_stable = place is not None or not changes_with_time(given)
            if is_stable and is_known(tag, request.headers):
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_caching(tag))
            asked = Asked(
                question,
                given,
                store,
                state,
                self.settings,
                StillTime(asked_at, self.clock),
                self.kept,
                given.get(LIMIT.name, ROWS),
                place,
            )
            found = endpoint.answer(asked)
        if isinstance(found, Page):
            place, is_stable = found.following, is_stable and found.is_current
            following = cursor_text(asked, place) if place else None
            response = page_response(found, following, form, chosen, endpoint=endpoint, query=query)
        else:
            response = row_response(found, form, chosen, endpoint=endpoint)
        response.headers.update(_caching(tag if is_stable else None))
        return response


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """The ASGI application of one address. Answers every method and every error."""

    answer: Callable[[Request], Response]
    rates: ClientRates
    limiter: CapacityLimiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in a thread, because reading a database blocks."""
        request = Request(scope)
        wait = self.rates.seconds_to_wait(request.client.host if request.client else "")
        if wait:
            response = problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"too many requests; send the next one in {ceil(wait)} s",
                {"Retry-After": f"{ceil(wait)}"},
            )
        elif request.method not in _METHODS:
            response = problem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{request.method} is not allowed: the API only reads; use GET",
                {"Allow": ", ".join(_METHODS)},
            )
        else:
            response = await to_thread.run_sync(self._answer, request, limiter=self.limiter)
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.method == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        try:
            return self.answer(request)
        except Exception as error:  # noqa: BLE001 - the last handler: problem_of logs it
            return problem_of(error)


def create_api(
    open_store: OpenStore,
    *,
    settings: Settings,
    clock: Clock,
    rate: RequestRate | None = None,
) -> FastAPI:
    """Return the API, with all addresses below /api/v1, and /openapi.json.

    `rate` limits the requests of each client. Opens no database before the first request.
    """
    service = QuestionService(open_store, settings, clock)
    rates = ClientRates(rate or RequestRate(), clock=clock)
    limiter = CapacityLimiter(MOST_AT_ONCE)

    def route(path: str, answer: Callable[[Request], Response]) -> Route:
        return Route(path, ApiRoute(answer, rates, limiter))

    questions = [
        route(ROOT + endpoint.path, partial(service.answer, endpoint)) for endpoint in ENDPOINTS
    ]
    app = FastAPI(title="ctsync", openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes[:] = [
        *questions,
        route(DOCUMENT, _document),
        route(f"{ROOT}{{rest:path}}", _unknown_address),
    ]
    app.add_exception_handler(HTTPException, _on_other_address)
    return app


def _document(_request: Request) -> Response:
    return Response(document_text(), media_type="application/json")


@cache
def document_text() -> bytes:
    """Return the OpenAPI document as indented JSON."""
    return dump(openapi_document(), indent=True) + b"\n"


def _unknown_address(request: Request) -> Response:
    known = [ROOT + endpoint.path for endpoint in ENDPOINTS]
    likely = nearest_words(request.url.path, known)
    hint = f"did you mean {likely[0]}?" if likely else f"{DOCUMENT} lists all addresses"
    return problem(HTTPStatus.NOT_FOUND, f"there is no address {request.url.path}; {hint}")


async def _on_other_address(request: Request, _error: Exception) -> Response:
    return _unknown_address(request)


def _question_of(endpoint: Endpoint, given: Given) -> str:
    of_page = {LIMIT.name, CURSOR.name, FIELDS.name}
    asked = sorted((name, value) for name, value in given.items() if name not in of_page)
    return dump([endpoint.path, asked]).decode()


def _caching(tag: str | None) -> Mapping[str, str]:
    headers = {"Cache-Control": "no-cache", "Vary": "Accept"}
    return headers if tag is None else {**headers, "ETag": tag}
