"""Stand-ins for the webhooks of Slack, Teams and Discord, which refuse what the services refuse.

The checks follow the published limits: Slack's Block Kit reference, the Adaptive Cards schema 1.4
and Microsoft's limits for webhooks, and Discord's reference of messages and embeds. They refuse
unknown keys, which the services may ignore. How a client draws a message cannot be checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.deliver.webserver import listening

LINK = re.compile(
    r"https://(clinicaltrials\.gov/study/NCT\d{8}|trials\.example/trials/NCT\d{8}\.html)"
)
SLACK_CONTROL = re.compile(r"<(?!https://[^|<>]+\|NCT\d{8}>)|&(?!(amp|lt|gt);)")
CALL = re.compile(r"@(here|channel|everyone)|<@|<!|<#")


def check_slack(raw: bytes) -> list[str]:
    """Return what Slack would refuse in a message, or show as a link, markup or mention."""
    sent = json.loads(raw)
    found = unknown(sent, {"text", "mrkdwn", "unfurl_links", "unfurl_media", "blocks"})
    if not sent["text"] or sent["mrkdwn"] or sent["unfurl_links"]:
        found.append("text")
    if not 1 <= len(sent["blocks"]) <= 50:
        found.append("blocks: 1 to 50")
    total = 0
    for block in sent["blocks"]:
        texts = block.get("elements", [block["text"]] if "text" in block else [])
        keys = {"header": {"text"}, "section": {"text"}, "context": {"elements"}, "divider": set()}
        found += unknown(block, {"type"} | keys[block["type"]])
        if block["type"] == "context" and not 1 <= len(texts) <= 10:
            found.append("context: 1 to 10 elements")
        most = 150 if block["type"] == "header" else 3_000
        for text in texts:
            total += len(text["text"])
            found += slack_text(text, most, is_header=block["type"] == "header")
    if total > 13_000:
        found.append("msg_blocks_too_long")
    return found + slack_control(sent["text"])


def slack_text(text: dict[str, Any], most: int, *, is_header: bool) -> list[str]:
    found = [] if 1 <= len(text["text"]) <= most else [f"a text of {len(text['text'])} characters"]
    if text["type"] == "plain_text":
        found += unknown(text, {"type", "text", "emoji"})
        if "|NCT" in text["text"] and "<http" in text["text"]:
            found.append("a link in plain text")
    else:
        found += unknown(text, {"type", "text", "verbatim"})
        # the only text with markup has nothing from a record
        if is_header or not re.fullmatch(
            r"(\*[a-z]+\* )?<https://[^|<>]+\|NCT\d{8}>", text["text"]
        ):
            found.append(f"mrkdwn: {text['text']}")
        if not LINK.search(text["text"]):
            found.append("link")
    return found + slack_control(text["text"])


def slack_control(text: str) -> list[str]:
    return ["control"] if SLACK_CONTROL.search(text) or CALL.search(text) else []


CARD = {"$schema", "type", "version", "msteams", "fallbackText", "body"}
RUN = {"type", "text", "weight", "size", "color", "isSubtle", "selectAction"}


def check_teams(raw: bytes) -> list[str]:
    """Return what Teams would refuse in a message, or show as a link, markup or mention."""
    found = ["more than 28 KB"] if len(raw) > 28 * 1024 else []
    sent = json.loads(raw)
    found += unknown(sent, {"type", "summary", "attachments"})
    (attachment,) = sent["attachments"]
    found += unknown(attachment, {"contentType", "contentUrl", "content"})
    card = attachment["content"]
    found += unknown(card, CARD)
    if (sent["type"], attachment["contentType"], card["type"]) != (
        "message", "application/vnd.microsoft.card.adaptive", "AdaptiveCard",
    ):  # fmt: skip
        found.append("type")
    if card["msteams"] != {"width": "Full"}:  # its entities would be mentions
        found.append("msteams")
    for block in card["body"]:
        found += unknown(block, {"type", "inlines", "separator", "spacing"})
        if block["type"] != "RichTextBlock":  # a TextBlock reads Markdown
            found.append(block["type"])
        for run in block["inlines"]:
            found += unknown(run, RUN)
            if run["type"] != "TextRun" or not run["text"]:
                found.append("run")
            if re.search(r"@(here|channel|everyone)", run["text"]):
                found.append("call")
            action = run.get("selectAction")
            if action and (action["type"] != "Action.OpenUrl" or not LINK.match(action["url"])):
                found.append("action")
    return found


def check_discord(raw: bytes) -> list[str]:
    """Return what Discord would refuse in a message, or show as a link, markup or mention."""
    sent = json.loads(raw)
    found = unknown(sent, {"content", "allowed_mentions", "embeds"})
    if not 1 <= len(sent["content"]) <= 2_000:
        found.append("content")
    if sent["allowed_mentions"] != {"parse": []}:
        found.append("mentions")
    if len(sent["embeds"]) > 10:
        found.append("embeds")
    total = 0
    for embed in sent["embeds"]:
        found += unknown(embed, {"title", "url", "description", "color"})
        total += len(embed["title"]) + len(embed["description"])
        if not 1 <= len(embed["title"]) <= 256 or not 1 <= len(embed["description"]) <= 4_096:
            found.append("embed")
        if not LINK.fullmatch(embed["url"]) or not 0 <= embed["color"] <= 0xFFFFFF:
            found.append("url or color")
        found += markdown(embed["description"])
    content = re.fullmatch(r"(?s)\*\*(.+?)(?<!\\)\*\*\n(.*)", sent["content"])
    found += [*markdown(content[1]), *markdown(content[2])] if content else ["content"]
    return found + (["6,000 characters"] if total > 6_000 else [])


def markdown(text: str) -> list[str]:
    """Return the punctuation that has no backslash before it."""
    return re.findall(r"[!-/:-@\[-`{-~]", re.sub(r"\\[!-/:-@\[-`{-~]", "", text))


def unknown(given: dict[str, Any], keys: set[str]) -> list[str]:
    return [f"unknown key {key}" for key in given.keys() - keys]


CHECKS: dict[str, Callable[[bytes], list[str]]] = {
    "slack": check_slack,
    "teams": check_teams,
    "discord": check_discord,
}
ANSWERS = {"slack": (200, b"ok"), "teams": (202, b""), "discord": (204, b"")}


@dataclass
class ChatServer:
    url: str = ""
    received: list[bytes] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)


@contextmanager
def chat_service(name: str, *, answer: tuple[int, bytes] | None = None) -> Iterator[ChatServer]:
    """Run the stand-in of a service; `answer` replaces its own answer."""
    state = ChatServer()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            state.received.append(raw)
            problems = CHECKS[name](raw)
            if self.headers["Content-Type"] != "application/json":
                problems.append("Content-Type")
            state.refused += [problems] if problems else []
            status, body = (400, b"invalid") if problems else answer or ANSWERS[name]
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with listening(Answering) as address:
        state.url = f"{address}/hook"
        yield state
