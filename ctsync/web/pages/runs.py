"""The page with the runs and their verdicts. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from ctsync.dates import format_minute
from ctsync.model import Verdict
from ctsync.questions.operation.runs import RunRow
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page

_MARKS = {Verdict.OK: "good", Verdict.FAILED: "bad"}


def runs_page(frame: Frame, runs: Sequence[RunRow], total: int) -> str:
    """Write the page: the newest runs of `total`, newest first."""
    return fill_page(
        "runs.html.j2",
        frame=frame,
        runs=runs,
        total=total,
        mark_of=lambda run: _MARKS.get(run.verdict, "doubtful"),
        seconds_of=_seconds,
        minute=format_minute,
    )


def _seconds(run: RunRow) -> str:
    if run.finished is None:
        return "not finished"
    return f"{(run.finished - run.started).total_seconds():,.0f} s"
