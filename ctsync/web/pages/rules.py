"""The page with the rule table and the thresholds in force. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from ctsync.questions.changes.rules import RuleTableRow
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page


def rules_page(
    frame: Frame, table: RuleTableRow, of_watches: Mapping[str, Mapping[str, float]]
) -> str:
    """Write the page; `of_watches` holds all thresholds of each watch that has its own."""
    own = {
        watch: {name: value for name, value in values.items() if table.thresholds[name] != value}
        for watch, values in sorted(of_watches.items())
    }
    return fill_page("rules.html.j2", frame=frame, table=table, own=own)
