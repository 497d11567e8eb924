"""Base rates: how often trials did the same before, each with its source, number and window.

Sources:

    ctcovidstop    B. G. Carlisle and colleagues, ctcovidstop, CC BY 4.0: trials that stopped from
                   2019-12 to 2022-11 and from 2016-12 to 2019-11, and whether they restarted.
                   The rates of the first window leave out the 1,978 suspensions whose reason
                   names COVID-19 (73.5 % restarted), because today's suspensions have other
                   reasons. A trial that was completed later counts as restarted. A rate after 90
                   days counts the trials not restarted by then.
    terminated     B. G. Carlisle and colleagues, terminated-trials-study, CC BY 4.0: planned and
                   actual enrollment of terminated trials. Only trials with both numbers count.
    Holst 2023     Holst, Haslberger, Yerunkar, Strech, Hemkens, Carlisle, PLoS Med
                   2023;20(10):e1004306: changes of primary outcomes in 1,402 published trials.
    cthist         81 trials in the version tables of the R package cthist, read on 2022-03-29.
    fdaaa_trends   EBM Data Lab, MIT: the trials whose results were due on 2019-09-16 by the rules
                   of the FDAAA TrialsTracker.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from ctsync.record.context.sponsor_past import SponsorPast


class RateId(StrEnum):
    """The name of a base rate."""

    SUSPENDED_RESTARTED = "suspended_restarted"
    SUSPENDED_90_DAYS_RESTARTED = "suspended_90_days_restarted"
    SUSPENDED_180_DAYS_RESTARTED = "suspended_180_days_restarted"
    SUSPENDED_365_DAYS_RESTARTED = "suspended_365_days_restarted"
    SUSPENDED_FOR_FUNDING_RESTARTED = "suspended_for_funding_restarted"
    TERMINATED_REOPENED = "terminated_reopened"
    WITHDRAWN_REOPENED = "withdrawn_reopened"
    TERMINATED_ENROLLMENT = "terminated_enrollment"
    PRIMARY_OUTCOME_CHANGED_RECRUITING = "primary_outcome_changed_recruiting"
    PRIMARY_OUTCOME_CHANGED_COMPLETED = "primary_outcome_changed_completed"
    PRIMARY_OUTCOME_CHANGED_PUBLISHED = "primary_outcome_changed_published"
    FIRST_SLIP = "first_slip"
    SLIP_AFTER_1 = "slip_after_1"
    SLIP_AFTER_2 = "slip_after_2"
    RESULTS_NOT_SUBMITTED = "results_not_submitted"
    SPONSOR_TERMINATED = "sponsor_terminated"
    SPONSOR_WITHDRAWN = "sponsor_withdrawn"
    SPONSOR_SLIPPED = "sponsor_slipped"


SPONSOR_RATES = frozenset(
    {RateId.SPONSOR_TERMINATED, RateId.SPONSOR_WITHDRAWN, RateId.SPONSOR_SLIPPED}
)
"""The rates of one sponsor's stored trials, which are not published."""

OWN_SOURCE = "the versions in this database"
"""The source of a rate that ctsync counted."""


@dataclass(frozen=True, slots=True)
class BaseRate:
    """A share of trials, with its number of trials, its window and its source."""

    id: RateId
    """The name of the rate."""
    percent: float
    """The share of the trials in percent; for `terminated_enrollment`, the median share of the
    planned enrollment."""
    n: int
    """Number of trials that the share is of."""
    count: int | None
    """Number of trials that the share counts; null if the source gives the share only."""
    window: str
    """The time that the trials are from, in words."""
    source: str
    """Where the numbers come from."""
    median_days: int | None
    """Median days until it happened, among the trials in which it did."""
    low: float | None
    """The first quartile of the days, or of the share of the planned enrollment."""
    high: float | None
    """The third quartile of the days, or of the share of the planned enrollment."""


@dataclass(frozen=True, slots=True, eq=False)
class BaseRates(Mapping[RateId, tuple[BaseRate, ...]]):
    """What context is made from: base rates by name, and the past of each sponsor by its name.

    The newest window of a rate comes first. `sponsors_window` is the time that the counts of the
    sponsors are from, in words.
    """

    by_id: Mapping[RateId, tuple[BaseRate, ...]]
    sponsors: Mapping[str, SponsorPast] = field(default_factory=lambda: MappingProxyType({}))
    sponsors_window: str = ""

    def __getitem__(self, rate: RateId) -> tuple[BaseRate, ...]:
        return self.by_id[rate]

    def __iter__(self) -> Iterator[RateId]:
        return iter(self.by_id)

    def __len__(self) -> int:
        return len(self.by_id)


