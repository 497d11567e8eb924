"""Filters, facets and the order of a portfolio. Does no I/O.

A facet counts the trials that pass every other filter, so that a second value of the same filter
can be chosen beside the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from ctsync.errors import UsageError
from ctsync.model import Level, NctId
from ctsync.questions.portfolio.portfolio_trials import PortfolioTrial, last_day
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import FLAG_LABELS, FlagId
from ctsync.text import nearest

_NO_PHASE = "NA"


class PortfolioFacet(StrEnum):
    """A property of trials that a portfolio counts and filters by."""

    WATCH = "watch"
    SPONSOR = "sponsor"
    PHASE = "phase"
    STATUS = "status"
    CONDITION = "condition"
    COUNTRY = "country"
    FLAG = "flag"
    LEVEL = "level"


class PortfolioSort(StrEnum):
    """What the rows of a portfolio are sorted by."""

    CHANGED = "changed"
    LEVEL = "level"
    NCT_ID = "nct_id"
    TITLE = "title"
    SPONSOR = "sponsor"
    PHASE = "phase"
    STATUS = "status"
    MILESTONE = "milestone"
    PRIMARY_COMPLETION = "primary_completion"
    SLIP = "slip"
    ENROLLMENT = "enrollment"
    FLAGS = "flags"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FacetValueRow:
    """One value of a facet."""

    value: str
    """The value, as a filter takes it."""
    label: str
    """The value for people."""
    trials: int
    """Number of trials with it that pass all other filters."""


@dataclass(frozen=True, slots=True)
class FacetRow:
    """The values of one facet, most frequent first."""

    facet: PortfolioFacet
    """The property that is counted."""
    values: tuple[FacetValueRow, ...]
    """Its values."""


def values_of(trial: PortfolioTrial, facet: PortfolioFacet) -> Sequence[str]:
    """Return the values of a trial for a facet; several for some facets, or none."""
    return _VALUES[facet](trial)


def label_of(facet: PortfolioFacet, value: str) -> str:
    """Return the value of a facet for people."""
    if facet is PortfolioFacet.FLAG:
        return FLAG_LABELS[FlagId(value)]
    if facet in {PortfolioFacet.STATUS, PortfolioFacet.PHASE, PortfolioFacet.LEVEL}:
        return enum_words(value.upper())
    return value


Chosen = Mapping[PortfolioFacet, Sequence[str]]
"""The values that trials must have; a trial needs one value of each facet."""


def filtered(
    trials: Sequence[PortfolioTrial], chosen: Chosen, text: str
) -> tuple[list[PortfolioTrial], tuple[FacetRow, ...]]:
    """Return the trials that pass all filters, and the facets of the others.

    `text` is a search: a trial passes if each of its words occurs in its id, title, sponsor,
    conditions or interventions.
    """
    words = text.casefold().split()
    if words:
        trials = [trial for trial in trials if _has_words(trial, words)]
    wanted = {
        facet: frozenset(one.casefold() for one in values)
        for facet, values in chosen.items()
        if values
    }
    found: list[PortfolioTrial] = []
    # trials that fail one filter only, by that filter
    others: dict[PortfolioFacet, list[PortfolioTrial]] = {facet: [] for facet in PortfolioFacet}
    for trial in trials:
        failed = [facet for facet, values in wanted.items() if not _has(trial, facet, values)]
        if not failed:
            found.append(trial)
        elif len(failed) == 1:
            others[failed[0]].append(trial)
    facets = (FacetRow(one, _counted(one, [*found, *others[one]])) for one in PortfolioFacet)
    return found, tuple(facets)


_VOCABULARIES = frozenset(
    {PortfolioFacet.PHASE, PortfolioFacet.STATUS, PortfolioFacet.FLAG, PortfolioFacet.LEVEL}
)
"""Facets whose values are known in advance: no trial may have one of them today."""


def require_values(trials: Sequence[PortfolioTrial], chosen: Chosen) -> None:
    """Raise UsageError, with the likely values, if no trial has a chosen value."""
    for facet, values in chosen.items():
        if not values or not trials or facet in _VOCABULARIES:
            continue
        known = {value for trial in trials for value in _VALUES[facet](trial)}
        if not known:
            raise UsageError(f"no followed trial has a {facet}")
        folded = {value.casefold() for value in known}
        for value in values:
            if value.casefold() not in folded:
                likely = nearest(value, sorted(known))
                raise UsageError(f"no followed trial has the {facet} {value!r}; {likely}")


def in_order(
    trials: Iterable[PortfolioTrial], sort: PortfolioSort, *, descending: bool
) -> list[PortfolioTrial]:
    """Sort trials; those without a value come last in both directions. Ties are sorted by id."""
    key = _KEYS[sort]
    known: list[tuple[Any, NctId, PortfolioTrial]] = []
    unknown: list[tuple[Any, NctId, PortfolioTrial]] = []
    for trial in trials:
        value = key(trial)
        (unknown if value is None else known).append((value, trial.nct_id, trial))
    known.sort(key=lambda one: one[1])
    known.sort(key=lambda one: one[0], reverse=descending)
    unknown.sort(key=lambda one: one[1])
    return [one[2] for one in known] + [one[2] for one in unknown]


def phases_of(trial: PortfolioTrial) -> tuple[str, ...]:
    """Return the phases of a trial, without the value for "not applicable"."""
    phases = trial.head.phases
    return tuple(one for one in phases.split("|") if one != _NO_PHASE) if phases else ()


def search_text(trial: PortfolioTrial) -> str:
    """Return the text that a search looks through, in lower case."""
    head, facts = trial.head, trial.facts
    parts = (
        head.nct_id,
        head.org_study_id or "",
        head.title or "",
        head.sponsor or "",
        *facts.conditions,
        *facts.interventions,
    )
    return "\n".join(parts).casefold()


def _has(trial: PortfolioTrial, facet: PortfolioFacet, wanted: frozenset[str]) -> bool:
    return any(value.casefold() in wanted for value in _VALUES[facet](trial))


def _has_words(trial: PortfolioTrial, words: Sequence[str]) -> bool:
    text = search_text(trial)
    return all(word in text for word in words)


def _counted(facet: PortfolioFacet, trials: Sequence[PortfolioTrial]) -> tuple[FacetValueRow, ...]:
    counts = Counter(chain.from_iterable(map(_VALUES[facet], trials)))
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return tuple(FacetValueRow(value, label_of(facet, value), count) for value, count in ranked)


def _level(trial: PortfolioTrial) -> Level | None:
    return trial.change.level if trial.change else None


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


_VALUES: Mapping[PortfolioFacet, Callable[[PortfolioTrial], Sequence[str]]] = {
    PortfolioFacet.WATCH: lambda trial: trial.watches,
    PortfolioFacet.SPONSOR: lambda trial: _one(trial.head.sponsor),
    PortfolioFacet.PHASE: lambda trial: trial.head.phases.split("|") if trial.head.phases else (),
    PortfolioFacet.STATUS: lambda trial: _one(trial.head.status),
    PortfolioFacet.CONDITION: lambda trial: trial.facts.conditions,
    PortfolioFacet.COUNTRY: lambda trial: trial.facts.countries,
    PortfolioFacet.FLAG: lambda trial: trial.flags,
    PortfolioFacet.LEVEL: lambda trial: _one(_level(trial)),
}


def _folded(text: str | None) -> str | None:
    return text.casefold() if text else None


def _rank(level: Level | None) -> int | None:
    return None if level is None else -level.rank


_KEYS: Mapping[PortfolioSort, Callable[[PortfolioTrial], Any]] = {
    PortfolioSort.CHANGED: lambda trial: trial.change.happened if trial.change else None,
    PortfolioSort.LEVEL: lambda trial: _rank(_level(trial)),
    PortfolioSort.NCT_ID: lambda trial: trial.nct_id,
    PortfolioSort.TITLE: lambda trial: _folded(trial.head.title),
    PortfolioSort.SPONSOR: lambda trial: _folded(trial.head.sponsor),
    PortfolioSort.PHASE: lambda trial: phases_of(trial) or None,
    PortfolioSort.STATUS: lambda trial: trial.head.status,
    PortfolioSort.MILESTONE: lambda trial: trial.milestone_on,
    PortfolioSort.PRIMARY_COMPLETION: lambda trial: last_day(trial.head.primary_completion_date),
    PortfolioSort.SLIP: lambda trial: trial.slip_days,
    PortfolioSort.ENROLLMENT: lambda trial: trial.head.enrollment,
    PortfolioSort.FLAGS: lambda trial: len(trial.flags) or None,
    PortfolioSort.UNKNOWN: lambda trial: trial.facts.unknown_on,
}
