"""Lines of one version that say the same of several list items, as one line. Does no I/O.

A sponsor often moves the time frame of all outcomes at once: 18 lines that differ in a name only.
Formats for people fold them; those for programs have one row per event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ctsync.record.value_text import counted
from ctsync.report.report import ReportLine
from ctsync.report.version_steps import item_in, item_of


def alike(lines: Iterable[ReportLine]) -> tuple[ReportLine, ...]:
    """Fold the lines of list items that changed in exactly the same way into the first."""
    found: dict[object, ReportLine] = {}
    for line in lines:
        key = _sameness(line)
        first = found.get(key)
        found[key] = _folded(first, line) if first else line
    return tuple(found.values())


def same_of(line: ReportLine) -> str:
    """Return 'the same of 2 others: "A"; "B"'; empty if no line was folded into this one."""
    if not line.also:
        return ""
    names = "; ".join(item_in(stored).removeprefix("of ") for stored in line.also)
    return f"the same of {counted(len(line.also), 'other')}: {names}"


def _folded(first: ReportLine, line: ReportLine) -> ReportLine:
    is_cut = first.is_cut or line.is_cut
    return replace(first, also=(*first.also, line.stored), is_cut=is_cut)


def _sameness(line: ReportLine) -> object:
    """What is equal for lines that can be folded."""
    item = item_of(line)
    if not item or line.also:
        return id(line)
    event = line.stored.event
    # the values of the event: those of the line may be cut
    values = repr((event.before, event.after))
    return event.label, event.level, event.rule, values, line.detail.removeprefix(item)
