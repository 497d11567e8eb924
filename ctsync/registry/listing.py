"""Listings: all studies that match a query, page by page, with a check for completeness.

A registry listing can be wrong without an error. How each failure is detected or handled:

- The registry reloads its data while a listing is paged (400, "data have probably changed"): the
  listing is restarted.
- A page repeats or omits rows, or never arrives: the number of distinct ids is compared with
  totalCount.
- Servers answer from different loads: the versionHolder of every study is compared.
- A page token used with another query returns wrong rows: a cursor carries its query's
  fingerprint.
- An empty page has a token, or a full last page has a token to an empty page: both are harmless.
- The tokens repeat or never end: the listing is abandoned.

Does no I/O; a callable fetches the pages.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from ctsync.errors import BadAnswer, StalePage
from ctsync.model import NctId
from ctsync.registry.http.response import as_object
from ctsync.registry.identity import identity_of, load_day_of
from ctsync.text import for_log

PAGE_SIZE = 1000
MOST_RESTARTS = 2
MOST_PAGES = 100
"""Limit for listings of at most LARGEST_BATCH trials, even if most trials fill a page each."""
MOST_PAGES_OF_ALL = 10_000

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnsweredPage:
    """One page as the registry sent it. Only a first page has a `total`, if it was requested."""

    studies: list[Any]
    token: str | None
    total: int | None


AskPage = Callable[[Mapping[str, str]], AnsweredPage]
"""Fetches one page of `/v2/studies`. Raises RegistryError, and StalePage after a reload."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The start of a listing's next page, as plain values that can be stored across a crash.

    Valid for one query, whose fingerprint is `question`, and until the registry reloads. `page`
    is the number of the next page, from 1. `total` is the totalCount of the first page.
    """

    question: str
    token: str
    page: int
    total: int | None


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing.

    `number` counts from 1. `begun` is the attempt it belongs to, from 1. `following` is the
    cursor of the next page, None after the last.
    """

    number: int
    begun: int
    studies: Sequence[Any]
    following: Cursor | None


class Listing:
    """The pages of one query, restarted a limited number of times, and a check at the end.

        listing = registry.listing(params)
        for page in listing:
            keep(page.studies)
        if listing.problem is None:
            use(listing.ids)  # all trials that match, from one load

    `ids` are the trials that match, but only if `problem` is None. Iteration also yields the pages
    of abandoned attempts; their studies are valid records.

    `params` may limit the fields with `fields`. It must include NCTId, and also VersionHolder, so
    that different loads are detected. The listing requests totalCount itself. If a page cannot be
    fetched, its RegistryError is raised and `problem` stays set.

    `resume` continues a stopped listing of the same query; `seen` are its ids so far. If the
    registry has reloaded since, or the query differs, the listing starts at the first page.
    """

    def __init__(
        self,
        ask: AskPage,
        params: Mapping[str, str],
        *,
        resume: Cursor | None = None,
        seen: Iterable[NctId] = (),
        restarts: int = MOST_RESTARTS,
    ) -> None:
        self._ask = ask
        self._params = {**params, "countTotal": "true"}
        self._restarts = restarts
        self._question = fingerprint(params)
        self._resume = resume if resume and resume.question == self._question else None
        self.begun = 0
        self.total: int | None = None
        self._forget()
        if self._resume is not None:
            self.total = self._resume.total
            self._ids.update(seen)
        self.problem: str | None = "it was not read completely"

    @property
    def ids(self) -> frozenset[NctId]:
        """The distinct trials listed, by their current ids."""
        return frozenset(self._ids)

    @property
    def count(self) -> int:
        """The number of distinct trials listed so far."""
        return len(self._ids)

    @property
    def aliases(self) -> Mapping[NctId, NctId]:
        """The aliases of the listed trials, each with its current id; empty without NCTIdAlias."""
        return self._aliases

    @property
    def days(self) -> Mapping[date, int]:
        """The number of studies from each load, by its day (versionHolder)."""
        return self._days

    def __iter__(self) -> Iterator[ListingPage]:
        """Yield each page as it arrives. Iterate only once."""
        start, self._resume = self._resume, None
        while True:
            self.begun += 1
            try:
                yield from self._pages(start)
                problem = self._judge()
            except StalePage as error:
                self._forget()
                problem = str(error)
            self.problem = problem
            if problem is None or self.begun > self._restarts:
                return
            start = None
            _logger.info("listing restarted reason=%s", for_log(problem))

    def _pages(self, start: Cursor | None) -> Iterator[ListingPage]:
        for number, answered in walk_pages(self._ask, self._params, start, most=MOST_PAGES_OF_ALL):
            if number == 1:
                self._take_total(answered.total)
            for study in answered.studies:
                self._take(study)
            following = (
                Cursor(self._question, answered.token, number + 1, self.total)
                if answered.token is not None
                else None
            )
            yield ListingPage(number, self.begun, answered.studies, following)

    def _take_total(self, total: int | None) -> None:
        """Set the total. If it differs from the last attempt's, the load has changed: drop ids."""
        if self.total not in (None, total):
            self._forget()
        self.total = total

    def _take(self, study: Any) -> None:
        identity = identity_of(study)
        if identity is None:
            self._unnamed += 1
        else:
            self._ids.add(identity.nct_id)
            self._aliases.update(dict.fromkeys(identity.aliases, identity.nct_id))
        day = load_day_of(study)
        if day is not None:
            self._days[day] += 1

    def _judge(self) -> str | None:
        """Return the problem of the listing, or None if it is complete.

        Ids accumulate over attempts, because every trial that a load lists matches in that load,
        in whichever attempt it appears. The listing is complete once it has as many ids as
        totalCount. If it has more, or ids from two loads, all are discarded.
        """
        came, self._unnamed, unnamed = len(self._ids), 0, self._unnamed
        if len(self._days) > 1:
            loads = " and ".join(sorted(day.isoformat() for day in self._days))
            self._forget()
            return f"the registry answered from different loads: {loads}"
        if unnamed:
            return f"{unnamed} of the studies listed have no NCT id"
        if self.total is None:
            return "the registry did not send the number of studies"
        if came > self.total:
            total = self.total
            self._forget()
            return f"{came} studies were listed, but the registry counts {total}"
        return (
            f"{came} studies were listed, but the registry counts {self.total}"
            if came < self.total
            else None
        )

    def _forget(self) -> None:
        self.total = None
        self._ids: set[NctId] = set()
        self._aliases: dict[NctId, NctId] = {}
        self._days: Counter[date] = Counter()
        self._unnamed = 0


