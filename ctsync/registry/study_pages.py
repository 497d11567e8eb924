"""Pages of `/v2/studies`, in a form that the registry accepts.

It is not certain that the registry accepts `fields` together with ids, nor ids by `postFilter.ids`.
If it refuses one of them, the request is repeated without it, and so are all later ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ctsync.errors import RequestRefused
from ctsync.model import NctId
from ctsync.registry.listing import AnsweredPage, read_complete

AMONG = ("postFilter.ids", "filter.ids")
"""The parameters that limit a query to some ids."""


class FetchPage(Protocol):
    """Fetches one page. `is_part` means a page of a divisible batch. Raises RegistryError."""

    def __call__(self, params: Mapping[str, str], *, is_part: bool) -> AnsweredPage:
        """Fetch the page for these parameters."""


class StudyPages:
    """Fetches pages, and remembers which parameters the registry refused."""

    def __init__(self, fetch: FetchPage) -> None:
        self._fetch = fetch
        self._fields_with_ids = True
        self._among: tuple[str, ...] = AMONG

    def page(self, params: Mapping[str, str], *, is_part: bool = False) -> AnsweredPage:
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
        """Fetch a page of a batch, which can be halved if it fails."""
        return self.page(params, is_part=True)

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
