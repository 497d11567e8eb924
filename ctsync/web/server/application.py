"""The application of `ctsync serve`: every address, and what answers it. Reads only.

The JSON API and, with the extra `ctsync[mcp]`, the tools for language models are part of it.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from ctsync.config.settings import Settings
from ctsync.dates import Clock
from ctsync.errors import CtsyncError
from ctsync.questions.operation.health_state import health_facts
from ctsync.store.store import Store
from ctsync.web.api.api_application import create_api
from ctsync.web.api.client_rates import RequestRate
from ctsync.web.api.problems import RETRY_SECONDS
from ctsync.web.asset_files import asset_files
from ctsync.web.mcp.late_endpoint import LateMcpEndpoint
from ctsync.web.server import (
    change_routes,
    day_routes,
    operation_routes,
    portfolio_routes,
    trial_routes,
)
from ctsync.web.server.gate import MCP_PATH, Access, Gate
from ctsync.web.server.metrics import MEDIA_TYPE, AnswerCounts, metrics_text
from ctsync.web.server.page_request import Page
from ctsync.web.server.served_site import ServedSite

if TYPE_CHECKING:
    from ctsync.web.mcp.mcp_server import McpEndpoint

THREADS = 4
"""Requests that are answered at the same time; each may hold a connection to the database."""

PAGES: Mapping[str, Page] = {
    "/": day_routes.today,
    "/trials": portfolio_routes.trials,
    "/trials/{nct_id}": trial_routes.trial,
    "/trials/{nct_id}/compare": trial_routes.comparison,
    "/trials/{nct_id}/record": trial_routes.record,
    "/changes": change_routes.changes,
    "/watches": operation_routes.watches,
    "/runs": operation_routes.runs,
    "/deliveries": operation_routes.deliveries,
    "/rules": operation_routes.rules,
    "/feed.atom": change_routes.atom_feed,
    "/feed.json": change_routes.json_entries,
    "/calendar.ics": portfolio_routes.calendar,
}
_ASSET_SECONDS = 3600
_FRESH = {"Cache-Control": "no-store"}
_FILES: Mapping[str, str] = {
    r"index\.html": "",
    r"(trials|changes|watches|runs|deliveries|rules)\.html": r"\1",
    r"trials/(NCT\d{8})\.html": r"trials/\1",
    r"trials/(NCT\d{8})-(\d+)-(\d+)\.html": r"trials/\1/compare?from=\2&to=\3",
    r"days/(\d{4}-\d\d-\d\d)\.html": r"?day=\1",
    r"days/last-(\d+)\.html": r"?days=\1",
    r"changes/(\d{4}-\d\d-\d\d)\.html": r"changes?week=\1",
}
"""The files of `ctsync site` and the addresses of the same pages: mails may link to either."""


def create_app(
    open_store: Callable[[], Store],
    settings: Settings,
    *,
    clock: Clock,
    access: Access | None = None,
    rate: RequestRate | None = None,
) -> FastAPI:
    """Make the application. Opens nothing: `open_store` opens the database for reading when needed.

    `rate` limits the requests of each client to the JSON API. Without `access`, anyone may ask
    under any name: for tests, and inside of another application.
    """
    access = access or Access()
    site = ServedSite(open_store, settings, clock=clock, root=f"{access.root_path}/")
    counts = AnswerCounts()

    tools = _tools(site, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = THREADS
        async with nullcontext() if tools is None else tools.running():
            yield
        site.database.close()

    app = FastAPI(
        title="ctsync",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.add_middleware(Gate, access=access, counts=counts, clock=clock)
    app.add_route("/trials/{file}.html", _elsewhere(site, access.root_path))
    for path, page in PAGES.items():
        app.add_route(path, _endpoint(site, page))
    for form in ("csv", "xlsx", "json", "ics"):
        app.add_route(f"/portfolio.{form}", _download(site, form))
    app.add_route("/healthz", _health(site))
    app.add_route("/metrics", _metrics(site, counts))
    app.add_route("/assets/{name}", _asset(site))
    api = create_api(site.database.view, settings=settings, clock=clock, rate=rate)
    app.router.routes.extend(api.routes)
    if tools is not None:
        app.router.routes.append(Route(MCP_PATH, endpoint=tools))
    app.add_route("/{path:path}", _elsewhere(site, access.root_path))
    return app


def _tools(site: ServedSite, settings: Settings) -> LateMcpEndpoint | None:
    """Return the tools for language models; None if their extra is not installed."""
    if find_spec("mcp") is None:
        return None

    def make() -> McpEndpoint:
        from ctsync.web.mcp.mcp_server import McpEndpoint  # noqa: PLC0415 - an extra, and large

        # the gate has checked the host
        return McpEndpoint(settings, clock=site.clock, hosts=None, database=site.database)

    return LateMcpEndpoint(make)


Endpoint = Callable[[Request], Response]


def _endpoint(site: ServedSite, page: Page) -> Endpoint:
    def respond(request: Request) -> Response:
        return site.answer(request, page)

    return respond


def _download(site: ServedSite, form: str) -> Endpoint:
    def respond(request: Request) -> Response:
        request.scope["path_params"] = {"form": form}
        return site.answer(request, portfolio_routes.download)

    return respond


def _health(site: ServedSite) -> Endpoint:
    """Return 200 if the database can be read; says nothing about the last sync or trials."""

    def respond(_: Request) -> Response:
        try:
            with site.database.view() as store:
                store.runs.last()
        except CtsyncError:
            status = {"status": "the database cannot be read"}
            return JSONResponse(status, 503, {**_FRESH, "Retry-After": f"{RETRY_SECONDS}"})
        return JSONResponse({"status": "ok"}, headers=_FRESH)

    return respond


def _metrics(site: ServedSite, counts: AnswerCounts) -> Endpoint:
    def respond(_: Request) -> Response:
        now = site.clock.now()
        try:
            with site.database.view() as store:
                facts = health_facts(store, now=now)
        except CtsyncError:
            facts = None
        kept = {"memory": site.pages.hits, "database": site.pages.misses}
        text = metrics_text(counts, kept, facts, now=now)
        return PlainTextResponse(text, media_type=MEDIA_TYPE)

    return respond


def _asset(site: ServedSite) -> Endpoint:
    """Return an asset of the package by its name: no path reaches the disk."""

    async def respond(request: Request) -> Response:
        name = request.path_params["name"]
        text = asset_files().get(name)
        if text is None:
            return site.refusal(404, f"there is no asset {name}")
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": f"max-age={_ASSET_SECONDS}"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(text, headers=headers, media_type=kind)

    return respond  # type: ignore[return-value]  # starlette takes both kinds of functions


def _elsewhere(site: ServedSite, root_path: str) -> Endpoint:
    """Redirect from the name of a file of `ctsync site`; any other path is not found."""

    async def respond(request: Request) -> Response:
        path = request.scope["path"].removeprefix("/")
        for file, address in _FILES.items():
            if re.fullmatch(file, path):
                return RedirectResponse(f"{root_path}/{re.sub(file, address, path)}", 308)
        return site.refusal(404, "there is no page at this address")

    return respond  # type: ignore[return-value]  # starlette takes both kinds of functions
