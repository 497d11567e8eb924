"""Messages to Slack, Teams and Discord, sent to stand-ins that check their format."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ctsync.config.secret_urls import holds_secret
from ctsync.config.settings import ChannelSettings
from ctsync.deliver.channels.channel import channels_from
from ctsync.deliver.channels.chat import ChatChannel
from ctsync.deliver.channels.webhook import WebhookChannel
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.deliver.preview import trial_message
from ctsync.deliver.routes import channel_name
from ctsync.model import Kind, Level, NctId, StoredEvent
from ctsync.report.build import Scope
from ctsync.route import Route
from tests.deliver.chatserver import CHECKS, chat_service
from tests.given_settings import given_section, given_settings
from tests.report.examples import WINDOW, demo_events, event, stored
from tests.security.attacks import ATTACKS

SERVICES = tuple(CHECKS)
EACH = pytest.mark.parametrize("service", SERVICES)
TOKEN = "k4n4r1e"
URLS = {
    f"https://hooks.slack.com/services/T000/B000/{TOKEN}": "slack",
    f"https://hooks.slack-gov.com/services/T000/B000/{TOKEN}": "slack",
    f"https://hooks.slack.com/triggers/T000/1/{TOKEN}": "webhook",  # takes variables, no blocks
    f"https://discord.com/api/webhooks/123/{TOKEN}": "discord",
    f"https://ptb.discord.com/api/v10/webhooks/123/{TOKEN}?wait=true": "discord",
    f"https://discordapp.com/api/webhooks/123/{TOKEN}": "discord",
    f"https://discord.com/api/webhooks/123/{TOKEN}/slack": "webhook",
    f"https://acme.webhook.office.com/webhookb2/1@2/IncomingWebhook/{TOKEN}/3": "teams",
    f"https://outlook.office.com/webhook/1@2/IncomingWebhook/{TOKEN}/3": "teams",
    "https://prod-1.westus.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke"
    f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={TOKEN}": "teams",
    "https://default1.2.environment.api.powerplatform.com:443/powerautomate/automations/direct"
    f"/workflows/abc/triggers/manual/paths/invoke?api-version=1&sig={TOKEN}": "teams",
    f"https://hooks.slack.com.attacker.example/services/T/B/{TOKEN}": "webhook",
    f"https://example.org/hooks.slack.com/services/T/B/{TOKEN}": "webhook",
    f"slack://T000/B000/{TOKEN}": "notify",
}  # fmt: skip


def settings(url: str, **given: Any) -> ChannelSettings:
    return given_section(ChannelSettings, {"name": "team", "url": url} | given)


def message(events: list[StoredEvent] | None = None) -> Message:
    reported = demo_events() if events is None else events
    route = Route("slack:team", "team")
    return Message("key1", route, ("demo",), tuple(reported), WINDOW, Scope("demo", 4), dict)


def sent(service: str, what: Message, *, site: str = "") -> Any:
    """Send a message to the stand-in of a service; return what it received, if it is valid."""
    with chat_service(service) as server:
        channel = ChatChannel({}, settings(server.url, format=service), site=site)
        try:
            channel.send(what)
        finally:
            assert server.refused == []
    (raw,) = server.received
    return json.loads(raw)


@pytest.mark.parametrize(("url", "kind"), URLS.items())
def test_a_pasted_url_names_its_service_and_counts_as_a_secret(url: str, kind: str) -> None:
    assert channel_name(settings(url)) == f"{kind}:team"
    assert holds_secret(url) or kind == "webhook"


def test_a_format_or_a_secret_replaces_the_service_of_the_url() -> None:
    slack = next(iter(URLS))
    assert channel_name(settings(slack, format="json")) == "webhook:team"
    assert channel_name(settings(slack, secret="s")) == "webhook:team"
    assert channel_name(settings(slack, secret="s", format="slack")) == "slack:team"
    assert channel_name(settings("https://chat.example.org/x", format="slack")) == "slack:team"
    assert channel_name(settings("file:///srv/trials", format="slack")) == "file:team"


def test_the_channel_of_a_pasted_url_is_built_from_the_settings() -> None:
    listed = [
        {"name": f"{n}", "url": url}
        for n, (url, kind) in enumerate(URLS.items())
        if kind != "notify"
    ]
    built = channels_from(given_settings({"channels": listed, "log": {"events": "off"}}))
    for name, channel in built.items():
        expected = WebhookChannel if name.startswith("webhook") else ChatChannel
        assert isinstance(channel, expected), name


@EACH
def test_a_message_has_its_title_levels_and_links(service: str) -> None:
    text = json.dumps(sent(service, message()), ensure_ascii=False)
    assert "2 critical" in text
    assert "NCT01352702" in text
    assert "critical" in text
    assert "https://clinicaltrials.gov/study/NCT01352702" in text


@EACH
def test_links_lead_to_the_pages_if_they_have_an_address(service: str) -> None:
    text = json.dumps(sent(service, message(), site="https://trials.example"))
    assert "https://trials.example/trials/NCT01352702.html" in text
    assert "https://clinicaltrials.gov/study/NCT01352702" not in text


def lines_per_trial(service: str, got: Any) -> list[int]:
    match service:
        case "slack":
            texts = [one["text"] for one in got["blocks"][2:] if one["type"] == "section"]
            return [len(one["text"].split("\n")) for one in texts if one["type"] == "plain_text"]
        case "teams":
            body = got["attachments"][0]["content"]["body"]
            spaced = [one.get("spacing") for one in body]
            return [
                next((k for k, s in enumerate(spaced[n + 1 :]) if s != "None"), len(spaced) - n - 1)
                for n, one in enumerate(spaced)
                if one == "Medium"
            ]
        case _:
            return [len(one["description"].split("\n")) for one in got["embeds"]]


@EACH
def test_a_trial_has_two_or_three_lines(service: str) -> None:
    counted = lines_per_trial(service, sent(service, message()))
    assert counted
    assert set(counted) <= {2, 3}


def many(number: int, title: str, what: str = "x") -> list[StoredEvent]:
    return [
        stored(
            event(Kind.OTHER, Level.CRITICAL, label=what, before=what, after=[what], summary=what),
            NctId(f"NCT{n:08}"),
            brief_title=title,
            lead_sponsor=title,
        )
        for n in range(1, number + 1)
    ]


@EACH
@pytest.mark.parametrize("character", ["x", "*", "&", "é", "😀", "\\"])
def test_the_limits_of_a_service_hold_for_many_long_texts(service: str, character: str) -> None:
    long = " ".join([character * 40] * 200)
    text = json.dumps(sent(service, message(many(60, long, long))), ensure_ascii=False)
    assert "more of 60 trials" in text


@EACH
def test_hostile_text_makes_no_link_no_markup_and_no_mention(service: str) -> None:
    attacks = (
        *ATTACKS,
        "<!channel> <!here> <!everyone> <@U123> <#C1> <https://attacker.example|NCT00000001>",
        "@here @channel @everyone <@123> <@&456> <t:0:R>",
        "[NCT](https://attacker.example) https://attacker.example **b** `c` # h :smile: ||s||",
        "&lt;!channel&gt; \\<!channel\\>",
    )
    events = [
        one
        for n, text in enumerate(attacks, 1)
        for one in [
            stored(
                event(Kind.OTHER, Level.CRITICAL, label=text, before=text, after=[text],
                      summary=text),
                NctId(f"NCT{n:08}"), brief_title=text, lead_sponsor=text,
            )
        ]
    ]  # fmt: skip
    for start in range(0, len(events), 10):
        sent(service, message(events[start : start + 10]))
    print(f"chat: {len(attacks)} hostile texts accepted by {service}, 0 as markup")


@EACH
def test_a_newly_followed_trial_and_one_without_a_title_are_shown(service: str) -> None:
    new = [stored(event(Kind.FIRST_SEEN, Level.ADMINISTRATIVE), brief_title="")]
    assert sent(service, message(new))
    assert "no title" in json.dumps(sent(service, message(many(1, " \n", "moved"))))


@EACH
def test_the_test_message_of_a_channel_is_valid(service: str) -> None:
    route = Route(f"{service}:team", "team")
    sent(service, trial_message(route, now=WINDOW.until))


@EACH
@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (403, False), (404, False), (429, False), (500, False)]
)
def test_an_answer_is_a_permanent_or_a_temporary_failure(
    service: str, status: int, *, permanent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with chat_service(service, answer=(status, b"")) as server:
        channel = ChatChannel({}, settings(f"{server.url}/{TOKEN}", format=service))
        hint = "" if status in {400, 500} else ", (it (has|refuses)|too many) .+"
        with pytest.raises(DeliveryError, match=f"^{service}: answered {status}{hint}$") as failed:
            channel.send(message())
    assert failed.value.permanent is permanent
    assert failed.value.is_channel is not permanent
    assert TOKEN not in caplog.text


def test_a_refusal_with_status_200_by_teams_is_a_failure() -> None:
    said = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned 429"
    with chat_service("teams", answer=(200, said)) as server:
        channel = ChatChannel({}, settings(server.url, format="teams"))
        with pytest.raises(DeliveryError, match="Teams refused the message") as failed:
            channel.send(message())
    assert failed.value.is_channel
    with chat_service("teams", answer=(200, b"1")) as server:
        channel = ChatChannel({}, settings(server.url, format="teams"))
        assert channel.send(message()) == "answered 200"


def test_no_connection_is_a_failure_without_the_url() -> None:
    with chat_service("slack") as server:
        url = f"{server.url}/{TOKEN}"
    with pytest.raises(DeliveryError, match=r"^slack: no connection$"):
        ChatChannel({}, settings(url, format="slack")).send(message())


WRONG: dict[str, tuple[str, Callable[[Any], None]]] = {
    "blocks": ("slack", lambda one: one["blocks"].extend([{"type": "divider"}] * 50)),
    "a channel call": ("slack", lambda one: one.update(text="<!channel>")),
    "a long text": ("slack", lambda one: one["blocks"][1]["text"].update(text="x" * 3_001)),
    "markdown": (
        "teams",
        lambda one: one["attachments"][0]["content"]["body"][0].update(type="TextBlock"),
    ),
    "size": ("teams", lambda one: one.update(summary="x" * 30_000)),
    "embeds": ("discord", lambda one: one["embeds"].extend(one["embeds"][:1] * 10)),
    "mentions": ("discord", lambda one: one.update(allowed_mentions={})),
    "a link": ("discord", lambda one: one["embeds"][0].update(description="https://x.example")),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_check_of_a_stand_in_can_fail(name: str) -> None:
    service, spoil = WRONG[name]
    got = sent(service, message())
    assert CHECKS[service](json.dumps(got).encode()) == []
    spoil(got)
    assert CHECKS[service](json.dumps(got).encode()) != []
