"""The charts, outcomes and facts of a trial's page, ready for the template. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ctsync.record.value_text import counted
from ctsync.report.trial.charts.chart import Chart
from ctsync.report.trial.charts.trial_charts import charts_of
from ctsync.report.trial.content import ForecastLine, TrialContent
from ctsync.report.trial.outcome_course import RANKS, OutcomeLine


@dataclass(frozen=True, slots=True)
class OutcomeGroup:
    """The outcomes of one rank, with a heading; or those that were removed."""

    heading: str
    lines: tuple[OutcomeLine, ...]

    @property
    def changed(self) -> tuple[OutcomeLine, ...]:
        """The outcomes that a version changed."""
        return tuple(line for line in self.lines if line.notes)

    @property
    def unchanged(self) -> tuple[OutcomeLine, ...]:
        """The other outcomes."""
        return tuple(line for line in self.lines if not line.notes)


@dataclass(frozen=True, slots=True)
class TrialView:
    """What a trial's page shows beside its versions."""

    facts: tuple[tuple[str, str], ...]
    forecast: tuple[ForecastLine, ...]
    charts: tuple[Chart, ...]
    outcomes: tuple[OutcomeGroup, ...]


def trial_view(content: TrialContent) -> TrialView:
    """Return what the page shows."""
    parts = content.parts
    return TrialView(
        facts=parts.facts,
        forecast=tuple(content.forecast),
        charts=tuple(charts_of(content.timeline, parts.sites)),
        outcomes=tuple(_groups(parts.outcomes)),
    )


def _groups(lines: tuple[OutcomeLine, ...]) -> list[OutcomeGroup]:
    found = []
    for rank in RANKS:
        own = tuple(line for line in lines if line.rank == rank and not line.is_removed)
        if own:
            found.append(OutcomeGroup(counted(len(own), f"{rank} outcome"), own))
    removed = tuple(line for line in lines if line.is_removed)
    if removed:
        found.append(OutcomeGroup(f"{len(removed):,} removed", removed))
    return found
