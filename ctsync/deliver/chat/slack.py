"""A message for an incoming webhook of Slack: Block Kit. Does no I/O.

Remote text stands in plain_text objects, where Slack reads no markup and makes no link. Slack reads
&, < and > everywhere, so they are escaped. Only the NCT id is a link.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.deliver.chat.chat_message import ChatMessage, cut_escaped, fitted
from ctsync.model import JsonObject
from ctsync.report.report import Report

MOST_BLOCKS = 50
LONGEST_TEXT = 3_000
LONGEST_HEADER = 150
MOST_CHARACTERS = 12_000
"""Characters of all texts. Slack publishes no limit, and refuses about 13,200."""
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


def slack_message(report: Report, site: str) -> JsonObject:
    """Return the JSON of a message."""
    return fitted(_built, report, site, fits=_fits)


def _built(message: ChatMessage) -> JsonObject:
    return {
        # for notifications, and for readers without blocks
        "text": cut_escaped(message.subject, LONGEST_TEXT, _escaped),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": list(_blocks(message)),
    }


def _blocks(message: ChatMessage) -> Iterator[JsonObject]:
    yield {"type": "header", "text": _plain(message.subject, LONGEST_HEADER)}
    yield {"type": "section", "text": _plain(message.headline)}
    for trial in message.trials:
        level = f"*{trial.level.value}* " if trial.level else ""
        link = f"{level}<{_escaped(trial.url)}|{trial.nct_id}>"
        yield {"type": "divider"}
        yield {"type": "section", "text": {"type": "mrkdwn", "text": link, "verbatim": True}}
        yield {"type": "section", "text": _plain("\n".join(trial.lines))}
    if message.closing:
        yield {"type": "context", "elements": [_plain(line) for line in message.closing]}


def _plain(text: str, width: int = LONGEST_TEXT) -> JsonObject:
    return {"type": "plain_text", "text": cut_escaped(text, width, _escaped), "emoji": False}


def _escaped(text: str) -> str:
    for character, entity in _ESCAPES:
        text = text.replace(character, entity)
    return text


def _fits(built: JsonObject) -> bool:
    texts = [block["text"]["text"] for block in built["blocks"] if "text" in block]
    return len(built["blocks"]) <= MOST_BLOCKS and sum(map(len, texts)) <= MOST_CHARACTERS
