"""Watches by name. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ctsync.errors import UsageError
from ctsync.model import NctId
from ctsync.store.data.watches import Watch
from ctsync.store.store import Store


def require_watch(store: Store, name: str | None) -> None:
    """Raise UsageError if `name` is given and no watch has it."""
    if name is not None and name not in store.watch_origins():
        raise UsageError(f"there is no watch {name!r}; see: ctsync watch list")


def find_watch(store: Store, name: str) -> Watch:
    """The watch of that name; raises UsageError if there is none."""
    found = next((one for one in store.watches() if one.name == name), None)
    if found is None:
        raise UsageError(f"there is no watch {name!r}; see: ctsync watch list")
    return found


def members_of(store: Store, name: str) -> Sequence[NctId]:
    """The trials of a watch; raises UsageError if there is no such watch."""
    return [trial.nct_id for trial in find_watch(store, name).trials]
