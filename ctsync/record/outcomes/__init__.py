"""Outcome measures: which outcome became which, and what a change of one means. Does no I/O."""

from ctsync.record.outcomes.compare_outcomes import compare_outcomes
from ctsync.record.outcomes.taxonomy import (
    OutcomeChange,
    OutcomeComparison,
    OutcomeLabel,
    OutcomePlace,
)

__all__ = [
    "OutcomeChange",
    "OutcomeComparison",
    "OutcomeLabel",
    "OutcomePlace",
    "compare_outcomes",
]
