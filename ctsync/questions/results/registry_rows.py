"""The row of a version that the registry history lists. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ctsync.model import NctId


@dataclass(frozen=True, slots=True)
class ListedVersionRow:
    """One version of a trial as the registry history lists it, without its record."""

    nct_id: NctId
    """The NCT id of the trial."""
    registry_version: int
    """The registry's own number of the version, from 0."""
    submitted: str
    """The day on which the version passed the registry's first check, before it was posted."""
    status: str
    """The overall status, in the registry's words: RECRUITING."""
    modules: tuple[str, ...]
    """The parts of the record that the version changed, by the registry's labels, sorted."""
    url: str
    """The page of the version at the registry."""


SCHEMAS = {"listed_version": ListedVersionRow}
