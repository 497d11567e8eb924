"""The addresses of the pages of a site. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ctsync.model import NctId

FEED = "feed.atom"
INDEX = "index.html"
LATEST = "latest.html"
_REPORT = re.compile(r"reports/(\d{4}-\d{2}-\d{2})\.html")


@dataclass(frozen=True, slots=True)
class SiteLinks:
    """The addresses of a site's pages as one page links to them.

    `root` is the address of the folder that holds the index, with a slash at its end; empty for
    the index itself. `trials` are the trials that have a page.
    """

    root: str = ""
    trials: Collection[NctId] = frozenset()

    @property
    def index(self) -> str:
        """The list of all trials."""
        return self.root + INDEX

    @property
    def latest(self) -> str:
        """The latest report."""
        return self.root + LATEST

    @property
    def feed(self) -> str:
        """The Atom feed."""
        return self.root + FEED

    def trial(self, nct_id: NctId) -> str:
        """The page of a trial; empty if it has none."""
        return self.root + trial_path(nct_id) if nct_id in self.trials else ""

    def version(self, nct_id: NctId, number: int) -> str:
        """The place of a version on the page of its trial; empty if the trial has no page."""
        page = self.trial(nct_id)
        return f"{page}#v{number}" if page else ""


def trial_path(nct_id: NctId) -> str:
    """The path of a trial's page in the site."""
    return f"trials/{nct_id}.html"


def day_of(path: str) -> str | None:
    """The day of the report at `path`; None for other files."""
    found = _REPORT.fullmatch(path)
    return found[1] if found else None
