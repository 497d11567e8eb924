"""Context of a change: base rates from published data, and the trial's own past. Does no I/O."""

from ctsync.record.context.base_rates import PUBLISHED_RATES, BaseRate, BaseRates, RateId
from ctsync.record.context.event_context import ContextNote, context_of

__all__ = ["PUBLISHED_RATES", "BaseRate", "BaseRates", "ContextNote", "RateId", "context_of"]
