"""What a portfolio shows of a record beyond its key fields. Pure, does no I/O.

The facts follow from one record alone and hold for every day: a flag has the day from which it is
true. They are stored, because reading 10,000 records takes seconds. `FORM` increases if the same
record would give other facts, also those of `record/flags/` that are stored beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from ctsync.model import JsonObject
from ctsync.record.compare.canonical import key_fields
from ctsync.record.flags import FlagId, flags_of, shown_flags
from ctsync.record.flags.record_values import StudyValues
from ctsync.record.registry.unknown_status import forecast

FORM = 3
_MOST_NAMES = 100
"""Conditions, countries and interventions kept of a record; a basket trial may list hundreds."""


class PortfolioFacts(NamedTuple):
    """The facts of one record. Days are ISO texts, because a portfolio compares thousands.

    `flags` has the first day of each flag that is true on some day; None if it is true on any day.
    `last_days` has the last day of those that time alone ends.
    `results_due` is the first day on which results are due, if none are posted. `unknown_on` is
    the day on which the registry sets the status UNKNOWN if nobody updates the record.
    """

    conditions: Sequence[str] = ()
    interventions: Sequence[str] = ()
    countries: Sequence[str] = ()
    flags: Mapping[str, str | None] = MappingProxyType({})
    results_due: str | None = None
    unknown_on: str | None = None
    last_days: Mapping[str, str] = MappingProxyType({})

    def flags_on(self, day: str) -> tuple[FlagId, ...]:
        """Return the flags that are true on a day, in the order of FlagId."""
        return tuple(
            FlagId(flag)
            for flag, first in self.flags.items()
            if (first is None or first <= day)
            and (flag not in self.last_days or day <= self.last_days[flag])
        )


def portfolio_facts(body: JsonObject) -> PortfolioFacts:
    """Return the facts of a record, which may have values of any type."""
    # a flag that is true on the last day has been true since the day that it names
    lasting = _first_days(body, date.max)
    # with posted results, a verification is not stale after the completion
    completion = StudyValues(body).completion
    ended = _first_days(body, completion.last) if completion else {}
    first_days = {**ended, **lasting}
    flags = {flag: first_days[flag] for flag in FlagId if flag in first_days}
    return PortfolioFacts(
        conditions=_texts(_list(body, "conditionsModule", "conditions")),
        interventions=_texts(_names(body, "armsInterventionsModule", "interventions", "name")),
        countries=_texts(_names(body, "contactsLocationsModule", "locations", "country")),
        flags={flag.value: since for flag, since in flags.items()},
        results_due=flags.get(FlagId.RESULTS_DUE),
        unknown_on=_text(forecast(key_fields(body), date.min).on),
        last_days={flag.value: f"{completion.last}" for flag in flags if flag not in lasting}
        if completion
        else {},
    )


def facts_to_json(facts: PortfolioFacts) -> JsonObject:
    """Turn facts into JSON values, without the empty ones."""
    return {name: value for name, value in facts._asdict().items() if value}


def facts_from_json(values: Mapping[str, Any]) -> PortfolioFacts:
    """Read what `facts_to_json` returned. Raises TypeError for anything else."""
    return PortfolioFacts(**values)


def _first_days(body: JsonObject, day: date) -> dict[FlagId, str | None]:
    """Return since when each flag is true that is shown on a day."""
    return {one.id: _text(one.since) for one in shown_flags(flags_of(body, as_of=day))}


def _text(day: date | None) -> str | None:
    return None if day is None else f"{day}"


def _list(body: JsonObject, module: str, name: str) -> list[Any]:
    found: Any = body
    for key in ("protocolSection", module, name):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, list) else []


def _names(body: JsonObject, module: str, name: str, key: str) -> list[Any]:
    return [one.get(key) for one in _list(body, module, name) if isinstance(one, dict)]


def _texts(values: list[Any]) -> tuple[str, ...]:
    """Return the texts among the values, each once, in their order."""
    texts = (" ".join(one.split()) for one in values if isinstance(one, str))
    return tuple(dict.fromkeys(filter(None, texts)))[:_MOST_NAMES]