@dataclass(frozen=True, slots=True)
class ContextNote:
    """A sentence beside a change or a fact: base rates; the trial's own past or the rule of a flag
    if `rates` is empty.
    """

    text: str
    """The note in words, with the number and window of each rate."""
    rates: tuple[BaseRate, ...]
    """The base rates that the note shows; empty for the trial's own past and for a flag."""


_STOPS = "ctcovidstop (CC BY 4.0)"
_NOT_COVID = "2019-12 to 2022-11, without COVID-19"
_LATER, _EARLIER = "2019-12 to 2022-11", "2016-12 to 2019-11"
_HOLST = "Holst et al., PLoS Med 2023;20(10):e1004306"
_CTHIST = "versions of 81 trials, cthist"
_SLIPS = "histories up to 2022-03"
_TRACKER = "fdaaa_trends (EBM Data Lab, MIT)"


def _counted(
    rate: RateId,
    share: tuple[int, int],
    window: str,
    *,
    source: str = _STOPS,
    days: tuple[int, int, int] | None = None,
) -> BaseRate:
    """Return a rate from a count and its total; `days` are the median and both quartiles."""
    count, n = share
    percent = round(count / n * 100, 1)
    return BaseRate(rate, percent, n, count, window, source, *(days or (None, None, None)))


def _of_publications(rate: RateId, percent: float) -> BaseRate:
    window = "trials with a published result"
    return BaseRate(rate, percent, 1402, None, window, _HOLST, None, None, None)


_PUBLISHED = (
    _counted(RateId.SUSPENDED_RESTARTED, (761, 1475), _NOT_COVID, days=(161, 64, 329)),
    _counted(RateId.SUSPENDED_RESTARTED, (800, 1415), _EARLIER, days=(164, 68, 371)),
    _counted(RateId.SUSPENDED_90_DAYS_RESTARTED, (503, 1217), _NOT_COVID),
    _counted(RateId.SUSPENDED_90_DAYS_RESTARTED, (547, 1162), _EARLIER),
    _counted(RateId.SUSPENDED_180_DAYS_RESTARTED, (348, 1062), _NOT_COVID),
    _counted(RateId.SUSPENDED_180_DAYS_RESTARTED, (384, 999), _EARLIER),
    _counted(RateId.SUSPENDED_365_DAYS_RESTARTED, (168, 882), _NOT_COVID),
    _counted(RateId.SUSPENDED_365_DAYS_RESTARTED, (206, 821), _EARLIER),
    _counted(RateId.SUSPENDED_FOR_FUNDING_RESTARTED, (34, 127), _LATER),
    _counted(RateId.SUSPENDED_FOR_FUNDING_RESTARTED, (21, 94), _EARLIER),
    _counted(RateId.TERMINATED_REOPENED, (106, 6216), _LATER),
    _counted(RateId.TERMINATED_REOPENED, (158, 5388), _EARLIER),
    _counted(RateId.WITHDRAWN_REOPENED, (73, 3654), _LATER),
    _counted(RateId.WITHDRAWN_REOPENED, (69, 2862), _EARLIER),
    BaseRate(
        RateId.TERMINATED_ENROLLMENT,
        percent=30.1,
        n=206,
        count=None,
        window="trials with planned and actual enrollment",
        source="terminated-trials-study (CC BY 4.0)",
        median_days=None,
        low=12.9,
        high=60.0,
    ),
    _of_publications(RateId.PRIMARY_OUTCOME_CHANGED_RECRUITING, 11.6),
    _of_publications(RateId.PRIMARY_OUTCOME_CHANGED_COMPLETED, 10.6),
    _of_publications(RateId.PRIMARY_OUTCOME_CHANGED_PUBLISHED, 9.0),
    _counted(RateId.FIRST_SLIP, (49, 81), _SLIPS, source=_CTHIST),
    _counted(RateId.SLIP_AFTER_1, (22, 49), _SLIPS, source=_CTHIST),
    _counted(RateId.SLIP_AFTER_2, (10, 22), _SLIPS, source=_CTHIST),
    _counted(RateId.RESULTS_NOT_SUBMITTED, (1523, 4209), "2019-09-16", source=_TRACKER),
)

PUBLISHED_RATES = BaseRates(
    {
        rate: tuple(one for one in _PUBLISHED if one.id is rate)
        for rate in RateId
        if rate not in SPONSOR_RATES
    }
)
"""The base rates that ctsync ships with."""
