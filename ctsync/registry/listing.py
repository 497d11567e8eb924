"""A listing: every study that matches, page by page, and whether all of them came. No network.

The registry's listings can lie without an error. What is held against each of them:

- its data reload while it is paged (400, "data have probably changed"): begun anew
- a page that repeats or leaves out rows, or never comes: distinct ids against totalCount
- servers that show different loads: the versionHolder of every study
- a token used with another question answers with wrong rows: a cursor knows its question
- an empty page that leads on, and a full last page with a token to an empty one: both harmless
- tokens that go round in a circle, or never end: left
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
"""For a listing of at most LARGEST_BATCH trials, where most have a page to themselves."""
MOST_PAGES_OF_ALL = 10_000

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnsweredPage:
    """One page as the registry answered it; `total` is on the first alone, where asked for."""

    studies: list[Any]
    token: str | None
    total: int | None


AskPage = Callable[[Mapping[str, str]], AnsweredPage]
"""Fetches one page of `/v2/studies`; raises RegistryError, StalePage for a reload."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page of a listing begins; plain values, to be kept across a crash.

    It holds for one question, whose fingerprint it carries, and until the registry reloads.
    `page` is the number of that page, from 1; `total` is what the first page said.
    """

    question: str
    token: str
    page: int
    total: int | None


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page. `begun` counts how often the listing was begun by then, from 1.

    `following` is where the next page begins, None after the last.
    """

    number: int
    begun: int
    studies: Sequence[Any]
    following: Cursor | None


class Listing:
    """The pages of one question, begun anew a few times at most, and then a verdict.

        listing = registry.listing(params)
        for page in listing:
            keep(page.studies)
        if listing.problem is None: listing.ids are all that match, of one load

    Nothing but `ids`, once `problem` is None, says what matches: pages seen before the listing
    was begun anew are among those iterated, and their studies are as true as any other. Asks
    for totalCount itself; `params` may be narrowed by `fields`, which must keep NCTId, and
    VersionHolder if different loads are to be noticed. A page that cannot be had raises its
    RegistryError, and the verdict stays open.

    `resume` goes on where a listing of the same question stopped, whose ids so far are `seen`;
    if the registry has reloaded since, or the question is another, it begins at the first page.
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
        self.problem: str | None = "it was not read to its end"

    @property
    def ids(self) -> frozenset[NctId]:
        """The distinct trials listed, by the ids they have now."""
        return frozenset(self._ids)

    @property
    def aliases(self) -> Mapping[NctId, NctId]:
        """The ids that trials listed have taken over, and which of them; where asked for."""
        return self._aliases

    @property
    def days(self) -> Mapping[date, int]:
        """The loads that studies were answered from (versionHolder), with how many of each."""
        return self._days

    def __iter__(self) -> Iterator[ListingPage]:
        """Every page as it comes; to be gone through once."""
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
            _logger.info("listing begun anew reason=%s", for_log(problem))

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
        """Note how many there are; what was seen under another total is of another load."""
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
        """What is wrong with what came; None if it is everything.

        What one load showed in two attempts, in whatever order, matches in that load: ids add
        up until they are as many as the registry says. If they are more, or of two loads, they
        are forgotten.
        """
        came, self._unnamed, unnamed = len(self._ids), 0, self._unnamed
        if len(self._days) > 1:
            loads = " and ".join(sorted(day.isoformat() for day in self._days))
            self._forget()
            return f"the registry answered from different loads: {loads}"
        if unnamed:
            return f"{unnamed} of the studies listed carry no NCT id"
        if self.total is None:
            return "the registry did not say how many there are"
        if came > self.total:
            total = self.total
            self._forget()
            return f"{came} came of {total} that the registry counts"
        return (
            f"{came} came of {self.total} that the registry counts" if came < self.total else None
        )

    def _forget(self) -> None:
        self.total = None
        self._ids: set[NctId] = set()
        self._aliases: dict[NctId, NctId] = {}
        self._days: Counter[date] = Counter()
        self._unnamed = 0


def fingerprint(params: Mapping[str, str]) -> str:
    """What a question is known by: its parameters, in whatever order, but for the paging."""
    asked = {k: v for k, v in params.items() if k not in {"countTotal", "pageSize", "pageToken"}}
    return hashlib.sha256(urlencode(sorted(asked.items())).encode()).hexdigest()[:32]


def walk_pages(
    ask: AskPage, params: Mapping[str, str], start: Cursor | None = None, *, most: int
) -> Iterator[tuple[int, AnsweredPage]]:
    """All pages up to the one without a token, numbered; an empty page is like any other.

    Raises StalePage where the registry reloads meanwhile, and where its tokens do not end.
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
            raise StalePage("the registry's listing goes round in a circle")
        tokens.add(answered.token)
        asked["pageToken"] = answered.token
        number += 1
    raise StalePage(f"the registry's listing has more than {most} pages")


def read_complete(ask: AskPage, params: Mapping[str, str]) -> list[Any]:
    """All studies of a short listing; begun anew, twice at most, if it does not hold together."""
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
    """A page from its JSON; raises BadAnswer where it is none."""
    body = as_object(value)
    studies, token, total = body.get("studies"), body.get("nextPageToken"), body.get("totalCount")
    if not isinstance(studies, list) or not isinstance(token, str | None):
        raise BadAnswer("a page of studies has no list of studies, or a token that is no text")
    is_count = isinstance(total, int) and not isinstance(total, bool) and total >= 0
    return AnsweredPage(studies, token or None, total if is_count else None)
