"""One flag of a record: its id, its state and the words for people. Pure, does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType


class FlagId(StrEnum):
    """What a flag says about a record. The value is its id in JSON and on the command line."""

    RESULTS_DUE = "results_due"
    RESULTS_OVERDUE = "results_overdue"
    REPORTED_LATE = "reported_late"
    LATE_CERTIFICATE = "late_certificate"
    VERIFICATION_STALE = "verification_stale"
    OPEN_PAST_COMPLETION = "open_past_completion"
    RECRUITING_PAST_PRIMARY_COMPLETION = "recruiting_past_primary_completion"
    REGISTERED_LATE = "registered_late"
    RETROSPECTIVE = "retrospective"
    RETROACTIVELY_PROSPECTIVE = "retroactively_prospective"
    IMPLAUSIBLE_ENROLLMENT = "implausible_enrollment"
    ZERO_ENROLLMENT = "zero_enrollment"


class FlagState(StrEnum):
    """Whether a flag is true, or why that cannot be said."""

    TRUE = "true"
    UNDECIDED = "undecided"
    """A date without a day fits both answers."""
    NOT_KNOWN = "not_known"
    """The rule needs an earlier version, and none is at hand."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A fact about a record on a day.

    `inputs` are the values that the rule read, as JSON scalars; dates are ISO texts. `since` is
    the first day on which the flag is true; None if the record does not show it, and for a flag
    that is not true.
    """

    id: FlagId
    words: str
    inputs: Mapping[str, str | int | bool | None] = field(hash=False)
    source: str
    since: date | None = None
    state: FlagState = FlagState.TRUE

    @property
    def is_true(self) -> bool:
        """Whether the flag counts: it is neither undecided nor not known."""
        return self.state is FlagState.TRUE


FLAG_LABELS: Mapping[FlagId, str] = MappingProxyType(
    {
        FlagId.RESULTS_DUE: "Results due",
        FlagId.RESULTS_OVERDUE: "Results overdue",
        FlagId.REPORTED_LATE: "Results reported late",
        FlagId.LATE_CERTIFICATE: "Certificate of delay submitted late",
        FlagId.VERIFICATION_STALE: "Verification more than a year old",
        FlagId.OPEN_PAST_COMPLETION: "Open past completion",
        FlagId.RECRUITING_PAST_PRIMARY_COMPLETION: "Recruiting past primary completion",
        FlagId.REGISTERED_LATE: "Registered more than 21 days after the start",
        FlagId.RETROSPECTIVE: "Registered after the start",
        FlagId.RETROACTIVELY_PROSPECTIVE: "Start moved to the registration or later",
        FlagId.IMPLAUSIBLE_ENROLLMENT: "Implausible enrollment",
        FlagId.ZERO_ENROLLMENT: "No participants, but not withdrawn",
    }
)
"""The name of each flag for people."""
