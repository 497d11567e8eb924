"""Quarantined trials that a sync does not request yet, so that they cost the others nothing.

A trial is held back if its failure cost requests of its own: its batch had to be halved to find it,
or it had to be requested alone. It is held until its next try is due; the waits double, up to a
week.

Other failed trials are not held back:

- A record that came with its batch but could not be read or stored costs no request. Every sync
  requests it, and the first that can store it does.
- A failure such as an unreachable registry says nothing about the trial.
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
"""If more trials than both limits wait, the registry was at fault: all are requested."""


def held_back(store: Store, *, of: int, now: datetime) -> dict[NctId, Failed]:
    """The trials not requested yet, each with the reason.

    Empty if more than MOST_HELD and more than MOST_HELD_PERCENT percent `of` all trials wait.
    """
    held = {
        failure.nct_id: Failed(failure.nct_id, InQuarantine(_why(failure, until)))
        for failure in store.failures.find()
        if (until := failure.held_until(now)) is not None
    }
    return held if len(held) <= max(MOST_HELD, of * MOST_HELD_PERCENT / 100) else {}


def _why(failure: Failure, until: datetime) -> str:
    return f"{failure.error} (kept aside, next tried after {format_minute(until)})"


def with_quarantine(registry: Registry, held: Mapping[NctId, Failed]) -> Registry:
    """The registry, except that `studies` answers for the held trials without a request."""
    return cast("Registry", _RegistryWithQuarantine(registry, held)) if held else registry


@dataclass(frozen=True, slots=True)
class _RegistryWithQuarantine:
    """A registry whose `studies` yields the stored failures of the held trials first.

    `__getattr__` passes every other method and property of Registry through, so that this class
    need not repeat them. Two limits: type checkers do not see the attributes (hence the cast
    above), and if Registry gains another method that fetches trials, held trials are requested
    through it until it is overridden here.
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
