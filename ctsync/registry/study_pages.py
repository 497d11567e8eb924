"""Pages of `/v2/studies`, in a form that the registry accepts.

It is not certain that the registry accepts `fields` together with ids, nor ids by `postFilter.ids`.
If it refuses one of them, the request is repeated without it, and so are all later ones.

No documentation gives the largest page that the registry can answer in time. If it cannot answer
one, the listing resumes at the same token with smaller pages: only `pageSize`, `countTotal` and
`pageToken` may differ between the pages of a listing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ctsync.errors import RegistryError, RequestRefused
from ctsync.model import NctId
from ctsync.registry.id_batches import DIVISIBLE
from ctsync.registry.listing import AnsweredPage, read_complete
from ctsync.text import for_log

AMONG = ("postFilter.ids", "filter.ids")
"""The parameters that limit a query to some ids."""

SMALLEST_PAGE = 10
"""The registry's own default, and the most studies that a preview asks for."""

_logger = logging.getLogger(__name__)


class FetchPage(Protocol):
    """Fetches one page. `is_part` means that the caller asks for less if it fails.

    Raises RegistryError.
    """

    def __call__(self, params: Mapping[str, str], *, is_part: bool) -> AnsweredPage:
        """Fetch the page for these parameters."""


class StudyPages:
    """Fetches pages, and remembers which parameters and page sizes the registry refused."""

    def __init__(self, fetch: FetchPage) -> None:
        self._fetch = fetch
        self._fields_with_ids = True
        self._among: tuple[str, ...] = AMONG
        self._largest: dict[str, int] = {}
        self._worked: dict[str, int] = {}

    def page(self, params: Mapping[str, str]) -> AnsweredPage:
        """Fetch a page of a listing, with fewer studies if the registry cannot answer it.

        A page that fails with a DIVISIBLE error becomes one of SMALLEST_PAGE studies. If that one
        fails too, its size was not the cause, and the first error is raised. Otherwise later pages
        with the same `fields` are half as large as the one that failed. A size that worked before
        is given up only after all retries.
        """
        fields, size = params.get("fields", ""), int(params["pageSize"])
        size = min(size, self._largest.get(fields, size))
        is_part = size > SMALLEST_PAGE and size > self._worked.get(fields, 0)
        try:
            found = self._page({**params, "pageSize": str(size)}, is_part=is_part)
        except DIVISIBLE as error:
            if size <= SMALLEST_PAGE:
                raise
            return self._smallest(params, size, error)
        self._worked[fields] = max(size, self._worked.get(fields, 0))
        return found

    def _smallest(
        self, params: Mapping[str, str], failed: int, error: RegistryError
    ) -> AnsweredPage:
        """Fetch the smallest page instead of one that failed. Raises the error of that one."""
        try:
            found = self._page({**params, "pageSize": str(SMALLEST_PAGE)}, is_part=False)
        except DIVISIBLE:
            raise error from None
        fields = params.get("fields", "")
        self._largest[fields] = max(SMALLEST_PAGE, failed // 2)
        self._worked.pop(fields, None)
        _logger.info(
            "the registry did not answer a request for a page of %d trials; requesting pages of "
            "%d: %s",
            failed, self._largest[fields], for_log(str(error)),
        )  # fmt: skip
        return found

    def _page(self, params: Mapping[str, str], *, is_part: bool) -> AnsweredPage:
        """Fetch a page; in full if the registry refuses `fields` together with ids."""
        if "fields" not in params or params.keys().isdisjoint(AMONG):
            return self._fetch(params, is_part=is_part)
        in_full = {name: value for name, value in params.items() if name != "fields"}
        if not self._fields_with_ids:
            return self._fetch(in_full, is_part=is_part)
        try:
            return self._fetch(params, is_part=is_part)
        except RequestRefused as refused:
            try:
                found = self._fetch(in_full, is_part=is_part)
            except RequestRefused:
                raise refused from None
            self._fields_with_ids = False
            return found

    def part(self, params: Mapping[str, str]) -> AnsweredPage:
        """Fetch a page of a batch of ids, which the caller halves if it fails."""
        return self._page(params, is_part=True)

    def among(self, params: Mapping[str, str], ids: Sequence[NctId]) -> list[Any]:
        """Fetch the studies of a query that are among `ids`. Raises RegistryError."""
        refusals: list[RequestRefused] = []
        # a query may name ids itself, by filter.ids
        for name in [name for name in self._among if name not in params] or AMONG[:1]:
            try:
                found = read_complete(self.part, {**params, name: "|".join(ids)})
            except RequestRefused as error:
                refusals.append(error)
            else:
                self._among = (name,)
                return found
        raise refusals[0]
