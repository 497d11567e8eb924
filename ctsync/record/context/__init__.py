"""Context of a change: base rates, and the past of the trial and its sponsor. Does no I/O."""

from ctsync.record.context.base_rates import (
    PUBLISHED_RATES,
    BaseRate,
    BaseRates,
    ContextNote,
    RateId,
)
from ctsync.record.context.event_context import context_of, shown_context
from ctsync.record.context.standing_context import flag_context

__all__ = [
    "PUBLISHED_RATES",
    "BaseRate",
    "BaseRates",
    "ContextNote",
    "RateId",
    "context_of",
    "flag_context",
    "shown_context",
]
