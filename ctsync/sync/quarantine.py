"""Quarantined trials that a sync does not request until their next retry is due.

A trial is held back if its failure cost extra requests: its batch had to be halved to find it, or
it had to be requested alone. It is held until its next retry is due. The waits double, up to a
week.

Other failed trials are not held back:

- A record that came with its batch but could not be read or stored cost no extra request. Every
  sync requests it again and stores it once it can.
- A failure such as an unreachable registry is not specific to the trial.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from ctsync.dates import format_minute
from ctsync.errors import (
    InQuarantine,
)
from ctsync.model import Answer, Failed, NctId, RegistryVersion
from ctsync.registry.interface import Registry
from ctsync.store.data.failures import Failure
from ctsync.store.store import Store

MOST_HELD = 25
MOST_HELD_PERCENT = 1
"""If more trials are waiting than both limits, the registry was at fault: request them all."""


def held_back(store: Store, *, of: int, now: datetime) -> dict[NctId, Failed]:
    """Return the trials that wait for their next retry, each with the reason.

    Empty if more than MOST_HELD and more than MOST_HELD_PERCENT percent `of` all trials wait.
    """
    held = {
        failure.nct_id: Failed(failure.nct_id, InQuarantine(_why(failure, until)))
        for failure in store.failures.find()
        if (until := failure.held_until(now)) is not None
    }
    return held if len(held) <= max(MOST_HELD, of * MOST_HELD_PERCENT / 100) else {}


def _why(failure: Failure, until: datetime) -> str:
    return f"{failure.error} (quarantined, next retry after {format_minute(until)})"


def with_quarantine(registry: Registry, held: Mapping[NctId, Failed]) -> Registry:
    """Return a registry whose `studies` answers for the held trials without a request."""
    return cast("Registry", _RegistryWithQuarantine(registry, held)) if held else registry


@dataclass(frozen=True, slots=True)
class _RegistryWithQuarantine:
    """A registry whose `studies` yields the stored failures of the held trials first.

    `__getattr__` forwards every other method and property to `registry`. Two limits: type checkers
    do not see the attributes (hence the cast above), and if Registry gains another method that
    fetches trials, held trials are requested through it until it is overridden here.
    """

    registry: Registry
    held: Mapping[NctId, Failed]

    def studies(
        self,
        ids: Sequence[NctId],
        load: RegistryVersion,
        *,
        known_absent: Collection[NctId] = (),
        **more: Any,
    ) -> Iterator[Answer]:
        yield from (self.held[nct_id] for nct_id in dict.fromkeys(ids) if nct_id in self.held)
        asked = [nct_id for nct_id in ids if nct_id not in self.held]
        yield from self.registry.studies(asked, load, known_absent=known_absent, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.registry, name)
