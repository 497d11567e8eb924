"""Two versions of a trial on one page, inline and side by side. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ctsync.model import NctId
from ctsync.report.addresses import Addresses
from ctsync.report.comparison.comparison import Comparison
from ctsync.report.comparison.comparison_text import LONGEST
from ctsync.report.comparison.reading import ComparisonReading, others_in, overview
from ctsync.report.comparison.shown_change import shortened
from ctsync.report.record_view.shown_record import RecordSection, record_sections
from ctsync.report.trial.version_day import step_after, step_before
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page

_PREVIOUS, _NEXT = "Previous step", "Next step"
_RELATIONS = {_PREVIOUS: "prev", _NEXT: "next"}
_SELDOM_READ = ("resultsSection", "derivedSection")


@dataclass(frozen=True, slots=True)
class StepLink:
    """A link to the comparison of two other versions; `relation` is "prev", "next" or empty."""

    words: str
    href: str
    relation: str = ""


def compare_page(
    reading: ComparisonReading, *, frame: Frame | None = None, has_unchanged: bool = True
) -> str:
    """Write the page; without a frame it is a page alone. Long values are folded, never cut.

    With `has_unchanged`, the fields that did not change are folded at the end.
    """
    frame = frame or Frame(is_alone=True)
    links, comparison = frame.links, reading.comparison
    nct_id = comparison.after.nct_id
    return fill_page(
        "compare.html.j2",
        frame=frame,
        reading=reading,
        overview=list(overview(reading)) if reading.has_overview else [],
        shortened=shortened,
        others_in=others_in,
        longest=LONGEST,
        trial_page=links.trial(nct_id) if links else "",
        record_page=_record_page(links, comparison, nct_id) if links else "",
        steps=list(_step_links(links, comparison, nct_id)) if links else [],
        form=links.compare_form(nct_id) if links else "",
        unchanged=unchanged_sections(comparison) if has_unchanged else [],
    )


def unchanged_sections(comparison: Comparison) -> list[RecordSection]:
    """Return the fields that are equal in both versions; without results and derived terms."""
    if comparison.newer is None:
        return []
    changed = {change.field for change in comparison.changes}
    return record_sections(comparison.newer.body, without={*changed, *_SELDOM_READ})


def _record_page(links: Addresses, comparison: Comparison, nct_id: NctId) -> str:
    """Return the page of the newer version's record; empty if it has none."""
    number = comparison.after.version
    is_newest = comparison.versions[-1:] and comparison.versions[-1].number == number
    return links.record(nct_id, number) or (links.record(nct_id) if is_newest else "")


def _step_links(links: Addresses, comparison: Comparison, nct_id: NctId) -> Iterator[StepLink]:
    """Yield the comparisons beside this one: the steps around it, and those at its ends.

    An older step does not link to the comparison of the first version with the last: the address
    changes with each version, and a site would write all its comparisons again.
    """
    versions = comparison.versions
    first, last = sorted((comparison.before.version, comparison.after.version))
    before, after = step_before(versions, first), step_after(versions, last)
    inside = step_after(versions, first), step_before(versions, last)
    yield from _links(links, nct_id, [(_PREVIOUS, before), (_NEXT, after)])
    if inside[0] != inside[1]:
        yield from _links(links, nct_id, zip(("First step", "Last step"), inside, strict=True))
    elif len(versions) > 2 and (after is None or links.is_served):
        ends = versions[0].number, versions[-1].number
        yield from _links(links, nct_id, [("First and last", ends)])


def _links(
    links: Addresses, nct_id: NctId, steps: Iterable[tuple[str, tuple[int, int] | None]]
) -> Iterator[StepLink]:
    for name, pair in steps:
        if pair is not None:
            words = f"{name}: version {pair[0]} to {pair[1]}"
            yield StepLink(words, links.compare(nct_id, *pair), _RELATIONS.get(name, ""))
