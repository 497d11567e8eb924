"""The page with all trials. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ctsync.model import NctId
from ctsync.report.report import Report
from ctsync.report.trial.content import TrialContent
from ctsync.report.words.trial_heading import TrialHeading
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page
from ctsync.web.pages.trial import version_row


@dataclass(frozen=True, slots=True)
class TrialListRow:
    """One trial in the list; `level` is its level in the latest report, empty if not in it.

    `what` says in a few words what its newest version changed.
    """

    nct_id: NctId
    heading: TrialHeading
    level: str
    status: str
    day: str
    what: str


def trial_list_row(story: TrialContent, level: str) -> TrialListRow:
    """The row of a trial."""
    newest = story.versions[-1]
    row = version_row(newest, story.events)
    return TrialListRow(
        nct_id=story.nct_id,
        heading=story.heading,
        level=level,
        status=row.status,
        day=newest.posted or f"{newest.fetched:%Y-%m-%d}",
        what=row.what,
    )


def trials_page(frame: Frame, rows: Iterable[TrialListRow], latest: Report) -> str:
    """Write the page: trials in the order of the latest report, then by id."""
    place: Mapping[NctId, int] = {trial.nct_id: trial.number for trial in latest.trials}
    last = len(place) + 1
    ordered = sorted(rows, key=lambda row: (place.get(row.nct_id, last), row.nct_id))
    return fill_page("trials.html.j2", frame=frame, rows=ordered)
