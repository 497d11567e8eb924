"""The interface of the registry to the rest of ctsync. Does no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from ctsync.errors import RegistryError
from ctsync.model import Answer, NctId, RegistryVersion
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.listing import MOST_RESTARTS, PAGE_SIZE, Cursor, Listing


class Registry(Protocol):
    """The requests that the rest of ctsync makes. RegistryApi implements it over the network."""

    @property
    def counts(self) -> RequestCounts:
        """The requests sent so far."""

    @property
    def other_loads(self) -> Mapping[date, int]:
        """The number of studies from loads other than the expected one, by day."""

    def version(self, *, retry: bool = True) -> RegistryVersion:
        """Fetch the registry's current load."""

    def check_load(self, load: datetime) -> None:
        """Refuse a load that is more than a day ahead of our clock."""

    def studies(
        self,
        ids: Sequence[NctId],
        load: RegistryVersion,
        *,
        known_absent: Collection[NctId] = (),
    ) -> Iterator[Answer]:
        """Yield exactly one answer per distinct id."""

    def study(self, nct_id: NctId, load: RegistryVersion) -> Answer:
        """Fetch the answer for one id."""

    def find_org_id(self, text: str, *, retry: bool = True) -> tuple[NctId, ...]:
        """Find the trials with exactly this organisation's study id."""

    def listing(
        self,
        params: Mapping[str, str],
        *,
        page_size: int = PAGE_SIZE,
        resume: Cursor | None = None,
        seen: Iterable[NctId] = (),
        restarts: int = MOST_RESTARTS,
    ) -> Listing:
        """Return the pages of all studies that match, with a check at the end."""

    def fields_of(
        self, ids: Sequence[NctId], fields: str
    ) -> Iterator[tuple[Sequence[NctId], list[Any] | RegistryError]]:
        """Yield batches of `ids`, each with its studies, limited to `fields`, or its error."""

    def matching(self, params: Mapping[str, str], ids: Collection[NctId]) -> dict[NctId, NctId]:
        """Map each of `ids` that matches to its current id."""
