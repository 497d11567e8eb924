"""The comparisons of a static site: each version with the one before, and the first with the last.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctsync.model import Level, NctId
from ctsync.report.comparison.comparison import ChangeSelection, Comparison
from ctsync.report.comparison.comparison_html import comparison_html
from ctsync.report.comparison.reading import reading_of

_FOLDER = "trials/"


def comparison_name(nct_id: NctId, older: int, newer: int) -> str:
    """Return the name of the file that compares two versions, beside the page of the trial."""
    return f"{nct_id}-{older}-{newer}.html"


def comparison_files(comparisons: Iterable[Comparison]) -> Iterator[tuple[str, str]]:
    """Yield the path in the site and the HTML of each comparison."""
    for one in comparisons:
        name = comparison_name(one.after.nct_id, one.before.version, one.after.version)
        page = comparison_html(
            reading_of(one, ChangeSelection(Level.ROUTINE)),
            # a copy of the record per version would make a large site
            has_unchanged=False,
            trial_page=f"{one.after.nct_id}.html",
        )
        yield f"{_FOLDER}{name}", page
