"""The channel for services that apprise supports; needs the extra ctsync[notify]."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ctsync.deliver.message import DeliveryError, Message
from ctsync.report.report import Report
from ctsync.report.sentences import coverage_line, left_out_sentence
from ctsync.route import Route
from ctsync.text import for_markup, shorten

if TYPE_CHECKING:
    from ctsync.config.settings import ChannelSettings

ROWS = 10
HOW = "this channel needs apprise: install ctsync[notify]"


class AppriseChannel:
    """Sends a short text: one line per trial, worst first, and the number left out."""

    def __init__(self, routes: Mapping[str, Route], settings: ChannelSettings) -> None:
        self.routes = routes
        self._settings = settings

    def send(self, message: Message) -> str:
        """Send one message; apprise reports only success or failure."""
        report = message.report()
        client = self._client()
        title = shorten(for_markup(report.subject), 200)
        try:
            is_sent = client.notify(title=title, body="\n".join(_lines(report)), body_format="text")
        except Exception as error:  # noqa: BLE001 - the error of a plugin may contain the URL
            reason = f"{self._settings.name}: {type(error).__name__}"
            raise DeliveryError(reason, is_channel=True) from None
        if not is_sent:
            raise DeliveryError(f"{self._settings.name}: not accepted", is_channel=True)
        return "accepted by apprise"

    def _client(self) -> Any:
        try:
            apprise = import_module("apprise")
        except ImportError as error:
            raise DeliveryError(HOW, is_channel=True) from error
        # their log lines contain the URL, which may hold a token
        for name in ("apprise", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client = apprise.Apprise()
        if not client.add(self._settings.url.get_secret_value()):
            raise DeliveryError(
                f"{self._settings.name}: apprise does not support this URL", is_channel=True
            )
        return client

    def close(self) -> None:
        """Do nothing: no connection stays open."""


def _lines(report: Report) -> Iterator[str]:
    yield for_markup(report.headline)
    for trial in report.trials[:ROWS]:
        yield for_markup(f"{trial.level.value} {trial.nct_id} {trial.what} {trial.url}")
    more = len(report.trials) - ROWS
    if more > 0:
        yield f"and {more:,} more of {len(report.trials):,} trials: ctsync report"
    for welcome in report.welcomes[:ROWS]:
        yield for_markup(f"{welcome.nct_id} {welcome.state}")
    more = report.welcomed - ROWS
    if more > 0:
        yield f"and {more:,} more of {report.welcomed:,} newly followed: ctsync watch list"
    for line in (left_out_sentence(report), coverage_line(report)):
        if line:
            yield line
