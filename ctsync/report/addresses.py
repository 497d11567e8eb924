"""The addresses of the pages, as files of a site or as routes of a server. Does no I/O."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from ctsync.model import Level, NctId


@dataclass(frozen=True, slots=True)
class FeedLinks:
    """The addresses of one feed in its two forms; `words` say what it is about."""

    words: str
    atom: str
    json: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of the pages as one page links to them.

    `root` is the address of the folder that holds the pages, or of the server, with a slash at its
    end; empty for a page in that folder. `known` are the trials that have a page. If `is_served`,
    the addresses are routes of a server: `trials/NCT01352702`, not `trials/NCT01352702.html`.
    """

    root: str = ""
    known: Collection[NctId] = frozenset()
    is_served: bool = False

    @property
    def today(self) -> str:
        """The newest data refresh; the first page."""
        return self._page("", "index.html")

    @property
    def trials(self) -> str:
        """The list of all trials."""
        return self._page("trials")

    @property
    def changes(self) -> str:
        """The list of changes, newest first."""
        return self._page("changes")

    @property
    def watches(self) -> str:
        """The watches."""
        return self._page("watches")

    @property
    def runs(self) -> str:
        """The runs."""
        return self._page("runs")

    @property
    def deliveries(self) -> str:
        """The deliveries that wait."""
        return self._page("deliveries")

    @property
    def rules(self) -> str:
        """The rule table."""
        return self._page("rules")

    @property
    def feed(self) -> str:
        """The Atom feed."""
        return self.root + "feed.atom"

    @property
    def json_feed(self) -> str:
        """The JSON Feed."""
        return self.root + "feed.json"

    def watch_feed(self, name: str) -> FeedLinks:
        """The feed of one watch."""
        # a name is any text: the digest tells names apart that have the same letters
        letters = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]
        file = f"watch-{letters}-{digest}" if letters else f"watch-{digest}"
        return self._feed(f"watch {name}", file, watch=name)

    def level_feed(self, level: Level) -> FeedLinks:
        """The feed of the changes of a level, and of higher levels."""
        more = "" if level is Level.CRITICAL else " or worse"
        return self._feed(f"level {level}{more}", f"level-{level}", level=level)

    def asset(self, name: str) -> str:
        """A style sheet, script or picture."""
        return f"{self.root}assets/{name}"

    def day(self, day: date) -> str:
        """The changes of one day."""
        return self._page(f"?day={day}", f"days/{day}.html")

    def last_days(self, days: int) -> str:
        """The changes of a number of days up to the newest."""
        return self._page(f"?days={days}", f"days/last-{days}.html")

    def week(self, monday: date) -> str:
        """The list of the changes of one week."""
        return self._page(f"changes?week={monday}", f"changes/{monday}.html")

    def rule(self, rule_id: str) -> str:
        """The place of a rule in the rule table."""
        return f"{self.rules}#{rule_id}"

    def trial(self, nct_id: NctId) -> str:
        """The page of a trial; empty if it has none."""
        return self._page(f"trials/{nct_id}") if nct_id in self.known else ""

    def version(self, nct_id: NctId, number: int) -> str:
        """The place of a version on the page of its trial; empty if the trial has no page."""
        page = self.trial(nct_id)
        return f"{page}#v{number}" if page else ""

    def compare(self, nct_id: NctId, before: int, after: int) -> str:
        """The comparison of two versions of a trial."""
        return self._page(
            f"trials/{nct_id}/compare?from={before}&to={after}",
            f"trials/{nct_id}-{before}-{after}.html",
        )

    def compare_form(self, nct_id: NctId) -> str:
        """The address that takes two versions from a form; empty in a site of files."""
        return f"{self.root}trials/{nct_id}/compare" if self.is_served else ""

    def record(self, nct_id: NctId, version: int | None = None) -> str:
        """The record of the newest version, or of another one.

        A site of files has the newest record only: the address of another one is empty.
        """
        if version is None:
            return self._page(f"trials/{nct_id}/record", f"trials/{nct_id}-record.html")
        return f"{self.record(nct_id)}?version={version}" if self.is_served else ""

    def _feed(self, words: str, file: str, **filters: str) -> FeedLinks:
        if self.is_served:
            # a text with half a character, which no address can hold, is read as another name
            query = f"?{urlencode(filters, errors='replace')}"
            return FeedLinks(words, self.feed + query, self.json_feed + query)
        path = f"{self.root}feeds/{file}"
        return FeedLinks(words, f"{path}.atom", f"{path}.json")

    def _page(self, route: str, file: str = "") -> str:
        return self.root + (route if self.is_served else file or f"{route}.html")
