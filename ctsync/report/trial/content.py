"""All stored data on one trial, for its page and the site. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from ctsync.model import NctId, StoredEvent, Version
from ctsync.record.context import PUBLISHED_RATES, BaseRates, ContextNote
from ctsync.record.flags import Flag
from ctsync.report.trial.charts.site_counts import SiteCount
from ctsync.report.trial.outcome_course import OutcomeLine
from ctsync.report.trial.timeline import Timeline
from ctsync.report.words.trial_heading import TrialHeading, heading_of_key


@dataclass(frozen=True, slots=True)
class RecordParts:
    """What a trial's page shows of its records: facts, outcomes and sites over the versions.

    `facts` are labels with values from the newest record.
    """

    facts: tuple[tuple[str, str], ...] = ()
    outcomes: tuple[OutcomeLine, ...] = ()
    sites: tuple[SiteCount, ...] = ()


@dataclass(frozen=True, slots=True)
class ForecastLine:
    """What will happen to a trial on a day if nobody updates its record."""

    day: date
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class TrialContent:
    """The versions of one trial, oldest first, the events that led to them, and its timeline.

    `record_heading` comes from the newest record; if it is None, key fields take its place. `flags`
    are those to show for the day `flagged_on`. `rates` are the base rates shown beside changes;
    with None, changes have no context. `standing` is the context of what the newest version shows.
    `parts` come from the records, and are empty if they cannot be read. `unfetched` says which
    versions the registry lists that are not fetched; empty if there is none.
    """

    versions: Sequence[Version]
    events: Sequence[StoredEvent]
    timeline: Timeline
    record_heading: TrialHeading | None = None
    flags: Sequence[Flag] = ()
    flagged_on: date | None = None
    rates: BaseRates | None = field(default_factory=lambda: PUBLISHED_RATES)
    standing: Sequence[ContextNote] = ()
    parts: RecordParts = RecordParts()
    forecast: Sequence[ForecastLine] = ()
    unfetched: str = ""

    @property
    def nct_id(self) -> NctId:
        """The NCT id of the trial."""
        return self.versions[-1].nct_id

    @property
    def title(self) -> str:
        """Its newest title."""
        return self.versions[-1].key.brief_title or self.heading.brief_title

    @property
    def heading(self) -> TrialHeading:
        """Its title, sponsor, conditions and phase."""
        return self.record_heading or heading_of_key(self.versions[-1].key)