def fingerprint(params: Mapping[str, str]) -> str:
    """Return a hash of a query's parameters, independent of their order and of paging."""
    asked = {k: v for k, v in params.items() if k not in {"countTotal", "pageSize", "pageToken"}}
    return hashlib.sha256(urlencode(sorted(asked.items())).encode()).hexdigest()[:32]


def walk_pages(
    ask: AskPage, params: Mapping[str, str], start: Cursor | None = None, *, most: int
) -> Iterator[tuple[int, AnsweredPage]]:
    """Yield numbered pages up to the first one without a token. An empty page is not the end.

    Raises StalePage if the registry reloads meanwhile, if a token repeats, or after `most` pages.
    """
    asked = dict(params) if start is None else {**params, "pageToken": start.token}
    number = 1 if start is None else start.page
    tokens = {asked.get("pageToken")}
    for _ in range(most):
        answered = ask(asked)
        yield number, answered
        if answered.token is None:
            return
        if answered.token in tokens:
            raise StalePage("the registry's listing repeats a page token")
        tokens.add(answered.token)
        asked["pageToken"] = answered.token
        number += 1
    raise StalePage(f"the registry's listing has more than {most} pages")


def read_complete(ask: AskPage, params: Mapping[str, str]) -> list[Any]:
    """Return all studies of a short listing. Restarts it at most twice if it becomes stale."""
    for _ in range(MOST_RESTARTS):
        try:
            return _read_pages(ask, params)
        except StalePage as error:
            _logger.info("listing restarted reason=%s", for_log(str(error)))
    return _read_pages(ask, params)


def _read_pages(ask: AskPage, params: Mapping[str, str]) -> list[Any]:
    pages = walk_pages(ask, params, most=MOST_PAGES)
    return [study for _, answered in pages for study in answered.studies]


def read_page(value: Any) -> AnsweredPage:
    """Read a page from its JSON. Raises BadAnswer if the JSON is not a page of studies."""
    body = as_object(value)
    studies, token, total = body.get("studies"), body.get("nextPageToken"), body.get("totalCount")
    if not isinstance(studies, list) or not isinstance(token, str | None):
        raise BadAnswer("a page of studies has no list of studies, or a token that is not text")
    is_count = isinstance(total, int) and not isinstance(total, bool) and total >= 0
    return AnsweredPage(studies, token or None, total if is_count else None)
