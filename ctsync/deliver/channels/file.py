"""The file channel: writes a feed, or one report per message, into a folder.

Each file is replaced atomically, so a reader never sees a partial file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.errors import ConfigError
from ctsync.files import replace_file
from ctsync.report.addresses import Addresses
from ctsync.report.formats.feed import FeedEntry, atom, entries, json_feed, read_json_feed
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.mail.links import with_links
from ctsync.report.report import Report
from ctsync.route import Route
from ctsync.text import for_filename

if TYPE_CHECKING:
    from ctsync.config.settings import ChannelSettings

MOST_ENTRIES = 500
_ENDINGS = {ReportFormat.TEXT: "txt", ReportFormat.MARKDOWN: "md"}


class FileChannel:
    """Writes into the folder of a URL such as file:///srv/trials?format=atom.

    For a feed, it updates feed.atom and feed.json with the newest entries, each version once. In
    any other format, it writes one file per message. The name contains the day and identity of the
    message, so a message sent twice replaces its own file. Links lead to the pages of `site` if it
    is given, except in JSON and CSV, which link to the registry.
    """

    def __init__(
        self, routes: Mapping[str, Route], settings: ChannelSettings, *, site: str = ""
    ) -> None:
        self.routes = routes
        self._site = site
        self._name = settings.name
        self._folder, self._form = read_folder_url(settings.url.reveal(), settings.name)

    def send(self, message: Message) -> str:
        """Write the report of one message, and return a text that names the file."""
        report = message.report()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._form is ReportFormat.ATOM:
                name = self._add_to_feed(entries(report, self._links(report)), message)
            else:
                ending = _ENDINGS.get(self._form, self._form.value)
                day = f"{message.window.until:%Y-%m-%d}"
                name = for_filename(f"{day}-{message.key[:16]}.{ending}")
                replace_file(self._folder / name, render(self._linked(report), self._form))
        except OSError as error:
            reason = f"{self._folder}: {error.strerror or error}"
            raise DeliveryError(reason, is_channel=True) from error
        return f"written to {self._folder / name}"

    def _linked(self, report: Report) -> Report:
        is_for_people = self._form not in {ReportFormat.JSON, ReportFormat.CSV}
        return with_links(report, self._site) if self._site and is_for_people else report

    def _links(self, report: Report) -> Addresses | None:
        trials = frozenset(trial.nct_id for trial in report.trials)
        return Addresses(f"{self._site}/", trials) if self._site else None

    def _add_to_feed(self, new: list[FeedEntry], message: Message) -> str:
        by_id = {entry.id: entry for entry in (*self._stored_entries(), *new)}
        newest = sorted(by_id.values(), key=lambda one: one.updated, reverse=True)[:MOST_ENTRIES]
        title = f"ctsync: {self._name}"
        replace_file(self._folder / "feed.json", json_feed(title, newest))
        text = atom(title, newest, updated=message.window.until)
        replace_file(self._folder / "feed.atom", text)
        return "feed.atom"

    def _stored_entries(self) -> list[FeedEntry]:
        try:
            return read_json_feed((self._folder / "feed.json").read_text("utf-8"))
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise DeliveryError(
                f"{self._folder / 'feed.json'}: {error}", is_channel=True
            ) from error

    def close(self) -> None:
        """Do nothing: no file stays open."""


def read_folder_url(url: str, name: str) -> tuple[Path, ReportFormat]:
    """Return the folder and format of a file URL. Raises ConfigError."""
    parts = urlsplit(url)
    form = parse_qs(parts.query).get("format", ["atom"])[0]
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise ConfigError([f"channels: {name}: write the folder as file:///path/to/folder"])
    if form not in {one.value for one in ReportFormat}:
        known = ", ".join(one.value for one in ReportFormat)
        raise ConfigError([f"channels: {name}: unknown format {form!r}; use one of {known}"])
    return Path(unquote(parts.path)), ReportFormat(form)
