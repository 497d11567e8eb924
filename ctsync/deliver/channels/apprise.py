"""The channel for services that apprise supports; needs the extra ctsync[notify]."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ctsync.deliver.channels import apprise_process
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.report.mail.links import with_links
from ctsync.report.report import Report
from ctsync.report.sentences import coverage_line, left_out_sentence
from ctsync.route import Route
from ctsync.text import for_chat, shorten

if TYPE_CHECKING:
    from ctsync.config.settings import ChannelSettings

ROWS = 10
_TITLE, _WHAT = 200, 300
_REASONS = {
    apprise_process.MISSING: "this channel needs apprise: install ctsync[notify]",
    apprise_process.UNSUPPORTED: "apprise does not support this URL",
    apprise_process.REFUSED: "not accepted",
}
DEADLINE_SECONDS = 60.0
"""Time limit of one message."""
_PROGRAM = apprise_process.__file__


class AppriseChannel:
    """Sends a short text: one line per trial, worst first, and the number left out.

    A text that is too long for the service becomes several messages. apprise sends it as plain
    text, which many services read as Markdown, and does not forbid mentions.

    Links lead to the pages of `site`, or to ClinicalTrials.gov if it is empty.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        settings: ChannelSettings,
        *,
        site: str = "",
        seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.routes = routes
        self._settings = settings
        self._site = site
        self._seconds = seconds

    def send(self, message: Message) -> str:
        """Send one message; apprise reports only success or failure."""
        report = message.report()
        if self._site:
            report = with_links(report, self._site)
        title = shorten(for_chat(report.subject), _TITLE)
        code = self._run(title, "\n".join(_lines(report)))
        if code != apprise_process.SENT:
            reason = _REASONS.get(code, "apprise ended with an error")
            raise self._error(reason)
        return "accepted by apprise"

    def _error(self, reason: str) -> DeliveryError:
        return DeliveryError(f"{self._settings.name}: {reason}", is_channel=True)

    def _run(self, title: str, body: str) -> int:
        """Send in a separate process, and return its exit code."""
        given = {
            "url": self._settings.url.reveal(),
            "title": title,
            "body": body,
            "seconds": self._seconds,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-P", _PROGRAM],  # -P: import no modules from the program's folder
                input=json.dumps(given).encode(),
                capture_output=True,
                timeout=self._seconds,
                env={**os.environ, "NETRC": os.devnull},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._error("no answer in time") from None
        except OSError as error:
            raise self._error(f"python cannot be started: {error.strerror}") from None
        return done.returncode

    def close(self) -> None:
        """Do nothing: no connection stays open."""


def _lines(report: Report) -> Iterator[str]:
    yield for_chat(report.headline)
    for trial in report.trials[:ROWS]:
        what = shorten(for_chat(trial.what), _WHAT)
        yield f"{trial.level.value} {trial.nct_id} {what} {trial.url}"
    more = len(report.trials) - ROWS
    if more > 0:
        where = f"{report.site}/" if report.site else "ctsync report"
        yield f"and {more:,} more of {len(report.trials):,} trials: {where}"
    for welcome in report.welcomes[:ROWS]:
        yield for_chat(f"{welcome.nct_id} {welcome.state}")
    more = report.welcomed - ROWS
    if more > 0:
        where = f"{report.site}/" if report.site else "ctsync watch list"
        yield f"and {more:,} more of {report.welcomed:,} newly followed: {where}"
    for line in (left_out_sentence(report), coverage_line(report)):
        if line:
            yield line
