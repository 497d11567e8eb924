"""A report as the few lines of a chat message, for every service. Does no I/O.

The texts of a message come from the registry. Each service shows them without links, markup or
mentions: see its module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from ctsync.model import JsonObject, Level
from ctsync.report.mail.links import with_links
from ctsync.report.report import Report
from ctsync.report.sentences import coverage_line, left_out_sentence
from ctsync.report.words.trial_heading import short_title
from ctsync.text import for_chat, shorten

MOST_TRIALS = 10
_TITLE, _WHAT, _SUBJECT = 150, 300, 200


@dataclass(frozen=True, slots=True)
class ChatTrial:
    """One trial: at most three lines of plain text, and the page to link to."""

    nct_id: str
    level: Level | None
    url: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message; `closing` says what is left out, and which registry data was read."""

    subject: str
    headline: str
    trials: tuple[ChatTrial, ...]
    closing: tuple[str, ...]


def chat_message(report: Report, site: str, *, most: int = MOST_TRIALS) -> ChatMessage:
    """Return the message of a report: `most` trials, worst first, and the number of the others.

    Links lead to the pages of `site`, or to ClinicalTrials.gov if it is empty.
    """
    linked = with_links(report, site) if site else report
    trials = tuple(_trials(linked))
    return ChatMessage(
        subject=plain(linked.subject, _SUBJECT),
        headline=plain(linked.headline, _WHAT),
        trials=trials[:most],
        closing=tuple(_closing(linked, site, len(trials[:most]))),
    )


def plain(text: str, width: int) -> str:
    """Return remote text on one line, cut to a width; it mentions nobody."""
    return shorten(for_chat(text), width)


def cut_escaped(text: str, width: int, escape: Callable[[str], str]) -> str:
    """Return an escaped text of at most `width` characters, cut before it is escaped."""
    kept = min(len(text), width)
    while len(escaped := escape(shorten(text, kept))) > width:
        kept -= max(1, (len(escaped) - width) // 2)
    return escaped


def fitted(
    build: Callable[[ChatMessage], JsonObject],
    report: Report,
    site: str,
    *,
    fits: Callable[[JsonObject], bool],
    most: int = MOST_TRIALS,
) -> JsonObject:
    """Return the message with as many trials as the service takes."""
    for count in range(most, -1, -1):
        built = build(chat_message(report, site, most=count))
        if fits(built):
            break
    return built


def size_of(built: JsonObject) -> int:
    """Return the bytes of a message as they are sent."""
    return len(orjson.dumps(built))


def _trials(report: Report) -> Iterator[ChatTrial]:
    for trial in report.trials:
        lines = [
            plain(short_title(trial.heading) or trial.title, _TITLE) or "no title",
            plain(trial.what, _WHAT),
        ]
        if trial.since_first:
            lines.append(plain(f"{trial.since_what}: {trial.since_first}", _WHAT))
        # a service refuses an empty text
        yield ChatTrial(trial.nct_id, trial.level, trial.url, tuple(filter(None, lines)))
    for welcome in report.welcomes:
        lines = [plain(welcome.title, _TITLE) or "no title", plain(welcome.state, _WHAT)]
        yield ChatTrial(welcome.nct_id, None, welcome.url, tuple(filter(None, lines)))


def _closing(report: Report, site: str, shown: int) -> Iterator[str]:
    total = len(report.trials) + report.welcomed
    if total > shown:
        where = f"{site}/" if site else "ctsync report"
        yield f"{total - shown:,} more of {total:,} trials: {where}"
    for line in (left_out_sentence(report), coverage_line(report)):
        if line:
            yield plain(line, _WHAT)
