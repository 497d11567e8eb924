"""The kinds of change of an outcome measure, after Holst et al., PLoS Med 2023;20(10):e1004306.

Does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class OutcomeLabel(StrEnum):
    """A kind of change of a primary outcome, or that the texts do not decide it."""

    NEW_PRIMARY = "new_primary"
    PRIMARY_FROM_SECONDARY = "primary_from_secondary"
    PRIMARY_OMITTED = "primary_omitted"
    PRIMARY_TO_SECONDARY = "primary_to_secondary"
    CHANGE_MEASUREMENT = "change_measurement"
    ADDED_MEASUREMENT = "added_measurement"
    OMITTED_MEASUREMENT = "omitted_measurement"
    CHANGE_TIMING = "change_timing"
    ADDED_TIMING = "added_timing"
    OMITTED_TIMING = "omitted_timing"
    CHANGE_AGGREGATION = "change_aggregation"
    ADDED_AGGREGATION = "added_aggregation"
    OMITTED_AGGREGATION = "omitted_aggregation"
    UNRESOLVED = "unresolved"


MAJOR = frozenset({
    OutcomeLabel.NEW_PRIMARY,
    OutcomeLabel.PRIMARY_FROM_SECONDARY,
    OutcomeLabel.PRIMARY_OMITTED,
    OutcomeLabel.PRIMARY_TO_SECONDARY,
})  # fmt: skip


class OutcomePlace(NamedTuple):
    """Where an outcome stands: its list ("primary", "secondary" or "other") and its position."""

    rank: str
    position: int


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """One primary outcome that differs, with what that means.

    `labels` is empty for wording only. `before` or `after` is the measure, None if the outcome is
    not on that side; for an outcome that changed its list it is the measure in the other list.
    `score` is the log odds that raters call it a change; a rule decided it if None. The places say
    which entries of the two records they are; equal changes may stand in different places.
    """

    labels: frozenset[OutcomeLabel]
    reason: str
    before: str | None
    after: str | None
    score: float | None = None
    before_place: OutcomePlace | None = field(default=None, compare=False)
    after_place: OutcomePlace | None = field(default=None, compare=False)

    @property
    def is_cosmetic(self) -> bool:
        """Whether only wording differs."""
        return not self.labels


@dataclass(frozen=True, slots=True)
class OutcomeComparison:
    """What changed between two states of a trial's primary outcomes.

    `labels` holds the kinds of change, or only `unresolved` if the texts do not decide it.
    """

    changes: tuple[OutcomeChange, ...] = ()
    labels: frozenset[OutcomeLabel] = frozenset()
