"""The flags of an enrollment that cannot be meant. Pure, does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.record.flags.flag import Flag, FlagId
from ctsync.record.flags.record_values import StudyValues

IMPLAUSIBLE_FROM = 10_000_000
"""The smallest implausible count. Some records say 99999999 for "not known"."""

_LARGEST = 10**15
"""A larger count is read as this one: Python refuses to write integers of 4,300 digits."""
_SOURCE = "the enrollment and the status of the record"


def enrollment_flags(study: StudyValues) -> Iterator[Flag]:
    """Yield the flags of the enrollment; the record does not show since when."""
    count = study.protocol("designModule", "enrollmentInfo", "count")
    if isinstance(count, bool) or not isinstance(count, int):
        return
    count = min(count, _LARGEST)
    kind = study.text("designModule", "enrollmentInfo", "type")
    facts = {"enrollment": count, "enrollment_type": kind, "status": study.status}
    if count >= IMPLAUSIBLE_FROM:
        yield Flag(
            FlagId.IMPLAUSIBLE_ENROLLMENT,
            f"enrollment {count:,}, {IMPLAUSIBLE_FROM:,} or more",
            facts,
            _SOURCE,
        )
    if count == 0 and kind == "ACTUAL" and study.status != "WITHDRAWN":
        yield Flag(
            FlagId.ZERO_ENROLLMENT,
            "enrollment 0 (actual), and the trial is not withdrawn",
            facts,
            _SOURCE,
        )
