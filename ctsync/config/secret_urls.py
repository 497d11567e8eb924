"""Whether a URL is a secret: who knows it can post, or silence a monitor. Does no I/O."""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import SplitResult, parse_qsl, urlsplit

_PLAIN_SCHEMES = {"http", "https", "file"}
_HOSTS = (
    "api.powerplatform.com",
    "api.telegram.org",
    "chat.googleapis.com",
    "discord.com",
    "discordapp.com",
    "hc-ping.com",
    "hooks.slack-gov.com",
    "hooks.slack.com",
    "hooks.zapier.com",
    "logic.azure.com",
    "outlook.office.com",
    "outlook.office365.com",
    "webhook.office.com",
)
"""Services whose URLs are their credentials; also their subdomains."""
_KEYS = re.compile(r"(?i)(.*[_-])?(token|key|secret|sig|signature|code|auth|pass|password|pw)")
_LONG = re.compile(r"[A-Za-z0-9_-]{16,}")
_CHANGES = 3
"""A text of 16 or more characters that changes this often between letters and digits is taken for
random: a UUID or a token, but not a name such as clinical-trials-team-2026."""


def holds_secret(url: str) -> bool:
    """Check whether a URL of a channel or monitor contains a token or password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if "://" not in url:
        return False  # not a URL, and refused as such
    if parts.scheme.lower() not in _PLAIN_SCHEMES:
        return True  # a URL of apprise is made of the service's tokens
    return (
        parts.username is not None
        or _is_of_service(parts)
        or any(_KEYS.fullmatch(key) and value for key, value in parse_qsl(parts.query))
        or any(map(_is_random, _LONG.findall(f"{parts.path}?{parts.query}")))
    )


def _is_of_service(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    return any(host == known or host.endswith(f".{known}") for known in _HOSTS)


def _is_random(text: str) -> bool:
    letters = [character for character in text if character.isalnum()]
    return sum(a.isdigit() != b.isdigit() for a, b in pairwise(letters)) >= _CHANGES
