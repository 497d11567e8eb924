"""All charts of a trial's page, in their order. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from ctsync.report.trial.charts.axes import days_between
from ctsync.report.trial.charts.chart import Chart
from ctsync.report.trial.charts.enrollment_chart import enrollment_chart
from ctsync.report.trial.charts.site_chart import site_chart
from ctsync.report.trial.charts.site_counts import SiteCount, steps_of
from ctsync.report.trial.charts.slip_chart import slip_chart
from ctsync.report.trial.charts.status_band import status_band
from ctsync.report.trial.timeline import Timeline


def charts_of(timeline: Timeline, sites: Sequence[SiteCount] = ()) -> Iterator[Chart]:
    """Yield the charts that have a value; all share one axis of days."""
    span = _span(timeline, sites)
    found = (
        slip_chart(timeline, span),
        status_band(timeline, span),
        enrollment_chart(timeline, span),
        site_chart(sites, span, until=timeline.until) if sites else None,
    )
    return (chart for chart in found if chart is not None)


def _span(timeline: Timeline, sites: Sequence[SiteCount]) -> tuple[date, date]:
    """Return the first and last day of the axis.

    It ends today, or soon after the last change of a trial whose dates are all actual: years
    without a change would leave no room for the changes.
    """
    first, today = days_between(timeline.since, timeline.until)
    if not all(track.steps[-1].is_actual for track in timeline.tracks if track.label != "start"):
        return first, today
    changes = [
        *(spell.since for spell in timeline.spells),
        *(step.stood_from for track in timeline.tracks for step in track.steps),
        *(step.stood_from for step in timeline.enrollment),
        *(step.stood_from for step in steps_of(sites)),
    ]
    last = max(changes)
    rest = max(timedelta(days=60), (last - first) / 5)
    return first, min(today, last + rest)
