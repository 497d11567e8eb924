"""Which trial a study says it is, and which load it is of; takes any shape, raises nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.dates import PartialDate, Precision
from ctsync.errors import BadNctId
from ctsync.model import NctId, parse_nct_id


@dataclass(frozen=True, slots=True)
class Identity:
    """The id a study has now, and those it took over."""

    nct_id: NctId
    aliases: frozenset[NctId]

    @property
    def names(self) -> frozenset[NctId]:
        """Every id it may be asked for under."""
        return self.aliases | {self.nct_id}


def identity_of(study: Any) -> Identity | None:
    """Who a study says it is; None if it does not say so in the form the registry uses."""
    module = at(study, "protocolSection", "identificationModule")
    nct_id = _nct_id(at(module, "nctId"))
    if nct_id is None or nct_id != at(module, "nctId"):
        return None
    listed = at(module, "nctIdAliases")
    aliases = map(_nct_id, listed) if isinstance(listed, list) else ()
    return Identity(nct_id, frozenset(alias for alias in aliases if alias) - {nct_id})


def org_study_id_of(study: Any) -> str | None:
    """The organisation's own id of the study."""
    found = at(study, "protocolSection", "identificationModule", "orgStudyIdInfo", "id")
    return found if isinstance(found, str) else None


def load_day_of(study: Any) -> date | None:
    """The day of the load a study was answered from (versionHolder)."""
    day = PartialDate.parse(at(study, "derivedSection", "miscInfoModule", "versionHolder"))
    return day.first if day and day.precision is Precision.DAY else None


def at(value: Any, *keys: str) -> Any:
    """What stands under those keys; None wherever there is no object to look in."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _nct_id(value: Any) -> NctId | None:
    try:
        return parse_nct_id(value) if isinstance(value, str) else None
    except BadNctId:
        return None
