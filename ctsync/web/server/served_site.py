"""Answers the requests for pages: from memory, from the database, or with 304."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import ctsync
from ctsync.config.settings import Settings
from ctsync.dates import Clock
from ctsync.errors import (
    BadNctId,
    CorruptBody,
    CtsyncError,
    NoDatabase,
    StoreError,
    UnknownTrial,
    UnknownVersion,
    UsageError,
)
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.portfolio.portfolio_index import PortfolioIndex
from ctsync.questions.portfolio.portfolio_trials import read_portfolio
from ctsync.questions.portfolio.watches import followed_trials
from ctsync.report.addresses import Addresses
from ctsync.report.words.trial_heading import TrialHeading
from ctsync.store.derived.revision import Revision
from ctsync.store.store import Store
from ctsync.web.api.problems import RETRY_SECONDS
from ctsync.web.frame import Frame
from ctsync.web.open_database import OpenDatabase
from ctsync.web.page_templates import fill_page
from ctsync.web.server.kept_values import Content, NewestValues, PageCache, RecentValues
from ctsync.web.server.page_request import Page, PageRequest
from ctsync.web.server.query_parameters import QueryParameters

log = logging.getLogger(__name__)

_KEPT_BYTES = 12 * 2**20
_LARGEST_KEPT = 2 * 2**20
_HEADINGS = 1_000
"""Headings of records that are kept, about 1 KB each: those of the newest changes."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the trials, and what the pages depend on; `run` is the id of a run that goes on."""

    trials: tuple[object, ...]
    pages: str
    run: int | None


@dataclass(frozen=True, slots=True)
class _Portfolio:
    """The followed trials on a day, and the keys of the pages that show them."""

    keys: _Keys
    as_of: date
    index: PortfolioIndex


class ServedSite:
    """Makes the answers to requests for pages. Safe to use from several threads.

    `root` is the address of the first page, with a slash at its end. `clock` gives the time.
    """

    def __init__(
        self, open_store: Callable[[], Store], settings: Settings, *, clock: Clock, root: str
    ) -> None:
        self.database = OpenDatabase(open_store)
        self.clock = clock
        self.pages = PageCache(_KEPT_BYTES, most_of_page=_LARGEST_KEPT)
        self._settings = settings
        self._links = Addresses(root, is_served=True)
        self._values = NewestValues()
        self._headings: RecentValues[TrialHeading] = RecentValues(_HEADINGS)
        shown = hashlib.sha256(repr(settings).encode()).hexdigest()
        self._fixed = (ctsync.__version__, shown, root)

    def answer(self, request: Request, page: Page) -> Response:
        """Answer with a page, 304 if the reader has it, or a page that says what is wrong."""
        try:
            parameters = QueryParameters(request.scope["query_string"])
            with self.database.view() as store:
                return self._answer(request, page, store, parameters)
        except CtsyncError as error:
            return self.refusal(_status_of(error), f"{error}", is_begin=_is_begin(error))
        except Exception:  # one page that fails must not end the server, nor show a traceback
            log.exception("cannot make the page %s", request.url.path)
            return self.refusal(
                500, "An error in ctsync itself. The log of the server has the traceback."
            )

    def refusal(self, status: int, sentence: str, *, is_begin: bool = False) -> Response:
        """Return a page with one sentence; with `is_begin`, also how to begin."""
        text = fill_page(
            "message.html.j2",
            frame=Frame(self._links),
            status=status,
            sentence=sentence[:1].upper() + sentence[1:],
            is_begin=is_begin,
        )
        wait = {"Retry-After": f"{RETRY_SECONDS}"} if status == _UNAVAILABLE else {}
        return HTMLResponse(text, status, {"Cache-Control": "no-store", **wait})

    def _answer(
        self, request: Request, page: Page, store: Store, parameters: QueryParameters
    ) -> Response:
        now = self.clock.now()
        keys = self._keys(store.revisions.now(), now)
        older = self._older_portfolio(keys)
        if older is not None:
            keys = older.keys
        origin = self._origin(request)
        address = (request.scope["path"], request.scope["query_string"], origin)
        tag = hashlib.sha256(repr((keys.pages, address)).encode()).hexdigest()[:32]
        headers = {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache"}
        if _has_tag(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)

        def make() -> Content:
            followed = self._values.get(
                "followed", keys.trials, lambda: frozenset(followed_trials(store))
            )
            return page(
                PageRequest(
                    store=store,
                    now=now,
                    settings=self._settings,
                    links=Addresses(self._links.root, followed, is_served=True),
                    parameters=parameters,
                    path=request.path_params,
                    origin=origin,
                    portfolio=lambda: self._portfolio(store, keys, now, older),
                    keep_heading=self._headings.get,
                    kept=lambda name, make: self._values.get(name, keys.pages, make),
                )
            )

        content = self.pages.get((keys.pages, address), make)
        if content.filename:
            headers["Content-Disposition"] = f'attachment; filename="{content.filename}"'
        return Response(
            content.body, content.status, headers=headers, media_type=content.media_type
        )

    def _older_portfolio(self, keys: _Keys) -> _Portfolio | None:
        """Return the trials of a minute ago while another request reads those of the same run.

        Without them, all readers would wait for each other at every new minute of a sync.
        """
        older: _Portfolio | None = self._values.older("portfolio")
        is_of_run = older is not None and keys.run is not None and older.keys.run == keys.run
        return older if is_of_run else None

    def _portfolio(
        self, store: Store, keys: _Keys, now: datetime, older: _Portfolio | None
    ) -> tuple[date, PortfolioIndex]:
        if older is None:
            as_of = flag_day(store, now.date())
            older = self._values.get(
                "portfolio",
                (*keys.trials, as_of),
                lambda: _Portfolio(keys, as_of, PortfolioIndex(read_portfolio(store, as_of=as_of))),
                keeps_older=keys.run is not None,
            )
        return older.as_of, older.index

    def _keys(self, revision: Revision, now: datetime) -> _Keys:
        """Return what the answers depend on.

        While a sync writes, pages are a minute or two old: each of its commits would otherwise make
        all of them again. The hour is part of the key because the first page warns of an old sync.
        """
        is_written = revision.finished is None
        rows = f"{now:%Y-%m-%dT%H:%M}" if is_written else revision.rows
        trials = (revision.run, revision.finished, rows, revision.watches)
        pages = (*trials, revision.deliveries, f"{now:%Y-%m-%dT%H}", *self._fixed)
        return _Keys(trials, repr(pages), revision.run if is_written else None)

    def _origin(self, request: Request) -> str:
        """Return the address of the server for links in feeds."""
        if self._settings.web.url:
            return f"{self._settings.web.url}".rstrip("/").removesuffix(self._links.root[:-1])
        host = request.scope.get("ctsync.host", "")
        return f"http://{host}" if host else ""


def _has_tag(header: str, tag: str) -> bool:
    given = (one.strip().removeprefix("W/") for one in header.split(","))
    return f'"{tag}"' in given


_UNAVAILABLE = 503
_STATUSES: Mapping[type[CtsyncError], int] = {
    BadNctId: 404,
    UnknownTrial: 404,
    UnknownVersion: 404,
    UsageError: 400,
    CorruptBody: 500,
    StoreError: _UNAVAILABLE,
}


def _status_of(error: CtsyncError) -> int:
    return next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 500)


def _is_begin(error: CtsyncError) -> bool:
    return isinstance(error, NoDatabase)
