"""What is kept aside and not asked for again yet, so that it costs and holds up nobody else.

A trial whose failure took requests of its own (its batch had to be halved to find it, or it
had to be asked for singly) is left out until its next try is due; the waits double, up to a
week. One that came with all the others, but could not be read or stored, is free to ask for: it
comes with every sync, and is stored by the first that can. So is one of which a failure says
nothing, as where the registry did not answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from ctsync.errors import (
    InQuarantine,
)
from ctsync.model import Answer, Failed, NctId, RegistryVersion
from ctsync.registry.api import Registry
from ctsync.store.data.failures import Failure
from ctsync.store.store import Store

MOST_HELD = 25
MOST_HELD_PERCENT = 1
"""Where more than both wait, it was the registry that was ill, and all are asked for."""


def held_back(store: Store, *, of: int, now: datetime) -> dict[NctId, Failed]:
    """The trials that are not asked for yet, with why; none where they are too many `of` all."""
    held = {
        failure.nct_id: Failed(failure.nct_id, InQuarantine(_why(failure, until)))
        for failure in store.failures.find()
        if (until := failure.waits_until) is not None and until > now
    }
    return held if len(held) <= max(MOST_HELD, of * MOST_HELD_PERCENT / 100) else {}


def _why(failure: Failure, until: datetime) -> str:
    return f"{failure.error} (kept aside, next tried after {until:%Y-%m-%d %H:%M}Z)"


def patient(registry: Registry, held: Mapping[NctId, Failed]) -> Registry:
    """The registry, but that it answers for what is held back without being asked."""
    return cast("Registry", _Patient(registry, held)) if held else registry


@dataclass(frozen=True, slots=True)
class _Patient:
    """What else the registry is asked goes to it as it is."""

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
