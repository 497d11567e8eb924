"""A message for a webhook of Microsoft Teams: an Adaptive Card. Does no I/O.

Workflows and the older Office 365 connectors take the same JSON. Remote text stands in TextRuns,
where Teams reads no Markdown. Only the NCT id is a link.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.deliver.chat.chat_message import ChatMessage, ChatTrial, fitted, size_of
from ctsync.model import JsonObject, Level
from ctsync.report.report import Report

MOST_BYTES = 28_000
"""Teams refuses a message of more than 28 KB."""
_COLORS = {Level.CRITICAL: "Attention", Level.NOTABLE: "Warning"}


def teams_message(report: Report, site: str) -> JsonObject:
    """Return the JSON of a message."""
    return fitted(_built, report, site, fits=lambda built: size_of(built) <= MOST_BYTES)


def _built(message: ChatMessage) -> JsonObject:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": message.subject,
        "body": list(_body(message)),
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "summary": message.subject, "attachments": [attachment]}


def _body(message: ChatMessage) -> Iterator[JsonObject]:
    yield _text(_run(message.subject, weight="Bolder", size="Large"))
    yield _text(_run(message.headline))
    for trial in message.trials:
        yield {**_text(*_heading(trial)), "separator": True, "spacing": "Medium"}
        for line in trial.lines:
            yield {**_text(_run(line)), "spacing": "None"}
    for line in message.closing:
        yield _text(_run(line, size="Small", isSubtle=True))


def _heading(trial: ChatTrial) -> Iterator[JsonObject]:
    if trial.level:
        color = _COLORS.get(trial.level, "Default")
        yield _run(f"{trial.level.value} ", weight="Bolder", color=color)
    opened = {"type": "Action.OpenUrl", "url": trial.url}
    yield _run(trial.nct_id, weight="Bolder", selectAction=opened)


def _text(*runs: JsonObject) -> JsonObject:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: object) -> JsonObject:
    return {"type": "TextRun", "text": text, **style}
