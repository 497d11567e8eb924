"""Identity of a study: NCT id, aliases, organisation id, and the load it belongs to.

Every function takes JSON of any shape and raises nothing. Does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.dates import PartialDate, Precision
from ctsync.errors import BadNctId
from ctsync.model import NctId
from ctsync.nct_id import parse_nct_id


@dataclass(frozen=True, slots=True)
class Identity:
    """The current NCT id of a study, and the ids it took over (aliases)."""

    nct_id: NctId
    aliases: frozenset[NctId]

    @property
    def names(self) -> frozenset[NctId]:
        """Every id under which the study can be requested."""
        return self.aliases | {self.nct_id}


def identity_of(study: Any) -> Identity | None:
    """Return the identity in a study, or None.

    Returns None for an id that is not in canonical form ("nct3389919"): the registry never sends
    such an id.
    """
    module = at(study, "protocolSection", "identificationModule")
    nct_id = _nct_id(at(module, "nctId"))
    if nct_id is None or nct_id != at(module, "nctId"):
        return None
    listed = at(module, "nctIdAliases")
    aliases = map(_nct_id, listed) if isinstance(listed, list) else ()
    return Identity(nct_id, frozenset(alias for alias in aliases if alias) - {nct_id})


def org_study_id_of(study: Any) -> str | None:
    """Return the organisation's own id of the study, or None."""
    found = at(study, "protocolSection", "identificationModule", "orgStudyIdInfo", "id")
    return found if isinstance(found, str) else None


def load_day_of(study: Any) -> date | None:
    """Return the day of the load that a study comes from (versionHolder), or None."""
    day = PartialDate.parse(at(study, "derivedSection", "miscInfoModule", "versionHolder"))
    return day.first if day and day.precision is Precision.DAY else None


def at(value: Any, *keys: str) -> Any:
    """Return the value under nested keys, or None if a key or an object is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _nct_id(value: Any) -> NctId | None:
    try:
        return parse_nct_id(value) if isinstance(value, str) else None
    except BadNctId:
        return None
