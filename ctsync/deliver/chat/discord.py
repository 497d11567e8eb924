"""A message for a webhook of Discord: one embed per trial. Does no I/O.

Discord reads Markdown everywhere. A backslash before each punctuation mark of a remote text turns
it off, and with it links and mentions. The message also forbids mentions as such.
"""

from __future__ import annotations

import re

from ctsync.deliver.chat.chat_message import ChatMessage, ChatTrial, cut_escaped, fitted
from ctsync.model import JsonObject, Level
from ctsync.report.report import Report

MOST_EMBEDS = 10
LONGEST_CONTENT = 2_000
LONGEST_TITLE = 256
LONGEST_DESCRIPTION = 4_096
MOST_CHARACTERS = 6_000
"""Characters of the titles and descriptions of all embeds."""
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_COLORS = {Level.CRITICAL: 0xB3261E, Level.NOTABLE: 0xB26A00, Level.ROUTINE: 0x1F5FA8}
_GREY = 0x6B7280


def discord_message(report: Report, site: str) -> JsonObject:
    """Return the JSON of a message."""
    return fitted(_built, report, site, fits=_fits, most=MOST_EMBEDS)


def _built(message: ChatMessage) -> JsonObject:
    subject = f"**{cut_escaped(message.subject, LONGEST_TITLE * 2, _escaped)}**"
    lines = "\n".join((message.headline, *message.closing))
    rest = LONGEST_CONTENT - len(subject) - 1
    return {
        "content": f"{subject}\n{cut_escaped(lines, rest, _escaped)}",
        "allowed_mentions": {"parse": []},
        "embeds": [_embed(trial) for trial in message.trials],
    }


def _embed(trial: ChatTrial) -> JsonObject:
    level = f"{trial.level.value} " if trial.level else ""
    text = "\n".join(trial.lines)
    return {
        "title": f"{level}{trial.nct_id}",
        "url": trial.url,
        "description": cut_escaped(text, LONGEST_DESCRIPTION, _escaped),
        "color": _COLORS.get(trial.level, _GREY) if trial.level else _GREY,
    }


def _escaped(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\1", text)


def _fits(built: JsonObject) -> bool:
    texts = (f"{one['title']}{one['description']}" for one in built["embeds"])
    return sum(map(len, texts)) <= MOST_CHARACTERS
