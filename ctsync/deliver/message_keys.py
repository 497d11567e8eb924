"""The identities of deliveries and messages: the same at every attempt. Does no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from ctsync.route import Route

WELCOME_PREFIX = "w"
"""The first letter of a welcome's identity. Other identities begin with a hexadecimal digit."""


def event_key(route: Route, event_id: int, identity: Sequence[str]) -> str:
    """Return the identity of the delivery of an event by a route."""
    return _digest("event", route.channel, route.recipient, str(event_id), *identity)


def welcome_key(route: Route, watch: str) -> str:
    """Return the identity of a watch's only welcome to a recipient."""
    return WELCOME_PREFIX + _digest("welcome", route.channel, route.recipient, watch)


def is_welcome_key(key: str) -> bool:
    """Check whether a row with this identity delivers a welcome, not its event."""
    return key.startswith(WELCOME_PREFIX)


def quiet_key(route: Route, week: datetime | None) -> str:
    """Return the identity of a recipient's heartbeat of one week, or of all weeks for None."""
    return _digest("quiet", route.channel, route.recipient, week.isoformat() if week else "")


def message_key(dedup_keys: Sequence[str]) -> str:
    """Return the identity of a message from the identities of its rows, in any order."""
    return dedup_keys[0] if len(dedup_keys) == 1 else _digest("message", *sorted(dedup_keys))


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]
